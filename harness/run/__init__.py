"""Doing it: plan, journal, loop, scoring, resume."""
