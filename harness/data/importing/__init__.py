"""A recipe for somebody's own ratings."""
