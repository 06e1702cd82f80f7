"""The normalised cache: what a recipe makes of its files, as Parquet that polars maps into memory.

An entry is a folder, made beside and renamed, so that it is whole or not there; its name is the hash of the recipe,
hence of the files' checksums, so that an entry is never out of date. One whose bytes have changed is made again. A
cache that cannot be written costs time, not truth.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lm_plural.harness.data.find import sha256_of
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import cache_dir, made_beside, sha256_file
from lm_plural.harness.hashing import digest
from lm_plural.harness.ratings.table import Compact, Exclusion

#: Raised when the files in an entry, or how they are made, change.
VERSION = 3
#: What an entry says of itself: exclusions, and the sha256 of its tables.
ABOUT = "entry.json"


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
        if entry := _load(folder, ("items",)):
            return entry[0]["items"]
        found = make()
        _save(folder, {"items": found})
        return found

    def ratings(self, dimension: str, make: Callable[[], Compact]) -> Compact:
        """Return the ratings of a dimension, made if they are not there."""
        folder = self.folder(f"dimension {dimension}")
        if entry := _load(folder, ("items", "raters", "ratings")):
            tables, exclusions = entry
            return Compact(tables["ratings"], tables["items"]["item_id"], tables["raters"], exclusions)
        found = make()
        tables = {"items": found.items.to_frame("item_id"), "raters": found.raters, "ratings": found.ratings}
        _save(folder, tables, [vars(e) for e in found.exclusions])
        return found


def _load(folder: Path, names: tuple[str, ...]) -> tuple[dict[str, pl.DataFrame], tuple[Exclusion, ...]] | None:
    """Return what an entry holds; one that is not as it was written is removed."""
    try:
        about = json.loads((folder / ABOUT).read_text())
        paths = {name: folder / f"{name}.parquet" for name in names}
        if all(sha256_of(path) == about["sha256"][name] for name, path in paths.items()):
            tables = {name: pl.read_parquet(p, glob=False, memory_map=True) for name, p in paths.items()}
            return tables, tuple(Exclusion(**e) for e in about["exclusions"])
    except (OSError, PluralError, pl.exceptions.PolarsError, ValueError, KeyError, TypeError):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return None


def _save(folder: Path, tables: dict[str, pl.DataFrame], exclusions: list[dict[str, Any]] | None = None) -> None:
    about: dict[str, Any] = {"exclusions": exclusions or [], "sha256": {}}
    with suppress(OSError, pl.exceptions.PolarsError), made_beside(folder) as beside:
        beside.mkdir(parents=True)
        for name, table in tables.items():
            path = beside / f"{name}.parquet"
            table.write_parquet(path, compression="uncompressed")
            about["sha256"][name] = sha256_file(path)
        (beside / ABOUT).write_text(json.dumps(about))
        for path in beside.iterdir():
            with path.open("rb") as f:
                os.fsync(f.fileno())
        beside.rename(folder)
