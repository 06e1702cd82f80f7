"""How well people of the group, or of another, would do in the model's place (methods 2.3).

Distances here are divergences C (methods 2.1): one rater of the group is U away from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Sums
from lm_plural.harness.statistics.measures.agreement import disagreement
from lm_plural.harness.statistics.measures.correlation import pearson

#: Fewest items a rater must have rated to be placed.
FEWEST_ITEMS = 10


def ceiling_others(disagreement: npt.ArrayLike, n: npt.ArrayLike) -> Floats:
    """Return ``C = U / (n - 1)``, how far all other raters of the group together are from it; shapes broadcast.

    Parameters
    ----------
    disagreement : array_like
        U of an item or a group.
    n : array_like
        Its raters, the one left out among them; NaN for fewer than 2.
    """
    return ratio(disagreement, np.asarray(n, dtype=np.float64) - 1)


def group_distances(sums: Sums) -> Floats:
    """Return how far each group is from each other, in the unit of the model's divergence, so that they compare.

    ``C_gh = mean_i sum_k Delta_k [(F_g - F_h)^2 - F_g (1-F_g) / (n_g - 1) - F_h (1-F_h) / (n_h - 1)]``, over items that
    at least 2 raters of either rated. Unbiased if no rater is in both groups.

    Parameters
    ----------
    sums : Sums
        Of shape (I, G).

    Returns
    -------
    ndarray, shape (G, G)
        Symmetric, 0 on the diagonal, below 0 by chance where two groups are close; NaN without common items.
    """
    eligible = sums.n >= 2
    e = eligible.astype(np.float64)
    cdf, spacing = sums.cdf * e[..., None], sums.scaling.spacing
    own = np.where(eligible, cdf**2 @ spacing - disagreement(sums) / np.where(eligible, sums.n, 1), 0.0)
    one_side = own.T @ e
    product = np.einsum("igk,ihk->gh", cdf * spacing, cdf, optimize=True)
    out = ratio(one_side + one_side.T - product - product.T, e.T @ e)
    np.fill_diagonal(out, np.where(eligible.any(axis=0), 0.0, np.nan))
    return out


@dataclass(frozen=True)
class RaterCeiling:
    """Correlations with the mean of the group's other raters, one per rater of the group.

    Parameters
    ----------
    raters, model : ndarray, shape (R,)
        Of the rater and of the model, with the same target on the same items; NaN for a rater of fewer than 10 items
        or without variation.
    percentile : float
        Percent of raters the model is ahead of, ties counting half; NaN if nobody can be placed.
    """

    raters: Floats
    model: Floats
    percentile: float


def rater_ceiling(scores: npt.ArrayLike, expected: npt.ArrayLike) -> RaterCeiling:
    """Place the model among the raters of a group (methods 2.3; cf. Movva et al. 2024).

    Against the mean of all raters the model would profit from a target with less noise than a rater's, who is left out
    of theirs; so each rater brings a target, and both are held against it.

    Parameters
    ----------
    scores : array_like, shape (I, R)
        Ratings of the group's raters in scale points, NaN where not rated.
    expected : array_like, shape (I,)
        The model's expected rating, NaN where it says nothing; such items do not count.

    Returns
    -------
    RaterCeiling
    """
    x = np.asarray(expected, dtype=np.float64)[:, None]
    y = np.where(np.isnan(x), np.nan, np.asarray(scores, dtype=np.float64))
    others = _mean_of_others(y)
    enough = (~np.isnan(others)).sum(axis=0) >= FEWEST_ITEMS
    raters, model = (np.where(enough, pearson(z, others), np.nan) for z in (y, np.broadcast_to(x, y.shape)))
    ahead = np.sign(model - raters)
    ahead = ahead[~np.isnan(ahead)]
    return RaterCeiling(raters, model, float(50 * (1 + ahead.mean())) if len(ahead) else float("nan"))


def _mean_of_others(y: Floats) -> Floats:
    """Return the mean rating of the item's other raters, where there are any and the rater rated it too."""
    rated = ~np.isnan(y)
    filled = np.where(rated, y, 0.0)
    others = ratio(filled.sum(axis=1, keepdims=True) - filled, rated.sum(axis=1, keepdims=True) - 1)
    return np.where(rated, others, np.nan)
