"""Two models on the same items and raters (methods 3.7): by how much statistics change, model A less model B.

Per item and group the change of divergence is the change of rps, and linear in ratings::

    d = C_A - C_B = S_A - S_B = sum_k Delta_k (Q_A - Q_B) (Q_A + Q_B - 2 F)

The group's own disagreement and the bias of few raters cancel, so one rater makes an item eligible, and what both
models find hard is no noise any more: two intervals, one of each model, are never compared. The change of bias,
E_A[s] - E_B[s], does not depend on ratings, and that of a gap in bias is always 0: such a gap is one between people.
There is no change of absolute bias: the kink of abs(b) keeps the noise of few raters, and differently for A and B.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics import agreement, leave_one_out, multiplicity
from lm_plural.harness.statistics.contrasts import Sides, _without_lone_raters, support
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, Scaling, Sums
from lm_plural.harness.statistics.draws import joint_draws
from lm_plural.harness.statistics.groups import GroupStatistics, Weighting, membership_matrix
from lm_plural.harness.statistics.inferences import Inference
from lm_plural.harness.statistics.intervals import LEVEL, NEAR_ZERO, Estimates, p_value, quantile, raw
from lm_plural.harness.statistics.jackknife import Columns, Covariance, covariance, disjoint_covariance
from lm_plural.harness.statistics.leave_one_out import Contribution

#: Changes of a group, in the order they are shown; more is worse for divergence and rps, better for the last two.
STATISTICS = ("bias", "divergence", "rps", "skill", "log_equivalent_raters")


@dataclass(frozen=True)
class Changes:
    """Changes of one statistic, one per group or per contrast of groups, that are read together.

    Parameters
    ----------
    estimates : Estimates
        Of shape (M,), intervals for each alone.
    p_adjusted : ndarray, shape (M,)
        Two-sided, single-step max-T.
    critical, critical_one_sided : float
        ``value +- critical * se`` covers all M at once; so do ``value - critical_one_sided * se`` as lower bounds
        alone, and with + as upper bounds alone.
    n_items : ndarray, shape (M,)
    n_raters : ndarray, shape (sides, M)
        One side for a group, two for a contrast.
    share : ndarray, shape (M,)
        Common items of a contrast among the items of either side; 1 for a group.
    """

    estimates: Estimates
    p_adjusted: Floats
    critical: float
    critical_one_sided: float
    n_items: Floats
    n_raters: Floats
    share: Floats


def divergence_change(sums: Sums, q_a: npt.ArrayLike, q_b: npt.ArrayLike, weights: Floats) -> Contribution:
    """Return d of every item and group; ``d - d^(-j) = -2 sum_k Delta_k (Q_A - Q_B)(z_jk - F_k) / (n - 1)``.

    Parameters
    ----------
    sums : Sums
        Of shape (I, G).
    q_a, q_b : array_like, shape (I, K)
        Distributions over the levels of ``sums.scaling``.
    weights : ndarray, shape (I, G)
        Of items, needed where one rater is all an item has: without that rater it leaves the mean T, which moves by
        ``d - T``.
    """
    cdf_a, cdf_b = agreement.model_cdf(q_a), agreement.model_cdf(q_b)
    slope = (cdf_a - cdf_b) * sums.scaling.spacing
    of_group, of_level = (slope * sums.cdf).sum(axis=-1), slope @ sums.scaling.indicators.T
    value = np.where(sums.n >= 1, (slope * (cdf_a + cdf_b)).sum(axis=-1) - 2 * of_group, np.nan)
    others = np.where(sums.n >= 2, sums.n - 1, np.inf)[..., None]
    alone = (value - agreement.weighted_mean(value, weights))[..., None]
    table = np.where((sums.n == 1)[..., None], alone, 2 * (of_group[..., None] - of_level) / others)
    counts = ~np.isnan(value)[..., None] & (sums.scaling.kept > 0)
    return Contribution(value, np.where(counts, table, 0.0))


def bias_change(sums: Sums, q_a: npt.ArrayLike, q_b: npt.ArrayLike) -> Contribution:
    """Return E_A[s] - E_B[s] of every item a group rated, in scale points; raters have no part in it."""
    change = agreement.expected(q_a, sums.scaling) - agreement.expected(q_b, sums.scaling)
    value = np.where(sums.n >= 1, change, np.nan)
    return Contribution(value, np.zeros((*value.shape, len(sums.scaling.kept))))


def group_changes(
    coded: Coded,
    members: Membership,
    counts: npt.ArrayLike,
    scaling: Scaling,
    q_a: npt.ArrayLike,
    q_b: npt.ArrayLike,
    weights: Weighting,
    *,
    rng: np.random.Generator,
    inference: Inference = "items+raters",
    draws: int = 10_000,
    least: int = 2,
) -> dict[str, Changes]:
    """Return the change of every statistic in every group, each statistic a family of its own.

    ``skill`` changes by ``(C_B - C_A) / A`` and has no interval where A is hardly told from 0;
    ``log_equivalent_raters`` by ``log m_A - log m_B = log C_B - log C_A``, given where the intervals of both C are
    above 0 (methods 2.7). These two are of items with two raters, the rest of items with one.

    Parameters
    ----------
    coded : Coded
    members : Membership
    counts : array_like, shape (I, G, K_fine)
        Of the items to be counted (zeros where a model has no prediction).
    scaling : Scaling
    q_a, q_b : array_like, shape (I, K)
    weights : Weighting
        Of shape (I, G) each.
    rng : numpy.random.Generator
    inference : {"items+raters", "raters", "items", "none"}
        With ``none`` there is no interval.
    draws : int
        Of max-T.
    least : int
        Raters a group needs for an interval and a place in the family; under items that vary also two items.
    """
    parts = _parts(Sums.of(counts, scaling), q_a, q_b, weights)
    found = _joint(coded, members, counts, scaling, parts, inference)
    out = {}
    for name, f in _functions(found).items():
        n_items, n_raters = found.n_items(f.column), found.n_raters(f.column)
        loadings = found.loadings(f.gradient)
        usable = f.clear & _enough(n_items, n_raters, inference, least)
        sizes = n_items, n_raters[None], np.ones(len(n_items))
        out[name] = _changes(f.value, found.covariance, loadings, inference, usable, rng, draws, sizes)
    out["rps"] = out["divergence"]
    return {name: out[name] for name in STATISTICS}


def gap_changes(
    coded: Coded,
    sides: Sides,
    scaling: Scaling,
    q_a: npt.ArrayLike,
    q_b: npt.ArrayLike,
    a: Ints,
    b: Ints,
    *,
    rng: np.random.Generator,
    inference: Inference = "items+raters",
    weights: agreement.Weights = "items",
    user: Floats | None = None,
    draws: int = 10_000,
    least: int = 2,
) -> Changes:
    """Return the change of gaps in divergence (and so in rps), that of side a less that of side b, as one family.

    Parameters
    ----------
    coded : Coded
    sides : Sides
        T of them.
    scaling : Scaling
    q_a, q_b : array_like, shape (I, K)
    a, b : ndarray of int, shape (M,)
        Sides to compare, on the items that a rater of each rated.
    rng, inference, draws, least
        As of ``group_changes``.
    weights : {"items", "pairs"}
    user : ndarray, shape (I,), or None
        The user's weights of items.
    """
    at, m, sums = np.concatenate([a, b]), len(a), Sums.of(sides.counts, scaling)
    v, share = support(sums.n, a, b, weights, user, 1)
    part = divergence_change(sums, q_a, q_b, agreement.item_weights(sums, weights, user, least=1))
    part = Contribution(part.value[:, at], part.table[:, at])
    table = np.moveaxis(_without_lone_raters(part, v, sums.n[:, at]), 1, 2)
    member, pool = sides.member[:, at], np.repeat([0, 1], m)
    columns = Columns(part.value, np.ascontiguousarray(table), np.tile(v, 2), member, pool, sums.n[:, at])
    cov = covariance(coded, columns)
    loadings = np.hstack([np.eye(m), -np.eye(m)])
    n_items, n_raters = cov.n_items[:m], cov.n_raters.reshape(2, m)
    usable = _enough(n_items, n_raters.min(axis=0), inference, least)
    sizes = n_items, n_raters, share
    return _changes(loadings @ columns.total, cov, loadings, inference, usable, rng, draws, sizes)


class _Function(NamedTuple):
    """A reported change: its value, gradient and column of reference, and where it may have an interval."""

    value: Floats
    gradient: dict[str, Floats | float]
    column: str
    clear: npt.NDArray[np.bool_]


def _parts(
    sums: Sums, q_a: npt.ArrayLike, q_b: npt.ArrayLike, weights: Weighting
) -> dict[str, tuple[Contribution, Floats]]:
    """Return what changes are made of; that of divergence twice, the second time over items with two raters."""
    change = divergence_change(sums, q_a, q_b, weights.single)
    return {
        "divergence": (change, weights.single),
        "bias": (bias_change(sums, q_a, q_b), weights.single),
        "change": (change, weights.pair),
        "of_a": (leave_one_out.divergence(sums, agreement.model_cdf(q_a), weights.pair), weights.pair),
        "of_b": (leave_one_out.divergence(sums, agreement.model_cdf(q_b), weights.pair), weights.pair),
        "signal": (leave_one_out.between(sums, weights.pair), weights.pair),
    }


def _joint(
    coded: Coded,
    members: Membership,
    counts: npt.ArrayLike,
    scaling: Scaling,
    parts: dict[str, tuple[Contribution, Floats]],
    inference: Inference,
) -> GroupStatistics:
    s, g, sums = len(parts), members.n_groups, Sums.of(counts, scaling)
    columns = Columns(
        np.concatenate([p.value for p, _ in parts.values()], axis=1),
        np.concatenate([np.moveaxis(p.table, 1, 2) for p, _ in parts.values()], axis=2),
        np.hstack([v for _, v in parts.values()]),
        np.tile(membership_matrix(members, coded.n_raters), s),
        np.tile(np.arange(g), s),
        np.tile(sums.n, s),
    )
    value = columns.total.reshape(s, g)
    value[-1] = agreement.signal(coded, members, sums, parts["signal"][1])
    apart = members.disjoint
    cov = disjoint_covariance(coded, members, columns, counts) if apart else covariance(coded, columns)
    return GroupStatistics(tuple(parts), value, cov, inference)


def _functions(found: GroupStatistics) -> dict[str, _Function]:
    """Return the reported changes, of skill and ratio in terms of C_A - C_B, so that for equal models they are 0."""
    change, of_a, of_b, signal = (found.base(n) for n in ("change", "of_a", "of_b", "signal"))
    always = np.ones(len(change), dtype=bool)
    positive = np.all([found.combine(found.base(n), {n: 1.0}).low > 0 for n in ("of_a", "of_b")], axis=0)
    c_a, c_b = (np.where(positive, c, 1.0) for c in (of_a, of_b))
    seen = signal > NEAR_ZERO * found.combine(signal, {"signal": 1.0}).se
    out = {n: _Function(found.base(n), {n: 1.0}, n, always) for n in ("bias", "divergence")}
    # skill of A less that of B = -change / A = (1 - change / A) - 1
    gradient: dict[str, Floats | float] = {"change": -ratio(1, signal), "signal": ratio(change, signal**2)}
    out["skill"] = _Function(agreement.skill(change, signal) - 1, gradient, "change", seen)
    gradient = {"change": -1 / c_a, "of_b": 1 / c_b - 1 / c_a}
    log = np.where(positive, np.log(c_b) - np.log(c_a), np.nan)
    out["log_equivalent_raters"] = _Function(log, gradient, "change", positive)
    return out


def _enough(n_items: Floats, n_raters: Floats, inference: Inference, least: int) -> npt.NDArray[np.bool_]:
    if inference == "none":
        return np.zeros(len(n_items), dtype=bool)
    return np.asarray((n_raters >= least) & ((n_items >= 2) | (inference == "raters")))


def _changes(
    value: Floats,
    cov: Covariance,
    loadings: Floats,
    inference: Inference,
    usable: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    draws: int,
    sizes: tuple[Floats, Floats, Floats],
) -> Changes:
    """Return changes with intervals where they are usable and vary, simultaneous over those."""
    variance, df = cov.variance(loadings, inference)
    e = raw(value, np.where(usable & ~np.isnan(value), variance, np.nan), df)
    known = np.flatnonzero(~np.isnan(e.se))
    if not len(known):
        return Changes(e, np.full(len(value), np.nan), np.nan, np.nan, *sizes)
    adjusted, se, df = np.full(len(value), np.nan), e.se[known], e.df[known].min(keepdims=True)
    correlation = cov.matrix(loadings[known], inference) / (se[:, None] * se)
    critical, one_sided, adjusted[known] = _simultaneous(e.value[known] / se, correlation, df, rng, draws)
    return Changes(e, adjusted, critical, one_sided, *sizes)


def _simultaneous(
    t: Floats, correlation: Floats, df: Floats, rng: np.random.Generator, draws: int
) -> tuple[float, float, Floats]:
    """Return both critical values, two-sided and one-sided, and adjusted p; one t alone needs no draws.

    The one-sided value is the quantile of ``max_m Z_m / sqrt(chi2_df / df)``: that of max-T without the modulus.
    """
    if len(t) == 1:
        return float(quantile(df)[0]), float(quantile(df, 2 * LEVEL - 1)[0]), p_value(t, np.ones(1), df)
    critical, adjusted = multiplicity.max_t(t, correlation, float(df[0]), rng, draws)
    r = multiplicity._unit_diagonal(correlation)
    largest = joint_draws(np.zeros(len(r)), r, draws, rng, float(df[0])).max(axis=1)
    return critical, float(np.quantile(largest, LEVEL, method="higher")), adjusted
