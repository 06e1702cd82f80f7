"""Lines of data files: which kind a file is of, and where a row of it stands."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

#: First bytes of a gzipped file, whatever its name.
GZIP = b"\x1f\x8b"
#: Kinds of file by ending; any other is CSV.
KINDS = {".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
#: Bits of a row number; above them the number of the file.
FILE_BITS = 40


def kind_of(path: Path) -> str:
    """Return csv, tsv, json, jsonl or parquet."""
    return KINDS.get(Path(path.name.lower().removesuffix(".gz")).suffix, "csv")


def plain(path: Path) -> bytes:
    """Return a file's bytes, unpacked."""
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == GZIP else raw


def place(paths: Sequence[Path], row: int) -> str:
    """Return ``file:line`` of a row of the files that were stacked."""
    return locate(paths[row >> FILE_BITS], row & ((1 << FILE_BITS) - 1))


def locate(path: Path, row: int) -> str:
    """Return ``file:line`` of a 0-based data row; cells may hold line breaks, so CSV records are counted."""
    kind, line = kind_of(path), 1
    if kind in ("parquet", "json"):
        return f"{path}: row {row + 1}"
    for n, (line, _) in enumerate(_records(path)):
        if n == row + (kind != "jsonl"):
            return f"{path}:{line}"
    return f"{path}:{line + 1}"


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the records of a CSV (the first is the header) or JSON lines file and the line each begins on."""
    kind = kind_of(path)
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
    end = "\n" if kind_of(path) == "jsonl" else ""
    opened: IO[str] = (gzip.open if zipped else open)(path, "rt", encoding="utf-8-sig", errors="replace", newline=end)
    return opened


def broken_line(path: Path) -> int | None:
    """Return the line of the first byte that is not UTF-8, JSON record that is no object, or CSV record too long."""
    with suppress(OSError, EOFError, zlib.error):
        for n, raw in enumerate(plain(path).split(b"\n"), 1):
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
