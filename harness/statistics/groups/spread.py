"""How far apart groups are (methods 2.7): spread, range, and which group may be the worst.

The largest minus the smallest estimate is positive when all groups are equal, and the raw worst group is the noisiest
one. Spread subtracts what noise adds, the range has an interval only, and the worst group is a set.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def spread(values: npt.ArrayLike, covariance: npt.ArrayLike) -> float:
    """Return tau^2, the variance of the true values across groups (methods 2.7; Lum, Zhang, Bower 2022).

    ``S^2 - (1/G) sum_g V_gg + (1/(G (G-1))) sum_{g != h} V_gh``: unbiased, so it may be negative; truncate for display
    only. Groups share items, and without the last term noise they share would be subtracted although it cancels.

    Parameters
    ----------
    values : array_like, shape (G,)
        Groups with NaN are left out.
    covariance : array_like, shape (G, G)

    Returns
    -------
    float
        In squared units of the values; NaN with fewer than 2 groups.
    """
    x, v = np.asarray(values, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    known = ~np.isnan(x)
    x, v = x[known], v[np.ix_(known, known)]
    groups = len(x)
    if groups < 2:
        return float("nan")
    apart = (v.sum() - np.trace(v)) / (groups * (groups - 1))
    return float(x.var(ddof=1) - np.trace(v) / groups + apart)


def range_interval(differences: npt.ArrayLike, se: npt.ArrayLike, critical: float) -> tuple[float, float]:
    """Return a simultaneous interval for the largest minus the smallest true value (methods 2.7).

    ``[max(0, max_m (|d_m| - c se_m)), max_m (|d_m| + c se_m)]`` over all pairs of groups.

    Parameters
    ----------
    differences, se : array_like, shape (M,)
        Of all pairs; NaN is left out.
    critical : float
        c of ``multiplicity.max_t`` for these pairs.

    Returns
    -------
    low, high : float
        NaN without a pair.
    """
    d, margin = np.abs(np.asarray(differences, dtype=np.float64)), critical * np.asarray(se, dtype=np.float64)
    known = ~np.isnan(d) & ~np.isnan(margin)
    if not known.any():
        return float("nan"), float("nan")
    d, margin = d[known], margin[known]
    return max(0.0, float((d - margin).max())), float((d + margin).max())


def not_distinguishable_from_worst(
    values: npt.ArrayLike,
    pairs: npt.ArrayLike,
    p_adjusted: npt.ArrayLike,
    larger_is_worse: bool = True,
    level: float = 0.95,
) -> npt.NDArray[np.bool_]:
    """Return which groups may be the worst: those whose difference to the observed worst is not significant.

    Parameters
    ----------
    values : array_like, shape (G,)
        A group with NaN is left out.
    pairs : array_like of int, shape (M, 2)
        The two groups of each difference.
    p_adjusted : array_like, shape (M,)
        Of ``multiplicity.max_t``. A difference that is missing or NaN tells nothing apart.
    larger_is_worse : bool
    level : float

    Returns
    -------
    ndarray of bool, shape (G,)
        Holds the observed worst always; empty only if no group has a value.
    """
    x = np.asarray(values, dtype=np.float64)
    candidates = ~np.isnan(x)
    if not candidates.any():
        return candidates
    worst = int(np.argmax(np.where(candidates, x if larger_is_worse else -x, -np.inf)))
    told_apart = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)[np.asarray(p_adjusted) <= 1 - level]
    candidates[told_apart[(told_apart == worst).any(axis=1)]] = False
    candidates[worst] = True
    return candidates
