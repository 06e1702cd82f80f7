"""Finding a recipe's files, checking their bytes and reading them as text columns."""

from __future__ import annotations

import csv
import gzip
import io
import os
from pathlib import Path

import polars as pl

from lm_plural.harness.errors import PluralError, at
from lm_plural.harness.files import sha256_file
from lm_plural.harness.task.recipe import DataFile, Recipe

MIRROR = "LM_PLURAL_DATA_MIRROR"


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
        if path.is_file():
            return _checked(path, spec)
    source = f" (published at {spec.url})" if spec.url else ""
    looked = ", ".join(map(str, places))
    raise PluralError(f"data set {recipe.dataset!r}: no file {spec.path}{source}; looked for {looked}; set {MIRROR}")


def _checked(path: Path, spec: DataFile) -> Path:
    if (found := sha256_file(path)) != spec.sha256:
        raise PluralError(f"{path}: sha256 is {found}, expected {spec.sha256}: not the file the recipe describes")
    return path


def read_columns(path: Path, columns: list[str]) -> pl.DataFrame:
    """Read columns of a CSV (also .gz), JSON lines or Parquet file as text, empty cells as null, plus ``row``.

    Raises
    ------
    PluralError
        If the file is not of its kind, is empty, or lacks a column.
    """
    frame = read_any(path)
    if missing := [c for c in columns if c not in frame.columns]:
        raise PluralError(f"{at(path, 1, '')}no column {missing[0]!r}; there are {', '.join(frame.columns)}")
    text = [pl.col(c).cast(pl.String).str.strip_chars().replace("", None) for c in dict.fromkeys(columns)]
    return frame.select(text).with_row_index("row")


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
        raise PluralError(f"{path}: cannot read: {reason}") from e


def _read(path: Path) -> pl.DataFrame:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return pl.read_parquet(path)
    if name.endswith((".jsonl", ".ndjson")):
        return pl.read_ndjson(path, infer_schema_length=None)
    return pl.read_csv(path, infer_schema=False, separator="\t" if name.endswith(".tsv") else ",")


def locate(path: Path, row: int) -> str:
    """Return ``file:line`` of a 0-based data row; cells may hold line breaks, so CSV records are counted."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return f"{path}: row {row + 1}"
    if not name.endswith((".csv", ".tsv")):
        return f"{path}:{row + 1}"
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8", errors="replace")
    reader = csv.reader(io.StringIO(text), delimiter="\t" if name.endswith(".tsv") else ",")
    start = 1
    for n, _ in enumerate(reader):
        if n == row + 1:
            return f"{path}:{start}"
        start = reader.line_num + 1
    return f"{path}:{start}"
