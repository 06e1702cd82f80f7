"""Joint draws of estimates (methods 3.3), the same every time: from values and their covariance to any function."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio


def positive_root(matrix: npt.ArrayLike) -> Floats:
    """Return the symmetric root R, ``R @ R = matrix`` with negative eigenvalues set to 0, shape (P, P).

    A difference of two estimated covariances may have some. The symmetric root is unique, so the order of the
    estimates and the signs of eigenvectors do not show in the draws' distribution.
    """
    m = np.asarray(matrix, dtype=np.float64)
    values, vectors = np.linalg.eigh((m + m.T) / 2)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def joint_draws(
    values: npt.ArrayLike,
    covariance: npt.ArrayLike,
    n: int,
    rng: np.random.Generator,
    df: float = np.inf,
) -> Floats:
    """Draw ``T* ~ T + R z / sqrt(chi2_df / df)``, R the positive root of the covariance (methods 3.3).

    Parameters
    ----------
    values : array_like, shape (P,)
        T, in any unit.
    covariance : array_like, shape (P, P)
        In the square of that unit. Negative eigenvalues count as 0.
    n : int
        Number of draws.
    rng : numpy.random.Generator
    df : float
        Degrees of freedom of the covariance; infinite: normal draws. One chi2 per draw is shared by all estimates.

    Returns
    -------
    ndarray, shape (n, P)
        NaN in the columns of estimates that have no value or no variance.
    """
    t, v = np.asarray(values, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    known = ~np.isnan(t) & ~np.isnan(np.diagonal(v))
    z = rng.standard_normal((n, int(known.sum()))) @ positive_root(v[np.ix_(known, known)])
    if np.isfinite(df):
        z /= np.sqrt(rng.chisquare(df, size=(n, 1)) / df)
    draws = np.full((n, len(t)), np.nan)
    draws[:, known] = t[known] + z
    return draws


def percentile_interval(draws: npt.ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the (1 - level)/2 and (1 + level)/2 quantiles over the first axis: shape (n, ...) to two of (...).

    The bounds are draws themselves, rounded outwards, so infinite draws are allowed. NaN where any draw is NaN: to
    leave out the draws in which a statistic is not defined would cut a tail off.
    """
    x = np.asarray(draws, dtype=np.float64)
    low, high = (1 - level) / 2, (1 + level) / 2
    return np.quantile(x, low, axis=0, method="lower"), np.quantile(x, high, axis=0, method="higher")


def probability_worst(draws: npt.ArrayLike, larger_is_worse: bool = True) -> Floats:
    """Return the share of draws in which each group is the worst, shape (n, G) to (G,); ties share.

    A group with a NaN draw is left out and has NaN; the others sum to 1.
    """
    x = np.asarray(draws, dtype=np.float64)
    known = ~np.isnan(x).any(axis=0)
    loss = np.where(known, x if larger_is_worse else -x, -np.inf)
    worst = (loss == loss.max(axis=1, keepdims=True)) & known
    share = ratio(worst, worst.sum(axis=1, keepdims=True), 0.0).mean(axis=0)
    return np.where(known, share, np.nan)


def generator(seed: int, *family: str) -> np.random.Generator:
    """Return a generator keyed by the seed and the names of what is drawn, so that families do not share draws."""
    entropy = [seed, *(byte for name in family for byte in (*name.encode(), 256))]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
