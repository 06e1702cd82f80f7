"""Reading shares of answers by group, from the tables of a recipe.

Shares are made to sum to 1 over the options that are kept. What is left out is counted, and the counts are notes.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.shares import ShareTable
from lm_plural.harness.ratings.table import UNDECLARED
from lm_plural.harness.task.apply import FAULT, ROW, RULE, holds, left_out, need
from lm_plural.harness.task.datafile import chosen, place, reading
from lm_plural.harness.task.shares_spec import SharesSpec
from lm_plural.harness.task.steps import Where

#: Returns a file or table by name, and the files its rows come from.
Source = Callable[[str], tuple[pl.LazyFrame, list[Path]]]
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
    options = job.options(filters)
    cells = job.cells(options)
    whole = options.filter(pl.col("item_id").is_in(cells["item_id"].unique().implode()) & pl.col("kept"))
    ordered = pl.col("position").is_not_null().all().over("item_id")
    whole = whole.with_columns(position=pl.when(ordered).then("position"))
    items = whole.group_by("item_id", maintain_order=True).agg(labels="label", positions="position")
    return ShareTable(items, cells, tuple(job.notes))


@dataclass
class _Reading:
    """The rules at work; ``notes`` say what they left out."""

    spec: SharesSpec
    source: Source
    notes: list[str] = field(default_factory=list)

    def options(self, filters: Mapping[str, Where]) -> pl.DataFrame:
        """Return ``item_id, option, label, position`` and ``kept``, in file order, of items that can be asked."""
        spec = self.spec.options
        frame, paths = self.source(spec.file)
        with reading(paths[0]):
            for name, where in filters.items():
                need(frame, where)
                frame = left_out(frame, holds(where), f"filter {name}")
            label = spec.label or spec.option
            frame = chosen(frame, [spec.item, spec.option, label, *([spec.position] if spec.position else [])])
            position = pl.col(spec.position) if spec.position else pl.lit(None, pl.String)
            rows = frame.select(
                ROW, RULE, FAULT, item_id=spec.item, option=spec.option, label=label, position=position
            ).collect(engine="streaming")
        rows = self._sound(rows, ["item_id", "option"], paths).filter(pl.col("item_id").is_not_null())
        rows = rows.with_columns(position=_number(rows, "position", paths), kept=pl.col(RULE).is_null())
        self._count(rows, RULE, "options")
        return self._askable(_with_lost(rows.with_row_index("at"), ["item_id", "option"], paths))

    def _askable(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out items that cannot be put as a question with letters."""
        most = len(string.ascii_uppercase)
        kept = pl.col("kept")
        n = kept.sum().over("item_id")
        wordless = (kept & pl.col("label").is_null()).any().over("item_id")
        rows = rows.with_columns(
            why=pl.when(n < 2)
            .then(pl.lit("fewer than 2 options are left"))
            .when(n > most)
            .then(pl.lit(f"more than {most} options, which letters cannot name"))
            .when(wordless)
            .then(pl.lit("an option without words"))
        )
        self._count(rows.unique("item_id", maintain_order=True), "why", "items")
        return rows.filter(pl.col("why").is_null()).drop("why")

    def cells(self, options: pl.DataFrame) -> pl.DataFrame:
        """Return ``item_id, axis, group, shares, answers``, in file order."""
        rows = self._known(self._shares(), options)
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

    def _shares(self) -> pl.DataFrame:
        """Return ``row, item_id, axis, group, option, share``, one row each."""
        spec = self.spec
        frame, paths = self.source(spec.file)
        with reading(paths[0]):
            columns = {"item_id": spec.item, "axis": spec.axis, "group": spec.group, "option": spec.option}
            frame = chosen(frame, [*columns.values(), spec.share])
            rows = frame.select(ROW, RULE, FAULT, **columns, share=spec.share).collect(engine="streaming")
        rows = rows.with_columns(pl.col("group").fill_null(UNDECLARED))
        for rule in rows[RULE].drop_nulls().unique(maintain_order=True):
            self._drop(rows, pl.col(RULE) == rule, rule)
        rows = self._sound(rows.filter(pl.col(RULE).is_null()), [*CELL, "option"], paths)
        rows = rows.with_columns(share=_number(rows, "share", paths, least=0.0)).drop(RULE, FAULT)
        if self.spec.counts:  # levels folded into one add up
            return rows.group_by(*CELL, "option", maintain_order=True).agg(pl.col(ROW).first(), pl.col("share").sum())
        return _once(rows, [*CELL, "option"], "share", paths)

    def _known(self, rows: pl.DataFrame, options: pl.DataFrame) -> pl.DataFrame:
        """Leave out shares of items that cannot be asked, and of answers that are no option."""
        known = options.select("item_id").unique()
        left = rows.join(known, on="item_id", how="semi", maintain_order="left")
        strange = left.join(options, on=["item_id", "option"], how="anti")
        self._drop(rows.join(known, on="item_id", how="anti"), pl.lit(True), "of an item that is left out")
        if len(strange):
            shown = ", ".join(repr(v) for v in strange["option"].unique(maintain_order=True).head(5))
            self.notes.append(f"{len(strange)} shares left out: of an answer that is no option ({shown})")
        return left

    def _sound(self, rows: pl.DataFrame, key: Sequence[str], paths: Sequence[Path]) -> pl.DataFrame:
        """Return rows after checking that those no rule left out have no fault, and all of their key."""
        rule = pl.col(RULE).is_null()
        _stop_at(rows, rule & pl.col(FAULT).is_not_null(), pl.col(FAULT), paths)
        for column in key:
            text = f"no {column.removesuffix('_id')}; expected one in every row"
            _stop_at(rows, rule & pl.col(column).is_null(), pl.lit(text), paths)
        return rows

    def _drop(self, cells: pl.DataFrame, bad: pl.Expr, rule: str) -> pl.DataFrame:
        """Leave out pairs of item and group and count them."""
        if n := cells.filter(bad).select(CELL).n_unique():
            self.notes.append(f"{n} pairs of item and group left out: {rule}")
        return cells.filter(~bad)

    def _count(self, rows: pl.DataFrame, column: str, what: str) -> None:
        counts = rows.drop_nulls(column).group_by(column, maintain_order=True).len()
        self.notes += [f"{n} {what} left out: {rule}" for rule, n in counts.iter_rows()]


def _once(rows: pl.DataFrame, key: Sequence[str], what: str, paths: Sequence[Path]) -> pl.DataFrame:
    """Return rows after checking that no key stands twice."""
    text = pl.format(f"a second {what} of " + ", ".join(["'{}'"] * len(key)) + "; expected one", *key)
    _stop_at(rows, ~pl.struct(key).is_first_distinct(), text, paths)
    return rows


def _with_lost(rows: pl.DataFrame, key: Sequence[str], paths: Sequence[Path]) -> pl.DataFrame:
    """Return the options kept and, of those left out, the ones that are not there again: their shares are known."""
    kept = _once(rows.filter("kept"), key, "option", paths)
    lost = rows.filter(~pl.col("kept")).join(kept, on=key, how="anti").unique(key, keep="first", maintain_order=True)
    return pl.concat([kept, lost]).sort("at").drop("at")


def _number(rows: pl.DataFrame, column: str, paths: Sequence[Path], least: float | None = None) -> pl.Series:
    """Return a column as numbers, after checking those that no rule left out."""
    number = pl.col(column).cast(pl.Float64, strict=False)
    fine = number.is_finite() & (number >= (-float("inf") if least is None else least))
    bad = pl.col(RULE).is_null() & pl.col(FAULT).is_null() & pl.col(column).is_not_null() & ~fine.fill_null(value=False)
    expected = "a number" if least is None else f"a number from {least:g} on"
    _stop_at(rows, bad, pl.format(f"{column} '{{}}'; expected {expected}", pl.col(column)), paths)
    return rows.select(number)[column]


def _stop_at(rows: pl.DataFrame, bad: pl.Expr, message: pl.Expr, paths: Sequence[Path]) -> None:
    for row, text in rows.filter(bad).head(1).select(ROW, text=message).iter_rows():
        raise PluralError(f"{place(paths, row)}: {text}")
