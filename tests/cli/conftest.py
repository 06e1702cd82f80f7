"""A server to fetch from."""

from __future__ import annotations

from tests.data.conftest import pem, upstream

__all__ = ["pem", "upstream"]
