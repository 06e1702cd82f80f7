"""Statistics of repeated generations (methods 7.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.measures.agreement import ROUNDING
from lm_plural.harness.statistics.uncertainty.intervals import Estimates, bounded, raw


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


def correlation(x: npt.ArrayLike, y: npt.ArrayLike) -> Estimates:
    """Return Pearson's r of two scorers' scores of the same responses, shape (1,).

    Prompts are the units, since responses to one are alike: delete-one-prompt jackknife, t with P - 1 degrees of
    freedom, on Fisher's z.

    Parameters
    ----------
    x, y : array_like, shape (P, repeats)
        NaN in both where either has no score.

    Returns
    -------
    Estimates
        NaN where either says the same of all; no interval of fewer than three prompts.
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    known = ~np.isnan(a)
    scored = known.any(axis=1)
    a, b, known = a[scored], b[scored], known[scored]
    n = len(a)
    value = _pearson(a[known], b[known])
    less = np.array([_pearson(a[rest][known[rest]], b[rest][known[rest]]) for rest in ~np.eye(n, dtype=bool)])
    variance = (n - 1) / n * ((less - less.mean()) ** 2).sum() if n > 2 else np.nan
    return bounded(raw(np.array([value]), np.array([variance]), np.array([n - 1.0])), -1.0, 1.0)


def _pearson(x: Floats, y: Floats) -> float:
    if len(x) < 2 or np.ptp(x) < ROUNDING or np.ptp(y) < ROUNDING:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])
