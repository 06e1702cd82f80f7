"""Small rating tables, and the statistics of methods section 2 by brute force over distinct raters and items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.measures import agreement

quick = settings(deadline=None, derandomize=True, max_examples=60, database=None)


class Estimates(NamedTuple):
    """One value per group."""

    bias: np.ndarray
    divergence: np.ndarray
    disagreement: np.ndarray
    rps: np.ndarray
    signal: np.ndarray
    skill: np.ndarray
    equivalent_raters: np.ndarray


def code(rows: Sequence[Sequence[int]], positions: Sequence[float], n_raters: int | None = None) -> Coded:
    """Rows are (item, rater, level), all 0-based."""
    item, rater, level = np.asarray(rows, dtype=np.int64).reshape(-1, 3).T
    return Coded(item, rater, level, int(item.max()) + 1, n_raters or int(rater.max()) + 1, np.asarray(positions))


def crossed(grid: np.ndarray, positions: Sequence[float] | None = None) -> Coded:
    """Code a grid of levels, items x raters, where -1 means not rated."""
    item, rater = np.nonzero(grid >= 0)
    shape, scale = grid.shape, np.arange(1.0, grid.max() + 2) if positions is None else np.asarray(positions)
    return Coded(item, rater, grid[item, rater], shape[0], shape[1], scale)


def belong(pairs: Iterable[tuple[int, int]]) -> Membership:
    rater, group = np.array(list(pairs), dtype=np.int64).T
    return Membership(rater, group, int(group.max()) + 1)


def estimate(
    coded: Coded,
    q: np.ndarray,
    members: Membership | None = None,
    scaling: Scaling | None = None,
    weights: agreement.Weights = "items",
) -> Estimates:
    """Run the statistics the way the product does."""
    members = members or Membership.everyone(coded.n_raters)
    sums = Sums.of(count_levels(coded, members), scaling or Scaling.plain(coded.positions))
    v = agreement.item_weights(sums, weights)
    base = agreement.per_item(sums, q)
    b = agreement.weighted_mean(base.bias, agreement.item_weights(sums, weights, least=1))
    c, u, s = (agreement.weighted_mean(x, v) for x in (base.divergence, base.disagreement, base.rps))
    a = agreement.signal(coded, members, sums, v)
    return Estimates(b, c, u, s, a, agreement.skill(c, a), agreement.equivalent_raters(c, u))


def brute_force(coded: Coded, q: np.ndarray, raters: set[int], scaling: Scaling) -> Estimates:
    """Average over every ordered pair of distinct raters of one item and, for A, of distinct items as well."""
    z = scaling.indicators[coded.level]
    place = (scaling.matrix @ scaling.positions)[coded.level]
    counted = np.isin(coded.rater, list(raters)) & (scaling.kept[coded.level] > 0)
    by_item = [np.flatnonzero(counted & (coded.item == i)) for i in range(coded.n_items)]
    biases = [p @ scaling.positions - place[r].mean() for r, p in zip(by_item, q, strict=False) if len(r)]
    by_item = [rows if len(rows) >= 2 else rows[:0] for rows in by_item]
    n = np.array([max(len(by_item[i]), 1) for i in coded.item])
    values = []
    for rows, p in zip(by_item, q, strict=False):
        if not len(rows):
            continue
        cdf, pairs = p.cumsum()[:-1], list(permutations(rows, 2))
        values.append(
            (
                np.mean([(z[j] - cdf) * (z[h] - cdf) for j, h in pairs], axis=0) @ scaling.spacing,
                np.mean([(z[j] - z[h]) ** 2 / 2 for j, h in pairs], axis=0) @ scaling.spacing,
                np.mean([(z[j] - cdf) ** 2 for j in rows], axis=0) @ scaling.spacing,
            )
        )
    b, (c, u, s) = np.mean(biases), np.mean(values, axis=0)
    a, pairs = (
        np.nan,
        [
            (j, h)
            for j, h in permutations(np.concatenate(by_item), 2)
            if coded.item[j] != coded.item[h] and coded.rater[j] != coded.rater[h]
        ],
    )
    if pairs:
        apart = [(z[j] - z[h]) ** 2 / 2 @ scaling.spacing for j, h in pairs]
        a = np.average(apart, weights=[1 / (n[j] * n[h]) for j, h in pairs]) - u
    nan = float("nan")
    skill, m = 1 - c / a if a > 1e-10 else nan, u / c if c > 1e-10 else nan
    return Estimates(*(np.array([x]) for x in (b, c, u, s, a, skill, m)))


class Case(NamedTuple):
    grid: np.ndarray
    q: np.ndarray
    positions: np.ndarray

    @property
    def coded(self) -> Coded:
        return crossed(self.grid, self.positions)


@st.composite
def cases(draw: st.DrawFn, *, missing: bool = True, levels: int | None = None) -> Case:
    """Ratings with holes but at least one item with two raters, a prediction for each item, any spacing."""
    k, items, raters = levels or draw(st.integers(2, 6)), draw(st.integers(2, 5)), draw(st.integers(2, 5))
    grid = draw(arrays(np.int64, (items, raters), elements=st.integers(-1 if missing else 0, k - 1)))
    grid[0, :2] = np.abs(grid[0, :2])
    share = draw(arrays(np.int64, (items, k), elements=st.integers(0, 9))) + np.eye(k, dtype=int)[0]
    steps = draw(st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=k - 1, max_size=k - 1))
    return Case(grid, share / share.sum(axis=1, keepdims=True), np.array([0.0, *steps]).cumsum() - 1)
