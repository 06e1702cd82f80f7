"""Arithmetic on arrays where some cells have no answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ratio(above: npt.ArrayLike, below: npt.ArrayLike, otherwise: float = float("nan")) -> Floats:
    """Return ``above / below`` where `below` > 0 and `otherwise` elsewhere, without a warning; shapes broadcast."""
    a, b = np.broadcast_arrays(np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64))
    out: Floats = np.full(a.shape, otherwise)
    np.divide(a, b, out=out, where=b > 0)
    return out
