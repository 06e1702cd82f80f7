"""Short, stable names for things: the same content has the same hash on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(value: Any) -> str:
    """Return 16 hex digits of the sha256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # a lone surrogate is no text, but whoever writes it down says so better
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
