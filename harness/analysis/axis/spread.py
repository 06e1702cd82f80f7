"""How far the groups of an axis are apart: spread, shrunken values, and who may be the worst served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.group import null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.catalogue import measure, named
from lm_plural.harness.statistics.groups import spread
from lm_plural.harness.statistics.groups.family import Family
from lm_plural.harness.statistics.groups.groups import GroupStatistics
from lm_plural.harness.statistics.uncertainty import draws, shrinkage
from lm_plural.harness.statistics.uncertainty.draws import generator

#: Statistics in which more is worse (True) or better (False) for the group; others have no worst group.
WORSE = {s: not better for s in named("spread") if (better := measure(s).better) is not None}


@dataclass(frozen=True)
class Apart:
    """The groups of an axis with their joint uncertainty.

    Parameters
    ----------
    axis : str
        Its name, which keys random numbers.
    names : sequence of str
    statistics : GroupStatistics
    options : Options
    """

    axis: str
    names: Sequence[str]
    statistics: GroupStatistics
    options: Options

    def all(self, pairs: dict[str, Family]) -> dict[str, Any]:
        """Return ``of`` for every statistic; `pairs` by statistic, of those that have any."""
        on_pairs = pairs.get("disagreement")  # skill has no contrasts; its items are those of pairs of raters
        known = [s for s in self.statistics.estimates if s in named("spread")]
        return {s: self.of(s, pairs.get(s), pairs.get(s, on_pairs)) for s in known}

    def trusted(self, statistic: str) -> npt.NDArray[np.bool_]:
        """Return the groups with enough raters for an interval, shape (G,)."""
        return np.asarray(self.statistics.n_raters(statistic) >= self.options.min_raters_interval)

    def of(self, statistic: str, pairs: Family | None, support: Family | None) -> dict[str, Any]:
        """Return tau, the range's interval, shrunken values and who may be the worst.

        `pairs` are of the same statistic, `support` of one over the same items.
        """
        found, o = self.statistics, self.options
        e = found.estimates[statistic]
        value = np.where(self.trusted(statistic) & ~np.isnan(e.se), e.value, np.nan)
        loadings = found.loadings(found.gradient(statistic))
        covariance = found.covariance.matrix(loadings, o.inference)
        apart = self._without_common_items(value, support)
        tau2 = np.nan if apart else spread.spread(value, covariance)
        low, high = (
            spread.range_interval(pairs.estimates.value, pairs.estimates.se, pairs.critical)
            if pairs
            else (np.nan, np.nan)
        )
        out: dict[str, Any] = {
            "tau": null(np.sqrt(max(tau2, 0.0))) if not np.isnan(tau2) else None,
            "tau2": null(tau2),
            "n_groups": int((~np.isnan(value)).sum()),
            "range": {"low": null(low), "high": null(high)},
            "flags": _flags(apart, int((~np.isnan(value)).sum())),
        }
        out["shrunken"], drawn = self._shrunken(statistic, value, covariance)
        if statistic in WORSE and drawn is not None:
            out["worst"] = self._worst(statistic, value, covariance, pairs, out["shrunken"])
        return out

    def _without_common_items(self, value: Floats, pairs: Family | None) -> bool:
        """Return whether two groups that have a value have no items in common to be compared on."""
        if pairs is None:
            return False
        known = ~np.isnan(value)
        return bool((known[pairs.a] & known[pairs.b] & (pairs.n_items == 0)).any())

    def _shrunken(
        self, statistic: str, value: Floats, covariance: Floats
    ) -> tuple[dict[str, dict[str, float | None]], Floats | None]:
        """Return values pulled towards each other (methods 5.2), cells of axes towards the axes' main effects."""
        known = ~np.isnan(value)
        if known.sum() < 3:
            return {}, None
        factors = self.factors()
        found = shrinkage.shrink(value, covariance, factors)
        rng = generator(self.options.seed, self.axis, statistic, "shrunken")
        _, drawn = shrinkage.shrunken_draws(value, covariance, min(self.options.draws, 2_000), rng, factors)
        low, high = draws.percentile_interval(drawn)
        rows = zip(self.names, found.values, low, high, known, strict=True)
        return {name: {"value": null(v), "low": null(lo), "high": null(hi)} for name, v, lo, hi, k in rows if k}, drawn

    def factors(self) -> npt.NDArray[np.int64] | None:
        """Return each cell's level of every axis, shape (G, n_axes); None for one axis, or if names do not tell."""
        cells = [name.split(" & ") for name in self.names]
        n_axes = len(self.axis.split(" & "))
        if n_axes == 1 or any(len(cell) != n_axes for cell in cells):
            return None
        return np.array([np.unique(level, return_inverse=True)[1] for level in zip(*cells, strict=True)]).T

    def _worst(
        self,
        statistic: str,
        value: Floats,
        covariance: Floats,
        pairs: Family | None,
        shrunken: dict[str, dict[str, float | None]],
    ) -> dict[str, Any]:
        """Return who may be the worst off, never one name: the largest estimate is the noisiest group's."""
        known = np.flatnonzero(~np.isnan(value))
        rng = generator(self.options.seed, self.axis, statistic, "draws")
        drawn = draws.joint_draws(value[known], covariance[np.ix_(known, known)], self.options.draws, rng)
        chance = draws.probability_worst(drawn, WORSE[statistic])
        sides = np.array([pairs.a, pairs.b]).T if pairs else np.zeros((0, 2), dtype=np.int64)
        adjusted = pairs.p_adjusted if pairs else np.zeros(0)
        maybe = spread.not_distinguishable_from_worst(value, sides, adjusted, WORSE[statistic])
        pulled = [v["value"] for v in shrunken.values() if v["value"] is not None]
        return {
            "shrunken": (max if WORSE[statistic] else min)(pulled) if pulled else None,
            "not_distinguishable": [name for name, m in zip(self.names, maybe, strict=True) if m],
            "probability": {self.names[int(g)]: float(p) for g, p in zip(known, chance, strict=True)},
        }


def _flags(apart: bool, groups: int) -> list[str]:
    if groups < 2:
        return [f"no_interval: {groups} groups have one, at least 2 needed"]
    return ["no_common_items: some groups rated other items, which may be why they differ"] if apart else []
