"""Shares of answers by group, where that is all that was published: no raters, and often not even their number.

Each item offers options of its own; K differs from item to item.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Axis, axis_name


@dataclass(frozen=True)
class ShareTable:
    """What the groups of a data set answered (made by :func:`lm_plural.harness.data.shares.read_shares`).

    Parameters
    ----------
    options : DataFrame
        One row per item: ``item_id``, ``labels`` (List[str]) and ``positions`` (List[float]; null where the item's
        options have no order), both in the order people were shown.
    cells : DataFrame
        One row per item and group: ``item_id, axis, group``, ``shares`` (List[float], one per option, sum 1) and
        ``answers``, how many the shares are of (null: not known).
    notes : tuple of str
        What was left out on the way here.
    """

    options: pl.DataFrame
    cells: pl.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def axes(self) -> list[str]:
        """Names of the axes."""
        return self.cells["axis"].unique(maintain_order=True).to_list()

    @property
    def item_ids(self) -> list[str]:
        """Ids of the items, in file order."""
        return self.options["item_id"].to_list()

    def select(self, items: Iterable[str]) -> ShareTable:
        """Return the shares of some items."""
        kept = pl.col("item_id").is_in(list(items))
        return replace(self, options=self.options.filter(kept), cells=self.cells.filter(kept))

    def answered(self, least: int) -> tuple[ShareTable, int]:
        """Return the shares of at least so many answers, or of a number not known, and how many are lost."""
        kept = self.cells.filter((pl.col("answers") >= least).fill_null(value=True))
        return replace(self, cells=kept), len(self.cells) - len(kept)

    def of_axis(self, axis: Axis) -> pl.DataFrame:
        """Return the cells of one axis.

        Raises
        ------
        UsageError
            If there is no such axis (with a suggestion), or it is an intersection of axes.
        """
        if not isinstance(axis, str):
            raise UsageError(f"axis {axis_name(axis)!r}: shares are published axis by axis, not for cells of several")
        if axis not in self.axes:
            raise UsageError(f"no axis {axis!r}{did_you_mean(axis, self.axes)}; there are {', '.join(self.axes)}")
        return self.cells.filter(pl.col("axis") == axis)

    def groups(self, axis: Axis) -> dict[str, set[str]]:
        """Return the groups of an axis, in name order, and the ids of the items they answered; raises as `of_axis`."""
        by_group = self.of_axis(axis).group_by("group").agg("item_id").sort("group")
        return {group: set(items) for group, items in by_group.iter_rows()}

    def scale(self, item: str) -> Scale:
        """Return the options of an item as a scale, in the order shown; whether they have an order it does not say."""
        return self._scales[item]

    @cached_property
    def _scales(self) -> dict[str, Scale]:
        rows = self.options.select("item_id", "labels").iter_rows()
        return {i: Scale(tuple(str(k) for k in range(1, len(w) + 1)), labels=tuple(w)) for i, w in rows}
