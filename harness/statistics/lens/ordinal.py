"""Ordinal regression in two steps: what all raters share, then how each group departs from it (methods 6.2).

The pooled model is a cumulative logit, and a group shifts its cuts and tilts a few of its slopes::

    P(y_i <= k) = sigmoid(c_k - x_i'beta)              c_1 = a_1,        c_k = c_k-1 + softplus(a_k)
    of group g:   sigmoid(c_gk - x_i'beta - z_i'b_g)   c_g1 = a_1 + t_1, c_gk = c_g,k-1 + softplus(a_k + t_k)

with ``beta ~ N(0, s_x^2)``, ``t ~ N(0, s_t^2)`` and ``b ~ N(0, s_b^2)``: posterior modes. `beta` and the cuts are
fitted to everyone and then kept. So they know nothing of who is in which group, groups can be drawn anew many times at
little cost, and what a group adds to the pooled model is what its own terms add. Ratings enter as counts per item and
level, so that the number of ratings does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from lm_plural.harness.arrays import Floats

#: Least probability of a level: below it a rating that should not occur would cost infinitely much.
TINY = 1e-12
#: Rounds of Fisher scoring, and the step below which it has arrived.
ROUNDS, ARRIVED = 50, 1e-9
#: Largest step of a group's term in one round.
STRIDE = 2.0


@dataclass(frozen=True)
class Pooled:
    """What all raters share.

    Parameters
    ----------
    cuts : ndarray, shape (K-1,)
        a: the first cut, then the logs of the steps to the next (before softplus).
    beta : ndarray, shape (p,)
    """

    cuts: Floats
    beta: Floats

    def score(self, x: Floats) -> Floats:
        """Return x'beta, shape (I,)."""
        return np.asarray(x @ self.beta)


@dataclass(frozen=True)
class Terms:
    """How groups depart from what all share.

    Parameters
    ----------
    shift : ndarray, shape (..., K-1)
        t.
    tilt : ndarray, shape (..., q)
        b; 0 where slopes are not fitted.
    """

    shift: Floats
    tilt: Floats


def thresholds(cuts: Floats) -> Floats:
    """Return increasing thresholds c of free numbers a, shape (..., K-1) both."""
    steps = np.concatenate([cuts[..., :1], np.logaddexp(0, cuts[..., 1:])], axis=-1)
    return np.asarray(steps.cumsum(axis=-1))


def cdf(pooled: Pooled, score: Floats, terms: Terms | None = None, z: Floats | None = None) -> Floats:
    """Return P(y <= k) of items, shape (..., I, K-1); of each group, where there are terms.

    Parameters
    ----------
    pooled : Pooled
    score : ndarray, shape (I,)
        x'beta.
    terms : Terms, optional
    z : ndarray, shape (I, q), optional
        What slopes of groups are on.
    """
    if terms is None:
        return np.asarray(expit(thresholds(pooled.cuts) - score[:, None]))
    tilted = score if z is None else score + terms.tilt @ z.T
    return np.asarray(expit(thresholds(pooled.cuts + terms.shift)[..., None, :] - tilted[..., None]))


class Likelihood:
    """The likelihood of counts given cumulative logits eta, shape (..., I, K-1), and its derivatives by them."""

    def __init__(self, counts: Floats, eta: Floats) -> None:
        self.counts = counts
        below = expit(eta)
        # the mass between two cuts is that of the upper tail where both are far up: no digits are lost
        upper = expit(-eta)
        ones, zeros = np.ones((*eta.shape[:-1], 1)), np.zeros((*eta.shape[:-1], 1))
        low, high = np.concatenate([zeros, below], axis=-1), np.concatenate([below, ones], axis=-1)
        above, under = np.concatenate([ones, upper], axis=-1), np.concatenate([upper, zeros], axis=-1)
        self.mass = np.maximum(np.where(low < 0.5, high - low, above - under), TINY)
        self.slope = below * upper

    @property
    def value(self) -> Floats:
        """Log-likelihood, shape (...)."""
        return np.asarray((self.counts * np.log(self.mass)).sum(axis=(-1, -2)))

    @cached_property
    def gradient(self) -> Floats:
        """Of the log-likelihood by eta, shape (..., I, K-1)."""
        per = self.counts / self.mass
        return np.asarray(self.slope * (per[..., :-1] - per[..., 1:]))

    def information(self) -> tuple[Floats, Floats]:
        """Return the diagonal, shape (..., I, K-1), and what is beside it, shape (..., I, K-2), of Fisher's."""
        n, inverse = self.counts.sum(axis=-1, keepdims=True), 1 / self.mass
        diagonal = n * self.slope**2 * (inverse[..., :-1] + inverse[..., 1:])
        return diagonal, -n * self.slope[..., :-1] * self.slope[..., 1:] * inverse[..., 1:-1]


def _by_cuts(gradient: Floats, cuts: Floats) -> Floats:
    """Return the gradient by the free numbers a from that by thresholds, shape (..., K-1)."""
    later = gradient[..., ::-1].cumsum(axis=-1)[..., ::-1]
    return np.concatenate([later[..., :1], later[..., 1:] * expit(cuts[..., 1:])], axis=-1)


def pooled_objective(theta: Floats, counts: Floats, x: Floats, spread: float) -> tuple[float, Floats]:
    """Return minus the log posterior of the pooled model and its gradient, shape (K-1 + p,).

    Parameters
    ----------
    theta : ndarray, shape (K-1 + p,)
        Cuts, then beta.
    counts : ndarray, shape (I, K)
    x : ndarray, shape (I, p)
    spread : float
        s_x; infinite: no penalty.
    """
    k = counts.shape[1] - 1
    cuts, beta = theta[:k], theta[k:]
    found = Likelihood(counts, thresholds(cuts) - (x @ beta)[:, None])
    by_eta = found.gradient
    gradient = np.concatenate([_by_cuts(by_eta.sum(axis=0), cuts), -(x.T @ by_eta.sum(axis=1))])
    gradient[k:] -= beta / spread**2
    return float((beta**2).sum() / (2 * spread**2) - found.value), -gradient


def fit_pooled(counts: npt.ArrayLike, x: Floats, spread: float, start: Pooled | None = None) -> Pooled:
    """Return the pooled model, by L-BFGS.

    Parameters
    ----------
    counts : array_like, shape (I, K)
        Ratings of each item at each level, possibly weighted.
    x : ndarray, shape (I, p)
    spread : float
        s_x.
    start : Pooled, optional
        Where to begin, if something like it is known.
    """
    c = np.asarray(counts, dtype=np.float64)
    if start is None:
        share = np.clip((c.sum(axis=0).cumsum() / max(c.sum(), 1.0))[:-1], 1e-3, 1 - 1e-3)
        logit = np.log(share / (1 - share))
        steps = np.maximum(np.diff(logit), 1e-3)
        start = Pooled(np.concatenate([logit[:1], np.log(np.expm1(steps))]), np.zeros(x.shape[1]))
    begin, scale = np.concatenate([start.cuts, start.beta]), max(c.sum(), 1.0)

    def mean(theta: Floats) -> tuple[float, Floats]:  # per rating, so that one tolerance serves all sizes
        value, gradient = pooled_objective(theta, c, x, spread)
        return value / scale, gradient / scale

    options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-15, "gtol": 1e-8, "maxcor": 30}
    theta = minimize(mean, begin, jac=True, method="L-BFGS-B", options=options).x
    return Pooled(theta[: c.shape[1] - 1], theta[c.shape[1] - 1 :])


def group_objective(
    terms: Terms, counts: Floats, pooled: Pooled, score: Floats, z: Floats, spreads: tuple[float, float]
) -> tuple[Floats, Floats, Floats]:
    """Return the log posterior of groups' terms, its gradient, and Fisher's information (the prior's part too).

    Parameters
    ----------
    terms : Terms
        Of shape (..., K-1) and (..., q).
    counts : ndarray, shape (..., I, K)
    pooled, score, z
        As of :func:`cdf`.
    spreads : tuple of float
        s_t and s_b, above 0.

    Returns
    -------
    tuple of ndarray
        Shapes (...), (..., K-1+q) and (..., K-1+q, K-1+q).
    """
    cuts = pooled.cuts + terms.shift
    k, q = cuts.shape[-1], z.shape[1]
    found = Likelihood(counts, thresholds(cuts)[..., None, :] - (score + terms.tilt @ z.T)[..., None])
    by_eta = found.gradient
    prior = np.concatenate([np.full(k, spreads[0] ** -2.0), np.full(q, spreads[1] ** -2.0)])
    theta = np.concatenate([terms.shift, terms.tilt], axis=-1)
    value = found.value - (prior * theta**2).sum(axis=-1) / 2
    by_z = -np.einsum("...ik,iq->...q", by_eta, z, optimize=True)
    gradient = np.concatenate([_by_cuts(by_eta.sum(axis=-2), cuts), by_z], axis=-1) - prior * theta
    diagonal, beside = found.information()
    # what one cut's logit shares with all others of its item
    row = diagonal.copy()
    row[..., 1:] += beside
    row[..., :-1] += beside
    of_cuts = _tridiagonal(diagonal.sum(axis=-2), beside.sum(axis=-2))
    steps = np.concatenate([np.ones((*cuts.shape[:-1], 1)), expit(cuts[..., 1:])], axis=-1)
    jacobian = np.tril(np.ones((k, k))) * steps[..., None, :]
    out = np.zeros((*theta.shape, k + q))
    out[..., :k, :k] = jacobian.swapaxes(-1, -2) @ of_cuts @ jacobian
    across = -jacobian.swapaxes(-1, -2) @ np.einsum("...ik,iq->...kq", row, z, optimize=True)
    out[..., :k, k:], out[..., k:, :k] = across, across.swapaxes(-1, -2)
    out[..., k:, k:] = (row.sum(axis=-1)[..., None, :] * z.T) @ z
    return value, gradient, out + np.diag(prior)


def _tridiagonal(diagonal: Floats, beside: Floats) -> Floats:
    out = np.zeros((*diagonal.shape, diagonal.shape[-1]))
    at, next_ = np.arange(diagonal.shape[-1]), np.arange(1, diagonal.shape[-1])
    out[..., at, at] = diagonal
    out[..., next_ - 1, next_] = out[..., next_, next_ - 1] = beside
    return out


def fit_groups(
    counts: npt.ArrayLike, pooled: Pooled, score: Floats, z: Floats | None, spreads: tuple[float, float]
) -> Terms:
    """Return each group's terms beside a pooled model that is kept, by Fisher scoring, all groups at once.

    Parameters
    ----------
    counts : array_like, shape (..., I, K)
    pooled : Pooled
    score : ndarray, shape (I,)
    z : ndarray, shape (I, q), optional
        None: shifts only.
    spreads : tuple of float
        s_t and s_b; s_t = 0: nothing departs.
    """
    c = np.asarray(counts, dtype=np.float64)
    k, on = len(pooled.cuts), np.zeros((c.shape[-2], 0)) if z is None else z
    theta = np.zeros((*c.shape[:-2], k + on.shape[1]))
    if spreads[0] <= 0:
        return Terms(theta[..., :k], theta[..., k:])
    reach = np.ones(theta.shape[:-1])
    best, gradient, information = group_objective(Terms(theta[..., :k], theta[..., k:]), c, pooled, score, on, spreads)
    for _ in range(ROUNDS):
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        size = np.abs(step).max(axis=-1, initial=0.0)
        if (size <= ARRIVED).all():
            break
        step *= np.minimum(reach, STRIDE / np.maximum(size, STRIDE))[..., None]
        new = theta + step
        value, g, i = group_objective(Terms(new[..., :k], new[..., k:]), c, pooled, score, on, spreads)
        better = value >= best - 1e-9 * np.abs(best)
        theta = np.where(better[..., None], new, theta)
        best, gradient = np.where(better, value, best), np.where(better[..., None], g, gradient)
        information = np.where(better[..., None, None], i, information)
        reach = np.where(better, np.minimum(2 * reach, 1.0), reach / 4)
    return Terms(theta[..., :k], theta[..., k:])
