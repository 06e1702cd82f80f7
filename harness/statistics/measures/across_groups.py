"""Cohesion across groups from counts: the cross-group half of GRASP (methods 7.1; Prabhakaran et al. 2024).

All of them look only at items that both groups rated. Within groups: :func:`krippendorff_alpha` and `plurality`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.measures.alpha import distance, krippendorff_alpha

#: Distances that do not depend on the data, so that groups can be compared.
FixedMetric = Literal["nominal", "interval"]


def xrr(c1: npt.ArrayLike, c2: npt.ArrayLike, positions: npt.ArrayLike, metric: FixedMetric = "interval") -> float:
    """Return kappa_x = 1 - D_o / D_e, agreement between raters of two groups beyond chance (Wong et al. 2021).

    With R_i and S_i raters of the groups on item i, N1 and N2 in all, n1 and n2 the summed counts::

        D_o = sum_i (R_i + S_i) / (R_i S_i) c1_i' delta c2_i / (N1 + N2)        D_e = n1' delta n2 / (N1 N2)

    Parameters
    ----------
    c1, c2 : array_like, shape (I, K)
        Ratings per item and level of each group.
    positions : array_like, shape (K,)
    metric : {"nominal", "interval"}

    Returns
    -------
    float
        NaN where it is not defined: no item rated by both, or all their ratings equal.
    """
    a, b = _shared(c1, c2)
    delta = distance(metric, np.asarray(positions, dtype=np.float64), a.sum(axis=0))
    r, s = a.sum(axis=1), b.sum(axis=1)
    observed = (np.einsum("ik,kl,il->i", a, delta, b) * (r + s) / (r * s)).sum()
    expected = a.sum(axis=0) @ delta @ b.sum(axis=0)
    return float(1 - ratio(observed * r.sum() * s.sum(), expected * (r.sum() + s.sum())))


def normalised_xrr(
    c1: npt.ArrayLike, c2: npt.ArrayLike, positions: npt.ArrayLike, metric: FixedMetric = "interval"
) -> float:
    """Return kappa_x / sqrt(alpha_1 alpha_2): agreement across groups as a share of what theirs within would allow.

    Parameters as of :func:`xrr`. NaN where one of the alphas is not above 0 (two below have a positive product too).
    """
    first, second = (krippendorff_alpha(c, positions, metric) for c in (c1, c2))
    if not (first > 0 and second > 0):
        return float("nan")
    return float(xrr(c1, c2, positions, metric) / np.sqrt(first * second))


def voting_agreement(
    c1: npt.ArrayLike, c2: npt.ArrayLike, positions: npt.ArrayLike, metric: FixedMetric = "nominal"
) -> float:
    """Return Krippendorff's alpha between the plurality choices of two groups, ties split.

    A tied group votes for each of its top levels with equal chance; observed and expected disagreement are means over
    these chances, where taking the first of the top levels would favour low ones. Parameters as of :func:`xrr`. NaN if
    no item was rated by both or all votes are equal.
    """
    votes = np.stack([_votes(c) for c in _shared(c1, c2)])
    delta = distance(metric, np.asarray(positions, dtype=np.float64), votes.sum(axis=(0, 1)))
    n, pooled = votes.shape[0] * votes.shape[1], votes.sum(axis=(0, 1))
    observed = np.einsum("ik,kl,il->", votes[0], delta, votes[1])
    expected = pooled @ delta @ pooled - np.einsum("gik,kl,gil->", votes, delta, votes)
    return float(1 - ratio(2 * observed * (n - 1), expected))


def cross_negentropy(c1: npt.ArrayLike, c2: npt.ArrayLike) -> float:
    """Return the mean over items of ``ln K + sum_k p1_k ln q2_k``: how well group 2 predicts a rater of group 1.

    ``q2 = (c2 + 1/2) / (n2 + K/2)`` because a level that no rater of group 2 chose would make the sum infinite;
    leaving such levels out, as published code does, rewards groups that never meet. Not symmetric, and still lower for
    a small group 2, so compare at equal numbers of raters.

    Parameters
    ----------
    c1, c2 : array_like, shape (I, K)

    Returns
    -------
    float
        Nats; 0 for a uniform group 2; NaN if no item was rated by both.
    """
    a, b = _shared(c1, c2)
    p = a / a.sum(axis=1, keepdims=True)
    q = (b + 0.5) / (b + 0.5).sum(axis=1, keepdims=True)
    return float(ratio((p * np.log(q)).sum(), len(a)) + np.log(a.shape[1]))


def _shared(c1: npt.ArrayLike, c2: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the counts of the items that both groups rated."""
    a, b = np.asarray(c1, dtype=np.float64), np.asarray(c2, dtype=np.float64)
    both = (a.sum(axis=1) > 0) & (b.sum(axis=1) > 0)
    return a[both], b[both]


def _votes(counts: Floats) -> Floats:
    """Return one vote per item, split between its top levels."""
    top = counts == counts.max(axis=1, keepdims=True)
    return ratio(top, top.sum(axis=1, keepdims=True))
