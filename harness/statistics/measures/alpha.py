"""Krippendorff's alpha from counts (methods 7.1): how far people agree with each other beyond chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats

Metric = Literal["nominal", "ordinal", "interval"]
METRICS: tuple[Metric, ...] = ("nominal", "ordinal", "interval")


def distance(metric: Metric, positions: Floats, marginal: Floats) -> Floats:
    """Return the K x K squared distances between levels.

    ``ordinal`` depends on `marginal`, the pooled counts, so ordinal alphas of two groups are not comparable.
    """
    if metric == "nominal":
        return 1.0 - np.eye(len(positions))
    if metric == "interval":
        return (positions[:, None] - positions[None, :]) ** 2
    rank = marginal.cumsum() - marginal / 2
    return (rank[:, None] - rank[None, :]) ** 2


def krippendorff_alpha(
    counts: npt.ArrayLike,
    positions: npt.ArrayLike,
    metric: Metric = "interval",
    matrix: npt.ArrayLike | None = None,
) -> float:
    """Return alpha = 1 - D_o / D_e.

    Over items with at least two ratings, N of them in all (Krippendorff 2004, ch. 11)::

        D_o = (1/N) sum_i c_i' delta c_i / (n_i - 1)        D_e = n' delta n / (N (N - 1)),  n = sum_i c_i

    Parameters
    ----------
    counts : array_like, shape (I, K_fine)
        Of the levels as rated.
    positions : array_like, shape (K,)
    metric : {"nominal", "ordinal", "interval"}
    matrix : array_like, shape (K_fine, K), optional
        A coarsening: share of a rated level that counts as each of the positions, none if it is dropped. A level that
        is split stands between the others, at no distance from itself, as in the other statistics.

    Returns
    -------
    float
        NaN where it is not defined: no item with two ratings, or all ratings equal.
    """
    p = np.asarray(positions, dtype=np.float64)
    m = np.eye(len(p)) if matrix is None else np.asarray(matrix, dtype=np.float64)
    c = np.asarray(counts, dtype=np.float64) * (m.sum(axis=1) > 0)
    c = c[c.sum(axis=1) >= 2]
    pooled = c.sum(axis=0)
    delta = m @ distance(metric, p, pooled @ m) @ m.T
    own = np.diag(delta) / 2
    delta = delta - own[:, None] - own
    total, apart = pooled.sum(), pooled @ delta @ pooled
    if not apart > 0:
        return float("nan")
    observed = (np.einsum("ik,kl,il->i", c, delta, c) / (c.sum(axis=1) - 1)).sum() / total
    return float(1 - observed * total * (total - 1) / apart)
