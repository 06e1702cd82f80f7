"""Two models on the same items and raters (methods 3.7): by how much a group's statistics change, model A less model B.

What both models find hard is no noise any more: two intervals, one of each model, are never compared. The change of
bias, E_A[s] - E_B[s], does not depend on ratings. There is no change of absolute bias: the kink of abs(b) keeps the
noise of few raters, and differently for A and B.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics import agreement, leave_one_out
from lm_plural.harness.statistics.changes import Changes, critical_one_sided
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums
from lm_plural.harness.statistics.family import simultaneous
from lm_plural.harness.statistics.groups import GroupStatistics, Weighting, covariance_of, stack
from lm_plural.harness.statistics.inferences import Inference
from lm_plural.harness.statistics.intervals import NEAR_ZERO
from lm_plural.harness.statistics.leave_one_out import Contribution
from lm_plural.harness.statistics.paired_parts import bias_change, divergence_change

#: Changes of a group, in the order they are shown; more is worse for divergence and rps, better for the last two.
STATISTICS = ("bias", "divergence", "rps", "skill", "log_equivalent_raters")


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
    found = _joint(coded, members, counts, Sums.of(counts, scaling), q_a, q_b, weights, inference)
    out = {}
    for name, (value, gradient) in _functions(found).items():
        column = next(iter(gradient))
        n_items, n_raters = found.n_items(column), found.n_raters(column)
        usable = (n_raters >= least) & ((n_items >= 2) | (inference == "raters")) & (inference != "none")
        # a variance of 0 is no interval
        gradient = {part: np.where(usable, slope, 0.0) for part, slope in gradient.items()}
        how = found.covariance, found.loadings(gradient), inference, rng, draws
        e = found.combine(value, gradient)
        critical, adjusted = simultaneous(e, *how)
        sizes = n_items, n_raters[None], np.ones(len(n_items))
        out[name] = Changes(e, np.maximum(adjusted, e.p), critical, critical_one_sided(e, *how), *sizes)
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
    how: Inference = "items+raters" if inference == "none" else inference
    return GroupStatistics(tuple(parts), value, covariance_of(coded, members, columns, counts, how), inference)


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
