"""How many raters a question needs."""
