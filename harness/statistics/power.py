"""What a design can see (methods 3.9): the smallest detectable gap, and the raters and items that a gap needs.

The variance of a gap with I items and n_g raters of group g, each of whom rates the same share of the items::

    V = item / I + sum_g (within_g / I + rater_g) / n_g

More items do not touch the last part: with I without end, raters still set a floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from lm_plural.harness.arrays import Floats, ratio

#: What rounding may add to a number of raters or items before it is rounded up.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Parts:
    """Variance of a gap by its sources, for one item and one rater, in squared units of the gap.

    Parameters
    ----------
    item : float
        Items differ in their true gap.
    within : ndarray, shape (n_groups,)
        Ratings of one item differ, beyond what raters do to all items.
    rater : ndarray, shape (n_groups,)
        Raters differ on all items alike.
    """

    item: float
    within: Floats
    rater: Floats


def parts_of_fit(
    v_items: float,
    v_within: npt.ArrayLike,
    v_cross: npt.ArrayLike,
    n_items: int,
    n_raters: npt.ArrayLike,
) -> Parts:
    """Return the parts from the two-way jackknife of a gap (methods 3.2, 3.9).

    ``item = I (1 - f) V_items``, ``within_g = I n_g V_X,g``, ``rater_g = n_g V_cross,g``, f V_items = sum_g V_X,g.

    Parameters
    ----------
    v_items : float
        V_items of the gap.
    v_within, v_cross : array_like, shape (n_groups,)
        V_X,g and V_cross,g of the gap. Where all V_X together exceed V_items, by chance, they are scaled down to it.
    n_items : int
    n_raters : array_like, shape (n_groups,)
    """
    n, cross = np.asarray(n_raters, dtype=np.float64), np.asarray(v_cross, dtype=np.float64)
    within = np.asarray(v_within, dtype=np.float64)
    within = within * min(1.0, float(ratio(v_items, within.sum(), 0.0)))
    return Parts(n_items * max(0.0, v_items - float(within.sum())), n_items * n * within, n * cross)


def parts_of_sd(
    sd_item: float,
    sd_rater: float,
    sd_residual: float,
    ratings_per_rater: int | None = None,
    n_groups: int = 2,
) -> Parts:
    """Return the parts of a gap in mean rating from standard deviations in scale points, before any data exist.

    A rating is item + (item by group) + rater + residual. Assumes that raters are spread over items evenly.

    Parameters
    ----------
    sd_item : float
        Of the item-by-group effect, each group its own: the true gap of two groups varies by ``sqrt(2) sd_item``.
    sd_rater, sd_residual : float
    ratings_per_rater : int, optional
        However many items there are; default: everyone rates all items.
    n_groups : int
        2 for a gap, 1 for the mean of one group against a fixed number.
    """
    one = np.ones(n_groups)
    item, rater, residual = n_groups * sd_item**2, sd_rater**2, sd_residual**2
    if ratings_per_rater is None:
        return Parts(item, residual * one, rater * one)
    return Parts(item, 0.0 * one, (rater + residual / ratings_per_rater) * one)


def gap_variance(parts: Parts, n_items: float, n_raters: npt.ArrayLike) -> float:
    """Return V of the gap with `n_items` items and `n_raters` raters, one number or one per group (methods 3.9)."""
    return float(parts.item / n_items + ((parts.within / n_items + parts.rater) / np.asarray(n_raters)).sum())


def _multiple(power: float, level: float, critical: float | None) -> float:
    """Return how many standard errors a detectable gap has."""
    return float((ndtri((1 + level) / 2) if critical is None else critical) + ndtri(power))


def minimum_detectable(
    se: npt.ArrayLike,
    power: float = 0.8,
    level: float = 0.95,
    critical: float | None = None,
) -> Floats:
    """Return ``(z_{(1 + level)/2} + z_power) se``: 2.80 se for two-sided 5 % and power 80 % (methods 3.9).

    Parameters
    ----------
    se : array_like
        Standard error of the gap, any shape.
    power, level : float
    critical : float, optional
        Of ``multiplicity.max_t``, in place of z for one of several comparisons.
    """
    return _multiple(power, level, critical) * np.asarray(se, dtype=np.float64)


def raters_needed(
    gap: float,
    parts: Parts,
    n_items: npt.ArrayLike,
    power: float = 0.8,
    level: float = 0.95,
    critical: float | None = None,
) -> Floats:
    """Return the smallest equal number of raters per group that detects `gap`, for each number of items.

    ``sum_g (within_g / I + rater_g) / (se^2 - item / I)``; NaN where no number does, because of the items.
    """
    items = np.asarray(n_items, dtype=np.float64)
    allowed = (gap / _multiple(power, level, critical)) ** 2 - parts.item / items
    return _round_up(ratio(parts.within.sum() / items + parts.rater.sum(), allowed))


def items_needed(
    gap: float,
    parts: Parts,
    n_raters: npt.ArrayLike,
    power: float = 0.8,
    level: float = 0.95,
    critical: float | None = None,
) -> Floats:
    """Return the smallest number of items that detects `gap`, for each equal number of raters per group.

    ``(item + sum_g within_g / n) / (se^2 - sum_g rater_g / n)``; NaN where no number does, because of the raters.
    """
    raters = np.asarray(n_raters, dtype=np.float64)
    allowed = (gap / _multiple(power, level, critical)) ** 2 - parts.rater.sum() / raters
    return _round_up(ratio(parts.item + parts.within.sum() / raters, allowed))


def _round_up(number: Floats) -> Floats:
    return np.maximum(np.ceil(number * (1 - ROUNDING)), 1.0)
