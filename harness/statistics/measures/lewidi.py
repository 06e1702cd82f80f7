"""Scores as the LeWiDi-2025 shared task computes them (arXiv 2510.08460), for comparison with its leaderboard.

Its script rounds to 5 digits, here nothing is rounded.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.measures.distances import total_variation, w1_plug_in


def manhattan(counts: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return ``sum_k |p_k - q_k|``, twice the total variation, shape (I, G)."""
    return 2 * total_variation(counts, q)


def index_wasserstein(counts: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return W1 in steps of the scale, from 0 to K - 1 whatever the positions of the levels, shape (I, G)."""
    return w1_plug_in(counts, q, np.ones(np.asarray(q).shape[-1] - 1))


def error_rate(target: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Return the share of ratings predicted wrong, averaged over each item's raters and then over items.

    Parameters
    ----------
    target, prediction : array_like, shape (I, R)
        What each rater said and was predicted to say; NaN in the target where the rater did not rate.

    Returns
    -------
    float
        NaN if nobody rated, or if a prediction is missing.
    """
    t, p = np.asarray(target, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    return _item_average(np.where(np.isnan(p), np.nan, t != p), t)


def anad(target: npt.ArrayLike, prediction: npt.ArrayLike, n_points: int) -> float:
    """Return the average normalised absolute distance, ``mean_i mean_j |t_ij - p_ij| / n_points``.

    Parameters
    ----------
    target, prediction : array_like, shape (I, R)
        As in `error_rate`.
    n_points : int
        Levels of the scale, as in the task's script (11 for Par, 6 for CSC), although the largest distance is one less.

    Returns
    -------
    float
        NaN if nobody rated, or if a prediction is missing.
    """
    t, p = np.asarray(target, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    return _item_average(np.abs(t - p) / n_points, t)


def _item_average(loss: Floats, target: Floats) -> float:
    """Return the mean over items of the mean over their raters."""
    rated = ~np.isnan(target)
    per_item = ratio(np.where(rated, loss, 0.0).sum(axis=1), rated.sum(axis=1))
    some = rated.any(axis=1)
    return float(per_item[some].mean()) if some.any() else float("nan")
