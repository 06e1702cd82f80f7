"""Cliff's delta between two groups of raters, within items (methods 7.6): the default for how two groups differ."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio


def cliffs_delta(c1: npt.ArrayLike, c2: npt.ArrayLike) -> Floats:
    """Return P(X > Y) - P(X < Y) for a rater of each group on the same item: unbiased for any number of raters.

    Parameters
    ----------
    c1, c2 : array_like, shape (..., K)
        Ratings per level, levels increasing; leading dimensions broadcast, for instance (I, P) for P pairs of groups.

    Returns
    -------
    ndarray, shape (...)
        In [-1, 1], above 0 where group 1 rates higher; NaN where a group did not rate.
    """
    a, b = np.asarray(c1, dtype=np.float64), np.asarray(c2, dtype=np.float64)
    return ratio((a * _surplus(b)).sum(axis=-1), a.sum(axis=-1) * b.sum(axis=-1))


def cliff_tables(c1: npt.ArrayLike, c2: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return delta and how much each rating moves it: ``tab[..., y] = delta - delta without one rating of level y``.

    With e_y the delta of a single rating of level y, ``(e_y - delta) / (n - 1)`` (for the jackknife, methods 3.2).

    Parameters
    ----------
    c1, c2 : array_like, shape (..., K)

    Returns
    -------
    delta : ndarray, shape (...)
        As :func:`cliffs_delta`.
    tab1, tab2 : ndarray, shape (..., K)
        Of ratings by group 1 and 2; 0 for a level that nobody chose, and for a group's only rater, without whom there
        is no delta.
    """
    a, b = np.broadcast_arrays(np.asarray(c1, dtype=np.float64), np.asarray(c2, dtype=np.float64))
    delta = cliffs_delta(a, b)
    n1, n2 = a.sum(axis=-1, keepdims=True), b.sum(axis=-1, keepdims=True)
    own1 = (_surplus(b) / np.maximum(n2, 1) - delta[..., None]) / np.maximum(n1 - 1, 1)
    own2 = (-_surplus(a) / np.maximum(n1, 1) - delta[..., None]) / np.maximum(n2 - 1, 1)
    return delta, np.where((a > 0) & (n2 > 0), own1, 0.0), np.where((b > 0) & (n1 > 0), own2, 0.0)


def superiority(delta: npt.ArrayLike) -> Floats:
    """Return A = (delta + 1) / 2, the chance that a rater of group 1 rates higher, ties counting half."""
    return (np.asarray(delta, dtype=np.float64) + 1) / 2


def _surplus(counts: Floats) -> Floats:
    """Return, per level, the ratings below it minus those above it."""
    up_to = counts.cumsum(axis=-1)
    return np.asarray(2 * up_to - counts - up_to[..., -1:])
