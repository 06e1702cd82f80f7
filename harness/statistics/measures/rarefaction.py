"""Plug-in distances at an equal number of raters, exactly (methods 2.5).

The expected distance of m raters drawn without replacement from those at hand. That takes the dependence on the number
of raters away, not the one on how divided the group is: for tables and for comparison with other work, not for gates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.measures.agreement import cumulative
from lm_plural.harness.statistics.measures.distances import by_group, js_terms, whole

#: Fewest raters a distance is rarefied to.
FLOOR = 5
#: Most raters anything is rarefied to: the exact expectations cost up to the cube of it and hardly change any more.
MOST = 150


def common_m(counts: npt.ArrayLike) -> tuple[int, npt.NDArray[np.bool_]]:
    """Return the number of raters to compare an axis at, and which groups are compared.

    The smallest median number of raters per item with any, among the groups that have 5 or more, and at most 150; the
    others are dropped.

    Parameters
    ----------
    counts : array_like, shape (I, G, K)

    Returns
    -------
    m : int
        0 if no group is kept.
    kept : ndarray of bool, shape (G,)
    """
    n = np.asarray(counts, dtype=np.float64).sum(axis=-1)
    median = np.array([np.median(column[column >= 1]) if (column >= 1).any() else 0.0 for column in n.T])
    kept = median >= FLOOR
    return (min(int(median[kept].min()), MOST) if kept.any() else 0), kept


def w1_rarefied(counts: npt.ArrayLike, q: npt.ArrayLike, spacing: npt.ArrayLike, m: int) -> Floats:
    """Return the expected plug-in W1 of m of the raters, in [0, 1].

    ``sum_k Delta_k sum_x HG(x; n, c_k, m) |x/m - Q_k|``

    Parameters
    ----------
    counts : array_like, shape (I, G, K)
    q : array_like, shape (I, K) or (I, G, K)
    spacing : array_like, shape (K-1,)
        Widths of the steps, sum 1.
    m : int

    Returns
    -------
    ndarray, shape (I, G)
        NaN where fewer than m rated, where the model says nothing, and everywhere if a rating is split or m < 1.
    """
    return np.asarray(_expected(counts, cumulative(counts), cumulative(by_group(q)), m, _apart) @ np.asarray(spacing))


def tv_rarefied(counts: npt.ArrayLike, q: npt.ArrayLike, m: int) -> Floats:
    """Return the expected plug-in total variation of m of the raters, shape (I, G); NaN as in `w1_rarefied`."""
    return np.asarray(_expected(counts, counts, by_group(q), m, _apart).sum(axis=-1) / 2)


def js_rarefied(counts: npt.ArrayLike, q: npt.ArrayLike, m: int) -> Floats:
    """Return the expected plug-in JS (nats) of m of the raters, shape (I, G); NaN as in `w1_rarefied`.

    JS is a sum over levels, so the hypergeometric margins give it exactly.
    """
    return np.asarray(_expected(counts, counts, by_group(q), m, js_terms).sum(axis=-1))


def _apart(share: float, target: Floats) -> Floats:
    return np.asarray(np.abs(share - target))


def _expected(
    counts: npt.ArrayLike, chosen: npt.ArrayLike, target: Floats, m: int, loss: Callable[[float, Floats], Floats]
) -> Floats:
    """Return E loss(X/m, target) per (item, group, level), X of m raters being among the `chosen` c of n."""
    n, c = np.asarray(counts, dtype=np.float64).sum(axis=-1, keepdims=True), np.asarray(chosen, dtype=np.float64)
    enough = (n >= m) & whole(counts) & (m >= 1)
    if not enough.any():
        return np.full(c.shape, np.nan)
    chances, pair = _hypergeometric(np.where(enough, n, m), np.where(enough, c, 0), m)
    mean = np.zeros(c.shape)
    for x, chance in enumerate(chances):
        mean = mean + chance[pair] * loss(x / m, target)
    return np.where(enough, mean, np.nan)


def _hypergeometric(n: Floats, c: Floats, m: int) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the chances of x = 0..m for each distinct pair (n, c), shape (m+1, P), and which pair stands where."""
    base = int(n.max()) + 1
    pairs, place = np.unique(np.rint(n * base + c).astype(np.int64), return_inverse=True)
    return hypergeometric(pairs // base, pairs % base, m), place.reshape(c.shape)


def hypergeometric(n: Ints, c: Ints, m: int) -> Floats:
    """Return the chances that x = 0..m of m raters drawn are among the c of n, shape (m+1, P)."""
    common = odds(n, m)
    chances = choices(c, m, common) * choices(n - c, m, common)[::-1]
    return np.asarray(chances / choices(n, m, common)[m])


def choices(n: Ints, m: int, odds: Floats) -> Floats:
    """Return C(n, x) odds^x for x = 0..m, shape (m+1, P): chances of a binomial but for a factor."""
    x = np.arange(m)[:, None]
    return np.asarray(np.vstack([np.ones(len(n)), (n - x) / (x + 1) * odds]).cumprod(axis=0))


def odds(n: Ints, m: int) -> Floats:
    """Return odds that put the sum of all choices, (1 + odds)^n, well below the largest number: m of n, at most 1."""
    return np.asarray(np.minimum(1, m / np.maximum(n - m, 1)))
