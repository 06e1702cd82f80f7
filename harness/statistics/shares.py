"""Likeness of two distributions over the options of an item, and its mean over items, where raters are not known.

Shares of a group are taken as they are. How far chance moved them cannot be told without the raters, so nothing here is
corrected for it: a group of few people looks further away than it is.

``p`` are a group's shares and ``q`` the model's, padded with zeros to the longest list of options.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.measures.distances import by_group, js_terms
from lm_plural.harness.statistics.uncertainty.intervals import Estimates, raw


def js_similarity(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return ``1 - sqrt(JS)``, JS in bits: 1 for equal distributions, 0 for those without a common option.

    One minus the Jensen-Shannon distance, the similarity of GlobalOpinionQA (Durmus et al. 2023, arXiv:2306.16388).
    With natural logarithms, scipy's default, the distance is sqrt(ln 2) = 0.8326 times as long.

    Parameters
    ----------
    p : array_like, shape (I, G, K)
        NaN where a group has no shares.
    q : array_like, shape (I, K) or (I, G, K)

    Returns
    -------
    ndarray, shape (I, G)
        NaN where one is missing, as for all statistics here.
    """
    bits = js_terms(np.asarray(p, dtype=np.float64), by_group(q)).sum(axis=-1) / np.log(2)
    return np.asarray(1 - np.sqrt(np.clip(bits, 0.0, 1.0)))


def w1_alignment(p: npt.ArrayLike, q: npt.ArrayLike, positions: npt.ArrayLike) -> Floats:
    """Return ``1 - W1 / (longest way)``, with options at places on a line; 1 - W1 / (K - 1) where they are at 1..K.

    The alignment of OpinionQA (Santurkar et al. 2023, arXiv:2303.17548).

    Parameters
    ----------
    p, q : array_like
        As for `js_similarity`.
    positions : array_like, shape (I, K)
        NaN in the padding; all NaN for an item whose options have no order.

    Returns
    -------
    ndarray, shape (I, G)
        NaN for items without order, too, or with all options at one place.
    """
    at = np.asarray(positions, dtype=np.float64)
    order = np.argsort(at, axis=-1)  # NaN last
    steps = np.diff(np.take_along_axis(at, order, axis=-1), axis=-1)
    way = np.nansum(steps, axis=-1)
    apart = np.asarray(p, dtype=np.float64) - by_group(q)
    between = np.cumsum(np.take_along_axis(apart, order[:, None, :], axis=-1), axis=-1)[..., :-1]
    w1 = (np.abs(between) * np.nan_to_num(steps)[:, None, :]).sum(axis=-1)
    return np.asarray(1 - ratio(w1, np.where(np.isnan(w1), 1.0, way[:, None])))


def total_variation(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Return ``TV = sum_k |p_k - q_k| / 2``, 0 for equal distributions, shape (I, G)."""
    return np.asarray(np.abs(np.asarray(p, dtype=np.float64) - by_group(q)).sum(axis=-1) / 2)


@dataclass(frozen=True)
class ItemMeans:
    """Means over items and what they have in common.

    Parameters
    ----------
    estimates : Estimates
        Of shape (M,). The jackknife over items, which for a mean is s / sqrt(n) with n - 1 degrees of freedom.
    covariance : ndarray, shape (M, M)
        From the items that two means share.
    n_items : ndarray of int, shape (M,)
    """

    estimates: Estimates
    covariance: Floats
    n_items: npt.NDArray[np.int64]

    @property
    def correlation(self) -> Floats:
        """Of the means, shape (M, M); 0 with those that have no standard error."""
        se = np.nan_to_num(self.estimates.se)
        return ratio(self.covariance, se[:, None] * se, 0.0)


def over_items(values: npt.ArrayLike) -> ItemMeans:
    """Return the mean of each column over the items where it is known.

    Parameters
    ----------
    values : array_like, shape (I, M)
        NaN where unknown. A column is one group, or the difference of two groups on an item: contrasts are paired.
    """
    h = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(h)
    n = known.sum(axis=0)
    mean = ratio(np.where(known, h, 0.0).sum(axis=0), n)
    spread = np.where(known, h - mean, 0.0) * np.sqrt(ratio(1, n * (n - 1.0), 0.0))
    covariance = spread.T @ spread
    variance = np.where(n >= 2, np.diagonal(covariance), np.nan)
    return ItemMeans(raw(mean, variance, np.where(n >= 2, n - 1.0, np.nan)), covariance, n)


def against_rest(values: npt.ArrayLike) -> Floats:
    """Return each group's value less the mean of the other groups' on the same item, shape (I, G).

    Each other group counts the same, as how many people they are is not known; NaN where there is no other.
    """
    h = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(h)
    others = known.sum(axis=1, keepdims=True) - known
    total = np.where(known, h, 0.0)
    return np.asarray(h - ratio(total.sum(axis=1, keepdims=True) - total, others))
