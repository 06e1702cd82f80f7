"""Records of files that polars does not read as they are meant: JSON, and cells with quotes of two kinds."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lm_plural.harness.errors import PluralError
from lm_plural.harness.task.frames import SHOWN
from lm_plural.harness.task.jsontext import BLANK, decoded, frame_of
from lm_plural.harness.task.lines import lines, plain, records, unreadable

#: Rows made into a frame at once.
BATCH = 50_000


def cells_frame(path: Path) -> pl.LazyFrame:
    """Read a CSV or TSV file by Python's reader, for what polars reads otherwise; the file is whole."""
    rows = (row for _, row in records(path, "strict"))
    out = io.StringIO(newline="")
    csv.writer(out).writerow(next(rows))
    names = pl.read_csv(out.getvalue().encode(), infer_schema=False).columns  # unique ones
    schema = dict.fromkeys(names, pl.String)
    filled = (row or [""] * len(names) for row in rows)
    batches = iter(lambda: list(itertools.islice(filled, BATCH)), [])
    frames = [pl.DataFrame(batch, schema=schema, orient="row") for batch in batches]
    return pl.concat([pl.DataFrame(schema=schema), *frames]).lazy()


def lines_frame(path: Path) -> pl.LazyFrame:
    """Read JSON lines, a record each."""
    return frame_of(_objects(path))


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    n, name = 0, str(path)
    for n, line in lines(path):
        try:
            record = decoded(line.decode())
            if not isinstance(record, dict):
                raise ValueError(f"{line[:SHOWN].decode(errors='replace')}: expected a record, {{...}}")
        except json.JSONDecodeError as e:
            raise unreadable(path, n, f"{e.msg}, at character {e.pos + 1}") from e
        except (ValueError, RecursionError) as e:
            raise unreadable(path, n, e) from e
        yield f"{name}:{n}", record
    if not n:
        raise ValueError("no record in it; expected one a line")


def records_frame(path: Path, where: str | None, key: str | list[str] | None, entries: Sequence[str]) -> pl.LazyFrame:
    """Read a JSON file's records; whatever is no list or mapping in them becomes text."""
    try:
        value = decoded(plain(path).decode("utf-8-sig").rstrip(BLANK))
    except json.JSONDecodeError as e:
        raise unreadable(path, e.lineno, f"{e.msg}, at character {e.colno}") from e
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
    placed = ((f"{path}: row {n}", row) for n, row in enumerate(rows, 1))
    lists = [f"{name}.{part}" for name in entries for part in ("keys", "values")]
    return frame_of(((place, _paired(row, entries, place)) for place, row in placed), lists)


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
