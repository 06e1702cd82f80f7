"""Permutation tests over whole raters (methods 3.6): exact for small groups.

The hypothesis is that rating behaviour does not depend on the axis (within strata): who belongs to which group is then
as good as drawn at random among the raters, whose ratings stay together. Ratings by one rater are never torn apart,
because a rater's own severity is the largest source of chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Ints

Side = Literal["two", "greater", "less"]
#: Values closer than this to the observed one, in units of it or of 1, are ties that rounding has parted.
ROUNDING = 1e-10
#: Numbers held at once by one chunk of permutations.
CHUNK = 2_000_000
#: Numbers moved by all permutations of one test, above which there are fewer permutations, but :data:`LEAST`.
MOST_MOVED, LEAST = 300_000_000, 199
#: What shuffling a rater costs in such numbers.
SHUFFLED = 20
#: Raters, below which sorting them in two steps takes longer than in one.
FEW = 1_000


def affordable(n: int, n_raters: int, more: int = 0) -> int:
    """Return how many of n permutations are drawn, each of which shuffles raters and moves `more` numbers."""
    return min(n, max(LEAST, MOST_MOVED // (SHUFFLED * n_raters + more)))


def shuffles(strata: npt.ArrayLike, n: int, rng: np.random.Generator) -> Ints:
    """Draw n permutations of raters that exchange raters of one stratum only.

    Parameters
    ----------
    strata : array_like, shape (R,)
        A code per rater, for instance the cell of the other axes; all equal for no strata.
    n : int
    rng : numpy.random.Generator
        n permutations at once and in parts are the same permutations.

    Returns
    -------
    ndarray of int, shape (n, R)
        Row b gives each rater the membership of rater ``[b, j]``, who is of the same stratum.
    """
    given = np.asarray(strata)
    if (given == given[:1]).all():
        return _sorted_rows(rng.random((n, len(given))), 1)
    stratum = np.unique(given, return_inverse=True)[1].reshape(-1)
    out = np.empty((n, len(stratum)), dtype=np.int64)
    keys = stratum + rng.random(out.shape)
    out[:, np.argsort(stratum, kind="stable")] = _sorted_rows(keys, 1 + stratum.max(initial=0))
    return out


def _sorted_rows(keys: Floats, bound: float) -> Ints:
    """Return the order of each row of keys from 0 to `bound`: numpy is fast at short numbers and nearly sorted ones."""
    if keys.shape[1] < FEW:
        return np.argsort(keys, axis=1)
    order = np.argsort((keys * (2**15 / bound)).astype(np.uint16), axis=1, kind="stable")
    for row, near in zip(keys, order, strict=True):
        near[:] = near[np.argsort(row[near], kind="stable")]
    return order


def movable(flags: npt.ArrayLike, strata: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return for each row of flags, shape (S, R), whether raters of one stratum differ in it: else nothing permutes."""
    marks, codes = (
        np.atleast_2d(np.asarray(flags, dtype=np.float64)),
        np.unique(np.asarray(strata), return_inverse=True)[1],
    )
    size = np.bincount(codes)
    inside = np.array([np.bincount(codes, row, len(size)) for row in marks])
    return np.asarray(((inside > 0) & (inside < size)).any(axis=1))


def chunks(n: int, size: int) -> Iterator[int]:
    """Yield how many of n permutations to do at once where each holds `size` numbers."""
    step = max(1, CHUNK // max(1, size))
    for start in range(0, n, step):
        yield min(step, n - start)


def p_value(observed: npt.ArrayLike, null: npt.ArrayLike, side: Side = "two") -> Floats:
    """Return ``(1 + #{null >= observed}) / (1 + B)``, which no test of its level exceeds (Phipson & Smyth 2010).

    Parameters
    ----------
    observed : array_like, shape (...)
    null : array_like, shape (B, ...)
        The statistic under each permutation. Ties count as extreme; NaN draws are left out of B.
    side : {"two", "greater", "less"}
        ``two`` doubles the smaller of the other two, at most 1.

    Returns
    -------
    ndarray, shape (...)
        NaN where the observed value is.
    """
    t, draws = np.asarray(observed, dtype=np.float64), np.asarray(null, dtype=np.float64)
    slack = ROUNDING * np.maximum(1, np.abs(np.where(np.isfinite(t), t, 0)))
    below = 1 + (~np.isnan(draws)).sum(axis=0)
    greater = (1 + (draws >= t - slack).sum(axis=0)) / below
    less = (1 + (draws <= t + slack).sum(axis=0)) / below
    two = np.minimum(1, 2 * np.minimum(greater, less))
    return np.where(np.isnan(t), np.nan, {"two": two, "greater": greater, "less": less}[side])


def score_test(
    scores: npt.ArrayLike,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    strata: npt.ArrayLike | None = None,
    n_permutations: int = 9999,
) -> Floats:
    """Test whether raters of side a score differently from raters of side b, exactly for any number of raters.

    The Welch t of the difference of mean scores, so that unequal spread of the sides does not pass for a difference,
    is compared with its values when the memberships move between whole raters of a or b. Exact for the hypothesis that
    rating behaviour does not depend on the axis (within strata); for unequal spread, right for large groups.

    Parameters
    ----------
    scores : array_like, shape (R,) or (R, S)
        A rater's mean contribution to each of S statistics, from the rater's own ratings and quantities that are the
        same for every membership (an item's mean over all raters, the model): a contribution centred at the rater's
        group would depend on what is permuted. NaN for a rater without a score, who is missing from that statistic.
    a, b : array_like of bool, shape (R,)
        A rater on both sides is permuted as such. Raters of neither are left out.
    rng : numpy.random.Generator
    strata : array_like, shape (R,), optional
        Raters change places within a stratum only.
    n_permutations : int

    Returns
    -------
    ndarray, shape (S,)
        Two-sided p; NaN where a side has fewer than 2 raters with a score, and where no stratum has raters of both.
    """
    x = np.asarray(scores, dtype=np.float64)
    x = x.reshape(len(x), -1)
    sides = np.stack([np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)])
    kept = sides.any(axis=0)
    x, flags = x[kept], sides[:, kept].astype(np.float64)
    groups = np.zeros(len(x)) if strata is None else np.asarray(strata)[kept]
    moments = _moments(x)
    null = [
        _welch(*(flag[order] @ moments for flag in flags))
        for order in (shuffles(groups, n, rng) for n in chunks(n_permutations, flags.size + moments.size))
    ]
    if not movable(flags, groups).any():
        return np.full(x.shape[1], np.nan)
    return p_value(_welch(*(flag @ moments for flag in flags)), np.concatenate(null))


def _moments(x: Floats) -> Floats:
    """Return presence, value and square of the standardised scores side by side, shape (R, 3 S); 0 if missing."""
    there = ~np.isnan(x)
    n = np.maximum(there.sum(axis=0), 1)
    centred = np.where(there, x - np.where(there, x, 0).sum(axis=0) / n, 0)
    z = ratio(centred, np.sqrt((centred**2).sum(axis=0) / n), 0.0)
    return np.hstack([there.astype(np.float64), z, z**2])


def _welch(a: Floats, b: Floats) -> Floats:
    """Return the Welch t from summed moments, shape (..., 3 S) to (..., S); infinite if sides differ without spread."""
    (mean_a, variance_a), (mean_b, variance_b) = _mean(a), _mean(b)
    difference, variance = mean_a - mean_b, variance_a + variance_b
    difference = np.where(np.abs(difference) < ROUNDING, 0, difference)
    certain = np.where(difference == 0, 0, np.copysign(np.inf, difference))
    return np.where(variance < ROUNDING, certain, ratio(difference, np.sqrt(np.maximum(variance, ROUNDING))))


def _mean(moments: Floats) -> tuple[Floats, Floats]:
    """Return the mean and the variance of the mean, NaN for fewer than 2 raters."""
    n, s, ss = np.split(moments, 3, axis=-1)
    n = np.where(n >= 2, n, np.nan)
    return s / n, (ss - s**2 / n) / (n * (n - 1))
