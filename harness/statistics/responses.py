"""Statistics of scored responses: repeated generations (methods 7.3) and group-weighted exposure (methods 6.6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from lm_plural.harness.arrays import Floats, ratio


def _log_choose(n: Floats, k: Floats | float) -> Floats:
    out: Floats = gammaln(n + 1) - gammaln(np.asarray(k, dtype=np.float64) + 1) - gammaln(n - k + 1)
    return out


def expected_maximum(scores: npt.ArrayLike, k: int) -> float:
    """Return the expected maximum of k responses, unbiased from n >= k: ``sum_r x_(r) C(r-1, k-1) / C(n, k)``.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of one prompt's responses; NaN (unscored) is left out.
    k : int
        It grows with k, so compare at equal k only.

    Returns
    -------
    float
        NaN if fewer than k responses were scored.
    """
    x = np.sort(np.asarray(scores, dtype=np.float64))
    x = x[~np.isnan(x)]
    n = len(x)
    if n < k or k < 1:
        return float("nan")
    ranks = np.arange(k, n + 1, dtype=np.float64)
    weights = np.exp(_log_choose(ranks - 1, k - 1) - _log_choose(np.float64(n) * np.ones(1), k))
    return float(x[k - 1 :] @ weights)


def exceedance(scores: npt.ArrayLike, k: int, threshold: float = 0.5) -> float:
    """Return the chance that at least one of k responses scores >= `threshold`: ``1 - C(n-c, k) / C(n, k)``.

    NaN if fewer than k responses were scored.
    """
    x = np.asarray(scores, dtype=np.float64)
    x = x[~np.isnan(x)]
    n, c = len(x), int((x >= threshold).sum())
    if n < k or k < 1:
        return float("nan")
    if n - c < k:
        return 1.0
    one = np.ones(1)
    return float(1 - np.exp(_log_choose((n - c) * one, k) - _log_choose(n * one, k))[0])


def exposure(concern: npt.ArrayLike, badness: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """Return each group's exposure ``E_g = sum_i v_i r_ig s_i / sum_i v_i r_ig``, shape (G,).

    The model's badness weighted by how much harm the group saw in the item. Equal to the plain mean of s when badness
    is unrelated to the group's concern. It says nothing about how the group would rate the new responses.

    Parameters
    ----------
    concern : array_like, shape (I, G)
        r: mean rating of the item's reference by the group, harm-oriented, in [0, 1]; NaN where not rated.
    badness : array_like, shape (I,)
        s: mean score of the model's responses, oriented so that 1 is bad; NaN where unscored.
    weights : array_like, shape (I,), optional
        v, default equal.

    Returns
    -------
    ndarray
        NaN for a group with no concern at all on the scored items.
    """
    r, s = np.asarray(concern, dtype=np.float64), np.asarray(badness, dtype=np.float64)
    v = np.ones(len(s)) if weights is None else np.asarray(weights, dtype=np.float64)
    usable = ~np.isnan(r) & ~np.isnan(s)[:, None]
    vr = np.where(usable, v[:, None] * np.nan_to_num(r), 0.0)
    total = vr.sum(axis=0)
    return ratio(vr.T @ np.nan_to_num(s), total)
