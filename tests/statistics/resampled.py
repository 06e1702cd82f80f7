"""Statistics of pairs of raters on the pigeonhole's replicates, beside which the two-way jackknife is checked (S3).

A rater drawn twice must not be paired with himself, or the bias of few raters comes back: statistics of pairs need the
sums of w and of w squared, ``C* = [(sum w u)^2 - sum w^2 u^2] / [(sum w)^2 - sum w^2]``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lm_plural.harness.arrays import ratio
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums
from lm_plural.harness.statistics.measures.agreement import expected, model_cdf
from lm_plural.harness.statistics.uncertainty.pigeonhole import Replicates, counter

#: From sums of the raters' weights and of their squares, shape (B, I, G, K_fine), to values of shape (B, I, G).
ItemStatistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


def item_statistics(scaling: Scaling, q: np.ndarray) -> dict[str, ItemStatistic]:
    """b; C and U over distinct raters, NaN where the raters drawn are one and the same."""
    cdf = model_cdf(q)

    def bias(first: np.ndarray, _second: np.ndarray) -> np.ndarray:
        w = Sums.of(first, scaling)
        return expected(q, scaling) - ratio(w.x, w.n)

    def divergence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        w, ww = Sums.of(first, scaling), Sums.of(second, scaling)
        su = w.z - w.n[..., None] * cdf
        suu = ww.zz - 2 * cdf * ww.z + ww.n[..., None] * cdf**2
        return ratio((su**2 - suu) @ scaling.spacing, w.n**2 - ww.n)

    def disagreement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        w, ww = Sums.of(first, scaling), Sums.of(second, scaling)
        return ratio((w.n[..., None] * w.zz - w.z**2) @ scaling.spacing, w.n**2 - ww.n)

    return {"bias": bias, "divergence": divergence, "disagreement": disagreement}


def mean_over_items(
    statistic: ItemStatistic, coded: Coded, members: Membership, weights: np.ndarray
) -> Callable[[Replicates], np.ndarray]:
    """Mean over items of given weights, shape (I, G) to (B, G); one without value in a replicate weighs 0 there."""
    counting = counter(coded, members)

    def mean(r: Replicates) -> np.ndarray:
        value = statistic(r.counts, counting(r.raters**2))
        v = np.where(np.isnan(value), 0.0, weights * r.items[..., None])
        return ratio((v * np.nan_to_num(value)).sum(axis=1), v.sum(axis=1))

    return mean
