"""From coded ratings to what every statistic needs: sums per (item, group) of the cumulative indicators.

Symbols (methods 1.2): item i, rater j, group g, level k. ``z_ijk = 1`` if rater j gave item i level k or lower, for
k = 1..K-1; ``n_ig`` raters of g rated i. Under a coarsening a fine level may count as a share of a coarse one, so z
lies in [0, 1] and its square is summed beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio

Ints = npt.NDArray[np.int64]
#: Ratings looked at in one go: few, so that what is worked out on the way stays in the cache.
CHUNK = 250_000


@dataclass(frozen=True)
class Coded:
    """Ratings of one dimension on one scale as codes, one entry per rating.

    Parameters
    ----------
    item, rater, level : ndarray of int, shape (N,)
        0-based codes.
    n_items, n_raters : int
    positions : ndarray, shape (n_levels,)
        Where the levels stand, in scale points, increasing.
    weight : ndarray, shape (N,), or None
        The user's weights.
    """

    item: Ints
    rater: Ints
    level: Ints
    n_items: int
    n_raters: int
    positions: Floats
    weight: Floats | None = None

    @property
    def n_levels(self) -> int:
        """Number of levels, K."""
        return len(self.positions)


@dataclass(frozen=True)
class Membership:
    """Which rater belongs to which groups, as pairs; a rater may be in none, one or several.

    Parameters
    ----------
    rater, group : ndarray of int, shape (M,)
    n_groups : int
    """

    rater: Ints
    group: Ints
    n_groups: int

    @classmethod
    def everyone(cls, n_raters: int) -> Membership:
        """One group that holds all raters."""
        return cls(np.arange(n_raters), np.zeros(n_raters, dtype=np.int64), 1)

    @property
    def disjoint(self) -> bool:
        """Whether no rater is in two groups."""
        return not np.any(np.bincount(self.rater) > 1)

    def sizes(self, present: Ints) -> Ints:
        """Return the number of raters of each group among the rater codes in `present`, shape (G,)."""
        kept = np.isin(self.rater, present)
        return np.bincount(self.group[kept], minlength=self.n_groups)


class Rows(NamedTuple):
    """Some ratings with a membership of their rater each: a rating by a rater in two groups stands here twice.

    Parameters
    ----------
    row : ndarray of int, shape (n,)
        Which rating of the coded ones.
    item, level, pair, group : ndarray of int, shape (n,)
        `pair` is the place of the membership among ``members.rater``.
    """

    row: Ints
    item: Ints
    level: Ints
    pair: Ints
    group: Ints


def stream(coded: Coded, members: Membership, chunk: int = CHUNK) -> Iterator[Rows]:
    """Give every rating the memberships of its rater, `chunk` ratings at a time, so that memory stays bounded."""
    order = np.argsort(members.rater, kind="stable")
    starts = np.searchsorted(members.rater[order], np.arange(coded.n_raters + 1))
    times = np.diff(starts)
    once = times.max(initial=0) <= 1
    for begin in range(0, len(coded.rater), chunk):
        rater = coded.rater[begin : begin + chunk]
        n = times[rater]
        if once:
            row, within = np.flatnonzero(n), 0
        else:
            row = np.repeat(np.arange(len(rater)), n)
            within = np.arange(len(row)) - np.repeat(n.cumsum() - n, n)
        pair = order[starts[rater[row]] + within]
        row += begin
        yield Rows(row, coded.item[row], coded.level[row], pair, members.group[pair])


def count_levels(coded: Coded, members: Membership, *, weighted: bool = False) -> npt.NDArray[Any]:
    """Return the number of ratings per (item, group, level), or their summed weights, shape (I, G, K)."""
    shape = (coded.n_items, members.n_groups, coded.n_levels)
    weight = coded.weight if weighted else None
    total = np.zeros(int(np.prod(shape)), dtype=np.int64 if weight is None else np.float64)
    for rows in stream(coded, members):
        cell = (rows.item.astype(np.int64) * shape[1] + rows.group) * shape[2] + rows.level
        np.add.at(total, cell, 1 if weight is None else weight[rows.row])
    return total.reshape(shape)


@dataclass(frozen=True)
class Scaling:
    """A scale as statistics see it, possibly a coarsening of the one the raters used.

    Parameters
    ----------
    positions : ndarray, shape (K,)
        Of the levels statistics are about.
    matrix : ndarray, shape (K_fine, K)
        Share of a rated level that counts as each of them: the identity without coarsening; a row of zeros drops it.
    """

    positions: Floats
    matrix: Floats

    @classmethod
    def plain(cls, positions: npt.ArrayLike) -> Scaling:
        """Return the scale as rated."""
        p = np.asarray(positions, dtype=np.float64)
        return cls(p, np.eye(len(p)))

    @property
    def spacing(self) -> Floats:
        """Widths of the K-1 steps, sum 1, so that distances lie in [0, 1]."""
        steps: Floats = np.diff(self.positions) / (self.positions[-1] - self.positions[0])
        return steps

    @property
    def kept(self) -> Floats:
        """1 for a rated level that counts, 0 for a dropped one, shape (K_fine,)."""
        return np.asarray(self.matrix.sum(axis=1))

    @property
    def indicators(self) -> Floats:
        """Z of each rated level, shape (K_fine, K-1)."""
        return np.asarray(self.matrix.cumsum(axis=1)[:, :-1])


@dataclass(frozen=True)
class Sums:
    """Sufficient sums per item and group.

    Parameters
    ----------
    n : ndarray, shape (I, G)
        Raters.
    z, zz : ndarray, shape (I, G, K-1)
        Sum of z and of z squared over raters (equal without coarsening).
    x : ndarray, shape (I, G)
        Sum of positions of the ratings.
    scaling : Scaling
    """

    n: Floats
    z: Floats
    zz: Floats
    x: Floats
    scaling: Scaling

    @classmethod
    def of(cls, counts: npt.ArrayLike, scaling: Scaling) -> Sums:
        """Sum up counts, shape (I, G, K_fine)."""
        c = np.asarray(counts, dtype=np.float64)
        ind = scaling.indicators
        return cls(c @ scaling.kept, c @ ind, c @ ind**2, c @ (scaling.matrix @ scaling.positions), scaling)

    @cached_property
    def cdf(self) -> Floats:
        """Share of ratings at or below each level, shape (I, G, K-1); 0 where nobody rated."""
        return ratio(self.z, self.n[..., None], 0.0)
