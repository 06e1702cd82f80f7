"""More than one comparison (methods 3.8): max-T in a family, Holm across families, Benjamini-Hochberg to explore."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.uncertainty.draws import joint_draws, positive_root


def max_t(
    t: npt.ArrayLike,
    correlation: npt.ArrayLike,
    df: float,
    rng: np.random.Generator,
    draws: int = 10_000,
    level: float = 0.95,
) -> tuple[float, Floats]:
    """Return the simultaneous critical value and the adjusted p-values of a family (single step; methods 3.8).

    With ``X = max_m |Z_m| / sqrt(chi2_df / df)``, Z normal with the given correlation: p = P(X >= abs(t)), by draws
    ``(1 + #{X >= abs(t)}) / (1 + draws)``, and the critical value c is the draw with ``abs(t) > c`` exactly where
    ``p <= 1 - level``. ``difference +- c se`` covers all differences of the family at once.

    Parameters
    ----------
    t : array_like, shape (M,)
        Difference / standard error; NaN is left out of the family.
    correlation : array_like, shape (M, M)
        Of the differences. Negative eigenvalues are cut and the diagonal is made 1.
    df : float
        The smallest in the family; may be infinite.
    rng : numpy.random.Generator
    draws : int
    level : float
        Simultaneous confidence, such as 0.95.

    Returns
    -------
    critical : float
        NaN for an empty family, infinite with too few draws for the level.
    p_adjusted : ndarray, shape (M,)
        NaN where t is.
    """
    size = np.abs(np.asarray(t, dtype=np.float64))
    family = ~np.isnan(size)
    p = np.full(size.shape, np.nan)
    if not family.any():
        return float("nan"), p
    r = unit_diagonal(np.asarray(correlation, dtype=np.float64)[np.ix_(family, family)])
    maxima = np.sort(np.abs(joint_draws(np.zeros(len(r)), r, draws, rng, df)).max(axis=1))
    p[family] = (1 + draws - np.searchsorted(maxima, size[family])) / (1 + draws)
    rejected = int((1 - level) * (draws + 1))
    return float(maxima[draws - rejected]) if rejected else float("inf"), p


def unit_diagonal(correlation: Floats) -> Floats:
    """Return a correlation matrix with its negative eigenvalues cut and a diagonal of 1, shape (M, M)."""
    root = positive_root(correlation)
    root = ratio(root, np.sqrt((root**2).sum(axis=1, keepdims=True)), 0.0)
    return root @ root.T


def holm(p: npt.ArrayLike) -> Floats:
    """Return Holm's (1979) adjusted p-values, ``max_{j <= i} min(1, (M - j + 1) p_(j))``; NaN is left out."""
    return _adjust(p, lambda x: np.maximum.accumulate(x * np.arange(len(x), 0, -1)))


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """Return Benjamini and Hochberg's (1995) adjusted p-values, ``min_{j >= i} M p_(j) / j``; NaN is left out."""
    return _adjust(p, lambda x: np.minimum.accumulate((x * len(x) / np.arange(1, len(x) + 1))[::-1])[::-1])


def _adjust(p: npt.ArrayLike, rule: Callable[[Floats], Floats]) -> Floats:
    """Apply a rule for increasing p-values to those that are defined, in any order."""
    raw = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    out = np.full(raw.shape, np.nan)
    out[order] = np.minimum(rule(raw[order]), 1.0)
    return out
