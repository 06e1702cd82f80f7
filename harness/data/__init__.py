"""Data sets: recipe, files, ratings ready to use."""
