"""Correlation of a model with the item means of a group, and soft quadratic kappa (methods 2.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.measures.agreement import ROUNDING, weighted_mean
from lm_plural.harness.statistics.measures.distances import by_group, shares

#: Digits of a mean on the unit scale: rounding must not break ties.
DIGITS = 12
#: Values, up to which Kendall's tau looks at all pairs: scipy.stats takes longer to import.
FEW = 100


def item_means(counts: npt.ArrayLike, q: npt.ArrayLike, positions: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return what the model expects and what the group said on average, with the scale running from 0 to 1.

    Parameters
    ----------
    counts : array_like, shape (I, G, K)
    q : array_like, shape (I, K) or (I, G, K)
    positions : array_like, shape (K,)

    Returns
    -------
    model, group : ndarray, shape (I, G)
        NaN in both where fewer than 2 rated or the model says nothing.
    """
    s = unit(positions)
    y = np.where(np.asarray(counts).sum(axis=-1) >= 2, shares(counts) @ s, np.nan)
    x = np.broadcast_to(by_group(q) @ s, y.shape)
    used = ~np.isnan(x + y)
    return np.where(used, x, np.nan).round(DIGITS), np.where(used, y, np.nan).round(DIGITS)


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """Return Pearson's r of each column over the rows where both have a value.

    Parameters
    ----------
    x, y : array_like, shape (I, G)
        NaN where there is none.

    Returns
    -------
    ndarray, shape (G,)
        NaN where either is constant, as for the other correlations.
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    w = equal_weights(~np.isnan(a + b))
    return np.clip(weighted_mean(_standard(a, w) * _standard(b, w), w), -1, 1)


def _standard(x: Floats, w: Floats) -> Floats:
    """Return columns with mean 0 and variance 1; NaN for a column that is constant, up to rounding."""
    centred = x - weighted_mean(x, w)
    variance = weighted_mean(centred**2, w)
    return ratio(centred, np.sqrt(np.where(variance > ROUNDING**2 * weighted_mean(x**2, w), variance, 0.0)))


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """Return Spearman's rank correlation of each column, ties sharing their mean rank; arguments of `pearson`."""
    from scipy.stats import rankdata

    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    gone = np.isnan(a + b)
    ranks = [rankdata(np.where(gone, np.nan, z), axis=0, nan_policy="omit") for z in (a, b)]
    return pearson(*ranks)


def kendall(x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """Return Kendall's tau-b of each column; arguments of `pearson`."""
    out = []
    for a, b in zip(np.asarray(x, dtype=np.float64).T, np.asarray(y, dtype=np.float64).T, strict=True):
        used = ~np.isnan(a + b)
        varies = used.any() and np.ptp(a[used]) > 0 and np.ptp(b[used]) > 0
        out.append(_tau_b(a[used], b[used]) if varies else np.nan)
    return np.array(out, dtype=np.float64)


def _tau_b(a: Floats, b: Floats) -> float:
    if len(a) > FEW:
        from scipy.stats import kendalltau

        return float(kendalltau(a, b).statistic)
    x, y = (np.sign(z[:, None] - z) for z in (a, b))
    return float((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))


def quadratic_kappa(counts: npt.ArrayLike, q: npt.ArrayLike, positions: npt.ArrayLike) -> Floats:
    """Return the soft quadratic weighted kappa, shape (G,): ``1 - mean_i E(Y - X)^2 / E_indep (Y - X)^2``.

    Y is a rating of the group, X one drawn from the model; below the line they belong to items drawn independently.
    Lin's concordance if both are points. Over items with at least 2 raters and a prediction; arguments of `item_means`.
    NaN if neither group nor model ever leaves one level.
    """
    s, p, given = unit(positions), shares(counts), by_group(q)
    used = (np.asarray(counts).sum(axis=-1) >= 2) & ~np.isnan(given).any(axis=-1)
    w = equal_weights(used)
    y, x, squares = p @ s, given @ s, p @ s**2 + given @ s**2
    observed = weighted_mean(squares - 2 * x * y, w)
    chance = weighted_mean(squares, w) - 2 * weighted_mean(x, w) * weighted_mean(y, w)
    return 1 - ratio(observed, np.where(chance > ROUNDING, chance, 0.0))


def unit(positions: npt.ArrayLike) -> Floats:
    """Return positions with the scale running from 0 to 1."""
    s = np.asarray(positions, dtype=np.float64)
    return np.asarray((s - s[0]) / (s[-1] - s[0]))


def equal_weights(used: npt.NDArray[np.bool_]) -> Floats:
    """Return weights of the used rows, each column summing to 1."""
    return ratio(used, used.sum(axis=0), 0.0)
