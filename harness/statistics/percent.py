"""What "18 % less toxic" can mean (methods 7.6): five numbers for one difference, never to be mixed.

Each compares group 1 with group 2, from ratings per level, levels increasing, counts or shares of shape (..., K); NaN
where a denominator is 0. `pomp` is the one that depends neither on where the scale begins nor on how rare an answer is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio


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
