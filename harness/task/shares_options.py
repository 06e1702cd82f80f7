"""Reading the options that each item of a recipe with ``shares`` offers."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from lm_plural.harness.task.datafile import chosen, reading
from lm_plural.harness.task.frames import FAULT, ROW, RULE, holds, left_out, need
from lm_plural.harness.task.shares_rows import LEFT, Source, left_out_note, number, once, sound
from lm_plural.harness.task.shares_spec import OptionsSpec
from lm_plural.harness.task.steps import Where

KEY = ["item_id", "option"]
#: Options that letters can name.
MOST = len(string.ascii_uppercase)


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
    rows = sound(rows, KEY, paths).filter(pl.col("item_id").is_not_null())
    rows = rows.with_columns(position=number(rows, "position", paths)).with_row_index("at")
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
        .when(n > MOST)
        .then(pl.lit(f"more than {MOST} options, which letters cannot name"))
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
