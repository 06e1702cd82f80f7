"""Contrasts of one statistic, read together: their errors, and what holds for all at once (methods 3.2, 3.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, count_levels
from lm_plural.harness.statistics.groups.groups import membership_matrix
from lm_plural.harness.statistics.inference import Inference, Inferring
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.uncertainty import multiplicity
from lm_plural.harness.statistics.uncertainty.intervals import Estimates, quantile, raw
from lm_plural.harness.statistics.uncertainty.jackknife import Columns, Covariance, OneKind, covariance
from lm_plural.harness.statistics.uncertainty.leave_one_out import Contribution

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


def family(
    coded: Coded,
    sides: Sides,
    part: Contribution,
    n: Floats,
    v: Floats,
    share: Floats,
    a: Ints,
    b: Ints,
    how: Inferring,
    *,
    needs: int,
    positive: bool = False,
    kinds: Callable[[], list[OneKind]] | None = None,
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
    how : Inferring
    needs : int
        Raters of a side that an item needs.
    positive : bool
        Whether a over b is a number, too.
    kinds : callable, optional
        See ``covariance``.
    """
    at, m = np.concatenate([a, b]), len(a)
    table = _leaving(part, v, n, needs)
    columns = Columns(
        part.value,
        np.ascontiguousarray(np.moveaxis(table, 1, 2)),
        np.tile(v, 2),
        np.repeat([0, 1], m),
        n,
    )
    cov, loadings = covariance(coded, columns, sides.member[:, at], kinds), np.hstack([np.eye(m), -np.eye(m)])
    value = loadings @ columns.total
    e = _estimates(value, cov, loadings, how)
    critical, adjusted = simultaneous(e, cov, loadings, how)
    # drawn quantiles may fall a little short of the exact ones
    adjusted, half = np.maximum(adjusted, e.p), np.maximum(critical, quantile(e.df)) * e.se
    ratio_ = _ratio(columns.total, cov, how.inference) if positive else None
    return Family(
        a, b, e, adjusted, value - half, value + half, critical, cov.n_items[:m], share, cov, loadings, ratio_
    )


def _leaving(part: Contribution, v: Floats, n: Floats, needs: int) -> Floats:
    """Return the table with what a rater adds where a side has just as many as it needs: the item leaves the contrast.

    The contrast T then moves by ``w (d_i - T)`` to first order, d_i the item's own difference.
    """
    m = v.shape[1]
    difference = np.where(v > 0, part.value[:, :m] - part.value[:, m:], 0.0)
    alone = difference - (v * difference).sum(axis=0)
    both = np.concatenate([alone, -alone], axis=1)
    return np.where((n == needs)[..., None], both[..., None], part.table)


def _estimates(value: Floats, cov: Covariance, loadings: Floats, how: Inferring) -> Estimates:
    variance, df = cov.variance(loadings, how.inference)
    few = cov.n_raters.reshape(2, -1).min(axis=0) < how.least
    if how.inference != "raters":  # one item does not vary, but for rounding
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


def simultaneous(e: Estimates, cov: Covariance, loadings: Floats, how: Inferring) -> tuple[float, Floats]:
    """Return the max-T quantile and adjusted p of estimates that are rows of `loadings`, those with an SE a family."""
    usable = ~np.isnan(e.se)
    if usable.sum() <= 1:  # nothing to adjust for
        return float(np.append(quantile(e.df[usable]), np.nan)[0]), e.p
    se = np.where(usable, e.se, 1.0)
    correlation = cov.matrix(loadings, how.inference) / (se[:, None] * se)
    t = np.where(usable, e.value / se, np.nan)
    return multiplicity.max_t(t, correlation, float(np.nanmin(e.df)), how.rng, draws=how.draws)
