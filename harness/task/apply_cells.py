"""Steps that make new cells of a row's cells."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import polars as pl

from lm_plural.harness.task import steps
from lm_plural.harness.task.frames import fault, filled, fresh, need, shown, some, spelled, text_in

#: How published files write true and false.
TRUE = ("true", "True", "TRUE", "1", "1.0")
FALSE = ("false", "False", "FALSE", "0", "0.0")


def recode(frame: pl.LazyFrame, s: steps.Recode) -> pl.LazyFrame:
    """Cells are renamed."""
    there = text_in(frame, [s.column])
    fresh(there, s.into)
    cell = pl.col(s.column)
    known, out = _renamed(cell, s) if s.separators is None else _renamed_parts(cell, s, s.separators)
    out = out.alias(s.into or s.column)
    if s.other != "error":
        return frame.with_columns(out)
    expected = f"' of {s.column}; expected one of {some(list(s.levels))}"
    return frame.with_columns(out, fault(~known, "unknown level '", shown(s.column), expected))


def _renamed(cell: pl.Expr, s: steps.Recode) -> tuple[pl.Expr, pl.Expr]:
    """Return whether a cell holds a level that is named, and its new level."""
    key = spelled(cell)
    levels = s.levels
    if s.fold:
        key = key.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
        levels = {steps.folded(k): v for k, v in levels.items()}
    known = key.is_in(list(levels)) | cell.is_null()
    new: Any = pl.lit(None, pl.String)
    for old, level in levels.items():  # not replace_strict, see filled()
        new = pl.when(key == old).then(pl.lit(level, pl.String)).otherwise(new)
    rest = {"keep": cell}.get(s.other, pl.lit(s.other[1:] if s.other.startswith("=") else None, pl.String))
    return known, pl.when(known).then(new).otherwise(rest)


def _renamed_parts(cell: pl.Expr, s: steps.Recode, separators: str) -> tuple[pl.Expr, pl.Expr]:
    """As :func:`_renamed`, for each of the values in a cell."""
    parts = cell.map_elements(lambda text: _parts(text, separators), return_dtype=pl.List(pl.String), skip_nulls=True)
    known, new = _renamed(pl.element(), s)
    news = parts.list.eval(new).list.drop_nulls().list.unique(maintain_order=True)
    return parts.list.eval(known).list.all().fill_null(value=True), filled(news.list.join("|"))


def _parts(text: str, separators: str) -> list[str]:
    """Return the values in a cell, which is a JSON list or text with separators."""
    with suppress(ValueError, RecursionError):
        if isinstance(value := json.loads(text), list):
            return [str(v).strip() for v in value]
    return [part.strip() for part in re.split(f"[{re.escape(separators)}]", text) if part.strip()]


def bin_(frame: pl.LazyFrame, s: steps.Bin) -> pl.LazyFrame:
    """Numbers become bands."""
    there = text_in(frame, [s.column])
    fresh(there, s.into)
    number = pl.col(s.column).cast(pl.Float64, strict=False)
    band: Any = pl.when(number.is_null()).then(None)
    for edge, label in zip(s.edges, s.labels, strict=False):
        band = band.when(number < edge).then(pl.lit(label))
    out = band.otherwise(pl.lit(s.labels[-1])).alias(s.into or s.column)
    bad = pl.col(s.column).is_not_null() & ~number.is_finite().fill_null(value=False)
    expected = "is no number"
    for limit, word, beyond in ((s.least, "from", pl.Expr.lt), (s.most, "to", pl.Expr.gt)):
        if limit is not None:
            bad, expected = bad | beyond(number, limit), f"{expected} {word} {limit:g}"
    return frame.with_columns(out, fault(bad, f"{s.column} '", shown(s.column), f"' {expected}"))


def one_hot(frame: pl.LazyFrame, s: steps.OneHot) -> pl.LazyFrame:
    """Columns of true and false become one."""
    fresh(text_in(frame, list(s.columns)), s.into)
    for c in s.columns:
        strange = ~pl.col(c).is_in((*TRUE, *FALSE))
        frame = frame.with_columns(fault(strange, f"{c} '", shown(c), "' is neither true nor false"))
    parts = [pl.when(pl.col(c).is_in(TRUE)).then(pl.lit(level)) for c, level in s.columns.items()]
    return frame.with_columns(_joined(parts, "|").alias(s.into))


def concat(frame: pl.LazyFrame, s: steps.Concat) -> pl.LazyFrame:
    """Cells joined into a new column."""
    fresh(text_in(frame, s.columns), s.into)
    return frame.with_columns(_joined([pl.col(c) for c in s.columns], s.separator).alias(s.into))


def _joined(parts: Sequence[pl.Expr], separator: str) -> pl.Expr:
    return filled(pl.concat_str(parts, separator=separator, ignore_nulls=True))


def digest(frame: pl.LazyFrame, s: steps.Digest) -> pl.LazyFrame:
    """Make a short id from text."""
    fresh(text_in(frame, s.columns), s.into)
    text = pl.concat_str([pl.col(c).fill_null("") for c in s.columns], separator="\x1f")
    short = text.map_elements(lambda t: hashlib.sha256(t.encode()).hexdigest()[:16], return_dtype=pl.String)
    return frame.with_columns(short.alias(s.into))


def fill(frame: pl.LazyFrame, s: steps.Fill) -> pl.LazyFrame:
    """Add a column with one cell."""
    fresh(need(frame, []), s.into)
    return frame.with_columns(pl.lit(str(s.value)).alias(s.into))
