"""Changes of one statistic that are read together: bounds for all of them at once, on both sides or on one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics import multiplicity
from lm_plural.harness.statistics.draws import joint_draws
from lm_plural.harness.statistics.inferences import Inference
from lm_plural.harness.statistics.intervals import LEVEL, Estimates, quantile
from lm_plural.harness.statistics.jackknife import Covariance


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


def critical_one_sided(
    e: Estimates, covariance: Covariance, loadings: Floats, inference: Inference, rng: np.random.Generator, draws: int
) -> float:
    """Return the 95 % quantile of ``max_m Z_m / sqrt(chi2_df / df)``, that of max-T without the modulus.

    Over the changes with a standard error, rows of `loadings`; the t quantile for one of them, NaN for none.
    """
    known = np.flatnonzero(~np.isnan(e.se))
    if len(known) <= 1:
        return float(np.append(quantile(e.df[known], 2 * LEVEL - 1), np.nan)[0])
    r = multiplicity.unit_diagonal(covariance.matrix(loadings[known], inference) / (e.se[known, None] * e.se[known]))
    largest = joint_draws(np.zeros(len(r)), r, draws, rng, float(e.df[known].min())).max(axis=1)
    return float(np.quantile(largest, LEVEL, method="higher"))
