"""Cohesion within a group from the shape of its answers (methods 7.1), at an equal number of raters (methods 2.5).

Few raters look more cohesive than many: two of two agree more often than fifty of fifty. So every item is judged by
the expected value for m raters drawn from its own without replacement, which is exact, not simulated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.measures.distances import whole
from lm_plural.harness.statistics.measures.rarefaction import choices, hypergeometric, odds

#: Distinct rows of counts looked at in one go.
CHUNK = 1_000


def plurality_size(counts: npt.ArrayLike, m: int) -> Floats:
    """Return the mean over items of the expected share of the largest level among m raters, shape (G,).

    Parameters
    ----------
    counts : array_like, shape (I, G, K)
        Ratings per item, group and level; whole numbers.
    m : int
        Raters drawn, the same for all groups that are to be compared. Items with fewer ratings of a group do not count.

    Returns
    -------
    ndarray
        In [1/K, 1]; NaN for a group without an item that counts, and everywhere if a rating is split or m < 1.
    """
    return _mean_over_items(counts, m, _largest_share)


def negentropy(counts: npt.ArrayLike, m: int) -> Floats:
    """Return the mean over items of the expected ``ln K - H`` among m raters in nats, shape (G,).

    Parameters and NaN as of :func:`plurality_size`; in [0, ln K].
    """
    return _mean_over_items(counts, m, _negentropy)


def _mean_over_items(counts: npt.ArrayLike, m: int, value: Callable[[Ints, int], Floats]) -> Floats:
    """Average `value` of the counts of an item, which sees each distinct sorted row once."""
    c = np.asarray(counts)
    fits = (c.sum(axis=-1) >= m) & whole(counts) & (m >= 1)
    if not fits.any():
        return np.full(fits.shape[1], np.nan)
    # largest count first, so that rows with much the same one are neighbours
    rows, which = np.unique(-np.sort(-c[fits].astype(np.int64), axis=1), axis=0, return_inverse=True)
    values = np.zeros(fits.shape)
    values[fits] = value(rows, m)[which.reshape(-1)]
    return ratio(values.sum(axis=0), fits.sum(axis=0))


def _negentropy(rows: Ints, m: int) -> Floats:
    """Return ln K + sum_k E[(x_k/m) ln (x_k/m)], x_k hypergeometric: the sum needs no joint distribution."""
    share, n = np.arange(m + 1) / m, rows.sum(axis=1, keepdims=True)
    pairs, which = np.unique(n * (n.max() + 1) + rows, return_inverse=True)
    n, of_level = np.divmod(pairs, n.max() + 1)
    terms = xlogy(share, share) @ hypergeometric(n, of_level, m)
    return np.asarray(np.log(rows.shape[1]) + terms[which.reshape(rows.shape)].sum(axis=1))


def _largest_share(rows: Ints, m: int) -> Floats:
    """Return E[max_k x_k] / m = 1 - sum_{t < m} P(all x_k <= t) / m.

    Multivariate hypergeometric counts are independent binomials, of any common odds, given their sum m.
    """
    parts = [_share(rows[begin : begin + CHUNK], m) for begin in range(0, len(rows), CHUNK)]
    return np.concatenate(parts)


def _share(rows: Ints, m: int) -> Floats:
    n, k = rows.sum(axis=1), rows.shape[1]
    # one row per sum and level, so that those of all items are added side by side
    chances = [choices(of_level, m, odds(n, m)) for of_level in rows.T]
    any_sum, most = choices(n, m, odds(n, m))[m], min(m, rows.max())
    at_most = any_sum * (m - most)
    for t in range(-(-m // k), most):
        sums = chances[0] * (np.arange(m + 1) <= t)[:, None]
        for level in range(1, k):
            sums = _convolve(sums, chances[level][: t + 1], max(m - t * (k - 1 - level), 0), t * level)
        at_most += sums[m]
    return np.asarray(1 - at_most / any_sum / m)


def _convolve(a: Floats, b: Floats, least: int, most: int) -> Floats:
    """Convolve columns of a, shape (m + 1, U), and b, shape (t + 1, U), for sums from `least` to m.

    a is 0 above `most`; sums below `least` cannot be made up for by the levels that follow.
    """
    out = np.zeros_like(a)
    for x in range(len(b)):
        to = slice(max(least, x), min(len(a), x + most + 1))
        if to.start < to.stop:
            out[to] += a[to.start - x : to.stop - x] * b[x]
    return out
