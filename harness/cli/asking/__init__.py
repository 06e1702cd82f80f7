"""Verbs that ask: a model, scorers, a judge."""
