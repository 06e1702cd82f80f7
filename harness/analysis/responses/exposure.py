"""What groups of raters saw in the prompts' references, and how bad the responses are where they saw harm.

Concern and exposure of every group (methods 6.6) with their intervals, and the differences between groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.axis.contrast_rows import Written
from lm_plural.harness.analysis.group import Number, null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import MOST_TOGETHER, Axis, RatingTable, axis_name
from lm_plural.harness.statistics.counts import Ints, Membership, count_levels
from lm_plural.harness.statistics.groups import spread
from lm_plural.harness.statistics.groups.family import Family, Kind, Sides, choose
from lm_plural.harness.statistics.groups.groups import GroupStatistics
from lm_plural.harness.statistics.scored.exposure import Concerns, exposure_contrasts, exposure_statistics

#: Exposure to the model's responses, by the key of their scorer; the other one is to the reference responses.
EXPOSURE, REFERENCE = "exposure:", "reference_exposure:"


def concerns_of(table: RatingTable, prompt_of: Mapping[str, int], n_prompts: int, scale: Scale) -> Concerns:
    """Return the ratings of prompts' references, harm-oriented and scaled to [0, 1]; raters as in ``table.raters``."""
    positions = np.asarray(scale.positions)
    harm = (positions - positions[0]) / (positions[-1] - positions[0])
    harm = 1 - harm if scale.direction == "higher" else harm
    ratings = table.ratings
    prompt = ratings["item_id"].replace_strict(dict(prompt_of), return_dtype=pl.Int64).to_numpy()
    level = ratings["level"].cast(pl.Int64).to_numpy()
    return Concerns.of(prompt, _codes(ratings["rater_id"], table), harm[level], n_prompts, len(table.raters))


def _codes(raters: pl.Series, table: RatingTable) -> Ints:
    places = {r: n for n, r in enumerate(table.raters["rater_id"])}
    return np.asarray(raters.replace_strict(places, return_dtype=pl.Int64).to_numpy(), dtype=np.int64)


@dataclass(frozen=True)
class Exposures:
    """The groups of one axis.

    Parameters
    ----------
    axis : str
    names : list of str
        Of groups.
    members : Membership
    concerns : Concerns
    badness : dict of str to ndarray, shape (P,)
        By name: ``exposure:profanity.toxicity``.
    options : Options
    """

    axis: str
    names: list[str]
    members: Membership
    concerns: Concerns
    badness: dict[str, Floats]
    options: Options

    @classmethod
    def of(
        cls, table: RatingTable, axis: Axis, concerns: Concerns, badness: dict[str, Floats], options: Options
    ) -> Exposures:
        """Take the groups of an axis of the table that the concerns are of."""
        pairs = table.groups(axis, MOST_TOGETHER)
        names = sorted(pairs["group"].unique())
        group = pairs["group"].replace_strict({g: n for n, g in enumerate(names)}, return_dtype=pl.Int64).to_numpy()
        members = Membership(_codes(pairs["rater_id"], table), group, len(names))
        return cls(axis_name(axis), names, members, concerns, badness, options)

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Raters by what they gave to each prompt, shape (P, G, L)."""
        return count_levels(self.concerns.coded, self.members)

    @cached_property
    def n_raters(self) -> Ints:
        """Raters of each group who rated any of the prompts."""
        return self.members.sizes(np.unique(self.concerns.coded.rater))

    @cached_property
    def statistics(self) -> GroupStatistics:
        """Concern and exposures of every group."""
        return exposure_statistics(self.concerns, self.members, self.badness, self.options.inference)

    def limits(self, name: str, g: int) -> list[str]:
        """Return what keeps a group's number from an interval or a gate."""
        found = self.statistics
        return flags.of_interval(int(found.n_raters(name)[g]), int(found.n_items(name)[g]), self.options)

    def number(self, name: str, g: int) -> Number:
        """Return concern or an exposure of a group, with the interval if it may have one."""
        interval = flags.has_interval(self.limits(name, g), self.options)
        return Number.at(self.statistics.estimates[name], g, interval=interval)

    def between(self) -> dict[str, Any]:
        """Return contrasts and spread of exposure, the former in rows like those of rate tasks (docs/files.md)."""
        found: dict[Kind, dict[str, Family]] = {"pairs": {}, "rest": {}}
        if self.options.inference != "none" and len(self.names) > 1:
            for kind in found:
                found[kind] = {n: f for n in self._contrasted if (f := self._family(n, kind))}
        return {
            "contrasts": [r for k, f in found.items() for r in Written(f, self.names, self.options, {}, k).rows()],
            "spread": {name: self._spread(name, pairs) for name, pairs in found["pairs"].items()},
        }

    @property
    def _contrasted(self) -> list[str]:
        return [name for name in self.badness if name.startswith(EXPOSURE)]

    def _family(self, name: str, kind: Kind) -> Family | None:
        o, s = self.options, self.badness[name]
        a, b = choose(kind, np.flatnonzero(self.n_raters >= o.min_raters), len(self.names))
        if not len(a):
            return None
        sides = Sides.of(self.concerns.coded, self.members, self.counts)
        return exposure_contrasts(self.concerns, sides, s, a, b, o.inferring(self.axis, kind, name))

    def _spread(self, name: str, pairs: Family) -> dict[str, Any]:
        """Return tau, the corrected SD of the groups, and an interval for the range (methods 2.7)."""
        found, o = self.statistics, self.options
        e = found.estimates[name]
        trusted = found.n_raters(name) >= max(o.min_raters, o.min_raters_interval)
        value = np.where(trusted & ~np.isnan(e.se), e.value, np.nan)
        tau2 = spread.spread(value, found.covariance.matrix(found.loadings({name: 1.0}), o.inference))
        low, high = spread.range_interval(pairs.estimates.value, pairs.estimates.se, pairs.critical)
        return {
            "tau": None if np.isnan(tau2) else null(np.sqrt(max(tau2, 0.0))),
            "tau2": null(tau2),
            "n_groups": int((~np.isnan(value)).sum()),
            "range": {"low": null(low), "high": null(high)},
        }
