"""Axes that go together (methods 5.1): what is left of a gap between two groups when the other axes are held fixed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio


class Standardised(NamedTuple):
    """Values of two groups and the parts of their gap; all but `covered` in the unit of the cell values.

    Attributes
    ----------
    first, second : float
        Each group's value with the cells' reference shares.
    gap : float
        first - second.
    composition, within : float
        Kitagawa's parts of the marginal gap: the groups' shares of the cells differ; the groups differ inside cells.
        Their sum is the marginal gap on the covered cells.
    covered : float
        Share of the reference that lies in cells with enough raters of both groups.
    weights : ndarray, shape (5, 2, C)
        The first five fields are these weights times the cell values.
    """

    first: float
    second: float
    gap: float
    composition: float
    within: float
    covered: float
    weights: Floats


def standardise(
    cells: npt.ArrayLike,
    raters: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    fewest: int = 5,
) -> Standardised:
    """Compare two groups cell by cell, a cell being a combination of levels of the other axes (methods 5.1).

    With pi the reference shares and pi_g, pi_h the groups' shares of raters, each made to sum to 1 over covered cells::

        first = sum_c pi L_gc    second = sum_c pi L_hc
        composition = sum_c (pi_g - pi_h) (L_gc + L_hc) / 2    within = sum_c (L_gc - L_hc) (pi_g + pi_h) / 2

    The marginal gap is that of the cells' averages; for statistics that are not linear in ratings it is not the gap
    between the groups' own statistics. It describes raters of this sample and is nothing causal.

    Parameters
    ----------
    cells : array_like, shape (2, C)
        Value of each group in each cell; a cell with NaN is dropped.
    raters : array_like of int, shape (2, C)
    reference : array_like, shape (C,), optional
        Any multiple of pi; default the raters of both groups together.
    fewest : int
        A cell needs that many raters in each group.

    Returns
    -------
    Standardised
        NaN with `covered` 0 where no cell is left.
    """
    values, n = np.asarray(cells, dtype=np.float64), np.asarray(raters, dtype=np.float64)
    pi = n.sum(axis=0) if reference is None else np.asarray(reference, dtype=np.float64)
    kept = np.asarray((n >= fewest).all(axis=0) & ~np.isnan(values).any(axis=0))
    weights = _weights(*(_shares(x, kept) for x in (pi, *n)))
    found = (weights * np.where(kept, values, 0.0)).sum(axis=(1, 2))
    covered = float(ratio(pi[kept].sum(), pi.sum(), 0.0))
    first, second, gap, composition, within = (float(x) for x in found)
    return Standardised(first, second, gap, composition, within, covered, weights)


def _shares(counts: Floats, kept: npt.NDArray[np.bool_]) -> Floats:
    """Return shares among the kept cells, 0 in the others; NaN in all where there are none."""
    inside = np.where(kept, counts, 0.0)
    return ratio(inside, inside.sum())


def _weights(pi: Floats, first: Floats, second: Floats) -> Floats:
    none, shift, middle = np.zeros_like(pi), (first - second) / 2, (first + second) / 2
    return np.array([[pi, none], [none, pi], [pi, -pi], [shift, shift], [middle, -middle]])


def standard_errors(weights: npt.ArrayLike, covariance: npt.ArrayLike) -> Floats:
    """Return the standard errors of weighted sums of cell values, ``sqrt(w' V w)``, shape (5,).

    Parameters
    ----------
    weights : array_like, shape (5, 2, C)
        Of ``standardise``.
    covariance : array_like, shape (2C, 2C)
        Of the cell values, all cells of the first group before those of the second; cells without weight may be NaN.
    """
    w, v = np.asarray(weights, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    w = w.reshape(len(w), -1)
    used = (w != 0).any(axis=0)
    w, v = w[:, used], v[np.ix_(used, used)]
    return np.asarray(np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", w, v, w), 0.0)))
