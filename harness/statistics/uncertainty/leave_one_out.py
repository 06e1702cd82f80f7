"""What one rater contributes to an item's statistic: its value less its value without that rater (methods 3.2).

The difference depends on the item, the group and the level chosen only, so it is a table of shape (I, G, K_fine). The
leave-one-out form matters: the infinitesimal one misstates standard errors by a quarter or more at five raters an item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.counts import Scaling, Sums
from lm_plural.harness.statistics.measures import agreement


@dataclass(frozen=True)
class Contribution:
    """A statistic of every item and group, and what each rating adds to it.

    Parameters
    ----------
    value : ndarray, shape (I, G)
        h; NaN where too few raters rated (2 for C and U, 1 for a mean) or the item has no prediction.
    table : ndarray, shape (I, G, K_fine)
        h less h without one rater who chose that level; 0 where h is not known or the level does not count.
    """

    value: Floats
    table: Floats

    def __add__(self, other: Contribution) -> Contribution:
        """Return the sum of two statistics (S = C + U holds for what each rater adds, too)."""
        return Contribution(self.value + other.value, self.table + other.table)


def item_mean(sums: Sums, weights: Floats) -> Contribution:
    """Return mean_j s_j; ``h - h^(-j) = (s_j - mean) / (n - 1)``. `weights` as of ``_tabulate``."""
    mean, place = agreement.item_mean(sums), sums.scaling.matrix @ sums.scaling.positions
    others = np.where(sums.n >= 2, sums.n - 1, np.nan)
    return _tabulate(sums, mean, lambda y: (place[y] - mean) / others, weights, least=1)


def bias(sums: Sums, q: npt.ArrayLike, weights: Floats) -> Contribution:
    """Return b = E_q[s] - mean_j s_j. `weights` as of ``_tabulate``."""
    people, place = agreement.item_mean(sums), sums.scaling.matrix @ sums.scaling.positions
    value = agreement.expected(q, sums.scaling) - people
    others = np.where(sums.n >= 2, sums.n - 1, np.nan)
    return _tabulate(sums, value, lambda y: (people - place[y]) / others, weights, least=1)


def divergence(sums: Sums, cdf: Floats, weights: Floats) -> Contribution:
    """Return C against a fixed CDF that broadcasts to (I, G, K-1).

    Without rater j it is ``[(su - u_j)^2 - (suu - u_j^2)] / ((n-1)(n-2))``. `weights` as of ``_tabulate``.
    """
    spacing, z = sums.scaling.spacing, sums.scaling.indicators
    value = agreement.divergence(sums, cdf)
    k = sums.n[..., None]
    su = sums.z - k * cdf
    suu = sums.zz - 2 * cdf * sums.z + k * cdf**2
    pairs_left = np.where(sums.n >= 3, (sums.n - 1) * (sums.n - 2), np.nan)
    # squares written out, so that a level costs one product with the steps it is counted in and no array of all cuts
    own, of_su, of_cdf = (su**2 - suu) @ spacing, (su * cdf) @ spacing, cdf**2 @ spacing

    def difference(y: int) -> Floats:
        steps = z[y] * spacing
        u_su, u_u = su @ steps - of_su, z[y] @ steps - 2 * (cdf @ steps) + of_cdf
        return np.asarray(value - (own - 2 * u_su + 2 * u_u) / pairs_left)

    return _tabulate(sums, value, difference, weights, least=2)


def disagreement(sums: Sums, weights: Floats) -> Contribution:
    """Return U. `weights` as of ``_tabulate``."""
    spacing, z = sums.scaling.spacing, sums.scaling.indicators
    value = agreement.disagreement(sums)
    m = np.where(sums.n >= 3, sums.n - 1, np.nan)
    own, square = sums.zz @ spacing, sums.z**2 @ spacing

    def difference(y: int) -> Floats:
        steps = z[y] * spacing
        mine = z[y] @ steps
        without = (own - mine - (square - 2 * (sums.z @ steps) + mine) / m) / (m - 1)
        return np.asarray(value - without)

    return _tabulate(sums, value, difference, weights, least=2)


def between(sums: Sums, weights: Floats) -> Contribution:
    """Return the items' parts of A: C against the group's mean CDF, taken as fixed (its first order vanishes)."""
    return divergence(sums, (weights[..., None] * sums.cdf).sum(axis=0)[None], weights)


def generic(
    counts: npt.ArrayLike, scaling: Scaling, statistic: Callable[[Sums], Floats], weights: Floats, *, least: int
) -> Contribution:
    """Return any item-level statistic with its leave-one-out table, by evaluating it once more per level.

    Parameters
    ----------
    counts : array_like, shape (I, G, K_fine)
    scaling : Scaling
    statistic : callable
        From sums of shape (I, G) to values of shape (I, G), NaN where it needs more raters.
    weights : ndarray, shape (I, G)
    least : int
        Raters it needs.
    """
    c = np.asarray(counts, dtype=np.float64)
    value = statistic(Sums.of(c, scaling))

    def difference(y: int) -> Floats:
        fewer = c.copy()
        fewer[..., y] = np.maximum(fewer[..., y] - 1, 0)
        return np.where(c[..., y] > 0, value - statistic(Sums.of(fewer, scaling)), 0.0)

    return _tabulate(Sums.of(c, scaling), value, difference, weights, least=least)


def _tabulate(
    sums: Sums, value: Floats, difference: Callable[[int], Floats], weights: Floats, *, least: int
) -> Contribution:
    """Evaluate the difference of every level.

    Where an item has just as many raters of the group as it needs (`least`), it leaves the mean T with any of them, and
    T moves by ``w (h - T)`` to first order: what the rater adds is then h - T, by `weights` of items, shape (I, G).
    """
    table = np.zeros((*value.shape, len(sums.scaling.kept)))
    known, last = ~np.isnan(value), sums.n == least
    leaves = np.nan_to_num(value - agreement.weighted_mean(value, weights))
    for level in np.flatnonzero(sums.scaling.kept):
        table[..., level] = np.where(known, np.where(last, leaves, difference(int(level))), 0.0)
    return Contribution(value, table)
