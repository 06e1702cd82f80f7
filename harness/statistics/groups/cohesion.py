"""Do raters of a group agree more with each other than with the rest: GRASP's group association (methods 7.1).

Alpha within the group against xRR between the group and all other raters of the axis, both with the interval distance,
and a permutation test, because neither a ratio of 1 nor a difference of 0 is what chance gives: raters who are lenient
or severe throughout push both below, the more so the smaller the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership
from lm_plural.harness.statistics.uncertainty.permutation import ROUNDING, chunks, movable, p_value, shuffles

#: Most groups whose ratings are counted by a product with memberships, at a cost of ratings x groups.
FEW = 10


@dataclass(frozen=True)
class Association:
    """Cohesion of each group, shape (G,).

    Parameters
    ----------
    alpha : ndarray
        Krippendorff's alpha within the group; NaN without an item that two of them rated, or without variation.
    xrr : ndarray
        kappa_x between the group and the rest; NaN without an item rated by both, or without variation.
    difference : ndarray
        alpha - xrr.
    gai : ndarray
        alpha / xrr, NaN unless xrr > 0.
    p, p_gai : ndarray
        Two-sided permutation p of the difference and of GAI; that of GAI counts only draws where it is defined.
    null_difference, null_gai : ndarray
        Median under permutation: what to read the two against.
    """

    alpha: Floats
    xrr: Floats
    difference: Floats
    gai: Floats
    p: Floats
    p_gai: Floats
    null_difference: Floats
    null_gai: Floats


def cohesion_test(
    coded: Coded,
    members: Membership,
    rng: np.random.Generator,
    *,
    n_permutations: int = 999,
    strata: npt.ArrayLike | None = None,
) -> Association:
    """Compare agreement within each group with agreement across, and with chance.

    Parameters
    ----------
    coded : Coded
    members : Membership
        Raters in none of the groups are left out everywhere; a rater in several is in none of their rests.
    rng : numpy.random.Generator
    n_permutations : int
        Of whole rows of memberships between raters: a rater's ratings, and a rater's memberships, stay together.
    strata : array_like, shape (R,), optional
        Raters change places within a stratum only.

    Returns
    -------
    Association
    """
    present, flags = _flags(members)
    table = _Table.of(coded, present, flags)
    groups = np.zeros(len(present)) if strata is None else np.asarray(strata)[present]
    size = members.n_groups * 12 * table.total.shape[1] + len(present)
    alpha, xrr = table.cohesion(np.arange(len(present))[None])
    parts = [table.cohesion(shuffles(groups, n, rng)) for n in chunks(n_permutations, size)]
    null_alpha, null_xrr = (np.concatenate(x) for x in zip(*parts, strict=True))
    difference, null_difference = alpha - xrr, null_alpha - null_xrr
    gai, null_gai = _index(alpha, xrr), _index(null_alpha, null_xrr)
    able = movable(flags.T, groups)
    return Association(
        alpha[0],
        xrr[0],
        difference[0],
        gai[0],
        np.where(able, p_value(difference[0], null_difference), np.nan),
        np.where(able, p_value(gai[0], null_gai), np.nan),
        _median(null_difference),
        _median(null_gai),
    )


def _index(alpha: Floats, xrr: Floats) -> Floats:
    """Return GAI = alpha / xrr, NaN where xrr is not above what rounding leaves of 0."""
    return ratio(alpha, np.where(xrr > ROUNDING, xrr, 0.0))


def _median(draws: Floats) -> Floats:
    """Return the median of the draws that are defined, NaN without any."""
    some = ~np.isnan(draws).all(axis=0)
    return np.where(some, np.nanmedian(np.where(some, draws, 0.0), axis=0), np.nan)


def _flags(members: Membership) -> tuple[Ints, Floats]:
    """Return the raters of any group and their memberships, shape (R', G)."""
    present, row = np.unique(members.rater, return_inverse=True)
    flags = np.zeros((len(present), members.n_groups))
    flags[row, members.group] = 1
    return present, flags


@dataclass(frozen=True)
class _Table:
    """Ratings by the raters of any group, whose kind is the set of groups they are in.

    Parameters
    ----------
    chosen : sparse array, shape (K I, R')
        1 where a rater chose a level of an item, items fastest; items have two of the ratings or more.
    place : ndarray, shape (K,)
        Of the levels, from -1/2 to 1/2 or so.
    kind : ndarray of int, shape (R',)
    groups : ndarray, shape (kinds, G)
        1 where a kind is in a group.
    """

    chosen: csr_array
    place: Floats
    kind: Ints
    groups: Floats

    @classmethod
    def of(cls, coded: Coded, present: Ints, flags: Floats) -> _Table:
        """Take the raters that are present; alpha and xRR see neither where the scale begins nor its unit.

        Nor do they see items with fewer than two of the ratings.
        """
        number = np.full(coded.n_raters, -1)
        number[present] = np.arange(len(present))
        there = number[coded.rater] >= 0
        shared = np.bincount(coded.item[there], minlength=coded.n_items) >= 2
        rows = np.flatnonzero(there & shared[coded.item])
        item, n_items = (np.cumsum(shared) - 1)[coded.item[rows]], int(shared.sum())
        groups, kind = np.unique(-flags, axis=0, return_inverse=True)
        cell, rater = coded.level[rows].astype(np.int64) * n_items + item, number[coded.rater[rows]]
        ones = np.ones(len(rows), dtype=np.float32 if len(rows) < 2**24 else np.float64)  # counts stay exact
        chosen = csr_array((ones, (cell, rater)), shape=(coded.n_levels * n_items, len(present)))
        place = (coded.positions - coded.positions.mean()) / np.ptp(coded.positions)
        return cls(chosen, place, kind.reshape(-1), -groups)

    @cached_property
    def total(self) -> Floats:
        """Sums over all raters, shape (3, I, 1)."""
        return self._sums(self.chosen.sum(axis=1)[:, None])

    def cohesion(self, order: Ints) -> tuple[Floats, Floats]:
        """Return alpha and xRR of every group, each of shape (B, G).

        `order`, shape (B, R'), gives each rater the memberships of another one.
        """
        b, g = len(order), self.groups.shape[1]
        full = 5 * self.chosen.shape[0] <= self.chosen.nnz  # else most of the product would be zeros
        sums = self._by_product(order) if full and g <= FEW else self._by_kind(order)
        return _alpha(*sums).reshape(b, g), _xrr(*sums, *(self.total - sums)).reshape(b, g)

    def _by_product(self, order: Ints) -> Floats:
        """Return sums over the raters of each group under each permutation, shape (3, I, B G)."""
        members = self.groups.astype(self.chosen.dtype).take(self.kind.take(order).T, axis=0)
        return self._sums(self.chosen @ members.reshape(len(self.kind), -1))

    def _by_kind(self, order: Ints) -> Floats:
        """Return the same at a cost that hardly depends on the number of groups."""
        cells, kinds = self.chosen.shape[0], len(self.groups)
        cell = np.repeat(np.arange(cells) * kinds, np.diff(self.chosen.indptr))
        where = (cell + self.kind[o][self.chosen.indices] for o in order)
        each = (np.bincount(w, self.chosen.data, cells * kinds) for w in where)
        sums = (self._sums(np.asarray(c, dtype=np.float64).reshape(cells, kinds)) for c in each)
        alone = np.array_equal(self.groups, np.eye(kinds))  # nobody is in two groups: kinds are groups
        return np.concatenate([c if alone else c @ self.groups for c in sums], axis=2)

    def _sums(self, counts: Floats) -> Floats:
        """Return ratings, sums of places and of their squares from counts, shape (K I, M) to (3, I, M)."""
        k, m = len(self.place), counts.shape[1]
        by_level = np.stack([np.ones(k), self.place, self.place**2])
        return np.asarray(by_level @ counts.reshape(k, len(counts) // k * m)).reshape(3, len(counts) // k, m)


def _alpha(n: Floats, x: Floats, xx: Floats) -> Floats:
    """Return alpha with the interval distance from sums over raters, shape (I, M) to (M,)."""
    pairs = (n >= 2).astype(np.float64)
    observed = _over_items((n * xx - x**2) / np.maximum(n - 1, 1))
    n, x, xx = (_over_items(a * pairs) for a in (n, x, xx))
    return _beyond_chance(ratio(observed, n), ratio(n * xx - x**2, n * (n - 1)))


def _xrr(n1: Floats, x1: Floats, xx1: Floats, n2: Floats, x2: Floats, xx2: Floats) -> Floats:
    """Return kappa_x with the interval distance from sums over raters of two groups, shape (I, M) to (M,)."""
    both = ((n1 > 0) & (n2 > 0)).astype(np.float64)
    apart = n2 * xx1 + n1 * xx2 - 2 * x1 * x2
    observed = _over_items(apart * both * (n1 + n2) / np.maximum(n1 * n2, 1))
    n1, x1, xx1, n2, x2, xx2 = (_over_items(a * both) for a in (n1, x1, xx1, n2, x2, xx2))
    return _beyond_chance(ratio(observed, n1 + n2), ratio(n2 * xx1 + n1 * xx2 - 2 * x1 * x2, n1 * n2))


def _over_items(values: Floats) -> Floats:
    """Return the sum of each column: a product, because numpy is slow to sum narrow rows."""
    return np.asarray(np.ones(len(values)) @ values)


def _beyond_chance(observed: Floats, expected: Floats) -> Floats:
    """Return 1 - D_o / D_e, NaN where D_e is zero or what rounding leaves of it."""
    return 1 - ratio(observed, np.where(expected > ROUNDING, expected, 0.0))
