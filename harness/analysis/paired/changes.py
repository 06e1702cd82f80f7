"""The result of a comparison of two sets of predictions: what changes in every group, and how it stands in files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.disaggregated import frame_of
from lm_plural.harness.analysis.group import Number, header, null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.overview import OneResult
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.groups.paired import Changes
from lm_plural.harness.statistics.uncertainty.intervals import LEVEL, quantile


@dataclass(frozen=True)
class Change(Number):
    """A change, first set less second, with its interval alone and among those it is read with; NaN for refused.

    ``low_one_sided`` is a lower bound at 95 % for all changes of the family at once, ``high_one_sided`` an upper one:
    what gates compare with a margin (methods section 4).
    """

    low_simultaneous: float = math.nan
    high_simultaneous: float = math.nan
    low_one_sided: float = math.nan
    high_one_sided: float = math.nan
    p: float = math.nan
    p_adjusted: float = math.nan

    @classmethod
    def of(cls, c: Changes, n: int) -> Change:
        """Return the n-th of some changes."""
        e = c.estimates
        value, se, df = e.value[n], e.se[n], e.df[n]
        # drawn quantiles may fall a little short of the exact ones
        both, one = max(c.critical, quantile(df)) * se, max(c.critical_one_sided, quantile(df, 2 * LEVEL - 1)) * se
        bounds = value - both, value + both, value - one, value + one
        return cls(*map(float, (value, se, df, e.low[n], e.high[n], *bounds, e.p[n], c.p_adjusted[n])))

    def to_dict(self) -> dict[str, float | None]:
        """Return it as JSON types, null for NaN and infinity."""
        return {name: null(number) for name, number in asdict(self).items()}


@dataclass(frozen=True)
class PairedGroup:
    """The changes of one group.

    Parameters
    ----------
    n_items, n_raters : int
        Compared, and who rated them.
    statistics : dict of str to Change
        ``bias`` in scale points; ``divergence`` and ``rps``, in which more is worse; ``skill`` and
        ``log_equivalent_raters`` (log of the ratio of both sets), in which more is better.
    flags : tuple of str
    """

    n_items: int
    n_raters: int
    statistics: dict[str, Change]
    flags: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Mapping[str, Changes], g: int, options: Options) -> PairedGroup:
        """Return group g of the changes of every statistic."""
        sizes = {name: (int(c.n_raters[0, g]), int(c.n_items[g])) for name, c in found.items()}
        raters, items = sizes["divergence"]
        if few := flags.too_few(raters, options):
            return cls(items, raters, dict.fromkeys(found, Change(math.nan)), (few,))
        numbers = {name: Change.of(c, g) for name, c in found.items()}
        limits = {name: flags.of_interval(*size, options) for name, size in sizes.items() if size[1]}
        full = {name: numbers[name] for name, of_it in limits.items() if flags.has_interval(of_it, options)}
        said = [*_lost(numbers, sizes["skill"][1]), *_bare(full)]
        said += dict.fromkeys(flag for of_it in limits.values() for flag in of_it)
        return cls(items, raters, numbers, tuple(said))

    def to_dict(self) -> dict[str, Any]:
        """Return the group as JSON types."""
        numbers = {name: change.to_dict() for name, change in self.statistics.items()}
        return {"n_items": self.n_items, "n_raters": self.n_raters, **numbers, "flags": list(self.flags)}


def gap_row(found: Changes, m: int, options: Options) -> dict[str, Any]:
    """Return the m-th change of a gap as JSON types."""
    change, items, raters = Change.of(found, m), int(found.n_items[m]), found.n_raters[:, m].astype(int).tolist()
    said = ["no_common_items: no item has a rater of both"]
    if items:
        said = flags.of_contrast((raters[0], raters[1]), items, float(found.share[m]), options)
        said = (_bare({"the gap": change}) if flags.has_interval(said, options) else []) + said
    sizes = {"n_items": items, "n_raters_a": raters[0], "n_raters_b": raters[1]}
    sizes["family"] = int((~np.isnan(found.estimates.se)).sum())
    return change.to_dict() | sizes | {"flags": said}


def _lost(numbers: Mapping[str, Change], with_pairs: int) -> list[str]:
    """Return the reason for every change that has no value."""
    if not with_pairs:
        return ["no_pairs: no compared item has two raters of this group, so no skill, log_equivalent_raters"]
    found = []
    if math.isnan(numbers["skill"].value):
        found.append("no_signal: the group's ratings do not vary over items more than by chance, so skill is refused")
    if math.isnan(numbers["log_equivalent_raters"].value):
        found.append("no_ratio: divergence of a set may be 0, so equivalent raters of both have no ratio")
    return found


def _bare(numbers: Mapping[str, Change]) -> list[str]:
    """Return the reason for every change that has a value but, though raters and items are enough, no interval."""
    bare = {name: c.value for name, c in numbers.items() if not math.isnan(c.value) and math.isnan(c.se)}
    found = []
    if bare.get("skill", 0.0) != 0.0:  # a change of exactly 0 is that of two sets which say the same
        del bare["skill"]
        found.append("weak_signal: what there is to predict is hardly told from chance, so skill has no interval")
    if bare:
        found.append(f"no_variation: the change is the same for all, so no interval of {', '.join(bare)}")
    return found


@dataclass(frozen=True)
class PairedAxis:
    """One axis: its groups, and the changes of gaps between them as JSON types, one row each."""

    groups: dict[str, PairedGroup]
    contrasts: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the axis as JSON types."""
        return {"groups": {g: v.to_dict() for g, v in self.groups.items()}, "contrasts": self.contrasts}


@dataclass(frozen=True, repr=False)
class Paired(OneResult):
    """All changes, first set of predictions less second.

    Attributes
    ----------
    overall : PairedGroup
        All raters as one group.
    axes : dict of str to PairedAxis
    """

    scale: Scale
    n_items: int
    overall: PairedGroup
    axes: dict[str, PairedAxis]
    options: Options
    notes: tuple[str, ...] = ()

    def _head(self) -> str:
        return f"Paired: change, first less second, {self.overall.n_raters:,} raters of {self.n_items:,} items"

    @property
    def by_group(self) -> dict[str, dict[str, PairedGroup]]:
        """Groups by axis, then name."""
        return {axis: a.groups for axis, a in self.axes.items()}

    def contrasts(self) -> pl.DataFrame:
        """Return the change of every gap, one row each: that of side ``a`` less that of side ``b``."""
        return frame_of({"axis": axis} | row for axis, result in self.axes.items() for row in result.contrasts)

    def to_frame(self) -> pl.DataFrame:
        """Return the change of every statistic of every group, one row each."""
        groups = [("", "all", self.overall)]
        groups += [(axis, g, v) for axis, a in self.axes.items() for g, v in a.groups.items()]
        return frame_of(
            {"axis": axis, "group": name, "statistic": s}
            | change.to_dict()
            | {"n_items": g.n_items, "n_raters": g.n_raters, "flags": list(g.flags)}
            for axis, name, g in groups
            for s, change in g.statistics.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON types."""
        return header(self.scale, self.options) | {
            "n_items": self.n_items,
            "notes": list(self.notes),
            "overall": self.overall.to_dict(),
            "axes": {axis: a.to_dict() for axis, a in self.axes.items()},
        }
