"""Random numbers that a second run repeats."""

from __future__ import annotations

import numpy as np


def generator(seed: int, *family: str) -> np.random.Generator:
    """Return a generator keyed by the seed and the names of what is drawn, so that families do not share draws."""
    entropy = [seed, *(byte for name in family for byte in (*name.encode(), 256))]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
