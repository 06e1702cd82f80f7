"""Verbs that measure ratings and predictions which are there already."""
