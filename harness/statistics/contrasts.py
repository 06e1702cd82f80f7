"""Differences between groups, signed, on the items both rated (methods 2.7, 1.2, 3.8).

A contrast compares side a with side b over their common support: items that raters of both sides rated, at least two of
each for statistics of pairs of raters, one for linear ones.
Pairs compare two groups; "rest" compares a group with all raters of the axis who are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics import agreement, multiplicity
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.effects import cliff_tables
from lm_plural.harness.statistics.groups import LINEAR, Weighting, membership_matrix, parts_of
from lm_plural.harness.statistics.inferences import Inference
from lm_plural.harness.statistics.intervals import Estimates, quantile, raw
from lm_plural.harness.statistics.jackknife import Columns, Covariance, covariance
from lm_plural.harness.statistics.leave_one_out import Contribution

#: Statistics with a ratio.
POSITIVE = ("divergence", "disagreement")
Kind = Literal["pairs", "rest"]


@dataclass(frozen=True)
class Sides:
    """Groups (first) and, after them, the rest of each, as sides of contrasts.

    Parameters
    ----------
    counts : ndarray, shape (I, 2 G, K_fine)
    member : ndarray of bool, shape (R, 2 G)
    """

    counts: npt.NDArray[np.int64]
    member: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, coded: Coded, members: Membership, counts: npt.NDArray[np.int64]) -> Sides:
        """Add the rests to the counts of groups; a rater of no group of the axis is in no rest."""
        mine = membership_matrix(members, coded.n_raters)
        anyone = np.flatnonzero(mine.any(axis=1))
        universe = count_levels(coded, Membership(anyone, np.zeros(len(anyone), dtype=np.int64), 1))
        counted = counts.sum(axis=(1, 2), keepdims=True) > 0
        rest = np.where(counted, universe - counts, 0)
        others = mine.any(axis=1, keepdims=True) & ~mine
        return cls(np.concatenate([counts, rest], axis=1), np.hstack([mine, others]))


@dataclass(frozen=True)
class Family:
    """Contrasts of one statistic that are read together.

    Parameters
    ----------
    a, b : ndarray of int, shape (M,)
        Sides.
    estimates : Estimates
        Of shape (M,), intervals for each contrast alone.
    p_adjusted, low, high : ndarray, shape (M,)
        Simultaneous (single-step max-T over the family).
    critical : float
        The max-T quantile that replaces t.
    n_items, share : ndarray, shape (M,)
        Common items, and their share of the items either side can be compared on.
    covariance : Covariance
        Of the 2 M sides; row m of `loadings` is contrast m.
    loadings : ndarray, shape (M, 2 M)
    ratio : Estimates or None
        a over b, of statistics that cannot be negative: intervals of the log-ratio, NaN where a side is not clear of 0.
    """

    a: Ints
    b: Ints
    estimates: Estimates
    p_adjusted: Floats
    low: Floats
    high: Floats
    critical: float
    n_items: Floats
    share: Floats
    covariance: Covariance
    loadings: Floats
    ratio: Estimates | None = None

    @cached_property
    def p_bh(self) -> Floats:
        """Benjamini-Hochberg over the family, for exploration: the share of false finds, not the chance of any."""
        return multiplicity.benjamini_hochberg(self.estimates.p)

    @cached_property
    def parts(self) -> tuple[Floats, Floats, Floats]:
        """V by source: items (M,), raters beyond one item (3, M), raters within items (2, M); a, b, both."""
        return *self.covariance.parts(self.loadings), self.covariance.within(self.loadings)


def choose(kind: Kind, groups: Ints, n_groups: int) -> tuple[Ints, Ints]:
    """Return sides a and b of every pair of the chosen groups, or of each against its rest."""
    if kind == "rest":
        return groups, groups + n_groups
    first, second = np.triu_indices(len(groups), 1)
    return groups[first], groups[second]


def support(
    n: Floats, a: Ints, b: Ints, weights: agreement.Weights, user: Floats | None, least: int
) -> tuple[Floats, Floats]:
    """Return item weights of each contrast, shape (I, M), and the share of items kept, shape (M,).

    Parameters
    ----------
    n : ndarray, shape (I, T)
        Raters per item and side, of which each side needs `least`.
    """
    able = n >= least
    both = able[:, a] & able[:, b]
    pairs = n * (n - 1) if least == 2 else n
    # of both sides the harmonic mean, as the variance of a difference adds up what is scarce
    v = ratio(2 * pairs[:, a] * pairs[:, b], pairs[:, a] + pairs[:, b], 0.0) if weights == "pairs" else 1.0 * both
    v = np.where(both, v if user is None else v * user[:, None], 0.0)
    either = (able[:, a] | able[:, b]).sum(axis=0)
    return ratio(v, v.sum(axis=0), 0.0), ratio(both.sum(axis=0), either)


def families(
    coded: Coded,
    sides: Sides,
    scaling: Scaling,
    q: npt.ArrayLike | None,
    a: Ints,
    b: Ints,
    *,
    rng: np.random.Generator,
    inference: Inference = "items+raters",
    weights: agreement.Weights = "items",
    user: Floats | None = None,
    draws: int = 10_000,
    least: int = 2,
) -> dict[str, Family]:
    """Return the contrasts a - b of every statistic, each a family of its own.

    A contrast with fewer than `least` raters on a side has no interval and is not in the family.

    Statistics: ``item_mean``, ``cliff`` (P(a higher) - P(b higher) within an item), ``disagreement`` and, with a
    model, ``bias``, ``divergence`` and ``rps``.
    """
    if not len(a):
        return {}
    sums = Sums.of(sides.counts, scaling)
    supports = {least: support(sums.n, a, b, weights, user, least) for least in (1, 2)}
    at = np.concatenate([a, b])
    parts = parts_of(sums, q, Weighting.of(sums, weights, user), between=False)
    parts = {name: Contribution(part.value[:, at], part.table[:, at]) for name, part in parts.items()}
    parts["cliff"] = _cliff(sides.counts, scaling, a, b)
    out = {}
    for name, part in parts.items():
        needs = 1 if name in LINEAR else 2
        out[name] = family(
            coded,
            sides,
            part,
            sums.n[:, at],
            *supports[needs],
            a,
            b,
            rng=rng,
            inference=inference,
            draws=draws,
            least=least,
            needs=needs,
            positive=name in POSITIVE,
        )
    return out


def family(
    coded: Coded,
    sides: Sides,
    part: Contribution,
    n: Floats,
    v: Floats,
    share: Floats,
    a: Ints,
    b: Ints,
    *,
    rng: np.random.Generator,
    inference: Inference,
    draws: int,
    least: int,
    needs: int,
    positive: bool = False,
) -> Family:
    """Return the contrasts a - b of any statistic that is a mean over items.

    Parameters
    ----------
    coded : Coded
    sides : Sides
    part : Contribution
        Of the 2 M sides, all a before all b.
    n : ndarray, shape (I, 2 M)
        Raters.
    v, share : ndarray, shape (I, M) and (M,)
        Of ``support``.
    a, b : ndarray of int, shape (M,)
    needs : int
        Raters of a side that an item needs.
    positive : bool
        Whether a over b is a number, too.
    """
    at, m = np.concatenate([a, b]), len(a)
    table = _without_lone_raters(part, v, n, needs)
    columns = Columns(
        part.value,
        np.ascontiguousarray(np.moveaxis(table, 1, 2)),
        np.tile(v, 2),
        sides.member[:, at],
        np.repeat([0, 1], m),
        n,
    )
    cov, loadings = covariance(coded, columns), np.hstack([np.eye(m), -np.eye(m)])
    value = loadings @ columns.total
    e = _estimates(value, cov, loadings, inference, least)
    critical, adjusted = simultaneous(e, cov, loadings, inference, rng, draws)
    # drawn quantiles may fall a little short of the exact ones
    adjusted, half = np.maximum(adjusted, e.p), np.maximum(critical, quantile(e.df)) * e.se
    ratio_ = _ratio(columns.total, cov, inference) if positive else None
    return Family(
        a, b, e, adjusted, value - half, value + half, critical, cov.n_items[:m], share, cov, loadings, ratio_
    )


def _without_lone_raters(part: Contribution, v: Floats, n: Floats, needs: int = 1) -> Floats:
    """Return the table with what a rater adds where a side has just as many as it needs: the item leaves the contrast.

    The contrast T then moves by ``w (d_i - T)`` to first order, d_i the item's own difference.
    """
    m = v.shape[1]
    difference = np.where(v > 0, part.value[:, :m] - part.value[:, m:], 0.0)
    alone = difference - (v * difference).sum(axis=0)
    both = np.concatenate([alone, -alone], axis=1)
    return np.where((n == needs)[..., None], both[..., None], part.table)


def _cliff(counts: npt.NDArray[np.int64], scaling: Scaling, a: Ints, b: Ints) -> Contribution:
    """Return Cliff's delta as a difference of sides: d seen by a's raters, less 0 seen by b's."""
    level = counts @ scaling.matrix
    d, of_a, of_b = cliff_tables(level[:, a], level[:, b])
    nothing = np.where(np.isnan(d), np.nan, 0.0)
    table = np.concatenate([of_a, -of_b], axis=1) @ scaling.matrix.T
    return Contribution(np.concatenate([d, nothing], axis=1), table)


def _estimates(value: Floats, cov: Covariance, loadings: Floats, inference: Inference, least: int) -> Estimates:
    variance, df = cov.variance(loadings, inference)
    few = cov.n_raters.reshape(2, -1).min(axis=0) < least
    if inference != "raters":  # one item does not vary, but for rounding
        few |= cov.n_items.reshape(2, -1).min(axis=0) < 2
    return raw(value, np.where(np.isnan(value) | few, np.nan, variance), df)


def _ratio(total: Floats, cov: Covariance, inference: Inference) -> Estimates:
    """Return a/b; sides must both be clear of 0 (methods 2.7), and on the log scale small groups cover best."""
    m = len(total) // 2
    one = raw(total, *cov.variance(np.eye(2 * m), inference))
    clear = one.low > 0
    inverse = np.where(clear, ratio(1, total, 0.0), 0.0)
    gradient = np.hstack([np.diag(inverse[:m]), -np.diag(inverse[m:])])
    value = np.where(clear[:m] & clear[m:], ratio(total[:m], total[m:]), np.nan)
    log = raw(np.where(np.isnan(value), np.nan, 0.0), *cov.variance(gradient, inference))
    return Estimates(value, log.se, log.df, value * np.exp(log.low), value * np.exp(log.high))


def simultaneous(
    e: Estimates, cov: Covariance, loadings: Floats, inference: Inference, rng: np.random.Generator, draws: int
) -> tuple[float, Floats]:
    """Return the max-T quantile and adjusted p of estimates that are rows of `loadings`, those with an SE a family."""
    usable = ~np.isnan(e.se)
    if usable.sum() <= 1:  # nothing to adjust for
        return float(np.append(quantile(e.df[usable]), np.nan)[0]), e.p
    se = np.where(usable, e.se, 1.0)
    correlation = cov.matrix(loadings, inference) / (se[:, None] * se)
    t = np.where(usable, e.value / se, np.nan)
    return multiplicity.max_t(t, correlation, float(np.nanmin(e.df)), rng, draws=draws)
