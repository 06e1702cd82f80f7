"""Agreement of scores with the item means of a group: correlations, how far noise holds them down, their intervals.

Each statistic T is linearised: item i stands for ``T + g(x_i, y_i) - mean g``, with g the influence function at its
score and its mean rating, and a rater adds ``g(x_i, y_i) - g(x_i, y_i without the rater)`` (two-way jackknife,
methods 3.2). Over items with at least two raters, each weighing the same.

Correlations are lower than they would be against means without noise, the lower the fewer the raters, so they do not
compare across groups (methods 2.2). ``reliability`` is the share of the means' variance that is no noise; its root is
the highest Pearson correlation any scores can be expected to reach. Only Pearson's can be freed from noise
(``disattenuated``); for ranks no such formula holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.correlation import DIGITS, equal_weights, unit
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, count_levels
from lm_plural.harness.statistics.groups import GroupStatistics, covariance_of, membership_matrix, stack
from lm_plural.harness.statistics.inferences import Inference
from lm_plural.harness.statistics.influence import FUNCTIONS
from lm_plural.harness.statistics.leave_one_out import Contribution

Counts = Ints
Members = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Means:
    """Items of one group, as far as two of its raters rated them.

    Parameters
    ----------
    item : ndarray of int, shape (J,)
        Which items.
    counts : ndarray, shape (J, K)
        Their ratings.
    x, y : ndarray, shape (J,)
        Score and mean rating, the scale running from 0 to 1.
    noise : ndarray, shape (J,)
        Variance of y over draws of raters, unbiased.
    y_less, noise_less : ndarray, shape (J, K)
        The same without one rater who chose each level; NaN where only one would be left.
    """

    item: Ints
    counts: Floats
    x: Floats
    y: Floats
    noise: Floats
    y_less: Floats
    noise_less: Floats

    @classmethod
    def of(cls, coded: Coded, counts: Counts, member: Members, score: Floats) -> Means:
        """Take the items of one column: counts (I, K), membership (R,), scores (I,)."""
        s, item = unit(coded.positions), np.flatnonzero(counts.sum(axis=1) >= 2)
        c = counts[item].astype(np.float64)
        n, total, square = c.sum(axis=1), c @ s, c @ s**2
        left = np.where(n > 2, n - 1, np.nan)[:, None]
        y, y_less = total / n, (total[:, None] - s) / left
        noise = (square / n - y**2) / (n - 1)
        noise_less = ((square[:, None] - s**2) / left - y_less**2) / (left - 1)
        found = cls(item, c, score[item], y.round(DIGITS), noise, y_less.round(DIGITS), noise_less)
        kept = np.flatnonzero((counts.sum(axis=1) >= 2)[coded.item] & member[coded.rater])
        raters, j = np.unique(coded.rater[kept], return_inverse=True)
        full = len(item) >= 2 and len(kept) == len(item) * len(raters)
        return found._crossed(coded.item[kept], j, s[coded.level[kept]]) if full else found

    def _crossed(self, item: Ints, rater: Ints, value: Floats) -> Means:
        """Return them for a group in which everyone rated everything.

        How severe a rater is moves all means alike there and is no noise in their order, so the noise is what items and
        raters leave in a two-way analysis of variance: on average MS_res / n (methods 2.3).
        """
        i, n, items = np.searchsorted(self.item, item), self.counts.sum(axis=1), len(self.item)
        severity = np.bincount(rater, value) / items
        rest = (value - self.y[i] - severity[rater] + self.y.mean()) ** 2
        noise = np.bincount(i, rest) / (n * (n - 1)) * items / (items - 1)
        less = (noise * n / np.where(n > 2, n - 1, np.nan))[:, None]
        return replace(self, noise=noise, noise_less=np.broadcast_to(less, self.noise_less.shape))

    def part(self, name: str, n_items: int) -> tuple[Floats, Floats]:
        """Return what each item stands for, shape (I,), and what one rater of each level adds, shape (I, K).

        NaN throughout where the statistic is not defined.
        """
        out, table = np.full(n_items, np.nan), np.zeros((n_items, self.y_less.shape[1]))
        if len(self.item) < 2:
            return out, table
        value, g = FUNCTIONS[name](self.x, self.y, self.noise)
        out[:] = value
        if np.isnan(value):
            return out, table
        here = g(self.y, self.noise)
        out[self.item] += here - here.mean()
        levels = range(table.shape[1])
        moved = here[:, None] - np.stack([g(self.y_less[:, k], self.noise_less[:, k]) for k in levels], axis=1)
        # what all raters of an item move it by alike is bias, no difference between them: fewer raters, other ties
        moved -= ((self.counts * moved).sum(axis=1) / self.counts.sum(axis=1))[:, None]
        # of two raters: without one of them the item leaves the mean
        table[self.item] = np.where(np.isnan(self.y_less), (here - here.mean())[:, None], moved)
        return out, table


def rank_part(coded: Coded, counts: Counts, member: Members, score: npt.ArrayLike, name: str) -> Contribution:
    """Return one statistic of columns with counts (I, T, K) and membership (R, T); NaN where it is not defined.

    Parameters
    ----------
    coded : Coded
    counts : ndarray, shape (I, T, K)
        Items with fewer than two ratings do not count.
    member : ndarray of bool, shape (R, T)
    score : array_like, shape (I,)
        Without NaN.
    name : {"pearson", "spearman", "kendall", "reliability", "disattenuated"}
    """
    s = np.asarray(score, dtype=np.float64)
    columns = range(counts.shape[1])
    found = [Means.of(coded, counts[:, t], member[:, t], s).part(name, coded.n_items) for t in columns]
    value, table = (np.stack(x, axis=1) for x in zip(*found, strict=True))
    return Contribution(value, table)


def rank_statistics(
    coded: Coded, members: Membership, score: npt.ArrayLike, inference: Inference = "items+raters"
) -> GroupStatistics:
    """Return correlations, reliability and the disattenuated correlation of every group, with their covariance."""
    counts = count_levels(coded, members)
    n, member = counts.sum(axis=2), membership_matrix(members, coded.n_raters)
    weights = equal_weights(n >= 2)
    parts = [rank_part(coded, counts, member, score, name) for name in FUNCTIONS]
    known = [weights * ~np.isnan(p.value).any(axis=0) for p in parts]
    columns = stack(parts, known, n.astype(np.float64))
    covariance = covariance_of(coded, members, columns, counts, inference)
    return GroupStatistics(tuple(FUNCTIONS), columns.total.reshape(len(parts), -1), covariance, inference)
