"""Reliability of a group's item means, and correlations freed from their noise (methods 2.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.measures.agreement import ROUNDING, weighted_mean
from lm_plural.harness.statistics.measures.correlation import equal_weights, unit
from lm_plural.harness.statistics.measures.distances import distinct_raters, shares

#: Below this reliability a correlation is not corrected for noise.
LEAST_RELIABILITY = 0.4


def reliability(counts: npt.ArrayLike, positions: npt.ArrayLike) -> Floats:
    """Return the reliability of a group's item means, ``1 - mean_i(s_i^2 / n_i) / Var_i(mean_i)``, shape (G,).

    For tables with holes: which raters an item had differs, so how severe they are counts as noise (methods 2.3). Over
    items with at least 2 raters; NaN with fewer than 2 of those, where means do not vary, and where ratings are split.
    """
    n, p, s = distinct_raters(counts), shares(counts), unit(positions)
    y = p @ s
    w = equal_weights(~np.isnan(n))
    noise = weighted_mean((p @ s**2 - y**2) / (n - 1), w)
    items = (w > 0).sum(axis=0)
    spread = weighted_mean((y - weighted_mean(y, w)) ** 2, w) * ratio(items, items - 1)
    return 1 - ratio(noise, np.where(spread > ROUNDING**2, spread, 0.0))


def crossed_reliability(scores: npt.ArrayLike) -> float:
    """Return the relative reliability of item means where every rater rated every item, ICC(C,k).

    ``1 - (MS_res / n) / Var_i(mean_i)``, MS_res being what items and raters leave in a two-way analysis of variance:
    how severe a rater is does not count as noise (McGraw and Wong 1996; methods 2.3).

    Parameters
    ----------
    scores : array_like, shape (I, n)
        Without holes.

    Returns
    -------
    float
        NaN with holes, fewer than 2 items or raters, or means that do not vary.
    """
    y = np.asarray(scores, dtype=np.float64)
    items, n = y.shape
    if items < 2 or n < 2 or np.isnan(y).any():
        return float("nan")
    means = y.mean(axis=1)
    rest = y - means[:, None] - y.mean(axis=0) + y.mean()
    noise, spread = (rest**2).sum() / ((items - 1) * (n - 1)) / n, means.var(ddof=1)
    return float(1 - ratio(noise, spread if spread > ROUNDING**2 * (y**2).mean() else 0.0))


def disattenuate(r: npt.ArrayLike, reliability: npt.ArrayLike) -> Floats:
    """Return ``r / sqrt(reliability)``, the correlation with noise-free item means; it may exceed 1 by chance.

    NaN (refused) where the reliability is below 0.4.
    """
    rel = np.asarray(reliability, dtype=np.float64)
    return ratio(r, np.sqrt(np.where(rel >= LEAST_RELIABILITY, rel, np.nan)))
