"""Reading shares of answers by group, from the tables of a recipe.

Shares are made to sum to 1 over the options that are kept. What is left out is counted, and the counts are notes.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lm_plural.harness.data.files.frames import FAULT, ROW, RULE, SHOWN, holds, left_out, need
from lm_plural.harness.data.files.scan import chosen, reading, stop_at
from lm_plural.harness.data.recipe import OptionsSpec, SharesSpec
from lm_plural.harness.data.steps import Where
from lm_plural.harness.errors import PluralError, in_column
from lm_plural.harness.ratings.shares import ShareTable
from lm_plural.harness.ratings.table import UNDECLARED

#: Returns a file or table by name, and the files its rows come from.
Source = Callable[[str], tuple[pl.LazyFrame, list[Path]]]
LEFT = pl.col(RULE).is_not_null()


def left_out_note(n: int, what: str, rule: str) -> str:
    """Return how many of something a rule left out."""
    return f"{n} {what}{'s' * (n != 1)} left out: {rule}"


def sound(rows: pl.DataFrame, key: Mapping[str, str], paths: Sequence[Path]) -> pl.DataFrame:
    """Return rows after checking that those no rule left out have no fault, and all of their key.

    `key` says what the source calls the columns of the key.

    Raises
    ------
    PluralError
        For the first that has not, with its line.
    """
    stop_at(rows, ~LEFT & pl.col(FAULT).is_not_null(), pl.col(FAULT), paths)
    for column, called in key.items():
        what = column.removesuffix("_id")
        text = f"no {what}{in_column(what, called)}; expected one in every row"
        stop_at(rows, ~LEFT & pl.col(column).is_null(), pl.lit(text), paths)
    return rows


def once(rows: pl.DataFrame, key: Sequence[str], what: str, paths: Sequence[Path]) -> pl.DataFrame:
    """Return rows after checking that no key stands twice; raises as `sound`."""
    text = pl.format(f"a second {what} of " + ", ".join(["'{}'"] * len(key)) + "; expected one", *key)
    stop_at(rows, ~pl.struct(key).is_first_distinct(), text, paths)
    return rows


def number(
    rows: pl.DataFrame, column: str, called: str, paths: Sequence[Path], least: float = -float("inf")
) -> pl.Series:
    """Return a column as numbers, after checking those that no rule left out; raises as `sound`.

    `called` is what the source calls it.
    """
    value = pl.col(column).cast(pl.Float64, strict=False)
    fine = (value.is_finite() & (value >= least)).fill_null(value=False)
    expected = f"a number from {least:g} on" if least > -float("inf") else "a number"
    where = pl.lit(in_column(column, called))
    text = pl.format(f"{column} '{{}}'{{}}; expected {expected}", pl.col(column).str.head(SHOWN), where)
    stop_at(rows, ~LEFT & pl.col(FAULT).is_null() & pl.col(column).is_not_null() & ~fine, text, paths)
    return rows.select(value)[column]


KEY = ["item_id", "option"]
#: Options that letters can name.
LETTERS = len(string.ascii_uppercase)


def read_options(spec: OptionsSpec, source: Source, filters: Mapping[str, Where], notes: list[str]) -> pl.DataFrame:
    """Return the options of items that can be put as a question, in file order.

    Parameters
    ----------
    spec : OptionsSpec
    source : callable
    filters : mapping of str to Where
        Options to leave out, by name.
    notes : list of str
        Is told what is left out.

    Returns
    -------
    DataFrame
        ``item_id, option, label, position`` and ``kept``: false for options that are left out, but were offered.
    """
    rows, paths = _rows(spec, source, filters)
    key = {"item_id": spec.item, "option": spec.option}
    rows = sound(rows, key, paths).filter(pl.col("item_id").is_not_null())
    position = number(rows, "position", spec.position or "position", paths)
    rows = rows.with_columns(position=position).with_row_index("at")
    kept = once(rows.filter(~LEFT), KEY, "option", paths)
    again = rows.filter(LEFT).join(kept, on=KEY, how="semi")
    for rule, n in again.group_by(RULE, maintain_order=True).agg(pl.col(ROW).n_unique()).iter_rows():
        notes.append(left_out_note(n, "item", rule))
    lost = rows.filter(LEFT).join(kept, on=KEY, how="anti").unique(KEY, keep="first", maintain_order=True)
    return _askable(pl.concat([kept, lost]).sort("at"), notes)


def _rows(spec: OptionsSpec, source: Source, filters: Mapping[str, Where]) -> tuple[pl.DataFrame, Sequence[Path]]:
    frame, paths = source(spec.file)
    with reading(paths[0]):
        for name, where in filters.items():
            need(frame, where)
            frame = left_out(frame, holds(where), f"filter {name}")
        label = spec.label or spec.option
        frame = chosen(frame, [spec.item, spec.option, label, *([spec.position] if spec.position else [])])
        position = pl.col(spec.position) if spec.position else pl.lit(None, pl.String)
        named = frame.select(ROW, RULE, FAULT, item_id=spec.item, option=spec.option, label=label, position=position)
        return named.collect(engine="streaming"), paths


def _askable(rows: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Leave out items without a question to put; say so, and which options of the others are left out."""
    rows = rows.with_columns(kept=~LEFT)
    n, wordless = pl.col("kept").sum(), (pl.col("kept") & pl.col("label").is_null()).any()
    why = (
        pl.when(n == 0)
        .then(pl.col(RULE).first())
        .when(n < 2)
        .then(pl.lit("fewer than 2 options are left"))
        .when(n > LETTERS)
        .then(pl.lit(f"more than {LETTERS} options, which letters cannot name"))
        .when(wordless)
        .then(pl.lit("an option without words"))
    )
    rows = rows.with_columns(why=why.over("item_id"))
    out = rows.drop_nulls("why").group_by("why", maintain_order=True).agg(pl.col("item_id").n_unique())
    notes += [left_out_note(n, "item", rule) for rule, n in out.iter_rows()]
    rows = rows.filter(pl.col("why").is_null())
    notes += [
        left_out_note(n, "option", rule) for rule, n in rows.filter(LEFT).group_by(RULE).len().sort(RULE).iter_rows()
    ]
    return rows.select(*KEY, "label", "position", "kept")


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
        return sound(rows.with_columns(pl.col("group").fill_null(UNDECLARED)), columns, paths), paths

    def _unmarked(self, rows: pl.DataFrame, paths: Sequence[Path]) -> pl.DataFrame:
        """Return rows that no rule left out, one per item, group and option, ``share`` a number."""
        key, kept = [*CELL, "option"], rows.filter(~LEFT)
        lost = rows.filter(LEFT).join(kept, on=CELL, how="anti", maintain_order="left")
        for rule in lost[RULE].unique(maintain_order=True):
            self._drop(lost, pl.col(RULE) == rule, rule)
        kept = kept.with_columns(share=number(kept, "share", self.spec.share, paths, least=0.0))
        if self.spec.counts:  # levels folded into one add up
            return kept.group_by(key, maintain_order=True).agg(pl.col("share").sum())
        return once(kept, key, "share", paths)

    def _drop(self, cells: pl.DataFrame, bad: pl.Expr, rule: str) -> pl.DataFrame:
        """Leave out pairs of item and group and count them."""
        if n := cells.filter(bad).select(CELL).n_unique():
            self.notes.append(left_out_note(n, "(item, group) pair", rule))
        return cells.filter(~bad)
