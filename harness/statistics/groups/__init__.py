"""Groups compared with each other."""
