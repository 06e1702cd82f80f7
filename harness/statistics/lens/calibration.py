"""Whether predicted distributions mean what they say, and mending them once if they do not (methods 6.3 and 6.5)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.lens.ordinal import Likelihood
from lm_plural.harness.statistics.lens.split import centred

#: What is still called calibrated: the error of predicted shares, and the slope of ratings on predicted means.
MOST_ERROR, SLOPES = 0.05, (0.7, 1.3)
#: Bins of predictions, of like numbers of ratings.
BINS = 10
#: Standard deviation of the prior of a recalibration's shift and of its scale.
PRIOR = 0.5


class Calibration(NamedTuple):
    """How far predictions are from what they say.

    Parameters
    ----------
    error : float
        Root of the expected squared error of predicted shares, on average over cuts, freed of the bins' own noise.
    slope : float
        Of ratings on predicted means, centred in each cell; 1: spread as far as they should.
    """

    error: float
    slope: float

    @property
    def fine(self) -> bool:
        """Whether they may be taken at their word."""
        return bool(self.error <= MOST_ERROR and SLOPES[0] <= self.slope <= SLOPES[1])


class Mending(NamedTuple):
    """A shift of all cumulative logits and a factor on them: ``logit' = shift + factor logit``."""

    shift: float = 0.0
    factor: float = 1.0

    def apply(self, cdfs: Floats) -> Floats:
        """Return mended distributions, shape (..., K-1)."""
        odds = ratio(cdfs, np.maximum(1 - cdfs, 1e-300), 0.0)
        return np.asarray(1 / (1 + np.exp(-(self.shift + self.factor * np.log(np.maximum(odds, 1e-300))))))


def calibration(cdfs: Floats, level: Ints, spacing: Floats, cell: Ints) -> Calibration:
    """Return how well predictions of ratings are calibrated.

    Parameters
    ----------
    cdfs : ndarray, shape (n, K-1)
        Predicted for each rating by a model that knew neither item nor rater.
    level : ndarray of int, shape (n,)
    spacing : ndarray, shape (K-1,)
    cell : ndarray of int, shape (n,)
        Which model predicted it.
    """
    z = np.arange(cdfs.shape[1]) >= level[:, None]
    total = 0.0
    for k, width in enumerate(spacing):
        bins = np.array_split(np.argsort(cdfs[:, k], kind="stable"), BINS)
        for at in (b for b in bins if len(b) > 1):
            said, was = cdfs[at, k].mean(), z[at, k].mean()
            total += width * len(at) / len(level) * ((said - was) ** 2 - was * (1 - was) / (len(at) - 1))
    ones = np.ones(len(level))
    p, y = (centred(v @ spacing, ones, [cell]) for v in (cdfs, z.astype(np.float64)))
    return Calibration(float(np.sqrt(max(total, 0.0))), float(ratio((p * y).sum(), (p * p).sum(), 0.0)))


def mend(cdfs: Floats, level: Ints) -> Mending:
    """Return the shift and factor under which predictions make the ratings likeliest, drawn to 0 and 1 by a prior."""
    below = np.clip(cdfs, 1e-9, 1 - 1e-9)
    eta = np.log(below / (1 - below))
    counts = np.eye(cdfs.shape[1] + 1)[level]

    def objective(theta: Floats) -> tuple[float, Floats]:
        found = Likelihood(counts, theta[0] + theta[1] * eta)
        off = theta - [0.0, 1.0]
        gradient = np.array([found.gradient.sum(), (found.gradient * eta).sum()]) - off / PRIOR**2
        return float((off**2).sum() / (2 * PRIOR**2) - found.value.sum()), -gradient

    bounds = [(None, None), (0.05, None)]
    shift, factor = minimize(objective, [0.0, 1.0], jac=True, method="L-BFGS-B", bounds=bounds).x
    return Mending(float(shift), float(factor))


def mended(cdfs: Floats, level: Ints, fold: Ints) -> Floats:
    """Return predictions, each mended by what the other folds say, shape (n, K-1)."""
    out = cdfs.copy()
    for f in np.unique(fold):
        at = fold == f
        if not at.all():
            out[at] = mend(cdfs[~at], level[~at]).apply(cdfs[at])
    return out
