"""Pigeonhole bootstrap (Owen 2007; methods 3.4): raters and items drawn again, independently of each other.

A rating weighs ``w_j v_i``, how often its rater and its item were drawn. It checks the two-way jackknife and serves
statistics that have no leave-one-out form. It is conservative: what is left when raters and items are known is counted
up to three times, which matters little where everyone rates everything and much where few do (Owen & Eckles 2012).

A rater drawn twice must not be paired with himself, or the bias of few raters comes back: statistics of pairs need the
sums of w and of w squared, ``C* = [(sum w u)^2 - sum w^2 u^2] / [(sum w)^2 - sum w^2]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, Scaling, Sums, stream
from lm_plural.harness.statistics.measures.agreement import expected, model_cdf

#: Cells (replicate x item x group x level) held at once.
CELLS = 2_000_000
#: Below this many, one fewer is drawn: n of n would make the variance too small by (n - 1)/n (Rao & Wu 1988).
FEW = 30


class Replicates(NamedTuple):
    """Some replicates of the ratings.

    Parameters
    ----------
    first, second : ndarray, shape (B, I, G, K_fine)
        Sum of the raters' weights, and of their squares, per item, group and level.
    items : ndarray, shape (B, I)
        Weights of the items.
    """

    first: Floats
    second: Floats
    items: Floats


#: From `first` and `second` to values of shape (B, I, G), NaN where not defined.
ItemStatistic = Callable[[Floats, Floats], Floats]


def pigeonhole(
    coded: Coded, members: Membership, statistic: Callable[[Replicates], Floats], n: int, rng: np.random.Generator
) -> Floats:
    """Return n replicates of a statistic; their standard deviation is a (conservative) standard error of it.

    Raters are drawn within their group, so that no group runs empty; a rater of several groups is drawn with the first
    of them.

    Parameters
    ----------
    coded : Coded
        Its weights are not looked at.
    members : Membership
    statistic : callable
        From B replicates to an array of shape (B, ...); :func:`mean_over_items` makes one with shape (B, G).
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, ...)
    """
    cells = coded.n_items * members.n_groups * coded.n_levels
    step, chosen, groups = max(1, CELLS // cells), _incidence(coded, members), _first_group(members, coded.n_raters)
    out = []
    for begin in range(0, n, step):
        u = rng.random((min(step, n - begin), coded.n_raters + coded.n_items))
        raters, items = draw(groups, u[:, : coded.n_raters]), draw(np.zeros(coded.n_items), u[:, coded.n_raters :])
        out.append(statistic(_weigh(chosen, raters, items, (coded.n_items, members.n_groups, coded.n_levels))))
    return np.concatenate(out)


def weigh(coded: Coded, members: Membership, raters: Floats, items: Floats) -> Replicates:
    """Return the replicates in which raters and items have given weights, shape (B, R) and (B, I)."""
    shape = (coded.n_items, members.n_groups, coded.n_levels)
    return _weigh(_incidence(coded, members), raters, items, shape)


def draw(strata: npt.ArrayLike, u: Floats) -> Floats:
    """Return how often each unit is drawn, with replacement and within its stratum, shape (B, n).

    Parameters
    ----------
    strata : array_like, shape (n,)
        As many are drawn as the stratum has, or, of fewer than 30, one fewer, with weights n/(n-1) (0 where n is 1).
    u : ndarray, shape (B, n)
        Uniform on [0, 1).
    """
    _, stratum, sizes = np.unique(np.asarray(strata), return_inverse=True, return_counts=True)
    order, start = np.argsort(stratum, kind="stable"), np.cumsum(sizes) - sizes
    size, first = sizes[stratum[order]], start[stratum[order]]
    taken = order[first + (u * size).astype(np.int64)]
    used = (np.arange(len(order)) - first < size - 1) | (size >= FEW)
    cell = np.arange(len(u))[:, None] * len(order) + taken
    times = np.bincount(cell[:, used].ravel(), minlength=u.size).reshape(u.shape)
    size = sizes[stratum]
    scale: Floats = np.where(size < FEW, ratio(size, size - 1, 0.0), 1.0)
    return times * scale


def mean_over_items(statistic: ItemStatistic, weights: Floats) -> Callable[[Replicates], Floats]:
    """Return the mean over items, shape (B, G); an item without value in a replicate weighs 0 there.

    Parameters
    ----------
    statistic : callable
    weights : ndarray, shape (I, G)
        From :func:`.agreement.item_weights`; multiplied by the items' draws.
    """

    def mean(r: Replicates) -> Floats:
        value = statistic(r.first, r.second)
        v = np.where(np.isnan(value), 0.0, weights * r.items[..., None])
        return ratio((v * np.nan_to_num(value)).sum(axis=1), v.sum(axis=1))

    return mean


def bias(scaling: Scaling, q: npt.ArrayLike) -> ItemStatistic:
    """Return b = E_q[s] - sum w s / sum w."""

    def statistic(first: Floats, _second: Floats) -> Floats:
        w = Sums.of(first, scaling)
        return expected(q, scaling) - ratio(w.x, w.n)

    return statistic


def divergence(scaling: Scaling, q: npt.ArrayLike) -> ItemStatistic:
    """Return C over distinct raters; NaN where the raters drawn are one and the same."""
    cdf = model_cdf(q)

    def statistic(first: Floats, second: Floats) -> Floats:
        w, ww = Sums.of(first, scaling), Sums.of(second, scaling)
        su = w.z - w.n[..., None] * cdf
        suu = ww.zz - 2 * cdf * ww.z + ww.n[..., None] * cdf**2
        return ratio((su**2 - suu) @ scaling.spacing, w.n**2 - ww.n)

    return statistic


def disagreement(scaling: Scaling) -> ItemStatistic:
    """Return U over distinct raters, ``sum Delta [sum w sum w z^2 - (sum w z)^2] / [(sum w)^2 - sum w^2]``."""

    def statistic(first: Floats, second: Floats) -> Floats:
        w, ww = Sums.of(first, scaling), Sums.of(second, scaling)
        return ratio((w.n[..., None] * w.zz - w.z**2) @ scaling.spacing, w.n**2 - ww.n)

    return statistic


def _first_group(members: Membership, n_raters: int) -> Ints:
    first = np.full(n_raters, members.n_groups)
    np.minimum.at(first, members.rater, members.group)
    return first


def _incidence(coded: Coded, members: Membership) -> csr_array:
    """Return who chose which cell (item x group x level), shape (I G K, R)."""
    cells, raters = [], []
    for rows in stream(coded, members):
        cells.append((rows.item.astype(np.int64) * members.n_groups + rows.group) * coded.n_levels + rows.level)
        raters.append(members.rater[rows.pair])
    cell, rater = np.concatenate(cells), np.concatenate(raters)
    shape = (coded.n_items * members.n_groups * coded.n_levels, coded.n_raters)
    return csr_array((np.ones(len(cell)), (cell, rater)), shape=shape)


def _weigh(chosen: csr_array, raters: Floats, items: Floats, shape: tuple[int, int, int]) -> Replicates:
    first, second = (np.ascontiguousarray((chosen @ w.T).T).reshape(-1, *shape) for w in (raters, raters**2))
    return Replicates(first, second, items)
