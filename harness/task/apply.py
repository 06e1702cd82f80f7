"""What the steps of a recipe do: each turns a lazy frame into another, so that a file is read in a stream.

Rows are never removed here (an empty list has none). A row left out by a rule keeps the rule's name in the column
``_rule``, and one with a cell that nobody foresaw says so in ``_fault``; who reads the table counts the first and stops
at the second, with its line.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import polars as pl

from lm_plural.harness.errors import PluralError, did_you_mean
from lm_plural.harness.ratings.scale import SPELLED
from lm_plural.harness.task import steps
from lm_plural.harness.task.steps import Step

ROW, RULE, FAULT = "row", "_rule", "_fault"
MARKS = (ROW, RULE, FAULT)
#: How published files write true and false.
TRUE = ("true", "True", "TRUE", "1", "1.0")
FALSE = ("false", "False", "FALSE", "0", "0.0")
#: Names, and characters of a cell, that a message shows.
MOST, SHOWN = 30, 60

#: Returns another table by name.
Tables = Callable[[str], pl.LazyFrame]


def apply_steps(frame: pl.LazyFrame, todo: Iterable[Step], tables: Tables) -> pl.LazyFrame:
    """Return a table after its steps.

    Parameters
    ----------
    frame : LazyFrame
        Cells as text, or lists of it, with the columns ``row``, ``_rule`` and ``_fault``.
    todo : iterable of Step
    tables : callable
        Finds the table that a step joins.

    Raises
    ------
    PluralError
        If a step needs a column that is not there, or makes one that is (without a place: the caller knows the file).
    """
    for step in todo:
        frame = _join(frame, step.join, tables(step.join.table)) if step.join else DO[step.name](frame, step.what)
    return frame


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


def _new(there: Sequence[str], *columns: str | None) -> None:
    for n, column in enumerate(columns):
        if column and column in [*there, *columns[:n]]:
            raise PluralError(f"a step makes a column {column!r}, which is there; expected another name")


def _fault(when: pl.Expr, *text: str | pl.Expr) -> pl.Expr:
    """Return the fault of each row, the first one: words and cells in turn."""
    parts = [pl.lit(t) if isinstance(t, str) else t for t in text]
    return pl.coalesce(FAULT, pl.when(when).then(pl.concat_str(parts, ignore_nulls=True))).alias(FAULT)


def _shown(column: str) -> pl.Expr:
    return pl.col(column).str.head(SHOWN)


def _split(frame: pl.LazyFrame, s: steps.Split) -> pl.LazyFrame:
    text_in(frame, s.columns)
    part = pl.element().str.strip_chars()
    return frame.with_columns(pl.col(c).str.split(s.separator).list.eval(filled(part)) for c in s.columns)


def _explode(frame: pl.LazyFrame, s: steps.Explode) -> pl.LazyFrame:
    there, schema = need(frame, s.columns), frame.collect_schema()
    for column in s.columns:
        if not isinstance(schema[column], pl.List | pl.Array):
            raise PluralError(f"column {column!r} holds no lists; expected them (see the steps split and literal)")
    lengths = [pl.col(c).list.len().fill_null(0) for c in s.columns]
    uneven = pl.any_horizontal(pl.lit(False), *(n != lengths[0] for n in lengths[1:]))
    text = pl.concat_str(
        [pl.concat_str(pl.lit(f"{c} "), n) for c, n in zip(s.columns, lengths, strict=True)], separator=", "
    )
    told = _fault(uneven, "lists of different lengths: ", text)
    frame = left_out(frame, uneven, s.uneven) if s.uneven else frame.with_columns(told)
    frame = frame.with_columns(pl.when(~uneven).then(lengths[0]).alias("_n")) if s.position else frame
    frame = frame.with_columns(pl.when(~uneven).then(pl.col(c)).alias(c) for c in s.columns)
    if s.position:
        _new(there, s.position)
        places = pl.when(pl.col("_n") > 0).then(pl.int_ranges(pl.col("_n")))
        frame = frame.with_columns(places.alias(s.position)).drop("_n")
        return unnested(frame.explode(*s.columns, s.position).with_columns(pl.col(s.position).cast(pl.String)))
    return unnested(frame.explode(s.columns))


def _unpivot(frame: pl.LazyFrame, s: steps.Unpivot) -> pl.LazyFrame:
    there = text_in(frame, s.columns)
    index = [c for c in there if c not in s.columns]
    _new(index, s.names, s.values)
    return frame.unpivot(s.columns, index=index, variable_name=s.names, value_name=s.values)


def _literal(frame: pl.LazyFrame, s: steps.Literal) -> pl.LazyFrame:
    there = text_in(frame, [s.column])
    _new([c for c in there if c != s.column], s.names, s.values)
    kind = pl.Struct({"names": pl.List(pl.String), "values": pl.List(pl.String)})
    read = pl.col(s.column).map_elements(_written_out, return_dtype=kind, skip_nulls=True)
    frame = frame.with_columns(_read=read)
    bad = pl.col(s.column).is_not_null() & pl.col("_read").struct.field("values").is_null()
    frame = frame.with_columns(_fault(bad, f"{s.column} is no Python list or dict: ", _shown(s.column)))
    made = {"values": s.values} | ({"names": s.names} if s.names else {})
    return frame.with_columns(pl.col("_read").struct.field(k).alias(v) for k, v in made.items()).drop("_read")


def _written_out(text: str) -> dict[str, Any]:
    """Read a Python list or dict; lists inside become cells separated by ``|``."""
    inner = re.sub(r"^defaultdict\(<class '\w+'>, (.*)\)$", r"\1", text.strip(), flags=re.DOTALL)
    try:
        value = ast.literal_eval(inner)
        values = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        values = None
    if values is None:
        return {"names": None, "values": None}
    names = [str(k) for k in value] if isinstance(value, dict) else None
    return {"names": names, "values": [_cell(v) for v in values]}


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    return "|".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _recode(frame: pl.LazyFrame, s: steps.Recode) -> pl.LazyFrame:
    there = text_in(frame, [s.column])
    _new(there, s.into)
    cell = pl.col(s.column)
    known, out = _renamed(cell, s) if s.separators is None else _renamed_parts(cell, s, s.separators)
    out = out.alias(s.into or s.column)
    if s.other != "error":
        return frame.with_columns(out)
    expected = f"' of {s.column}; expected one of {some(list(s.levels))}"
    return frame.with_columns(out, _fault(~known, "unknown level '", _shown(s.column), expected))


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


def _bin(frame: pl.LazyFrame, s: steps.Bin) -> pl.LazyFrame:
    there = text_in(frame, [s.column])
    _new(there, s.into)
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
    return frame.with_columns(out, _fault(bad, f"{s.column} '", _shown(s.column), f"' {expected}"))


def _one_hot(frame: pl.LazyFrame, s: steps.OneHot) -> pl.LazyFrame:
    _new(text_in(frame, list(s.columns)), s.into)
    for c in s.columns:
        strange = ~pl.col(c).is_in((*TRUE, *FALSE))
        frame = frame.with_columns(_fault(strange, f"{c} '", _shown(c), "' is neither true nor false"))
    parts = [pl.when(pl.col(c).is_in(TRUE)).then(pl.lit(level)) for c, level in s.columns.items()]
    return frame.with_columns(_joined(parts, "|").alias(s.into))


def _pairs(frame: pl.LazyFrame, s: steps.Pairs) -> pl.LazyFrame:
    new = {"first": s.first, "second": s.second, "preferred": s.preferred}
    _new(text_in(frame, [s.chosen, *s.columns.values()]), *new.values())
    chosen, texts = pl.col(s.chosen), pl.struct(pl.col(c).alias(cell) for cell, c in s.columns.items())
    kind = pl.List(pl.Struct(dict.fromkeys(new, pl.String)))
    pairs = pl.struct(chosen.alias("chosen"), texts.alias("texts")).map_elements(_against_others, return_dtype=kind)
    strange = ~chosen.is_in(list(s.columns)).fill_null(value=True)
    expected = f"' of {s.chosen}; expected one of {some(list(s.columns))}"
    frame = frame.with_columns(_fault(strange, "unknown choice '", _shown(s.chosen), expected), _pair=pairs)
    frame = left_out(frame, ~strange & pl.col("_pair").is_null(), s.rule)
    parts = [pl.col("_pair").struct.field(part).alias(c) for part, c in new.items()]
    return frame.explode("_pair").with_columns(parts).drop("_pair")


def _against_others(row: dict[str, Any]) -> list[dict[str, str]] | None:
    """Return the pairs of the chosen text and each different one, ordered by their hashes; None if there is none."""
    best = row["texts"].get(row["chosen"])
    out = []
    for other in dict.fromkeys(t for t in row["texts"].values() if best and t and t != best):
        first, second = sorted((best, other), key=lambda t: hashlib.sha256(t.encode()).digest())
        out.append({"first": first, "second": second, "preferred": "first" if first == best else "second"})
    return out or None


def _concat(frame: pl.LazyFrame, s: steps.Concat) -> pl.LazyFrame:
    _new(text_in(frame, s.columns), s.into)
    return frame.with_columns(_joined([pl.col(c) for c in s.columns], s.separator).alias(s.into))


def _joined(parts: Sequence[pl.Expr], separator: str) -> pl.Expr:
    return filled(pl.concat_str(parts, separator=separator, ignore_nulls=True))


def _digest(frame: pl.LazyFrame, s: steps.Digest) -> pl.LazyFrame:
    _new(text_in(frame, s.columns), s.into)
    text = pl.concat_str([pl.col(c).fill_null("") for c in s.columns], separator="\x1f")
    short = text.map_elements(lambda t: hashlib.sha256(t.encode()).hexdigest()[:16], return_dtype=pl.String)
    return frame.with_columns(short.alias(s.into))


def _drop(frame: pl.LazyFrame, s: steps.Drop) -> pl.LazyFrame:
    text_in(frame, list(s.where))
    return left_out(frame, holds(s.where), s.rule)


def _keep(frame: pl.LazyFrame, s: steps.Drop) -> pl.LazyFrame:
    text_in(frame, list(s.where))
    return left_out(frame, ~holds(s.where), s.rule)


def left_out(frame: pl.LazyFrame, when: pl.Expr, rule: str) -> pl.LazyFrame:
    """Mark rows that a rule leaves out; the first rule counts, and a fault that was there before it stands."""
    sound = pl.col(FAULT).is_null()
    return frame.with_columns(pl.coalesce(RULE, pl.when(when & sound).then(pl.lit(rule))).alias(RULE))


def _once(frame: pl.LazyFrame, s: steps.Once) -> pl.LazyFrame:
    need(frame, s.columns)
    return left_out(frame, ~pl.struct(RULE, *s.columns).is_first_distinct(), s.rule)


def _fill(frame: pl.LazyFrame, s: steps.Fill) -> pl.LazyFrame:
    _new(need(frame, []), s.into)
    return frame.with_columns(pl.lit(str(s.value)).alias(s.into))


def _join(frame: pl.LazyFrame, s: steps.Join, other: pl.LazyFrame) -> pl.LazyFrame:
    try:
        need(other, [*s.by, *s.columns])
    except PluralError as e:
        raise PluralError(f"table {s.table!r}: {e}") from e
    _new(text_in(frame, s.by), *s.columns)
    rows = other.filter(pl.col(RULE).is_null()).select(*s.by, *s.columns, _wrong=pl.col(FAULT)).unique()
    once = rows.group_by(s.by).agg(pl.col(s.columns).first(), pl.col("_wrong").drop_nulls().first(), _n=pl.len())
    frame = frame.join(once, on=s.by, how="left", maintain_order="left")
    frame = frame.with_columns(_fault(pl.col("_wrong").is_not_null(), f"table {s.table}: ", pl.col("_wrong")))
    keys = [part for c in s.by for part in (f"; {c}: ", _shown(c))]
    several = _fault(pl.col("_n") > 1, f"several different rows of table {s.table} fit", *keys)
    return frame.with_columns(several).drop("_wrong", "_n")


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
    texts = [_text(c, t) for c, t in schema.items() if c not in MARKS]
    return frame.with_columns(t for t in texts if t is not None)


def _text(column: str, kind: pl.DataType) -> pl.Expr | None:
    if isinstance(kind, pl.List | pl.Array):
        inner = kind.inner
        if isinstance(inner, pl.Struct | pl.List | pl.Array):
            return None
        cells = pl.col(column).cast(pl.List(inner))
        return (cells.list.eval(pl.element().fill_nan(None)) if inner.is_float() else cells).cast(pl.List(pl.String))
    if kind in (pl.Binary, pl.Object):
        return None
    cell = pl.col(column).fill_nan(None) if kind.is_float() else pl.col(column)
    return filled(cell.cast(pl.String).str.strip_chars()).alias(column)


DO: dict[str, Callable[[pl.LazyFrame, Any], pl.LazyFrame]] = {
    "split": _split,
    "explode": _explode,
    "unpivot": _unpivot,
    "literal": _literal,
    "recode": _recode,
    "bin": _bin,
    "one_hot": _one_hot,
    "pairs": _pairs,
    "concat": _concat,
    "digest": _digest,
    "drop": _drop,
    "keep": _keep,
    "once": _once,
    "fill": _fill,
}
