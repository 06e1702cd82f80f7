"""Records of JSON files as frames, all scalars as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lm_plural.harness.errors import PluralError
from lm_plural.harness.task.lines import plain


def lines_frame(text: bytes) -> pl.LazyFrame:
    """Read JSON lines; what polars refuses, Python may read (NaN, cells of mixed kinds)."""
    try:
        return pl.read_ndjson(text, infer_schema_length=None).lazy()
    except pl.exceptions.PolarsError:
        lines = (json.dumps(_as_text(json.loads(line))) for line in text.decode().split("\n") if line.strip())
        return pl.read_ndjson("\n".join(lines).encode(), infer_schema_length=None).lazy()


def records_frame(path: Path, where: str | None, key: str | list[str] | None, entries: Sequence[str]) -> pl.LazyFrame:
    """Read a JSON file's records; whatever is no list or mapping in them becomes text."""
    value = json.loads(plain(path))
    for part in (where or ".").split("."):
        if part and not (isinstance(value, dict) and part in value):
            raise PluralError(f"{path}: no {part!r} on the way to the records {where!r}")
        value = value[part] if part else value
    if isinstance(key, list):
        value, key = list(_bottom(value, key)), None
    if isinstance(value, dict):
        rows = [{**({key: str(k)} if key else {}), **v} for k, v in value.items() if isinstance(v, dict)]
        if key and any(isinstance(v, dict) and key in v for v in value.values()):
            raise PluralError(f"{path}: records have a field {key!r}; expected another name for the keys")
    else:
        rows = [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
    if not rows or len(rows) != len(value):
        raise PluralError(f"{path}: expected a list or mapping of records at {where or '.'!r}")
    texts = [_as_text(_paired(r, entries, f"{path}: row {n}")) for n, r in enumerate(rows, 1)]
    lists = {f"{name}.{part}": pl.List(pl.String) for name in entries for part in ("keys", "values")}
    return pl.from_dicts(texts, infer_schema_length=None, schema_overrides=lists).lazy()


def _bottom(value: Any, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield a row for each value at the bottom of mappings inside mappings; what ends earlier is no row."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        rows = _bottom(inner, keys[1:]) if keys[1:] else [{"value": inner}]
        yield from ({keys[0]: str(name), **row} for row in rows)


def _paired(record: dict[str, Any], entries: Sequence[str], where: str) -> dict[str, Any]:
    """Return a record whose `entries` are two parallel lists each, null where nothing is there."""
    for name in entries:
        pairs = record.get(name) or {}
        if not isinstance(pairs, dict):
            raise PluralError(f"{where}: {name} is {pairs!r:.50}; expected names with values")
        rest = {k: v for k, v in record.items() if k != name}
        record = {**rest, f"{name}.keys": list(pairs) or None, f"{name}.values": list(pairs.values()) or None}
    return record


def _as_text(value: Any) -> Any:
    """Return JSON with all scalars as text, so that a column that mixes kinds is one of text."""
    if isinstance(value, dict):
        return {k: _as_text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_text(v) for v in value]
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or value != value else str(value)
