"""Reading data files of any kind as one: cells as text, in a stream where the kind allows it.

What polars does not read as it is meant (JSON, cells with quotes of two kinds) is read by Python's own readers.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from lm_plural.harness.data.files.frames import FAULT, MARKS, ROW, RULE, SHOWN, text_in, unnested
from lm_plural.harness.data.files.jsontext import BLANK, decoded, frame_of
from lm_plural.harness.data.files.lines import (
    FILE_BITS,
    broken_line,
    kind_of,
    lines,
    opened,
    place,
    plain,
    records,
    separator_of,
    unreadable,
)
from lm_plural.harness.data.files.wellformed import Quotes, quotes_of
from lm_plural.harness.errors import PluralError, at
from lm_plural.harness.files import is_file

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


#: First bytes of what people take for CSV.
NO_TEXT = {b"PK": "a zip archive or spreadsheet", b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text"}


def scan(
    path: Path, records: str | None = None, key: str | list[str] | None = None, entries: Sequence[str] = ()
) -> pl.LazyFrame:
    """Return a file's rows: scalars as text, an empty one as null, nested records as columns with dotted names.

    Parameters
    ----------
    path : Path
        CSV or TSV (also .gz), JSON, JSON lines or Parquet, told by its ending.
    records : str, optional
        Of a JSON file: dotted path to the list or mapping of records, ``.`` for the whole file.
    key : str or list of str, optional
        Column for the keys of a mapping of records; several for mappings inside mappings, whose values at the bottom
        are then the rows, in a column ``value``.
    entries : sequence of str
        Fields of a JSON record that map names to values: each becomes two parallel lists, ``<field>.keys`` and
        ``<field>.values``, instead of one column per name.

    Raises
    ------
    PluralError
        If it is not there or not of its kind.
    """
    with reading(path):
        if not is_file(path):
            raise FileNotFoundError(_what_else(path))
        str(path).encode()  # polars takes no other names
        _LOOKED_AT[path] = _state(path)
        frame = records_frame(path, records, key, entries) if kind_of(path) == "json" else _scan(path)
        there = frame.collect_schema().names()
        frame = frame.drop(c for c in MARKS if c in there)  # see need()
        empty = pl.lit(None, pl.String)
        return unnested(frame.with_row_index(ROW).with_columns(empty.alias(RULE), empty.alias(FAULT)))


def read_columns(path: Path, columns: list[str], optional: Sequence[str] = ()) -> pl.DataFrame:
    """Read columns of a file as text, empty cells as null, plus ``row``; rows that are empty there are left out.

    Those of `optional` are read if they are there.

    Raises
    ------
    PluralError
        If the file is not of its kind, is empty, or lacks a column.
    """
    with reading(path):
        frame = scan(path)
        there = frame.collect_schema()
        wanted = [*columns, *(c for c in optional if c in there)]
        return chosen(frame, wanted).select(ROW, *dict.fromkeys(wanted)).collect()


def chosen(frame: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Return the rows in which some columns are not all empty; each must be there and hold text or numbers."""
    text_in(frame, columns)
    return frame.filter(~pl.all_horizontal(pl.col(c).is_null() for c in dict.fromkeys(columns)))


def columns_of(path: Path) -> list[str]:
    """Return the names of a file's columns."""
    return [c for c in scan(path).collect_schema().names() if c not in MARKS]


#: Reads a Parquet file, and prints the first line of what is wrong with it.
TRY = """
import sys, polars
try:
    polars.scan_parquet(sys.argv[1], glob=False).sink_batches(lambda _: None)  # collect_batches ends at an error
except Exception as e:
    print(*str(e).splitlines()[:1])
    sys.exit(1)
except BaseException:  # a panic
    sys.exit(1)
"""
#: Files as they were when they were last looked at: see `_state`.
_LOOKED_AT: dict[Path, tuple[int, ...]] = {}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong in reading a file into one line that names it, with the line where it can be known."""
    try:
        yield
        if path in _LOOKED_AT and _LOOKED_AT[path] != _state(path):
            raise PluralError(f"{path}: was changed while it was read; the same command reads it again")
    except PluralError as e:
        placed = str(e).startswith(f"{path}:") or is_file(Path(str(e).split(":", 1)[0]))
        raise (e if placed else type(e)(at(path, 1, str(e)))) from e
    except pl.exceptions.PanicException as e:  # no Exception
        raise PluralError(f"{path}: cannot read: it is damaged ({str(e).splitlines()[0][:SHOWN]})") from e
    except (pl.exceptions.PolarsError, OSError, ValueError, EOFError, RecursionError, zlib.error) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        line = broken_line(path) if is_file(path) and kind_of(path) in ("csv", "tsv") else None
        raise PluralError(at(path, line, f"cannot read: {reason}")) from e


def _what_else(path: Path) -> str:
    """Return what a path is that is no file."""
    if os.path.lexists(path) and (path.is_dir() or not path.is_symlink()):
        return f"{'a folder' if path.is_dir() else 'a pipe or device'}; expected a file"
    return "No such file"


def _state(path: Path) -> tuple[int, ...]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


@lru_cache(maxsize=64)
def _quotes(path: Path, _: tuple[int, ...]) -> Quotes:
    """Return what quotes are in a file that is in this state; it is looked at once."""
    return quotes_of(path)


def _scan(path: Path) -> pl.LazyFrame:
    kind = kind_of(path)
    if kind == "parquet":
        _try_parquet(path, _state(path))
        return pl.scan_parquet(path, glob=False)
    if kind == "jsonl":
        return lines_frame(path)
    with opened(path) as f:
        if wrong := NO_TEXT.get(f.read(2)):
            raise ValueError(f"it is {wrong}; expected UTF-8 text")
    if (quotes := _quotes(path, _state(path))) == "both":
        return cells_frame(path)
    enclosing = '"' if quotes == "enclose" else None
    return pl.scan_csv(path, infer_schema=False, separator=separator_of(path), quote_char=enclosing, glob=False)


@lru_cache(maxsize=64)
def _try_parquet(path: Path, _: tuple[int, ...]) -> None:
    """Read a Parquet file that is in this state in a process of its own, which polars may abort if it is damaged."""
    words = [sys.executable, "-P", "-c", TRY, str(path)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise ValueError(done.stdout.decode(errors="replace").strip() or "it is damaged")


def stacked(frames: Sequence[pl.LazyFrame], optional: Sequence[str] = ()) -> pl.LazyFrame:
    """Return frames one below the other, each row still knowing its file (see :func:`place`).

    A column that only some of them have is left out, so that one which was renamed is missed, unless it is `optional`.
    """
    if len(frames) == 1:
        return frames[0]
    numbered = [f.with_columns(pl.col(ROW).cast(pl.UInt64) + (k << FILE_BITS)) for k, f in enumerate(frames)]
    names = [f.collect_schema().names() for f in frames]
    kept = [c for c in dict.fromkeys(c for some in names for c in some) if c in optional or all(c in n for n in names)]
    return pl.concat(
        [f.select(c for c in kept if c in n) for f, n in zip(numbered, names, strict=True)], how="diagonal"
    )


def stop_at(rows: pl.DataFrame, bad: pl.Expr, message: pl.Expr, paths: Sequence[Path]) -> None:
    """Raise PluralError with `message`, at its line, for the first row where `bad` holds."""
    for row, text in rows.filter(bad).head(1).select(ROW, text=message).iter_rows():
        raise PluralError(f"{place(paths, row)}: {text}")
