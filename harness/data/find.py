"""Finding a recipe's files: beside the recipe, in a mirror folder, among those fetched; their bytes checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import cache_dir, is_file, sha256_file, sha256_known

if TYPE_CHECKING:
    from lm_plural.harness.data.recipe import DataFile, Recipe

MIRROR = "LM_PLURAL_DATA_MIRROR"
#: Whether all files of a data set are at hand; else whether every missing one can be fetched.
AtHand = Literal["yes", "fetch", "by hand"]
#: From this many bytes on, a checksum once computed is trusted while size and time stay the same.
BIG = 64 * 2**20


class MissingFileError(PluralError):
    """A data file that is not at hand."""


def fetched_folder(dataset: str) -> Path:
    """Return the folder of the files that ``lm-plural data fetch`` puts into the cache."""
    return cache_dir() / "data" / dataset


def places(dataset: str, path: str, folder: Path) -> list[Path]:
    """Return where a file of a data set may be: beside its recipe, ``$LM_PLURAL_DATA_MIRROR``, the cache."""
    found = [folder / path]
    if mirror := os.environ.get(MIRROR):
        found += [Path(mirror) / dataset / path, Path(mirror) / path]
    return [*found, fetched_folder(dataset) / path]


def at_hand(dataset: str, files: Mapping[str, str | None], folder: Path) -> AtHand:
    """Return whether all files of a data set are somewhere; their bytes are not looked at.

    `files` are paths beside the recipe in `folder`, with the addresses of those that can be fetched.
    """
    missing = [path for path in files if not any(map(is_file, places(dataset, path, folder)))]
    if not missing:
        return "yes"
    return "fetch" if all(files[path] for path in missing) else "by hand"


def find_file(recipe: Recipe, name: str, folder: Path) -> Path:
    """Return the path of a recipe's file, its checksum verified.

    Raises
    ------
    PluralError
        If it is nowhere, or its bytes are not the ones the recipe was written for.
    """
    spec = recipe.files[name]
    looked = places(recipe.dataset, spec.path, folder)
    for path in looked:
        if is_file(path):
            return _checked(path, spec)
    how = _how(recipe, spec, f" (from {spec.url})")
    where = ", ".join(str(p) for p in looked)
    raise MissingFileError(f"data set {recipe.dataset!r}: no file {spec.path}: {how}; looked for {where}")


def how_to_get(recipe: Recipe, folder: Path) -> str:
    """Return what to do about a data set that is not at hand: about the first of its files that is nowhere."""
    missing = (s for s in recipe.files.values() if not any(is_file(p) for p in places(recipe.dataset, s.path, folder)))
    return _how(recipe, next(missing), "")


def _how(recipe: Recipe, spec: DataFile, source: str) -> str:
    fetch = f"lm-plural data fetch {recipe.dataset}{source}" if spec.url else None
    how = fetch or spec.how or f"set {MIRROR} to a folder that has it"
    return how + (f", or use its stand-in {recipe.stand_in}" if recipe.stand_in else "")


def sha256_of(path: Path) -> str:
    """Return a data file's sha256.

    Raises
    ------
    PluralError
        If it cannot be read.
    """
    try:
        return sha256_file(path) if path.stat().st_size < BIG else sha256_known(path)
    except OSError as e:
        raise PluralError(f"{path}: cannot read: {e.strerror}") from e


def _checked(path: Path, spec: DataFile) -> Path:
    if spec.sha256 and (found := sha256_of(path)) != spec.sha256:
        raise PluralError(f"{path}: sha256 is {found}, expected {spec.sha256}: not the file the recipe describes")
    return path
