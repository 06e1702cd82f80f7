"""Across models: compare, gate, aggregate, publish (stands on ``harness``, never the reverse)."""
