"""Verbs that look: at results, task files and what is at hand."""
