"""Reading data files of any kind as one: cells as text, in a stream where the kind allows it."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import polars as pl

from lm_plural.harness.errors import PluralError, at
from lm_plural.harness.files import is_file
from lm_plural.harness.task.frames import FAULT, MARKS, ROW, RULE, text_in, unnested

#: First bytes of a gzipped file, whatever its name.
GZIP = b"\x1f\x8b"
#: First bytes of what people take for CSV.
NO_TEXT = {b"PK": "a zip archive or spreadsheet", b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text"}
BOM = b"\xef\xbb\xbf"
#: Kinds of file by ending; any other is CSV.
KINDS = {".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
#: Bits of a row number; above them the number of the file.
FILE_BITS = 40


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
            raise FileNotFoundError("a folder; expected a file" if path.is_dir() else "No such file")
        frame = _records_frame(path, records, key, entries) if _kind(path) == "json" else _scan(path)
        there = frame.collect_schema().names()
        frame = frame.drop(c for c in MARKS if c in there)  # see need()
        empty = pl.lit(None, pl.String)
        return unnested(frame.with_row_index(ROW).with_columns(empty.alias(RULE), empty.alias(FAULT)))


def read_columns(path: Path, columns: list[str]) -> pl.DataFrame:
    """Read columns of a file as text, empty cells as null, plus ``row``; rows that are empty there are left out.

    Raises
    ------
    PluralError
        If the file is not of its kind, is empty, or lacks a column.
    """
    with reading(path):
        return chosen(scan(path), columns).select(ROW, *dict.fromkeys(columns)).collect()


def chosen(frame: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Return the rows in which some columns are not all empty; each must be there and hold text or numbers."""
    text_in(frame, columns)
    return frame.filter(~pl.all_horizontal(pl.col(c).is_null() for c in dict.fromkeys(columns)))


def columns_of(path: Path) -> list[str]:
    """Return the names of a file's columns."""
    return [c for c in scan(path).collect_schema().names() if c not in MARKS]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong in reading a file into one line that names it, with the line where it can be known."""
    try:
        yield
    except PluralError as e:
        placed = str(e).startswith(f"{path}:") or is_file(Path(str(e).split(":", 1)[0]))
        raise (e if placed else type(e)(at(path, 1, str(e)))) from e
    except (pl.exceptions.PolarsError, OSError, ValueError, EOFError, RecursionError, zlib.error) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        line = _broken_line(path) if is_file(path) and _kind(path) not in ("parquet", "json") else None
        raise PluralError(at(path, line, f"cannot read: {reason}")) from e


def _kind(path: Path) -> str:
    return KINDS.get(Path(path.name.lower().removesuffix(".gz")).suffix, "csv")


def _scan(path: Path) -> pl.LazyFrame:
    kind = _kind(path)
    if kind == "parquet":
        return pl.scan_parquet(path, glob=False)
    if kind == "jsonl":
        return _scan_lines(_plain(path).removeprefix(BOM))
    with path.open("rb") as f:
        head = f.read(1024)
    if wrong := NO_TEXT.get(head[:2], "no text" if b"\0" in head and head[:2] != GZIP else None):
        raise ValueError(f"it is {wrong}; expected UTF-8 text")
    separator = "\t" if kind == "tsv" else ","
    if path.suffix.lower() != ".gz":
        return pl.scan_csv(path, infer_schema=False, separator=separator, glob=False)
    return pl.read_csv(_plain(path), infer_schema=False, separator=separator).lazy()


def _scan_lines(text: bytes) -> pl.LazyFrame:
    """Read JSON lines; what polars refuses, Python may read (NaN, cells of mixed kinds)."""
    try:
        return pl.read_ndjson(text, infer_schema_length=None).lazy()
    except pl.exceptions.PolarsError:
        lines = (json.dumps(_as_text(json.loads(line))) for line in text.decode().split("\n") if line.strip())
        return pl.read_ndjson("\n".join(lines).encode(), infer_schema_length=None).lazy()


def _plain(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == GZIP else raw


def _records_frame(path: Path, where: str | None, key: str | list[str] | None, entries: Sequence[str]) -> pl.LazyFrame:
    """Read a JSON file's records; whatever is no list or mapping in them becomes text."""
    value = json.loads(_plain(path))
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


def place(paths: Sequence[Path], row: int) -> str:
    """Return ``file:line`` of a row of the files that were stacked."""
    return locate(paths[row >> FILE_BITS], row & ((1 << FILE_BITS) - 1))


def locate(path: Path, row: int) -> str:
    """Return ``file:line`` of a 0-based data row; cells may hold line breaks, so CSV records are counted."""
    kind, line = _kind(path), 1
    if kind in ("parquet", "json"):
        return f"{path}: row {row + 1}"
    for n, (line, _) in enumerate(_records(path)):
        if n == row + (kind != "jsonl"):
            return f"{path}:{line}"
    return f"{path}:{line + 1}"


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the records of a CSV (the first is the header) or JSON lines file and the line each begins on."""
    kind = _kind(path)
    with _text(path) as text:
        if kind == "jsonl":
            yield from ((n, line) for n, line in enumerate(text, 1) if line.strip())
            return
        limit = csv.field_size_limit(2**31 - 1)
        try:
            start, reader = 1, csv.reader(text, delimiter="\t" if kind == "tsv" else ",")
            for record in reader:
                yield start, record
                start = reader.line_num + 1
        finally:
            csv.field_size_limit(limit)


def _text(path: Path) -> IO[str]:
    """Open a file of lines, gzipped or not."""
    with path.open("rb") as f:
        zipped = f.read(2) == GZIP
    end = "\n" if _kind(path) == "jsonl" else ""
    opened: IO[str] = (gzip.open if zipped else open)(path, "rt", encoding="utf-8-sig", errors="replace", newline=end)
    return opened


def _broken_line(path: Path) -> int | None:
    """Return the line of the first byte that is not UTF-8, JSON record that is no object, or CSV record too long."""
    with suppress(OSError, EOFError, zlib.error):
        for n, raw in enumerate(_plain(path).split(b"\n"), 1):
            try:
                raw.decode()
            except UnicodeDecodeError:
                return n
        first: int | None = None
        for line, record in _records(path):
            if isinstance(record, str):
                try:
                    if not isinstance(json.loads(record), dict):
                        return line
                except (ValueError, RecursionError):
                    return line
            elif len(record) > (first := first or len(record)):
                return line
    return None
