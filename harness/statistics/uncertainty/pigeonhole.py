"""Pigeonhole bootstrap (Owen 2007; methods 3.4): raters and items drawn again, independently of each other.

A rating weighs ``w_j v_i``, how often its rater and its item were drawn. It checks the two-way jackknife and serves
statistics that have no leave-one-out form. It is conservative: what is left when raters and items are known is counted
up to three times, which matters little where everyone rates everything and much where few do (Owen & Eckles 2012).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, stream

#: Cells (replicate x item x group x level) held at once.
CELLS = 2_000_000
#: Below this many, one fewer is drawn: n of n would make the variance too small by (n - 1)/n (Rao & Wu 1988).
FEW = 30


class Replicates(NamedTuple):
    """Some replicates of the ratings.

    Parameters
    ----------
    counts : ndarray, shape (B, I, G, K_fine)
        Sum of the raters' weights per item, group and level.
    raters : ndarray, shape (B, R)
        Weights of the raters.
    items : ndarray, shape (B, I)
        Weights of the items.
    """

    counts: Floats
    raters: Floats
    items: Floats


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
        From B replicates to an array of shape (B, ...).
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, ...)
    """
    cells = coded.n_items * members.n_groups * coded.n_levels
    step, counting, groups = max(1, CELLS // cells), counter(coded, members), _first_group(members, coded.n_raters)
    out = []
    for begin in range(0, n, step):
        u = rng.random((min(step, n - begin), coded.n_raters + coded.n_items))
        raters, items = draw(groups, u[:, : coded.n_raters]), draw(np.zeros(coded.n_items), u[:, coded.n_raters :])
        out.append(statistic(Replicates(counting(raters), raters, items)))
    return np.concatenate(out)


def counter(coded: Coded, members: Membership) -> Callable[[Floats], Floats]:
    """Return a function from weights of raters, shape (B, R), to weighted counts, shape (B, I, G, K_fine)."""
    shape, chosen = (coded.n_items, members.n_groups, coded.n_levels), _incidence(coded, members)
    return lambda raters: np.ascontiguousarray((chosen @ raters.T).T).reshape(-1, *shape)


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
