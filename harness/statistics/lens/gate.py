"""Do predicted gaps follow the true ones? One test an axis, against raters whose labels were exchanged (methods 6.3).

Of each held-out item and group, ``d`` is how far the group's mean rating is from the item's mean over all groups,
and ``p`` the same of the predictions; both are centred in each cell and group, so that constant shifts do not count.
The slope of d on p is 1 where gaps are predicted as they are. What is tested is its upper part, ``sum w p d``: the
lower one, ``sum w p p``, is tiny where nothing is predicted and makes slopes of exchanged labels wild (docs/lens.md).
Its null is had by exchanging the labels of whole raters: intervals over items are too short, for they do not know the
noise of the raters trained on.

Under each exchange all groups' terms are fitted anew, beside the pooled model, which knows no groups. They are small,
so one step of Fisher scoring from 0 is taken, for the labels as they are too: a group's gradient and information are
then sums over its raters, and an exchange costs no more than adding them up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.lens.ordinal import TINY, thresholds
from lm_plural.harness.statistics.lens.split import Cell, Rated
from lm_plural.harness.statistics.uncertainty.permutation import p_value, shuffles

#: s_t and s_b of the gate; not chosen by the labels, or the null would have to choose anew.
GATE_SPREADS = (0.2, 0.1)
#: Exchanges of labels, and the share of them that may reach the observed slope by chance.
EXCHANGES, LEVEL = 199, 0.025
#: Numbers held at once.
HELD = 4_000_000


@dataclass(frozen=True)
class Slope:
    """A gap slope and its test.

    Parameters
    ----------
    value : float
        Slope of true gaps on predicted ones.
    p : float
        One-sided, of ``sum w p d``; of pairs, of the largest among all pairs, in standard deviations of each.
    n_items : int
        Held-out items on which the groups can be compared, in all cells together.
    """

    value: float
    p: float
    n_items: int

    @property
    def passes(self) -> bool:
        """Whether predicted gaps follow the true ones."""
        return bool(self.p <= LEVEL)


@dataclass(frozen=True)
class Gaps:
    """What is found of an axis: the axis first, pairs only where it passes.

    Parameters
    ----------
    axis : Slope
    pairs : mapping of pairs of groups to Slope
    """

    axis: Slope
    pairs: dict[tuple[int, int], Slope]


@dataclass(frozen=True)
class _Parts:
    """What a cell gives, of raters and of items.

    Parameters
    ----------
    gradient : ndarray, shape (R, d)
        What a rater adds to the gradient of the group they are in.
    information : ndarray, shape (R, d d)
    effect : ndarray, shape (T, d)
        By how much a term of 1 moves the predicted mean of each test item.
    place, rater, value : ndarray, shape (n,)
        Test ratings: place of the item among the T, rater, and rating from 0 to 1.
    """

    gradient: Floats
    information: Floats
    effect: Floats
    place: Ints
    rater: Ints
    value: Floats


def _parts(rated: Rated, cell: Cell, weight: Floats) -> _Parts:
    """Return the parts of a cell; `weight` of raters, shape (R,)."""
    c, k = rated.coded, rated.k
    cuts, z = cell.pooled.cuts, rated.z
    below = expit(thresholds(cuts) - cell.score[:, None])
    slope = below * (1 - below)
    mass = np.maximum(np.diff(below, axis=1, prepend=0.0, append=1.0), TINY)
    jacobian = np.tril(np.ones((k, k))) * np.concatenate([[1.0], expit(cuts[1:])])
    # eta of each item by the terms, shape (I, K-1, d)
    by_terms = np.concatenate([np.broadcast_to(jacobian, (c.n_items, k, k)), np.repeat(-z[:, None], k, axis=1)], axis=2)
    moves = slope[..., None] * by_terms
    none = np.zeros((c.n_items, 1, moves.shape[2]))
    per_level = np.diff(np.concatenate([none, moves, none], axis=1), axis=1) / mass[..., None]
    fisher = np.einsum("ik,ikd,ike->ide", mass, per_level, per_level, optimize=True)
    item, level, rater = c.item[cell.train], c.level[cell.train], c.rater[cell.train]
    d = moves.shape[2]
    gradient, information = np.zeros((c.n_raters, d)), np.zeros((c.n_raters, d * d))
    np.add.at(gradient, rater, per_level[item, level] * weight[rater, None])
    np.add.at(information, rater, fisher.reshape(-1, d * d)[item] * weight[rater, None])
    items, place = np.unique(c.item[cell.test], return_inverse=True)
    effect = -np.einsum("ikd,k->id", moves[items], rated.spacing)
    return _Parts(gradient, information, effect, place.reshape(-1), c.rater[cell.test], rated.value[cell.test])


def _deviations(parts: _Parts, member: Floats, precision: Floats) -> tuple[Floats, Floats, Floats]:
    """Return weights, predicted and observed means, shape (B, G, T), of test items for memberships (B, R, G)."""
    d = parts.gradient.shape[1]
    by_group = member.transpose(0, 2, 1)
    gradient = by_group @ parts.gradient
    information = (by_group @ parts.information).reshape(*gradient.shape, d) + np.diag(precision)
    predicted = np.linalg.solve(information, gradient[..., None])[..., 0] @ parts.effect.T
    b, t, g = len(member), len(parts.effect), member.shape[2]
    n, total = np.zeros((b, g, t)), np.zeros((b, g, t))
    mine = member[:, parts.rater]
    for draw in range(b):
        for group in range(g):
            n[draw, group] = np.bincount(parts.place, mine[draw, :, group], t)
            total[draw, group] = np.bincount(parts.place, mine[draw, :, group] * parts.value, t)
    return n, predicted, ratio(total, n, 0.0)


def _centre(values: Floats, weights: Floats, axis: int) -> Floats:
    mean = ratio((weights * values).sum(axis=axis, keepdims=True), weights.sum(axis=axis, keepdims=True), 0.0)
    return np.asarray(values - mean)


def _sums(n: Floats, p: Floats, d: Floats, pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[Floats, Floats, int]]:
    """Yield sum w p d and sum w p p, shape (B,), and how many items compare, of the axis and of each pair."""
    both = (n > 0).sum(axis=1, keepdims=True) > 1
    w = n * both
    pc, dc = (_centre(_centre(v, w, 1), w, 2) for v in (p, d))
    yield (w * pc * dc).sum(axis=(1, 2)), (w * pc**2).sum(axis=(1, 2)), int(both[0].sum())
    for g, h in pairs:
        w = ratio(n[:, g] * n[:, h], n[:, g] + n[:, h], 0.0)
        pc, dc = (_centre(v[:, g] - v[:, h], w, 1) for v in (p, d))
        yield (w * pc * dc).sum(axis=1), (w * pc**2).sum(axis=1), int((w[0] > 0).sum())


def gap_slopes(
    rated: Rated,
    found: Sequence[Cell],
    member: Floats,
    half: Ints,
    weight: Floats,
    rng: np.random.Generator,
    *,
    exchanges: int = EXCHANGES,
    spreads: tuple[float, float] = GATE_SPREADS,
) -> Gaps:
    """Return the gap slope of an axis and of its pairs of groups, each against exchanged labels.

    Parameters
    ----------
    rated : Rated
    found : sequence of Cell
    member : ndarray, shape (R, G)
        1 for a rater in a group.
    half : ndarray of int, shape (R,)
        Labels are exchanged within halves, so that groups stay as large as they are in each.
    weight : ndarray, shape (R,)
        Of a rater's ratings in training.
    rng : numpy.random.Generator
    exchanges : int
    spreads : tuple of float
        s_t and s_b.
    """
    k, groups = rated.k, member.shape[1]
    pairs = [(g, h) for g in range(groups) for h in range(g + 1, groups)] if groups > 2 else []
    precision = np.repeat([s**-2.0 for s in spreads], [k, rated.z.shape[1]])
    # raters of no group have nothing to exchange
    some = np.flatnonzero(member.any(axis=1))
    orders = np.vstack([np.arange(len(some)), shuffles(half[some], exchanges, rng)])
    above, below = np.zeros((2, len(orders), 1 + len(pairs)))
    n_items = np.zeros(1 + len(pairs), dtype=np.int64)
    for cell in found:
        parts = _parts(rated, cell, weight)
        step = max(1, HELD // (groups * max(len(parts.effect), len(parts.rater), len(member))))
        for start in range(0, len(orders), step):
            rows = slice(start, start + step)
            drawn = np.zeros((len(orders[rows]), *member.shape))
            drawn[:, some] = member[some][orders[rows]]
            sums = _sums(*_deviations(parts, drawn, precision), pairs)
            for column, (a, b, items) in enumerate(sums):
                above[rows, column] += a
                below[rows, column] += b
                n_items[column] += items if start == 0 else 0
    slopes = ratio(above[0], below[0], 0.0)
    axis = Slope(float(slopes[0]), float(p_value(above[0, 0], above[1:, 0], "greater")), int(n_items[0]))
    if not pairs:
        return Gaps(axis, {(0, 1): axis} if groups == 2 else {})
    scaled = ratio(above[:, 1:], above[1:, 1:].std(axis=0), 0.0)
    ps = p_value(scaled[0], np.repeat(scaled[1:].max(axis=1)[:, None], len(pairs), axis=1), "greater")
    each = zip(pairs, slopes[1:], ps, n_items[1:], strict=True)
    return Gaps(axis, {pair: Slope(float(v), float(p), int(n)) for pair, v, p, n in each})
