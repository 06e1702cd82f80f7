"""Estimates of many groups pulled towards what they share (methods 5.2): for display; tests stay on raw values.

``y = X b + u + e``, u ~ N(0, tau^2 I) the true differences, e ~ N(0, V) the noise. X is a column of ones, or the main
effects of several axes where the groups are their intersections. Everything is computed from contrasts that X leaves,
``B'y`` with ``B'X = 0``, so noise common to all groups (shared items) drops out of V by itself: this is GLS with the
full covariance. With ``B'VB = E diag(l) E'`` and ``c = E'B'y``::

    Q(tau^2) = sum_k c_k^2 / (l_k + tau^2)  ~  chi2 with G - rank X degrees of freedom
    P = B E diag(1 / (l + tau^2)) E' B'        shrunken X b + u = y - V P y

With a diagonal V these are the textbook weights ``tau^2 / (tau^2 + V_g)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import null_space

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.uncertainty.draws import joint_draws

#: Smallest noise of a contrast, relative to the largest: a group without noise must not divide by 0.
NOISELESS = 1e-12


@dataclass(frozen=True)
class _Model:
    """The groups that have a value, in the notation above: ``basis`` is B E, shape (G', K)."""

    known: npt.NDArray[np.bool_]
    y: Floats
    v: Floats
    basis: Floats
    c: Floats
    noise: Floats


class Shrunken(NamedTuple):
    """Shrunken values, shape (G,), and tau^2; NaN where not defined."""

    values: Floats
    tau2: float


def _model(values: npt.ArrayLike, covariance: npt.ArrayLike, factors: npt.ArrayLike | None) -> _Model:
    y, v = np.asarray(values, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    v = np.diag(v) if v.ndim == 1 else v
    known = ~np.isnan(y) & ~np.isnan(np.diagonal(v))
    y, v = y[known], v[np.ix_(known, known)]
    x = np.ones((len(y), 1)) if factors is None else _main_effects(np.asarray(factors)[known])
    b = null_space(x.T) if len(y) else np.zeros((0, 0))
    noise, e = np.linalg.eigh(b.T @ v @ b)
    basis = b @ e
    c = y @ basis
    return _Model(known, y, v, basis, c, np.maximum(noise, NOISELESS * max(noise.max(initial=0), c @ c)))


def _main_effects(codes: npt.NDArray[np.int64]) -> Floats:
    """Return an indicator for each level of each axis: shape (G, n_axes) to (G, levels), of deficient rank."""
    return np.hstack([(axis[:, None] == np.unique(axis)).astype(np.float64) for axis in codes.T])


def _tau2_at(m: _Model, q: Floats) -> Floats:
    """Solve Q(tau^2) = q for each q, shape (n,), by halving; 0 where even Q(0) is smaller."""
    low, high = np.zeros(len(q)), (m.c @ m.c) / q
    for _ in range(60):
        middle = (low + high) / 2
        above = _q(m, middle) > q
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(_q(m, np.zeros(len(q))) > q, (low + high) / 2, 0.0)


def _q(m: _Model, tau2: Floats) -> Floats:
    return ratio(1.0, m.noise + tau2[:, None], 0.0) @ m.c**2


def _pull(m: _Model, y: Floats, tau2: Floats) -> Floats:
    """Return P y of each row, shape (n, G')."""
    return np.asarray(ratio(y @ m.basis, m.noise + tau2[:, None], 0.0) @ m.basis.T)


def _paule_mandel(m: _Model) -> float:
    """Return tau^2 with ``Q(tau^2) = G - rank X``, 0 if Q(0) is smaller (Paule and Mandel 1982)."""
    df = len(m.c)
    return float(_tau2_at(m, np.array([float(df)]))[0]) if df else float("nan")


def shrink(values: npt.ArrayLike, covariance: npt.ArrayLike, factors: npt.ArrayLike | None = None) -> Shrunken:
    """Return the best linear unbiased predictions of the true values, with Paule and Mandel's tau^2 (methods 5.2).

    Parameters
    ----------
    values : array_like, shape (G,)
        A group without value or variance is left out and has NaN.
    covariance : array_like, shape (G, G), or (G,)
        Of the noise; one dimension: variances of independent groups.
    factors : array_like of int, shape (G, n_axes), optional
        Level of each axis, where groups are intersections: shrinks to the additive fit of the axes, and tau^2 is the
        variance of what the axes do not explain. Default: to the common mean.

    Returns
    -------
    Shrunken
        All NaN where no contrast is left (one group; or as many effects as groups).
    """
    m = _model(values, covariance, factors)
    out = np.full(len(m.known), np.nan)
    tau2 = _paule_mandel(m)
    if len(m.c):
        out[m.known] = m.y - m.v @ _pull(m, m.y[None, :], np.array([tau2]))[0]
    return Shrunken(out, tau2)


def shrunken_draws(
    values: npt.ArrayLike,
    covariance: npt.ArrayLike,
    n: int,
    rng: np.random.Generator,
    factors: npt.ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Draw tau^2 and, given it, the true values: for the percentile intervals of shrunken values.

    tau^2 solves ``Q(tau^2) = q`` for q from chi2: the confidence distribution whose quantiles are the exact Q-profile
    interval (Viechtbauer 2007). Then with e* ~ N(0, V) and u* ~ N(0, tau^2 I) the draw ``y - e* - V P (y - e* - u*)``
    has the mean of ``shrink`` and the covariance of its error, ``V - V P V``.

    Returns
    -------
    tau2 : ndarray, shape (n,)
    true : ndarray, shape (n, G)
        NaN as in ``shrink``.
    """
    m = _model(values, covariance, factors)
    true = np.full((n, len(m.known)), np.nan)
    if not len(m.c):
        return np.full(n, np.nan), true
    tau2 = _tau2_at(m, rng.chisquare(len(m.c), size=n))
    left = joint_draws(m.y, m.v, n, rng)
    differences = np.sqrt(tau2)[:, None] * rng.standard_normal(left.shape)
    true[:, m.known] = left - _pull(m, left - differences, tau2) @ m.v
    return tau2, true
