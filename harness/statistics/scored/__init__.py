"""Scorers against ratings, and scores of responses."""
