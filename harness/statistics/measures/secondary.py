"""The measures other work reports, side by side and each with its bias for few raters (methods 2.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.catalogue import measure, named
from lm_plural.harness.statistics.measures import correlation, distances, rarefaction, reliability
from lm_plural.harness.statistics.measures.agreement import weighted_mean

#: What a finite number of raters does to each of the measures of `secondary`.
BIAS = {name: measure(name).few_raters for name in named("secondary")}


def secondary(
    counts: npt.ArrayLike, q: npt.ArrayLike, positions: npt.ArrayLike, spacing: npt.ArrayLike
) -> tuple[dict[str, Floats], int]:
    """Compute every measure of each group, over items with at least 2 raters and a prediction, equally weighted.

    Parameters
    ----------
    counts : array_like, shape (I, G, K)
    q : array_like, shape (I, K) or (I, G, K)
        NaN for items without prediction.
    positions : array_like, shape (K,)
    spacing : array_like, shape (K-1,)
        Widths of the steps, sum 1.

    Returns
    -------
    values : dict
        The keys of `BIAS`, each of shape (G,). NaN where refused: a group without such items; split ratings, for what
        needs to tell raters apart; too few raters to rarefy.
    m : int
        The number of raters the rarefied ones are at (`common_m`), over items that have as many; 0 if refused.
    """
    c = _eligible(counts, q)
    m, kept = rarefaction.common_m(c)
    m = m if distances.whole(c) else 0
    rarefied = {
        "w1_rarefied": rarefaction.w1_rarefied(c, q, spacing, m),
        "tv_rarefied": rarefaction.tv_rarefied(c, q, m),
        "js_rarefied": rarefaction.js_rarefied(c, q, m),
    }
    plain = {
        "w1_plug_in": distances.w1_plug_in(c, q, spacing),
        "w1_cross_fit": distances.w1_cross_fit(c, q, spacing),
        "tv": distances.total_variation(c, q),
        "js": distances.jensen_shannon(c, q),
        "js_corrected": distances.jensen_shannon_corrected(c, q),
        "l2": distances.l2_nominal(c, q),
        "cross_entropy": distances.soft_cross_entropy(c, q),
    }
    n = c.sum(axis=-1)
    values = {name: _mean(v, n >= 2) for name, v in plain.items()}
    values |= {name: _mean(v, (n >= max(m, 2)) & kept) for name, v in rarefied.items()}
    values |= _correlations(c, q, positions)
    return {name: values[name] for name in BIAS}, m


def _eligible(counts: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return the counts with those of items left out that have fewer than 2 raters or no prediction."""
    c = np.asarray(counts, dtype=np.float64)
    used = (c.sum(axis=-1) >= 2) & ~np.isnan(distances.by_group(q)).any(axis=-1)
    return np.where(used[..., None], c, 0.0)


def _mean(values: Floats, used: npt.NDArray[np.bool_]) -> Floats:
    return weighted_mean(values, correlation.equal_weights(used))


def _correlations(c: Floats, q: npt.ArrayLike, positions: npt.ArrayLike) -> dict[str, Floats]:
    model, group = correlation.item_means(c, q, positions)
    r, rel = correlation.pearson(model, group), reliability.reliability(c, positions)
    return {
        "pearson": r,
        "spearman": correlation.spearman(model, group),
        "kendall": correlation.kendall(model, group),
        "qwk": correlation.quadratic_kappa(c, q, positions),
        "reliability": rel,
        "pearson_disattenuated": reliability.disattenuate(r, rel),
    }
