"""A mean from few labels and many predictions (methods 6.4): the labels take the bias out of the predictions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Powered(NamedTuple):
    """The estimate, how far the predictions are trusted (0 to 1), and the standard error."""

    value: float
    trust: float
    se: float


def prediction_powered(
    labels: npt.ArrayLike,
    predicted: npt.ArrayLike,
    unlabelled: npt.ArrayLike,
    trust: float | None = None,
    variance: float | None = None,
) -> Powered:
    """Return ``lam mean(f_u) + mean(Y - lam f)`` (PPI++; Angelopoulos, Duchi, Zrnic 2023).

    ``lam = Cov(Y, f) / ((1 + n/N) Var(f, f_u))`` cut to [0, 1]; ``V = lam^2 Var(f_u)/N + V_rectifier``.

    Parameters
    ----------
    labels, predicted : array_like, shape (n,)
        An item's mean rating and its prediction; the predictions must not have been learned from these labels.
    unlabelled : array_like, shape (N,)
        Predictions of items without ratings.
    trust : float, optional
        lam, default the one above; 0 leaves the predictions out.
    variance : float, optional
        Of the mean of ``Y - lam f`` over items. Default: items as independent, which is wrong where the same raters
        rated many of them; the two-way jackknife gives what is right.
    """
    y, f, u = (np.asarray(x, dtype=np.float64) for x in (labels, predicted, unlabelled))
    n, more = len(y), len(u)
    spread = np.concatenate([f, u]).var(ddof=1)
    if trust is None:
        trust = float(np.clip(np.cov(y, f)[0, 1] / ((1 + n / more) * spread), 0, 1)) if spread > 0 else 0.0
    rest = y - trust * f
    own = rest.var(ddof=1) / n if variance is None else variance
    return Powered(float(trust * u.mean() + rest.mean()), trust, float(np.sqrt(trust**2 * u.var(ddof=1) / more + own)))
