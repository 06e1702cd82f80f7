"""How two groups' ratings differ (methods 7.6): Cliff's delta within items, and what "18 % less toxic" can mean.

The percentages are five numbers for one difference, never to be mixed. Each compares group 1 with group 2, from ratings
per level, levels increasing, counts or shares of shape (..., K); NaN where a denominator is 0. `pomp` is the one that
depends neither on where the scale begins nor on how rare an answer is.
"""

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


def odds_ratio_percent(c1: npt.ArrayLike, c2: npt.ArrayLike) -> Floats:
    """Return 100 (OR - 1) of the odds of a rating above each cut, shape (..., K-1).

    Equal at all cuts if odds are proportional; if not, no single odds ratio describes the groups.
    """
    (above1, below1), (above2, below2) = _sides(c1), _sides(c2)
    return 100 * (ratio(above1 * below2, below1 * above2) - 1)


def exceedance_percent(c1: npt.ArrayLike, c2: npt.ArrayLike) -> Floats:
    """Return 100 (P1 / P2 - 1) of the chance of a rating above each cut, shape (..., K-1)."""
    (above1, below1), (above2, below2) = _sides(c1), _sides(c2)
    return 100 * (ratio(above1 * (above2 + below2), (above1 + below1) * above2) - 1)


def mean_percent(c1: npt.ArrayLike, c2: npt.ArrayLike, positions: npt.ArrayLike, origin: float) -> Floats:
    """Return 100 (mean1 / mean2 - 1), means counted from `origin`, shape (...).

    Ratings have no natural zero, and the result depends on the one chosen: 23.8 % on 1..5 is 45.5 % on 0..4.

    Parameters
    ----------
    c1, c2 : array_like, shape (..., K)
    positions : array_like, shape (K,)
    origin : float
        The position that counts as nothing, to be shown with the result: not above the first one.

    Returns
    -------
    ndarray
    """
    return 100 * (ratio(_mean(c1, positions) - origin, _mean(c2, positions) - origin) - 1)


def pomp(c1: npt.ArrayLike, c2: npt.ArrayLike, positions: npt.ArrayLike) -> Floats:
    """Return the difference of means as percent of the scale's length (of maximum possible), shape (...)."""
    return np.asarray(100 * (_mean(c1, positions) - _mean(c2, positions)) / np.ptp(np.asarray(positions, dtype=float)))


def rater_sd_difference(x1: npt.ArrayLike, x2: npt.ArrayLike) -> tuple[float, float]:
    """Return the difference of means in standard deviations *between raters*, and that standard deviation.

    The SD of single ratings would mix in the items, which say nothing about how far people are apart.

    Parameters
    ----------
    x1, x2 : array_like, shape (n1,) and (n2,)
        A mean per rater; where raters saw different items, of deviations from the item's mean.

    Returns
    -------
    difference : float
        NaN without spread or with fewer than 3 raters.
    sd : float
        Pooled within groups, n1 + n2 - 2 degrees of freedom.
    """
    a, b = np.asarray(x1, dtype=np.float64), np.asarray(x2, dtype=np.float64)
    if not len(a) or not len(b):
        return float("nan"), float("nan")
    squares = ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
    sd = np.sqrt(ratio(squares, len(a) + len(b) - 2))
    return float(ratio(a.mean() - b.mean(), sd)), float(sd)


def _sides(counts: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return how many ratings lie above and at or below each cut, shape (..., K-1) both."""
    below = np.asarray(counts, dtype=np.float64).cumsum(axis=-1)
    return below[..., -1:] - below[..., :-1], below[..., :-1]


def _mean(counts: npt.ArrayLike, positions: npt.ArrayLike) -> Floats:
    c = np.asarray(counts, dtype=np.float64)
    return ratio(c @ np.asarray(positions, dtype=np.float64), c.sum(axis=-1))
