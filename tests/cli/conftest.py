"""A server to fetch from."""

from __future__ import annotations

from tests.task.conftest import pem, upstream

__all__ = ["pem", "upstream"]
