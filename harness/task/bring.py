"""A recipe and a task written for somebody's own file of ratings."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import Any

import yaml

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.files import sha256_file
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.task.dataset import Dataset
from lm_plural.harness.task.index import RECIPE
from lm_plural.harness.task.load import load_recipe

@dataclass(frozen=True)
class Brought:
    """What was written: the folder, notes on what was read and left out, and whether there is a task."""

    folder: Path
    notes: list[str]
    task: bool


def bring(made: Import, to: Path) -> Brought:
    """Write the folder of a data set: the file, its recipe, a task and a card to fill in.

    It is written beside and moved when the ratings could be read by it, so that a folder that is there is whole. There
    is no task where nothing tells which group a rater belongs to.

    Raises
    ------
    PluralError
        If the folder is there, cannot be written, or the ratings cannot be read as said.
    """
    folder, new = to / made.dataset, not to.exists()
    if folder.exists():
        raise UsageError(f"{folder}: is there; choose another --dataset or --to, or remove it")
    names = [RECIPE, CARD, f"{made.dimension}.yaml"]
    if made.file.name in names or names[2] == RECIPE:
        raise UsageError(f"{made.file.name}, {names[2]}: the recipe needs the name {RECIPE}; choose another")
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{made.dataset}-", dir=to) as beside:
            draft = Path(beside) / made.dataset
            notes = _write(draft, made)
            draft.rename(folder)
    except OSError as e:
        raise PluralError(f"{folder}: cannot write: {e.strerror or e}") from e
    finally:
        if new and not folder.exists():
            with suppress(OSError):
                to.rmdir()
    return Brought(folder, notes, bool(made.axes))


def _write(draft: Path, made: Import) -> list[str]:
    """Write the folder and return what is to say; errors name the user's file, not its copy."""
    draft.mkdir()
    shutil.copyfile(made.file, draft / made.file.name)
    (draft / CARD).write_text(draft.card(made), encoding="utf-8")
    draft.write_yaml(draft / RECIPE, draft.recipe(folder, made))
    try:
        ratings = Dataset(load_recipe(draft / RECIPE), draft).table(made.dimension)
    except PluralError as e:
        text = re.sub(rf"^{re.escape(str(draft / RECIPE))}:\d+: ", "", str(e))
        raise type(e)(text.replace(str(draft / made.file.name), str(made.file))) from e
    if made.axes:
        draft.write_yaml(draft / f"{made.dimension}.yaml", draft.task(made, ratings))
    return _notes(made, ratings)


def _notes(made: Import, ratings: RatingTable) -> list[str]:
    items = ratings.ratings["item_id"].n_unique()
    out = [f"{ratings.ratings.height:,} ratings of {items:,} items by {ratings.raters.height:,} raters"]
    out.append(f"columns: item_id={made.item} rater_id={made.rater} rating={made.rating} text={made.text}")
    out.append(f"levels: {', '.join(made.levels)}; {made.direction} is better")
    out.append(f"axes: {', '.join(made.axes) or 'none found, so there is no task: name columns with --axes'}")
    if nothing := [*dict.fromkeys([*made.nothing, *made.skipped])]:
        out.append(f"read as no answer: {', '.join(nothing)}")
    return [*out, *map(str, ratings.exclusions)]
