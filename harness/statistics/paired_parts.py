"""What two models' predictions for an item differ by (methods 3.7), and what each rater has to do with it.

Per item and group the change of divergence is the change of rps, and linear in ratings::

    d = C_A - C_B = S_A - S_B = sum_k Delta_k (Q_A - Q_B) (Q_A + Q_B - 2 F)

The group's own disagreement and the bias of few raters cancel, so one rater makes an item eligible.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.counts import Sums
from lm_plural.harness.statistics.leave_one_out import Contribution


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
