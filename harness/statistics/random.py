"""Random numbers that a second run repeats."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *family: str) -> np.random.Generator:
    """Return a generator keyed by the seed and the names of what is drawn, so that families do not share draws."""
    text = "\0".join([str(seed), *family])
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.Philox(key=key))
