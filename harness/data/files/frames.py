"""Columns of text in a lazy frame: looked up, compared, marked; what steps and readers share.

Every frame has three columns of its own: ``row`` (place in the source), ``_rule`` (which rule leaves the row out) and
``_fault`` (what is wrong with it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from lm_plural.harness.errors import PluralError, did_you_mean
from lm_plural.harness.ratings.scale import SPELLED

ROW, RULE, FAULT = "row", "_rule", "_fault"
MARKS = (ROW, RULE, FAULT)
#: Names, and characters of a cell, that a message shows.
MOST, SHOWN = 30, 60


def need(frame: pl.LazyFrame, columns: Iterable[str]) -> list[str]:
    """Return all columns, after checking that some are there.

    Raises
    ------
    PluralError
        If one is not (with a suggestion).
    """
    there = frame.collect_schema().names()
    for column in columns:
        if column in MARKS:
            raise PluralError(f"column {column!r} needs another name")
        if column not in there:
            shown = [c for c in there if c not in MARKS]
            raise PluralError(f"no column {column!r}{did_you_mean(column, shown)}; there are {some(shown)}")
        if f"{column}_duplicated_0" in there:  # polars' name for the second of two
            raise PluralError(f"column {column!r} stands twice; expected once")
    return there


def text_in(frame: pl.LazyFrame, columns: Sequence[str]) -> list[str]:
    """As :func:`need`, of columns that hold one text each, no list."""
    there, schema = need(frame, columns), frame.collect_schema()
    for column in columns:
        if schema[column] != pl.String:
            raise PluralError(f"column {column!r} holds {schema[column]}; expected text or numbers")
    return there


def some(names: Sequence[str]) -> str:
    """Return names as a list for a message, which stays readable."""
    return ", ".join(names[:MOST]) + (f", ... ({len(names)} in all)" if len(names) > MOST else "")


def fresh(there: Sequence[str], *columns: str | None) -> None:
    """Refuse a column that is there already."""
    for n, column in enumerate(columns):
        if column and column in [*there, *columns[:n]]:
            raise PluralError(f"a step makes a column {column!r}, which is there; expected another name")


def spelled(cell: pl.Expr) -> pl.Expr:
    """Return cells in the one spelling of levels: ``3`` and ``3.0`` are ``3`` (as ``ratings.scale.canonical``)."""
    number = cell.cast(pl.Float64, strict=False)
    read = (number == 0) | number.abs().is_between(*SPELLED, closed="left")
    return (
        pl.when(read & (number == number.round()))
        .then(number.cast(pl.Int64, strict=False).cast(pl.String))
        .when(read)
        .then(number.cast(pl.String))
        .otherwise(cell)
    )


def filled(cell: pl.Expr) -> pl.Expr:
    """Return cells with an empty text as null (not by ``replace``, for which polars holds the whole column)."""
    return pl.when(cell != "").then(cell)


def holds(where: dict[str, list[Any]]) -> pl.Expr:
    """Return whether every column holds one of its cells."""
    parts = []
    for column, cells in where.items():
        part = spelled(pl.col(column)).is_in([c for c in cells if c is not None]).fill_null(value=False)
        parts.append(part | pl.col(column).is_null() if None in cells else part)
    return pl.all_horizontal(parts)


def fault(when: pl.Expr, *text: str | pl.Expr) -> pl.Expr:
    """Return the fault of each row, the first one: words and cells in turn."""
    parts = [pl.lit(t) if isinstance(t, str) else t for t in text]
    return pl.coalesce(FAULT, pl.when(when).then(pl.concat_str(parts, ignore_nulls=True))).alias(FAULT)


def left_out(frame: pl.LazyFrame, when: pl.Expr, rule: str) -> pl.LazyFrame:
    """Mark rows that a rule leaves out; the first rule counts, and a fault that was there before it stands."""
    sound = pl.col(FAULT).is_null()
    return frame.with_columns(pl.coalesce(RULE, pl.when(when & sound).then(pl.lit(rule))).alias(RULE))


def shown(column: str) -> pl.Expr:
    """Return the beginning of a cell, for a message."""
    return pl.col(column).str.head(SHOWN)


def unnested(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return nested records as columns with dotted names, and all scalars as text, an empty one as null."""
    schema = frame.collect_schema()
    while structs := [(c, t) for c, t in schema.items() if isinstance(t, pl.Struct)]:
        names = [f"{c}.{f.name}" for c, t in structs for f in t.fields]
        if twice := [n for k, n in enumerate(names) if n in schema or n in names[:k]]:
            raise PluralError(f"column {twice[0]!r} stands twice; expected once")
        fields = [pl.col(c).struct.field(f.name).alias(f"{c}.{f.name}") for c, t in structs for f in t.fields]
        frame = frame.with_columns(fields).drop(c for c, _ in structs)
        schema = frame.collect_schema()
    plain = [c for c, t in schema.items() if c not in MARKS and _is_scalar(t) and not t.is_float()]
    floats = [c for c, t in schema.items() if c not in MARKS and t.is_float()]
    lists = [_lists(c, t) for c, t in schema.items() if isinstance(t, pl.List | pl.Array)]
    cells = [_cell(pl.col(plain)), _cell(_spelled_float(pl.col(floats)))]  # one expression, however many columns
    return frame.with_columns([*cells, *(c for c in lists if c is not None)])


def _is_scalar(kind: pl.DataType) -> bool:
    return not (kind.is_nested() or kind in (pl.Binary, pl.Object))


def _cell(column: pl.Expr) -> pl.Expr:
    return filled(column.cast(pl.String).str.strip_chars())


def _spelled_float(column: pl.Expr) -> pl.Expr:
    """Return numbers as text, whole ones as integers: programs write 3 as 3.0 where a number is missing elsewhere."""
    whole = (column == column.round()) & (column.abs() < SPELLED[1])
    integer = column.cast(pl.Int64, strict=False).cast(pl.String)
    return pl.when(whole).then(integer).otherwise(column.fill_nan(None).cast(pl.String))


def _lists(column: str, kind: pl.List | pl.Array) -> pl.Expr | None:
    """Return lists of text; None if they hold something else."""
    inner = kind.inner
    if isinstance(inner, pl.Struct | pl.List | pl.Array):
        return None
    cells = pl.col(column).cast(pl.List(inner))
    element = _spelled_float(pl.element()) if inner.is_float() else pl.element().cast(pl.String)
    return cells.list.eval(element)
