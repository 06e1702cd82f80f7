"""Distances between a group's ratings and the model's distribution, item by item (methods 2.2 and 2.4).

Apart from L2 they are not free of bias for a finite number of raters: a plug-in distance rises as raters fall, so it
must not be compared across groups of different size. `counts` are ratings per (item, group, level), ``p`` their
shares, ``F`` the CDF of p and ``Q`` that of the model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.measures.agreement import ROUNDING, cumulative

#: Share of the uniform distribution mixed into the model's, so that no rating costs an infinite cross-entropy.
SMOOTHING = 1e-3


def by_group(q: npt.ArrayLike) -> Floats:
    """Return distributions with an axis for groups: shape (I, K) to (I, 1, K), (I, G, K) as it is."""
    out = np.asarray(q, dtype=np.float64)
    return out[:, None, :] if out.ndim == 2 else out


def shares(counts: npt.ArrayLike) -> Floats:
    """Return the share of ratings at each level, shape (I, G, K); NaN where nobody rated."""
    c = np.asarray(counts, dtype=np.float64)
    return ratio(c, c.sum(axis=-1, keepdims=True))


def distinct_raters(counts: npt.ArrayLike) -> Floats:
    """Return the number of raters, shape (I, G), where pairs of them can be told apart, else NaN.

    That takes two of them, and whole ratings: when a coarsening splits a rating over two levels, counts no longer say
    which shares came from one rater, so all are refused.
    """
    c = np.asarray(counts, dtype=np.float64)
    n = c.sum(axis=-1)
    return np.where((n >= 2) & whole(c), n, np.nan)


def whole(counts: npt.ArrayLike) -> bool:
    """Tell whether every count is a whole number, i.e. no rating is split over two levels."""
    return bool(np.all(np.rint(counts) == np.asarray(counts)))


def w1_plug_in(counts: npt.ArrayLike, q: npt.ArrayLike, spacing: npt.ArrayLike) -> Floats:
    """Return ``W1 = sum_k Delta_k |F_k - Q_k|``, in [0, 1]; an upper bound of the true distance in expectation.

    Parameters
    ----------
    counts : array_like, shape (I, G, K)
    q : array_like, shape (I, K) or (I, G, K)
    spacing : array_like, shape (K-1,)
        Widths of the steps, sum 1.

    Returns
    -------
    ndarray, shape (I, G)
        NaN where nobody rated or the model says nothing, as for all distances here.
    """
    return np.asarray(np.abs(cumulative(shares(counts)) - cumulative(by_group(q))) @ np.asarray(spacing))


def w1_cross_fit(counts: npt.ArrayLike, q: npt.ArrayLike, spacing: npt.ArrayLike) -> Floats:
    """Return W1 with the sign of each rater's difference taken from the other raters, shape (I, G) (methods 2.4).

    A lower bound of the true distance in expectation, zero at F = Q::

        sum_k Delta_k / n [ c sgn((c-1)/(n-1) - Q) (1-Q) - (n-c) sgn(c/(n-1) - Q) Q ]

    NaN for fewer than 2 raters or split ratings.
    """
    n = distinct_raters(counts)[..., None]
    c, cdf = cumulative(counts), cumulative(by_group(q))
    at_or_below = c * _sign((c - 1) / (n - 1) - cdf) * (1 - cdf)
    above = (n - c) * _sign(c / (n - 1) - cdf) * cdf
    return np.asarray(((at_or_below - above) / n) @ np.asarray(spacing))


def _sign(difference: Floats) -> Floats:
    """Return the sign, 0 for what rounding leaves of a tie."""
    return np.asarray(np.sign(np.where(np.abs(difference) > ROUNDING, difference, 0 * difference)))


def total_variation(counts: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return ``TV = sum_k |p_k - q_k| / 2``, shape (I, G), in [0, 1]."""
    return np.asarray(np.abs(shares(counts) - by_group(q)).sum(axis=-1) / 2)


def jensen_shannon(counts: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return ``JS = KL(p || m) / 2 + KL(q || m) / 2`` with ``m = (p + q) / 2``, in nats, shape (I, G)."""
    return np.asarray(js_terms(shares(counts), by_group(q)).sum(axis=-1))


def js_terms(p: Floats | float, q: Floats) -> Floats:
    """Return what each level adds to JS, in nats."""
    m = (p + q) / 2
    return np.asarray((rel_entr(p, m) + rel_entr(q, m)) / 2)


def jensen_shannon_corrected(counts: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return JS in nats less its second-order bias ``(K+ - 1) / (4n) - sum_k p (1-p) / (8 n m)``, shape (I, G).

    K+ levels were chosen at all. Good for 25 raters and more, still too high below 15 (methods 2.2). NaN where ratings
    are split.
    """
    c, p = np.asarray(counts, dtype=np.float64), shares(counts)
    n = np.where(whole(c), c.sum(axis=-1), np.nan)
    seen = ratio((c > 0).sum(axis=-1) - 1, 4 * n)
    curvature = ratio(p * (1 - p), 8 * n[..., None] * (p + by_group(q)) / 2, 0.0).sum(axis=-1)
    return np.asarray(jensen_shannon(c, q) - seen + curvature)


def l2_nominal(counts: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return ``sum_k (p_k - q_k)^2 - (1 - sum_k p_k^2) / (n - 1)``, unbiased, for levels without order, shape (I, G).

    NaN for fewer than 2 raters or split ratings; below 0 by chance where the two are close.
    """
    p, n = shares(counts), distinct_raters(counts)
    return np.asarray(((p - by_group(q)) ** 2).sum(axis=-1) - (1 - (p**2).sum(axis=-1)) / (n - 1))


def soft_cross_entropy(counts: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return ``-sum_k p_k log((1 - eps) q_k + eps / K)`` with eps = 1e-3, in nats, shape (I, G).

    Linear in the ratings, but its level holds the group's own entropy: compare models with it, not groups.
    """
    given = by_group(q)
    smooth = (1 - SMOOTHING) * given + SMOOTHING / given.shape[-1]
    return np.asarray(-(shares(counts) * np.log(smooth)).sum(axis=-1))
