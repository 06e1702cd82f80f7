"""Classifiers and word lists, scorers that need no model that talks."""
