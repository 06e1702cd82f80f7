"""Groups of which only shares of answers are known."""
