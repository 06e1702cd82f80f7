"""Scores of responses, weighted by what groups find harmful."""
