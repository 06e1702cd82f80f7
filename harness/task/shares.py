"""Reading shares of answers by group, from the tables of a recipe.

Shares are made to sum to 1 over the options that are kept. What is left out is counted, and the counts are notes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.shares import ShareTable
from lm_plural.harness.ratings.table import UNDECLARED
from lm_plural.harness.task.datafile import chosen, reading
from lm_plural.harness.task.frames import FAULT, ROW, RULE
from lm_plural.harness.task.shares_options import read_options
from lm_plural.harness.task.shares_rows import LEFT, Source, left_out_note, number, once, sound
from lm_plural.harness.task.shares_spec import SharesSpec
from lm_plural.harness.task.steps import Where

#: What the shares of one item and group must come to, before options are left out: surveys publish rounded ones.
LEAST, MOST = 0.95, 1.05
CELL = ["item_id", "axis", "group"]


def read_shares(spec: SharesSpec, source: Source, filters: Mapping[str, Where]) -> ShareTable:
    """Return the shares a recipe describes.

    Parameters
    ----------
    spec : SharesSpec
    source : callable
    filters : mapping of str to Where
        Those that are on, by name: options to leave out.

    Raises
    ------
    PluralError
        For the first fault in the files, with its line; and when nothing is left.
    """
    job = _Reading(spec, source)
    options = read_options(spec.options, source, filters, job.notes)
    cells = job.cells(options)
    options = options.filter("kept").join(cells, on="item_id", how="semi", maintain_order="left")
    ordered = pl.col("position").is_not_null().all().over("item_id")
    options = options.with_columns(position=pl.when(ordered).then("position"))
    items = options.group_by("item_id", maintain_order=True).agg(labels="label", positions="position")
    return ShareTable(items, cells, tuple(job.notes))


@dataclass
class _Reading:
    """The rules at work; ``notes`` say what they left out."""

    spec: SharesSpec
    source: Source
    notes: list[str] = field(default_factory=list)

    def cells(self, options: pl.DataFrame) -> pl.DataFrame:
        """Return ``item_id, axis, group, shares, answers``, in file order."""
        rows = self._known(options)
        full = rows.select(CELL).unique(maintain_order=True).join(options, on="item_id", maintain_order="left")
        key = [*CELL, "option"]
        full = full.join(rows.select(*key, "share"), on=key, how="left", maintain_order="left")
        share, kept = pl.col("share").fill_null(0.0), pl.col("kept")
        found = full.group_by(CELL, maintain_order=True).agg(
            all=share.sum(), total=share.filter(kept).sum(), shares=share.filter(kept)
        )
        return self._normal(found)

    def _normal(self, found: pl.DataFrame) -> pl.DataFrame:
        """Make shares sum to 1, or leave them out."""
        if not self.spec.counts:
            odd = ~pl.col("all").is_between(LEAST, MOST)
            found = self._drop(found, odd, f"shares that do not sum to {LEAST} to {MOST}")
        found = self._drop(found, pl.col("total") <= 0, "no answer to an option that is kept")
        if found.is_empty():
            raise PluralError(f"no shares are left: {'; '.join(self.notes)}")
        answers = pl.col("total") if self.spec.counts else pl.lit(None, pl.Float64)
        return found.select(*CELL, shares=pl.col("shares") / pl.col("total"), answers=answers)

    def _known(self, options: pl.DataFrame) -> pl.DataFrame:
        """Return the shares of items that can be asked, those of answers that are no option left out."""
        rows, paths = self._rows()
        known = options.select("item_id").unique()
        self._drop(rows.join(known, on="item_id", how="anti"), pl.lit(value=True), "of an item that is not asked")
        rows = self._unmarked(rows.join(known, on="item_id", how="semi", maintain_order="left"), paths)
        strange = rows.join(options, on=["item_id", "option"], how="anti", maintain_order="left")["option"]
        if len(strange):
            shown = ", ".join(repr(v) for v in strange.unique(maintain_order=True).head(5))
            self.notes.append(left_out_note(len(strange), "share", f"of an answer that is no option ({shown})"))
        return rows

    def _rows(self) -> tuple[pl.DataFrame, Sequence[Path]]:
        spec = self.spec
        frame, paths = self.source(spec.file)
        with reading(paths[0]):
            columns = {"item_id": spec.item, "axis": spec.axis, "group": spec.group, "option": spec.option}
            frame = chosen(frame, [*columns.values(), spec.share])
            rows = frame.select(ROW, RULE, FAULT, **columns, share=spec.share).collect(engine="streaming")
        return sound(rows.with_columns(pl.col("group").fill_null(UNDECLARED)), [*CELL, "option"], paths), paths

    def _unmarked(self, rows: pl.DataFrame, paths: Sequence[Path]) -> pl.DataFrame:
        """Return rows that no rule left out, one per item, group and option, ``share`` a number."""
        key, kept = [*CELL, "option"], rows.filter(~LEFT)
        lost = rows.filter(LEFT).join(kept, on=CELL, how="anti", maintain_order="left")
        for rule in lost[RULE].unique(maintain_order=True):
            self._drop(lost, pl.col(RULE) == rule, rule)
        kept = kept.with_columns(share=number(kept, "share", paths, least=0.0))
        if self.spec.counts:  # levels folded into one add up
            return kept.group_by(key, maintain_order=True).agg(pl.col("share").sum())
        return once(kept, key, "share", paths)

    def _drop(self, cells: pl.DataFrame, bad: pl.Expr, rule: str) -> pl.DataFrame:
        """Leave out pairs of item and group and count them."""
        if n := cells.filter(bad).select(CELL).n_unique():
            self.notes.append(left_out_note(n, "(item, group) pair", rule))
        return cells.filter(~bad)
