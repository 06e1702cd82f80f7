"""Finding a recipe's files, checking their bytes and reading them as text columns."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from lm_plural.harness.errors import PluralError, at, did_you_mean
from lm_plural.harness.files import is_file, sha256_file
from lm_plural.harness.task.recipe import DataFile, Recipe

#: First bytes of a gzipped file, whatever its name.
GZIP = b"\x1f\x8b"
MIRROR = "LM_PLURAL_DATA_MIRROR"


class MissingFileError(PluralError):
    """A data file that is not at hand."""


def find_file(recipe: Recipe, name: str, folder: Path) -> Path:
    """Return the path of a recipe's file, its checksum verified.

    It is looked for beside the recipe, then in ``$LM_PLURAL_DATA_MIRROR/<dataset>/``.

    Raises
    ------
    PluralError
        If it is nowhere, or its bytes are not the ones the recipe was written for.
    """
    spec: DataFile = recipe.files[name]
    places = [folder / spec.path]
    if mirror := os.environ.get(MIRROR):
        places += [Path(mirror) / recipe.dataset / spec.path, Path(mirror) / spec.path]
    for path in places:
        if is_file(path):
            return _checked(path, spec)
    source = f" (published at {spec.url})" if spec.url else ""
    looked = ", ".join(map(str, places))
    raise MissingFileError(
        f"data set {recipe.dataset!r}: no file {spec.path}{source}; looked for {looked}; set {MIRROR}"
    )


def _checked(path: Path, spec: DataFile) -> Path:
    try:
        found = sha256_file(path)
    except OSError as e:
        raise PluralError(f"{path}: cannot read: {e.strerror}") from e
    if found != spec.sha256:
        raise PluralError(f"{path}: sha256 is {found}, expected {spec.sha256}: not the file the recipe describes")
    return path


def read_columns(path: Path, columns: list[str]) -> pl.DataFrame:
    """Read columns of a CSV (also .gz), JSON lines or Parquet file as text, empty cells as null, plus ``row``.

    Rows in which all of them are empty are left out.

    Raises
    ------
    PluralError
        If the file is not of its kind, is empty, or lacks a column.
    """
    frame = read_any(path)
    if missing := [c for c in columns if c not in frame.columns]:
        hint = did_you_mean(missing[0], frame.columns)
        raise PluralError(f"{at(path, 1, '')}no column {missing[0]!r}{hint}; there are {', '.join(frame.columns)}")
    for column in columns:
        if f"{column}_duplicated_0" in frame.columns:  # polars' name for the second of two
            raise PluralError(f"{at(path, 1, '')}column {column!r} stands twice; expected once")
        if (kind := frame.schema[column]).is_nested() or kind.is_object() or kind == pl.Binary:
            raise PluralError(f"{at(path, 1, '')}column {column!r} holds {kind}; expected text or numbers")
    text = [pl.col(c).cast(pl.String).str.strip_chars().replace("", None) for c in dict.fromkeys(columns)]
    if "row" in columns:
        raise PluralError(f"{at(path, 1, '')}column 'row' needs another name")
    return frame.select(text).with_row_index("row").filter(~pl.all_horizontal(pl.col(columns).is_null()))


def read_any(path: Path) -> pl.DataFrame:
    """Read a CSV (also .gz), TSV, JSON lines or Parquet file, told by its ending; CSV cells stay text.

    Raises
    ------
    PluralError
        If it is not there or not of its kind.
    """
    try:
        return _read(path)
    except (pl.exceptions.PolarsError, OSError) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        line = _broken_line(path) if is_file(path) and path.suffix != ".parquet" else None
        raise PluralError(at(path, line, f"cannot read: {reason}")) from e


def _read(path: Path) -> pl.DataFrame:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return pl.read_parquet(path, glob=False)
    if name.endswith((".jsonl", ".ndjson")):
        return pl.read_ndjson(path.read_bytes(), infer_schema_length=None)
    return pl.read_csv(path, infer_schema=False, separator="\t" if name.endswith(".tsv") else ",", glob=False)


def locate(path: Path, row: int) -> str:
    """Return ``file:line`` of a 0-based data row; cells may hold line breaks, so CSV records are counted."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return f"{path}: row {row + 1}"
    line = 1
    for n, (line, _) in enumerate(_records(path)):
        if n == row + name.endswith((".csv", ".tsv")):
            return at(path, line, "")[:-2]
    return f"{path}:{line + 1}"


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the records of a CSV (the first is the header) or JSON lines file and the line each begins on."""
    raw = path.read_bytes()
    name = path.name.removesuffix(".gz")
    text = (gzip.decompress(raw) if raw[:2] == GZIP else raw).decode("utf-8", errors="replace")
    if not name.endswith((".csv", ".tsv")):
        yield from ((n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip())
        return
    limit = csv.field_size_limit(2**31 - 1)
    try:
        start = 1
        reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if name.endswith(".tsv") else ",")
        for record in reader:
            yield start, record
            start = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


def _broken_line(path: Path) -> int | None:
    """Return the line of the first JSON record that is no object, or CSV record that has too many cells."""
    with suppress(OSError, EOFError, zlib.error):
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
