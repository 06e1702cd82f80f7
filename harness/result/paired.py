"""The result of a comparison of two sets of predictions: what changes in every group, and how it stands in files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.result.disaggregated import frame_of
from lm_plural.harness.result.group import header
from lm_plural.harness.result.options import Options
from lm_plural.harness.result.paired_group import PairedGroup


@dataclass(frozen=True)
class PairedAxis:
    """One axis: its groups, and the changes of gaps between them as JSON types, one row each."""

    groups: dict[str, PairedGroup]
    contrasts: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the axis as JSON types."""
        return {"groups": {g: v.to_dict() for g, v in self.groups.items()}, "contrasts": self.contrasts}


@dataclass(frozen=True)
class Paired:
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
