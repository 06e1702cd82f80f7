"""New items and new raters at once: what a lens is validated on (methods 6.3, split ii).

Items fall in folds, raters in halves. A cell trains on the ratings of one half on all folds but one and predicts those
of the other half on that fold, so that every rating is predicted once by a model that knew neither its item nor its
rater. Whatever is averaged or correlated over cells has to be centred within them: a held-out mean is the lower, the
higher the mean of those trained on, because both are parts of one finite whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints
from lm_plural.harness.statistics.lens.ordinal import Pooled, cdf, fit_pooled

Flags = npt.NDArray[np.bool_]

#: Folds of items and halves of raters.
FOLDS, HALVES = 3, 2
#: What s_x is chosen from, and the folds of items it is chosen by.
SPREADS, INNER = (0.03, 0.1, 0.3, 1.0), 4


@dataclass(frozen=True)
class Rated:
    """Ratings of items with features.

    Parameters
    ----------
    coded : Coded
    x : ndarray, shape (I, p)
        Standardised features.
    z : ndarray, shape (I, q)
        Those of them on which slopes of groups may be.
    """

    coded: Coded
    x: Floats
    z: Floats

    @property
    def k(self) -> int:
        """Levels less one, K-1."""
        return self.coded.n_levels - 1

    @cached_property
    def spacing(self) -> Floats:
        """Widths of the steps of the scale, sum 1, shape (K-1,)."""
        steps = np.diff(self.coded.positions)
        return np.asarray(steps / steps.sum())

    @cached_property
    def value(self) -> Floats:
        """Each rating on a scale from 0 to 1, shape (N,)."""
        return np.asarray(np.concatenate([[0.0], self.spacing.cumsum()])[self.coded.level])

    def counts(self, rows: Flags, member: Floats | None = None) -> Floats:
        """Return ratings per item and level, shape (I, K), or (G, I, K) of groups.

        Parameters
        ----------
        rows : ndarray of bool, shape (N,)
            The ratings that count.
        member : ndarray, shape (R, G), optional
            What a rater's ratings weigh in each group.
        """
        c = self.coded
        cell, shape = c.item[rows] * c.n_levels + c.level[rows], (c.n_items, c.n_levels)
        size = shape[0] * shape[1]
        if member is None:
            return np.bincount(cell, minlength=size).reshape(shape).astype(np.float64)
        weights = member[c.rater[rows]]
        each = [np.bincount(cell, weights[:, g], size).reshape(shape) for g in range(member.shape[1])]
        return np.stack(each) if each else np.zeros((0, *shape))

    def mean(self, cdfs: Floats) -> Floats:
        """Return the mean on a scale from 0 to 1 of distributions, shape (..., K-1) to (...)."""
        return np.asarray((1 - cdfs) @ self.spacing)

    def loss(self, cdfs: Floats, level: Ints) -> Floats:
        """Return the ranked probability score of ratings, shape (n, K-1) to (n,), from 0 to 1."""
        z = np.arange(self.k) >= level[:, None]
        return np.asarray((z - cdfs) ** 2 @ self.spacing)


@dataclass(frozen=True)
class Split:
    """Who is where.

    Parameters
    ----------
    fold : ndarray of int, shape (I,)
    half : ndarray of int, shape (R,)
    """

    fold: Ints
    half: Ints

    @classmethod
    def draw(cls, clusters: Ints, strata: Ints, rng: np.random.Generator) -> Split:
        """Draw folds of whole clusters of items, shape (I,), and halves of each stratum of raters, shape (R,)."""
        names, place = np.unique(clusters, return_inverse=True)
        fold = (rng.permutation(len(names)) % FOLDS)[place.reshape(-1)]
        half, offset = np.zeros(len(strata), dtype=np.int64), 0
        for stratum in np.unique(strata):
            at = rng.permutation(np.flatnonzero(strata == stratum))
            half[at] = (np.arange(len(at)) + offset) % HALVES
            offset += len(at)
        return cls(fold, half)


@dataclass(frozen=True)
class Cell:
    """A part of the ratings, the model of everyone that was trained for it, and what it was trained on.

    Parameters
    ----------
    train, test : ndarray of bool, shape (N,)
    pooled : Pooled
    score : ndarray, shape (I,)
        Of all items.
    """

    train: Flags
    test: Flags
    pooled: Pooled
    score: Floats


def choose_spread(counts: Floats, x: Floats, fold: Ints) -> float:
    """Return the s_x whose pooled model predicts the levels of left-out folds of items best, by their likelihood."""
    best, start = (-np.inf, SPREADS[0]), None
    for spread in SPREADS:
        total = 0.0
        for f in np.unique(fold):
            new, old = fold == f, fold != f
            start = fit_pooled(counts[old], x[old], spread, start)
            below = cdf(start, start.score(x[new]))
            mass = np.diff(below, axis=1, prepend=0.0, append=1.0)
            total += float((counts[new] * np.log(np.maximum(mass, 1e-12))).sum())
        best = max(best, (total, spread))
    return best[1]


def inner_folds(items: Ints, clusters: Ints) -> Ints:
    """Return folds of whole clusters for a choice inside a training part, the same every time, shape of `items`."""
    place = np.unique(clusters[items], return_inverse=True)[1].reshape(-1)
    return np.random.default_rng(0).permutation(int(place.max(initial=0)) + 1)[place] % INNER


def train(rated: Rated, rows: Flags, clusters: Ints) -> tuple[Pooled, float]:
    """Return the pooled model of some ratings, and the s_x that was chosen for it."""
    counts = rated.counts(rows)
    items = np.flatnonzero(counts.sum(axis=1) > 0)
    spread = choose_spread(counts[items], rated.x[items], inner_folds(items, clusters))
    return fit_pooled(counts[items], rated.x[items], spread), spread


def cells(rated: Rated, split: Split, clusters: Ints) -> list[Cell]:
    """Train the pooled model of every cell; nothing of it depends on who is in which group."""
    half, fold = split.half[rated.coded.rater], split.fold[rated.coded.item]
    found = []
    for h in range(HALVES):
        for f in range(FOLDS):
            rows, test = (half == h) & (fold != f), (half != h) & (fold == f)
            if rows.any() and test.any():
                pooled = train(rated, rows, clusters)[0]
                found.append(Cell(rows, test, pooled, pooled.score(rated.x)))
    return found


@dataclass(frozen=True)
class Mean:
    """A mean of ratings' values, or a ratio of two, with its uncertainty over items and raters.

    Parameters
    ----------
    value, low, high : float
        NaN where it is not known.
    """

    value: float
    low: float
    high: float


def two_way(above: Floats, item: Ints, rater: Ints, below: Floats | None = None) -> Mean:
    """Return sum(above) / sum(below) with its 95 % interval, items and raters both drawn.

    Variances of sums by item and by rater are added and that of single ratings taken off (Cameron, Gelbach and Miller
    2011), with t of the fewer clusters less one.

    Parameters
    ----------
    above, below : ndarray, shape (n,)
        Of each rating; by default the mean of `above`.
    item, rater : ndarray of int, shape (n,)
    """
    from scipy.special import stdtrit

    nothing = float("nan")
    base = np.ones(len(above)) if below is None else below
    total = float(base.sum())
    if not len(above) or abs(total) < 1e-12:
        return Mean(nothing, nothing, nothing)
    value = float(above.sum()) / total
    rest = (above - value * base) / total

    def part(codes: Ints) -> tuple[float, int]:
        place = np.unique(codes, return_inverse=True)[1].reshape(-1)
        sums = np.bincount(place, rest)
        return float((sums**2).sum() * ratio(len(sums), len(sums) - 1)), len(sums)

    (items, n_items), (raters, n_raters) = part(item), part(rater)
    variance = max(items + raters - float((rest**2).sum()), items, raters)
    if min(n_items, n_raters) < 2 or not variance > 1e-30:
        return Mean(value, nothing, nothing)
    half = float(stdtrit(min(n_items, n_raters) - 1, 0.975)) * variance**0.5
    return Mean(value, value - half, value + half)


def centred(values: Floats, weights: Floats, where: Sequence[Ints]) -> Floats:
    """Return values less their weighted mean in each cell, given as codes, shape (n,) all."""
    key = np.unique(np.stack(where), axis=1, return_inverse=True)[1].reshape(-1)
    means = ratio(np.bincount(key, weights * values), np.bincount(key, weights), 0.0)
    return np.asarray(values - means[key])
