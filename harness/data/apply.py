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

from lm_plural.harness.data import steps
from lm_plural.harness.data.files.frames import (
    FAULT,
    RULE,
    fault,
    filled,
    fresh,
    holds,
    left_out,
    need,
    shown,
    some,
    spelled,
    text_in,
    unnested,
)
from lm_plural.harness.data.steps import Step
from lm_plural.harness.errors import PluralError

#: Returns another table by name.
Tables = Callable[[str], pl.LazyFrame]

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


def split(frame: pl.LazyFrame, s: steps.Split) -> pl.LazyFrame:
    """Cells like ``0,1,1`` become lists."""
    text_in(frame, s.columns)
    part = pl.element().str.strip_chars()
    return frame.with_columns(pl.col(c).str.split(s.separator).list.eval(filled(part)) for c in s.columns)


def explode(frame: pl.LazyFrame, s: steps.Explode) -> pl.LazyFrame:
    """One row per place of a list; parallel lists go together."""
    there, schema = need(frame, s.columns), frame.collect_schema()
    for column in s.columns:
        if not isinstance(schema[column], pl.List | pl.Array):
            raise PluralError(f"column {column!r} holds no lists; expected them (see the steps split and literal)")
    lengths = [pl.col(c).list.len().fill_null(0) for c in s.columns]
    uneven = pl.any_horizontal(pl.lit(False), *(n != lengths[0] for n in lengths[1:]))
    text = pl.concat_str(
        [pl.concat_str(pl.lit(f"{c} "), n) for c, n in zip(s.columns, lengths, strict=True)], separator=", "
    )
    told = fault(uneven, "lists of different lengths: ", text)
    frame = left_out(frame, uneven, s.uneven) if s.uneven else frame.with_columns(told)
    frame = frame.with_columns(pl.when(~uneven).then(lengths[0]).alias("_n")) if s.position else frame
    frame = frame.with_columns(pl.when(~uneven).then(pl.col(c)).alias(c) for c in s.columns)
    if s.position:
        fresh(there, s.position)
        places = pl.when(pl.col("_n") > 0).then(pl.int_ranges(pl.col("_n")))
        frame = frame.with_columns(places.alias(s.position)).drop("_n")
        return unnested(frame.explode(*s.columns, s.position).with_columns(pl.col(s.position).cast(pl.String)))
    return unnested(frame.explode(s.columns))


def unpivot(frame: pl.LazyFrame, s: steps.Unpivot) -> pl.LazyFrame:
    """One row per column."""
    there = text_in(frame, s.columns)
    index = [c for c in there if c not in s.columns]
    fresh(index, s.names, s.values)
    return frame.unpivot(s.columns, index=index, variable_name=s.names, value_name=s.values)


def literal(frame: pl.LazyFrame, s: steps.Literal) -> pl.LazyFrame:
    """Text that writes out a Python list or dict becomes lists."""
    there = text_in(frame, [s.column])
    fresh([c for c in there if c != s.column], s.names, s.values)
    kind = pl.Struct({"names": pl.List(pl.String), "values": pl.List(pl.String)})
    read = pl.col(s.column).map_elements(_written_out, return_dtype=kind, skip_nulls=True)
    frame = frame.with_columns(_read=read)
    bad = pl.col(s.column).is_not_null() & pl.col("_read").struct.field("values").is_null()
    frame = frame.with_columns(fault(bad, f"{s.column} is no Python list or dict: ", shown(s.column)))
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


def pairs(frame: pl.LazyFrame, s: steps.Pairs) -> pl.LazyFrame:
    """Make one row per pair of a choice among several texts."""
    new = {"first": s.first, "second": s.second, "preferred": s.preferred}
    fresh(text_in(frame, [s.chosen, *s.columns.values()]), *new.values())
    chosen, texts = pl.col(s.chosen), pl.struct(pl.col(c).alias(cell) for cell, c in s.columns.items())
    kind = pl.List(pl.Struct(dict.fromkeys(new, pl.String)))
    pairs = pl.struct(chosen.alias("chosen"), texts.alias("texts")).map_elements(_against_others, return_dtype=kind)
    strange = ~chosen.is_in(list(s.columns)).fill_null(value=True)
    expected = f"' of {s.chosen}; expected one of {some(list(s.columns))}"
    frame = frame.with_columns(fault(strange, "unknown choice '", shown(s.chosen), expected), _pair=pairs)
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


def drop(frame: pl.LazyFrame, s: steps.Drop) -> pl.LazyFrame:
    """Rows that hold some cells are left out by a rule."""
    text_in(frame, list(s.where))
    return left_out(frame, holds(s.where), s.rule)


def keep(frame: pl.LazyFrame, s: steps.Drop) -> pl.LazyFrame:
    """All other rows are left out by a rule."""
    text_in(frame, list(s.where))
    return left_out(frame, ~holds(s.where), s.rule)


def once(frame: pl.LazyFrame, s: steps.Once) -> pl.LazyFrame:
    """Rows equal in some columns are left out but the first."""
    need(frame, s.columns)
    return left_out(frame, ~pl.struct(RULE, *s.columns).is_first_distinct(), s.rule)


def join(frame: pl.LazyFrame, s: steps.Join, other: pl.LazyFrame) -> pl.LazyFrame:
    """Columns of another table."""
    try:
        need(other, [*s.by, *s.columns])
    except PluralError as e:
        raise PluralError(f"table {s.table!r}: {e}") from e
    fresh(text_in(frame, s.by), *s.columns)
    rows = other.filter(pl.col(RULE).is_null()).select(*s.by, *s.columns, _wrong=pl.col(FAULT)).unique()
    once = rows.group_by(s.by).agg(pl.col(s.columns).first(), pl.col("_wrong").drop_nulls().first(), _n=pl.len())
    frame = frame.join(once, on=s.by, how="left", maintain_order="left")
    frame = frame.with_columns(fault(pl.col("_wrong").is_not_null(), f"table {s.table}: ", pl.col("_wrong")))
    keys = [part for c in s.by for part in (f"; {c}: ", shown(c))]
    several = fault(pl.col("_n") > 1, f"several different rows of table {s.table} fit", *keys)
    return frame.with_columns(several).drop("_wrong", "_n")


DO: dict[str, Callable[[pl.LazyFrame, Any], pl.LazyFrame]] = {
    "split": split,
    "explode": explode,
    "unpivot": unpivot,
    "literal": literal,
    "pairs": pairs,
    "drop": drop,
    "keep": keep,
    "once": once,
    "recode": recode,
    "bin": bin_,
    "one_hot": one_hot,
    "concat": concat,
    "digest": digest,
    "fill": fill,
}


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
        frame = join(frame, step.join, tables(step.join.table)) if step.join else DO[step.name](frame, step.what)
    return frame
