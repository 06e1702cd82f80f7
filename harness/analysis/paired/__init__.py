"""Two models, or one model asked in two ways, on the same items and raters."""
