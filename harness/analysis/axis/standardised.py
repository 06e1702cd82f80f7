"""What is left of a gap on one axis when the raters' other axes are held fixed (methods 5.1), from the cells of both.

It describes raters who identify as a group in this sample, and is nothing causal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.group import Number, null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.groups.groups import GroupStatistics
from lm_plural.harness.statistics.groups.standardise import Standardised, standardise
from lm_plural.harness.statistics.uncertainty.intervals import raw
from lm_plural.harness.statistics.uncertainty.jackknife import Covariance

#: Fewest raters of a cell that counts (methods 5.1), whatever smaller number groups are computed from.
FEWEST = 5
#: Share of the raters in the cells that count, below which a gap is flagged.
COVERED = 0.7


def standardised(
    axis: str,
    names: Sequence[str],
    statistics: GroupStatistics,
    raters: npt.NDArray[Any],
    options: Options,
) -> list[dict[str, Any]]:
    """Return the standardised gap of every pair of levels of every axis of an intersection.

    Cells are the combinations of the levels of all other axes; each weighs as many raters as it has in all levels of
    the axis together, so that all gaps of the axis are read at the same composition. Levels with fewer than 5 raters
    are left out.

    Parameters
    ----------
    axis : str
        Such as ``gender & race``.
    names : sequence of str
        Of the G groups of the intersection, such as ``Woman & Asian``.
    statistics : GroupStatistics
        Of those groups.
    raters : ndarray of int, shape (G,)
        Present.
    options : Options

    Returns
    -------
    list of dict
        ``composition`` and ``within`` (Kitagawa) add up to ``marginal``, the gap of the cells' averages over the cells
        that count; ``covered`` is their share of all raters. Empty for an axis that is no intersection, and where a
        level's name holds the separator, so that cells cannot be told.
    """
    axes, levels = axis.split(" & "), [name.split(" & ") for name in names]
    if len(axes) < 2 or any(len(cell) != len(axes) for cell in levels):
        return []
    parts = [_Component.of(name, n, np.array(levels), raters) for n, name in enumerate(axes)]
    known = [name for name in statistics.names if name in named("standardised")]
    return [row for part in parts for name in known for row in part.rows(name, statistics, options)]


@dataclass(frozen=True)
class _Component:
    """One axis of an intersection against all others.

    Parameters
    ----------
    axis : str
    levels : ndarray of str, shape (L,)
    place : ndarray of int, shape (L, C)
        Which group of the intersection a level and a combination of the others are; -1 for none.
    n : ndarray of int, shape (L, C)
        Raters.
    """

    axis: str
    levels: npt.NDArray[np.str_]
    place: Ints
    n: npt.NDArray[Any]

    @classmethod
    def of(cls, axis: str, number: int, cells: npt.NDArray[np.str_], raters: npt.NDArray[Any]) -> _Component:
        """Take the given axis out of cells, shape (G, axes)."""
        levels, row = np.unique(cells[:, number], return_inverse=True)
        others, column = np.unique(np.delete(cells, number, axis=1), axis=0, return_inverse=True)
        place = np.full((len(levels), len(others)), -1)
        place[row.reshape(-1), column.reshape(-1)] = np.arange(len(cells))
        return cls(axis, levels, place, np.where(place >= 0, raters[place], 0))

    def rows(self, name: str, statistics: GroupStatistics, options: Options) -> list[dict[str, Any]]:
        """Return a row per pair of levels for one statistic."""
        fewest = max(FEWEST, options.min_raters)
        values = np.where(self.place >= 0, statistics.base(name)[self.place], np.nan)
        enough = np.flatnonzero(self.n.sum(axis=1) >= fewest).tolist()
        pairs = [list(pair) for pair in combinations(enough, 2)]
        found = [standardise(values[at], self.n[at], self.n.sum(axis=0), fewest) for at in pairs]
        if not found:
            return []
        covariance, gap = _of(statistics, name), np.array([f.gap for f in found])
        loadings = np.array([self._loadings(f, at) for f, at in zip(found, pairs, strict=True)])
        estimates = raw(gap, *covariance.variance(loadings, statistics.inference))
        items = np.where(loadings != 0, covariance.n_items, np.inf).min(axis=1)
        out = []
        for m, (f, at) in enumerate(zip(found, pairs, strict=True)):
            raters = (self.n[at] * (f.weights[0, 0] > 0)).sum(axis=1).min()
            limits = flags.of_interval(int(raters), int(items[m]), options) if f.covered > 0 else []
            number = Number.at(estimates, m, interval=flags.has_interval(limits, options))
            a, b = (str(self.levels[g]) for g in at)
            out.append({"statistic": name, "axis": self.axis, "a": a, "b": b} | _written(f, number, limits))
        return out

    def _loadings(self, found: Standardised, at: list[int]) -> Floats:
        """Return the standardised gap's weights of the groups of the intersection, shape (G,)."""
        out, used = np.zeros(int(self.place.max()) + 1), found.weights[0, 0] > 0
        out[self.place[at][:, used]] = found.weights[2][:, used]
        return out


def _of(statistics: GroupStatistics, name: str) -> Covariance:
    """Return the covariance of one statistic's groups."""
    c, groups = statistics.covariance, statistics.value.shape[1]
    start = statistics.names.index(name) * groups
    at = slice(start, start + groups)
    items, raters, same, own = (v[at, at] for v in (c.items, c.raters, c.same, c.own))
    return Covariance(items, raters, same, c.pool[at], c.n_items[at], c.n_raters[at], own)


def _written(found: Standardised, gap: Number, limits: list[str]) -> dict[str, Any]:
    numbers = gap.to_dict()
    out: dict[str, Any] = {"marginal": null(found.composition + found.within), "standardised": numbers.pop("value")}
    out |= numbers | {k: null(getattr(found, k)) for k in named("cells")}
    return out | {"flags": _flags(found) + [x for x in limits if not x.startswith("not_for_gates")]}


def _flags(found: Standardised) -> list[str]:
    if not found.covered > 0:
        return ["no_cells: no combination of the other axes has enough raters of both, and a value"]
    if found.covered < COVERED:
        return [f"covered: {found.covered:.0%} of raters are in combinations with enough raters of both"]
    return []
