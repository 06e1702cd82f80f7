"""Two-way jackknife (methods 3.2): how far sums over items would move with other items and other raters.

A column is ``T_p = sum_i w_ip h_ip``, seen by the raters of one side (a group, or all others)::

    V_items = I/(I-1) sum_i a_i a_i'           a_ip   = w_ip (h_ip - T_p)
    V_R     = (n-1)/n sum_j r_j r_j'           r_j    = sum_i psi_ij
    V_X     = (n-1)/n sum_ij psi_ij psi_ij'    psi_ij = w_ip (h_ip - h_ip without rater j)
    V       = V_items + V_cross,  V_cross = V_R - V_X

    raters alone: V_cross + sum_ij (n_i - 1)/n_i psi_ij psi_ij'

V_items holds all that differs from item to item, the raters' part included; raters are the only reason why two items
covary, and V_cross is what they add. Items alone or ratings as independent give intervals that are far too short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, stream
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.measures.agreement import ROUNDING

#: Cells of a dense table of ratings x columns, above which raters are gone through kind by kind.
BLOCK = 4_000_000


@dataclass(frozen=True)
class Columns:
    """What P sums are made of.

    Parameters
    ----------
    value : ndarray, shape (I, P)
        h; not looked at where the weight is 0.
    table : ndarray, shape (I, K_fine, P)
        h less h without one rater at that level.
    weights : ndarray, shape (I, P)
        Of items; each column sums to 1, or to 0 where there is nothing to say.
    pool : ndarray of int, shape (P,)
        Columns of one number are about the same raters (or never stand in one combination).
    n : ndarray, shape (I, P)
        Raters of the item on the column's side.
    """

    value: Floats
    table: Floats
    weights: Floats
    pool: Ints
    n: Floats

    @property
    def total(self) -> Floats:
        """T, shape (P,); NaN without weight."""
        some = self.weights.sum(axis=0) > 0
        known = np.where(self.weights > 0, self.value * self.weights, 0.0)
        return np.where(some, known.sum(axis=0), np.nan)

    @property
    def own(self) -> Floats:
        """Share of psi^2 that is a rater's own noise, sqrt((n - 1) / n), shape (I, P); 1 for an item's only rater."""
        return np.sqrt(np.where(self.n >= 2, 1 - ratio(1, self.n, 0.0), 1.0))

    @property
    def influence(self) -> Floats:
        """a, shape (I, P)."""
        return np.where(self.weights > 0, self.weights * (self.value - self.total), 0.0)


@dataclass(frozen=True)
class Covariance:
    """Parts of the covariance of P columns, each of shape (P, P), and what the degrees of freedom need.

    Parameters
    ----------
    items, raters, same : ndarray, shape (P, P)
        V_items, V_R and V_X; empty without inference.
    pool : ndarray of int, shape (P,)
    n_items, n_raters : ndarray, shape (P,)
        With weight in the column.
    own : ndarray, shape (P, P)
        V_X with the factor (n_i - 1)/n_i of each item: what raters alone make an item vary. V_X itself where everyone
        rated everything; with two raters an item V_X is twice as large, which cancels in V_cross only.
    """

    items: Floats
    raters: Floats
    same: Floats
    pool: Ints
    n_items: Floats
    n_raters: Floats
    own: Floats

    def parts(self, loadings: Floats) -> tuple[Floats, Floats]:
        """Return the item part, shape (M,), and the rater parts of V per pool, shape (pools + 1, M).

        A rater part below 0 counts as 0. The last row is what raters in two pools add or take; where there are such
        raters, it is the sum of all rows that does not fall below 0.
        """
        by_pool = self._by_pool(loadings, self.raters - self.same)
        pools, shared = np.maximum(by_pool[:-1], 0.0), by_pool[-1]
        together = np.maximum(by_pool.sum(axis=0), 0.0)
        rest = np.where(
            np.abs(shared) > ROUNDING * (np.abs(by_pool[:-1]).sum(axis=0)), together - pools.sum(axis=0), 0.0
        )
        return _quadratic(loadings, self.items), np.vstack([pools, rest])

    def within(self, loadings: Floats) -> Floats:
        """Return V_X per pool, shape (pools, M): raters' part of what differs from item to item."""
        return self._by_pool(loadings, self.own)[:-1]

    def variance(self, loadings: Floats, inference: Inference) -> tuple[Floats, Floats]:
        """Return the variance of each combination and its degrees of freedom (Satterthwaite), shape (M,) each.

        ``df = V^2 / (V_items^2 / (I-1) + sum_g V_g^2 / (n_g-1))``, V_g the rater part of pool g. NaN without matrices.
        """
        if not self.items.size:
            nothing = np.full(len(loadings), np.nan)
            return nothing, nothing
        items, cross = self.parts(loadings)
        if inference == "raters":
            items, cross = 0.0 * items, cross + self._by_pool(loadings, self.own)
        elif inference == "items":
            cross = 0.0 * cross
        total = items + np.maximum(cross.sum(axis=0), 0.0)
        used = loadings != 0
        least = np.where(used, self.n_items, np.inf).min(axis=1)
        below = ratio(items**2, least - 1, 0.0)
        for k, pool in enumerate(np.unique(self.pool)):
            at = self.pool == pool
            raters = np.where(used[:, at], self.n_raters[at], np.inf).min(axis=1)
            below = below + ratio(cross[k] ** 2, raters - 1, 0.0)
        # raters on both sides may take more from the variance than Satterthwaite's sum knows of
        return total, np.maximum(ratio(total**2, below, np.inf), 1.0)

    def matrix(self, loadings: Floats, inference: Inference) -> Floats:
        """Return the covariance of the combinations, shape (M, M), as estimated: it may have negative eigenvalues."""
        parts = {
            "items+raters": self.items + self.raters - self.same,
            "raters": self.raters - self.same + self.own,
            "items": self.items,
        }
        rows = csr_array(loadings)
        return np.asarray(rows @ (rows @ parts[inference]).T)

    def _by_pool(self, loadings: Floats, v: Floats) -> Floats:
        pools = (np.flatnonzero(self.pool == p) for p in np.unique(self.pool))
        each = [_quadratic(loadings[:, at], v[np.ix_(at, at)]) for at in pools]
        return np.vstack([*each, _quadratic(loadings, v) - np.sum(each, axis=0)])


def _quadratic(loadings: Floats, v: Floats) -> Floats:
    """Return l' V l of each row; rows are mostly zeros."""
    rows = csr_array(loadings)
    return np.asarray((rows @ v * loadings).sum(axis=1))


class OneKind(NamedTuple):
    """What raters of one kind chose: those whose ratings the same columns are about.

    Parameters
    ----------
    columns : ndarray of int, shape (p,)
    cell, times : ndarray of int, shape (C,)
        Each item and level, item K_fine + level, that any of the n chose, and how many did.
    chosen : sparse array, shape (n, C)
    """

    columns: Ints
    cell: Ints
    times: Ints
    chosen: csr_array


def covariance(
    coded: Coded, columns: Columns, member: npt.NDArray[np.bool_], kinds: Callable[[], list[OneKind]] | None = None
) -> Covariance:
    """Return the covariance of any columns; a rater may be on several sides.

    `member`, shape (R, P), says whose ratings a column is about; `kinds` returns its :func:`kinds_of`, where they serve
    several statistics.
    """
    p = columns.weights.shape[1]
    if len(coded.rater) * p > BLOCK:
        return _by_kind(columns, kinds() if kinds else kinds_of(coded, member))
    order = np.argsort(coded.rater, kind="stable")
    rater, item, level = coded.rater[order], coded.item[order], coded.level[order]
    starts, mine = np.flatnonzero(np.diff(rater, prepend=-1)), member[rater]
    psi = columns.table[item, level] * columns.weights[item] * mine
    by_rater = np.add.reduceat(psi, starts, axis=0)
    n_raters = np.logical_or.reduceat(mine & (columns.weights[item] > 0), starts, axis=0).sum(axis=0)
    noisy = psi * columns.own[item]
    return _scaled(columns, by_rater.T @ by_rater, psi.T @ psi, n_raters.astype(np.float64), noisy.T @ noisy)


def _by_kind(columns: Columns, kinds: list[OneKind]) -> Covariance:
    """Return the same, raters of one kind at a time.

    Of a kind only its own columns are touched, and each item and level once however many chose it: with G groups
    compared in pairs, N G numbers instead of N G^2.
    """
    levels, p = columns.table.shape[1:]
    raters, same, own, n_raters, noise = *(np.zeros((p, p)) for _ in range(3)), np.zeros(p), columns.own
    table = columns.table.reshape(-1, p)
    for at, cell, times, chosen in kinds:
        square, item = np.ix_(at, at), cell // levels
        weights = columns.weights.take(at, axis=1).take(item, axis=0)
        psi, used = table[cell[:, None], at] * weights, weights > 0
        by_rater = chosen @ psi
        raters[square] += by_rater.T @ by_rater
        same[square] += (psi * times[:, None]).T @ psi
        psi *= noise.take(at, axis=1).take(item, axis=0)
        own[square] += (psi * times[:, None]).T @ psi
        n_raters[at] += len(by_rater) if used.all() else (chosen @ used.astype(np.float64) > 0).sum(axis=0)
    return _scaled(columns, raters, same, n_raters, own)


def _distinct(codes: Ints, bound: int) -> tuple[Ints, Ints, Ints]:
    """Return the distinct codes below a bound, the place of each code among them, and how often each stands there."""
    if bound > 8 * len(codes):
        found = np.unique(codes, return_inverse=True, return_counts=True)
        return found[0], found[1].reshape(-1), found[2]
    times = np.bincount(codes, minlength=bound)
    values, place = np.flatnonzero(times), np.cumsum(times > 0) - 1
    return values, place[codes], times[values]


def kinds_of(coded: Coded, member: npt.NDArray[np.bool_]) -> list[OneKind]:
    """Return the kinds of raters, as many as `member` has distinct rows that are not empty."""
    packed = np.ascontiguousarray(np.packbits(member, axis=1))
    _, first, kind = np.unique(packed.view(f"V{packed.shape[1]}"), return_index=True, return_inverse=True)
    of_rating = kind.reshape(-1).astype(np.min_scalar_type(len(first)))[coded.rater]  # short numbers sort faster
    order = np.argsort(of_rating, kind="stable")
    ends = np.cumsum(np.bincount(of_rating, minlength=len(first)))
    found = []
    for rater, begin, end in zip(first, [0, *ends[:-1]], ends, strict=True):
        if begin < end and member[rater].any():
            rows = order[begin:end]
            codes = coded.item[rows].astype(np.int64) * coded.n_levels + coded.level[rows]
            cell, place, times = _distinct(codes, coded.n_items * coded.n_levels)
            who, row, _ = _distinct(coded.rater[rows], coded.n_raters)
            chosen = csr_array((np.ones(len(rows)), (row, place)), shape=(len(who), len(cell)))
            found.append(OneKind(np.flatnonzero(member[rater]), cell, times, chosen))
    return found


def disjoint_covariance(coded: Coded, members: Membership, columns: Columns, counts: npt.ArrayLike) -> Covariance:
    """Return the same for statistics of disjoint groups, columns ``statistic x group``, at a cost of N per statistic.

    Parameters
    ----------
    coded : Coded
    members : Membership
        In which no rater stands twice.
    columns : Columns
        P = S G, group fastest.
    counts : array_like, shape (I, G, K_fine)
    """
    c, g = np.asarray(counts), members.n_groups
    items, s, k = len(columns.weights), columns.weights.shape[1] // g, c.shape[2]
    weights = np.moveaxis(columns.weights.reshape(items, s, g), 1, 0)
    # one statistic after the other in memory, cells as in the counts: the look-ups are what takes the time
    table = columns.table.reshape(items, k, s, g).transpose(2, 0, 3, 1)
    psi = np.multiply(table, weights[..., None], order="C")
    used = np.greater(weights, 0, order="C")
    by_rater, seen = np.zeros((s, len(members.rater))), np.zeros((s, len(members.rater)), dtype=bool)
    for rows in stream(coded, members):
        group_of_item = rows.item.astype(np.int64) * g + rows.group
        cell = group_of_item * k + rows.level
        for m in range(s):
            np.add.at(by_rater[m], rows.pair, psi[m].reshape(-1)[cell])
            seen[m, rows.pair[used[m].reshape(-1)[group_of_item]]] = True
    raters, same, own = (np.zeros((s * g, s * g)) for _ in range(3))
    noise, n_raters = columns.own, np.zeros((s, g))
    for group in range(g):
        at, mine, here = np.arange(s) * g + group, members.group == group, psi[:, :, group]
        raters[np.ix_(at, at)] = by_rater[:, mine] @ by_rater[:, mine].T
        same[np.ix_(at, at)] = _products(here, c[:, group])
        own[np.ix_(at, at)] = _products(here * noise[:, at].T[..., None], c[:, group])
        n_raters[:, group] = seen[:, mine].sum(axis=1)
    return _scaled(columns, raters, same, n_raters.reshape(-1), own)


def sizes(coded: Coded, members: Membership, columns: Columns) -> Covariance:
    """Return what is left of it without inference: items and raters of columns ``statistic x group``; no matrices."""
    g, none = members.n_groups, np.zeros((0, 0))
    weights = columns.weights.reshape(len(columns.weights), columns.weights.shape[1] // g, g)
    n_raters = np.zeros((weights.shape[1], g))
    for m in range(len(n_raters)):
        seen = np.zeros(len(members.rater), dtype=bool)
        for rows in stream(coded, members):
            seen[rows.pair[weights[rows.item, m, rows.group] > 0]] = True
        n_raters[m] = np.bincount(members.group[seen], minlength=g)
    n_items = (columns.weights > 0).sum(axis=0).astype(np.float64)
    return Covariance(none, none, none, columns.pool, n_items, n_raters.reshape(-1), none)


def _products(psi: Floats, counts: npt.NDArray[Any]) -> Floats:
    """Return sum_ij psi_ij psi_ij', from tables of shape (S, I, K) and counts of shape (I, K)."""
    flat = psi.reshape(len(psi), counts.size)
    return np.asarray((flat * counts.reshape(-1)) @ flat.T)


def _scaled(columns: Columns, raters: Floats, same: Floats, n_raters: Floats, own: Floats) -> Covariance:
    n_items = (columns.weights > 0).sum(axis=0).astype(np.float64)
    a = columns.influence * np.sqrt(ratio(n_items, n_items - 1, 0.0))
    f = np.sqrt(ratio(n_raters - 1, n_raters, 0.0))
    factor = f[:, None] * f
    return Covariance(a.T @ a, raters * factor, same * factor, columns.pool, n_items, n_raters, own)
