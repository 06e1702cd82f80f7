"""The normalised cache: what a recipe makes of its files, as Parquet that polars maps into memory.

An entry is a folder, made beside and renamed, so that it is whole or not there; its name is the hash of the recipe,
hence of the files' checksums, so that an entry is never out of date. A cache that cannot be written costs time, not
truth.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lm_plural.harness.files import cache_dir
from lm_plural.harness.hashing import digest
from lm_plural.harness.ratings.clean import Compact
from lm_plural.harness.ratings.table import Exclusion

#: Raised when the files in an entry, or how they are made, change.
VERSION = 1


@dataclass(frozen=True)
class Cache:
    """The entries of one state of a data set.

    Parameters
    ----------
    dataset : str
    data_hash : str
    """

    dataset: str
    data_hash: str

    def folder(self, part: str = "items") -> Path:
        """Return the folder of an entry: ``items``, or a dimension."""
        name = digest([VERSION, self.data_hash, part])
        return cache_dir() / "normal" / self.dataset / name

    def items(self, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """Return the items, made if they are not there."""
        folder = self.folder()
        with suppress(OSError, pl.exceptions.PolarsError):
            return _read(folder / "items.parquet")
        found = make()
        _save(folder, {"items": found})
        return found

    def ratings(self, dimension: str, make: Callable[[], Compact]) -> Compact:
        """Return the ratings of a dimension, made if they are not there."""
        folder = self.folder(f"dimension {dimension}")
        with suppress(OSError, pl.exceptions.PolarsError, ValueError, TypeError):
            out = tuple(Exclusion(**e) for e in json.loads((folder / "exclusions.json").read_text()))
            ids, raters = _read(folder / "items.parquet")["item_id"], _read(folder / "raters.parquet")
            return Compact(_read(folder / "ratings.parquet"), ids, raters, out)
        found = make()
        tables = {"items": found.items.to_frame("item_id"), "raters": found.raters, "ratings": found.ratings}
        _save(folder, tables, [vars(e) for e in found.exclusions])
        return found


def _read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, glob=False, memory_map=True)


def _save(folder: Path, tables: dict[str, pl.DataFrame], exclusions: list[dict[str, object]] | None = None) -> None:
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        beside.mkdir(parents=True)
        for name, table in tables.items():
            table.write_parquet(beside / f"{name}.parquet", compression="uncompressed")
        (beside / "exclusions.json").write_text(json.dumps(exclusions or []))
        for path in beside.iterdir():
            with path.open("rb") as f:
                os.fsync(f.fileno())
        beside.rename(folder)
    except (OSError, pl.exceptions.PolarsError):
        shutil.rmtree(beside, ignore_errors=True)
