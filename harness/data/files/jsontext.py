"""Records of JSON as frames of text: every number as it is written there, so that no two ids become one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import NoneType
from typing import Any

import polars as pl

from lm_plural.harness.errors import PluralError

#: Records made into a frame at once.
BATCH = 50_000
#: Lists and records that may lie in each other.
DEEPEST = 32
WORDS: dict[type, str] = {str: "text", list: "a list", dict: "a record"}

#: A record, and what an error calls its place.
Placed = tuple[str, dict[str, Any]]
#: None (nothing), "text", a list with the kind of its members, or a record with those of its fields.
Kind = Any


#: White space of JSON (RFC 8259, section 2); a line separator of Unicode is none.
BLANK = " \t\r\n"


def decoded(text: str) -> Any:
    """Return JSON, without spaces behind it, whose numbers are the text they are written as, and NaN null.

    Raises
    ------
    JSONDecodeError, ValueError
        If it is no JSON, or a record has two fields of one name.
    """
    value, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(BLANK)))
    if end != len(text):
        raise json.JSONDecodeError("A second value; expected one", text, end)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"two fields {next(n for n in names if names.count(n) > 1)!r} in a record; expected one")
    return record


_DECODER = json.JSONDecoder(
    parse_int=str,
    parse_float=str,
    parse_constant=lambda name: None if name == "NaN" else name,
    object_pairs_hook=_once,
)


def frame_of(records: Iterable[Placed], lists: Sequence[str] = ()) -> pl.LazyFrame:
    """Return records as a frame: fields of records inside records are columns with dotted names.

    Parameters
    ----------
    records : iterable
        Each with its place.
    lists : sequence of str
        Columns of lists of text, also where nothing in them says so.

    Raises
    ------
    PluralError
        If a column holds things of different kinds (text, lists, records) or too deep in each other, or two have one
        name.
    """
    rows, columns = iter(records), _Columns({name: [None] for name in lists})
    frames = [columns.batch(batch) for batch in iter(lambda: list(islice(rows, BATCH)), [])]
    kinds = {c: columns.kinds[c] for c in dict.fromkeys([*columns.paths, *lists])}
    schema = {c: _type(kind) for c, kind in kinds.items() if not isinstance(kind, dict)}
    if not schema:
        return pl.DataFrame(height=sum(map(len, frames))).lazy()
    return pl.concat([pl.DataFrame(schema=schema), *(_fitted(f, schema) for f in frames)]).lazy()


def _fitted(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return a batch with the columns of all; one without anything in it may have been taken for text."""
    there = [c for c in frame.columns if frame[c].null_count() < len(frame)]
    cells = [pl.col(c).cast(t) if c in there else pl.lit(None, t).alias(c) for c, t in schema.items()]
    return frame.with_columns(cells).select(*schema)


@dataclass
class _Columns:
    """What each column held so far (a record has no fields here, they are columns), and which field it is of which."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def batch(self, records: Sequence[Placed]) -> pl.DataFrame:
        """Return a frame of some records."""
        places, rows = zip(*records, strict=True)
        columns: dict[str, pl.Series] = {}
        self._add((), rows, places, columns)
        return pl.DataFrame(columns) if columns else pl.DataFrame(height=len(rows))

    def _add(
        self, path: tuple[str, ...], rows: Sequence[Any], places: Sequence[str], columns: dict[str, pl.Series]
    ) -> None:
        """Add a column for each field of the records."""
        fields: dict[str, Any] = {}
        for row in rows:
            fields.update(row or {})
        for name in fields:
            here = (*path, name)
            column, values = ".".join(here), [row.get(name) if row else None for row in rows]
            if self.paths.setdefault(column, here) != here:
                first = next(place for place, row in zip(places, rows, strict=True) if row and name in row)
                raise PluralError(f"{first}: column {column!r} stands twice; expected once")
            types = set(map(type, values))
            there = ((p, v) for p, v in zip(places, values, strict=True) if v is not None)
            looked_at = there if types & {list, dict} else islice(there, 1)  # the others are text, too
            if isinstance(kind := self._kind(column, looked_at, len(here)), dict):
                self._add(here, values, places, columns)
                continue
            try:
                texts = values if types <= {str, NoneType} else [_as_text(v) for v in values]
                columns[column] = pl.Series(column, texts, _type(kind))
            except UnicodeEncodeError as e:
                # if none of the values, it is the name
                place = next((p for p, v in zip(places, values, strict=True) if _broken(v)), places[0])
                raise PluralError(f"{place}: column {column[:60]!r} holds half a character; expected text") from e

    def _kind(self, column: str, values: Iterable[tuple[str, Any]], depth: int) -> Kind:
        """Return what a column holds, now that it holds these values, too; each comes with its place."""
        kind = self.kinds.get(column)
        for place, value in values:
            try:
                kind = _both(kind, _kind_of(value, depth, top=True))
            except ValueError as e:
                raise PluralError(f"{place}: column {column[:60]!r} holds {e}") from e
        self.kinds[column] = kind
        return kind


def _broken(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _kind_of(value: Any, depth: int, *, top: bool = False) -> Kind:
    """Return the kind of a value; at the top, the fields of a record are left to their columns."""
    if depth > DEEPEST:
        raise ValueError(f"records and lists that lie {depth} deep in each other; expected at most {DEEPEST}")
    if isinstance(value, dict):
        return {} if top else {name: _kind_of(v, depth + 1) for name, v in value.items()}
    if isinstance(value, list):
        inner = None
        for v in value:
            inner = _both(inner, _kind_of(v, depth + 1))
        return [inner]
    return None if value is None else "text"


def _both(a: Kind, b: Kind) -> Kind:
    """Return the kind of things of either kind."""
    if a is None or b is None:
        return b if a is None else a
    if type(a) is not type(b):
        raise ValueError(f"{WORDS[type(b)]} here and {WORDS[type(a)]} before; expected one or the other")
    if isinstance(a, list):
        return [_both(a[0], b[0])]
    if isinstance(a, dict):
        return a | {name: _both(a.get(name), kind) for name, kind in b.items()}
    return a


def _type(kind: Kind) -> pl.DataType:
    if isinstance(kind, list):
        return pl.List(_type(kind[0]))
    if isinstance(kind, dict):
        return pl.Struct({name: _type(k) for name, k in kind.items()})
    return pl.String()


def _as_text(value: Any) -> Any:
    """Return a value with truths as text, as its numbers are."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return [_as_text(v) for v in value]
    return {k: _as_text(v) for k, v in value.items()} if isinstance(value, dict) else value
