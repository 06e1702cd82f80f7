"""Lines of data files: which kind a file is of, and where a row of it stands."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import dropwhile
from pathlib import Path
from typing import IO, cast

from lm_plural.harness.errors import PluralError, at

#: First bytes of a gzipped file, whatever its name, and of a text that says it is UTF-8.
GZIP, BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
#: Kinds of file by ending; any other is CSV.
KINDS = {".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
#: Bits of a row number; above them the number of the file.
FILE_BITS = 40
#: Bytes of a JSON file, and of a line of JSON lines, unpacked: both are held in memory.
MOST, MOST_LINE = 4 * 2**30, 2**28
#: Bytes of a JSON file that are read at once.
PART = 2**24


def kind_of(path: Path) -> str:
    """Return csv, tsv, json, jsonl or parquet."""
    return KINDS.get(Path(path.name.lower().removesuffix(".gz")).suffix, "csv")


def separator_of(path: Path) -> str:
    """Return what stands between the cells of a CSV or TSV file."""
    return "\t" if kind_of(path) == "tsv" else ","


def opened(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked if it is gzipped."""
    with path.open("rb") as f:
        zipped = f.read(2) == GZIP
    return cast(IO[bytes], gzip.open(path)) if zipped else path.open("rb")


def plain(path: Path) -> bytes:
    """Return a file's bytes, unpacked.

    Raises
    ------
    ValueError
        If they are more than `MOST`.
    """
    content = io.BytesIO()
    with opened(path) as f:
        while part := f.read(
            PART
        ):  # never the whole at once: that much memory would be asked for, however short the file
            if content.write(part) and content.tell() > MOST:
                raise ValueError(f"more than {MOST} bytes of JSON; expected at most that, or JSON lines")
    return content.getvalue()


def unreadable(path: Path, line: int, why: object) -> PluralError:
    """Return the error of a file that cannot be read from a line on."""
    return PluralError(at(path, line, f"cannot read: {why}"))


def place(paths: Sequence[Path], row: int) -> str:
    """Return ``file:line`` of a row of the files that were stacked."""
    return locate(paths[row >> FILE_BITS], row & ((1 << FILE_BITS) - 1))


def locate(path: Path, row: int) -> str:
    """Return ``file:line`` of a 0-based data row; cells may hold line breaks, so CSV records are counted."""
    kind, line = kind_of(path), 1
    if kind in ("parquet", "json"):
        return f"{path}: row {row + 1}"
    rows = (n for n, _ in lines(path)) if kind == "jsonl" else (n for n, _ in records(path))
    for n, line in enumerate(rows):
        if n == row + (kind != "jsonl"):
            return f"{path}:{line}"
    return f"{path}:{line + 1}"


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, and their numbers.

    Raises
    ------
    PluralError
        If one has more than `MOST_LINE` bytes.
    """
    with opened(path) as f:
        n = 0
        while line := f.readline(MOST_LINE + 1):
            n += 1
            if len(line) > MOST_LINE:
                raise unreadable(path, n, f"a line of more than {MOST_LINE} bytes; expected one record in it")
            if line := (line.removeprefix(BOM) if n == 1 else line).strip():
                yield n, line


def records(path: Path, errors: str = "replace") -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a CSV or TSV file, the header first, and the line each begins on.

    Raises
    ------
    PluralError
        If one does not end.
    """
    limit = csv.field_size_limit(2**31 - 1)
    start = 1
    try:
        with io.TextIOWrapper(opened(path), encoding="utf-8-sig", errors=errors, newline="\n") as text:
            reader = csv.reader(text, delimiter=separator_of(path), strict=True)
            for record in dropwhile(lambda r: not r, reader):  # empty lines above the header
                yield start, record
                start = reader.line_num + 1
    except csv.Error as e:
        raise unreadable(path, start, f"cells that cannot be told apart: {e}") from e
    finally:
        csv.field_size_limit(limit)


def broken_line(path: Path) -> int | None:
    """Return the line of the first byte that is not UTF-8."""
    with suppress(OSError, EOFError, zlib.error, PluralError):
        for n, line in lines(path):
            try:
                line.decode()
            except UnicodeDecodeError:
                return n
    return None
