"""Two models on the same items and raters (methods 3.7): by how much a group's statistics change, model A less model B.

What both models find hard is no noise any more: two intervals, one of each model, are never compared. The change of
bias, E_A[s] - E_B[s], does not depend on ratings. There is no change of absolute bias: the kink of abs(b) keeps the
noise of few raters, and differently for A and B.

Per item and group the change of divergence is the change of rps, and linear in ratings::

    d = C_A - C_B = S_A - S_B = sum_k Delta_k (Q_A - Q_B) (Q_A + Q_B - 2 F)

The group's own disagreement and the bias of few raters cancel, so one rater makes an item eligible. The change of a gap
in bias is always 0: such a gap is one between people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, Scaling, Sums
from lm_plural.harness.statistics.groups.family import Sides, family, simultaneous, support
from lm_plural.harness.statistics.groups.groups import GroupStatistics, Weighting, covariance_of, stack
from lm_plural.harness.statistics.inference import Inference, Inferring
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.uncertainty import leave_one_out, multiplicity
from lm_plural.harness.statistics.uncertainty.draws import joint_draws
from lm_plural.harness.statistics.uncertainty.intervals import LEVEL, NEAR_ZERO, Estimates, quantile
from lm_plural.harness.statistics.uncertainty.jackknife import Covariance
from lm_plural.harness.statistics.uncertainty.leave_one_out import Contribution


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


@dataclass(frozen=True)
class Changes:
    """Changes of one statistic, one per group or per contrast of groups.

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


def critical_one_sided(e: Estimates, covariance: Covariance, loadings: Floats, how: Inferring) -> float:
    """Return the 95 % quantile of ``max_m Z_m / sqrt(chi2_df / df)``, that of max-T without the modulus.

    Over the changes with a standard error, rows of `loadings`; the t quantile for one of them, NaN for none.
    """
    known = np.flatnonzero(~np.isnan(e.se))
    if len(known) <= 1:
        return float(np.append(quantile(e.df[known], 2 * LEVEL - 1), np.nan)[0])
    r = multiplicity.unit_diagonal(
        covariance.matrix(loadings[known], how.inference) / (e.se[known, None] * e.se[known])
    )
    largest = joint_draws(np.zeros(len(r)), r, how.draws, how.rng, float(e.df[known].min())).max(axis=1)
    return float(np.quantile(largest, LEVEL, method="higher"))


#: Changes of a group, in the order they are shown.
STATISTICS = named("changes")


def group_changes(
    coded: Coded,
    members: Membership,
    counts: npt.ArrayLike,
    scaling: Scaling,
    q_a: npt.ArrayLike,
    q_b: npt.ArrayLike,
    weights: Weighting,
    how: Inferring,
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
    how : Inferring
        Where items vary, an interval needs two of them, too.
    """
    found = _joint(coded, members, counts, Sums.of(counts, scaling), q_a, q_b, weights, how.inference)
    out = {}
    for name, (value, gradient) in _functions(found).items():
        column = next(iter(gradient))
        n_items, n_raters = found.n_items(column), found.n_raters(column)
        usable = (n_raters >= how.least) & ((n_items >= 2) | (how.inference == "raters")) & (how.inference != "none")
        # a variance of 0 is no interval
        gradient = {part: np.where(usable, slope, 0.0) for part, slope in gradient.items()}
        loadings, e = found.loadings(gradient), found.combine(value, gradient)
        critical, adjusted = simultaneous(e, found.covariance, loadings, how)
        one_sided = critical_one_sided(e, found.covariance, loadings, how)
        sizes = n_items, n_raters[None], np.ones(len(n_items))
        out[name] = Changes(e, np.maximum(adjusted, e.p), critical, one_sided, *sizes)
    out["rps"] = out["divergence"]
    return {name: out[name] for name in STATISTICS}


def _joint(
    coded: Coded,
    members: Membership,
    counts: npt.ArrayLike,
    sums: Sums,
    q_a: npt.ArrayLike,
    q_b: npt.ArrayLike,
    weights: Weighting,
    inference: Inference,
) -> GroupStatistics:
    """Return what changes are made of; that of divergence twice, the second time over items with two raters."""
    of_a, of_b = (leave_one_out.divergence(sums, agreement.model_cdf(q), weights.pair) for q in (q_a, q_b))
    change = Contribution(of_a.value - of_b.value, of_a.table - of_b.table)
    single = {"bias": bias_change(sums, q_a, q_b), "divergence": divergence_change(sums, q_a, q_b, weights.single)}
    pair = {"change": change, "of_a": of_a, "of_b": of_b, "signal": leave_one_out.between(sums, weights.pair)}
    parts = single | pair
    of_items = [weights.single] * len(single) + [weights.pair] * len(pair)
    columns = stack(parts.values(), of_items, sums.n)
    value = columns.total.reshape(len(parts), -1)
    value[-1] = agreement.signal(coded, members, sums, weights.pair)
    # whether there is a ratio to speak of depends on errors, whether they are shown or not
    of_errors: Inference = "items+raters" if inference == "none" else inference
    return GroupStatistics(tuple(parts), value, covariance_of(coded, members, columns, counts, of_errors), inference)


def _functions(found: GroupStatistics) -> dict[str, tuple[Floats, dict[str, Floats | float]]]:
    """Return the value and gradient of what is reported, in terms of C_A - C_B, so that for equal models it is 0."""
    change, of_a, of_b, signal = (found.base(n) for n in ("change", "of_a", "of_b", "signal"))
    positive = np.all([found.combine(found.base(n), {n: 1.0}).low > 0 for n in ("of_a", "of_b")], axis=0)
    c_a, c_b = (np.where(positive, c, 1.0) for c in (of_a, of_b))
    seen = signal > NEAR_ZERO * found.combine(signal, {"signal": 1.0}).se
    return {
        "bias": (found.base("bias"), {"bias": 1.0}),
        "divergence": (found.base("divergence"), {"divergence": 1.0}),
        # skill of A less that of B = -change / A = (1 - change / A) - 1
        "skill": (
            agreement.skill(change, signal) - 1,
            {"change": -ratio(1, signal) * seen, "signal": ratio(change, signal**2) * seen},
        ),
        "log_equivalent_raters": (
            np.where(positive, np.log(c_b) - np.log(c_a), np.nan),
            {"change": -1 / c_a, "of_b": 1 / c_b - 1 / c_a},
        ),
    }


def gap_changes(
    coded: Coded,
    sides: Sides,
    scaling: Scaling,
    q_a: npt.ArrayLike,
    q_b: npt.ArrayLike,
    a: Ints,
    b: Ints,
    how: Inferring,
    weights: agreement.Weights = "items",
    user: Floats | None = None,
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
    how : Inferring
    weights : {"items", "pairs"}
    user : ndarray, shape (I,), or None
        The user's weights of items.
    """
    at, sums = np.concatenate([a, b]), Sums.of(sides.counts, scaling)
    v, share = support(sums.n, a, b, weights, user, 1)
    part = divergence_change(sums, q_a, q_b, agreement.item_weights(sums, weights, user, least=1))
    part = Contribution(part.value[:, at], part.table[:, at])
    f = family(coded, sides, part, sums.n[:, at], v, share, a, b, how, needs=1)
    one_sided = critical_one_sided(f.estimates, f.covariance, f.loadings, how)
    n_raters = f.covariance.n_raters.reshape(2, -1)
    return Changes(f.estimates, f.p_adjusted, f.critical, one_sided, f.n_items, n_raters, share)
