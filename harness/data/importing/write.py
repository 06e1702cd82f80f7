"""A recipe and a task written for somebody's own file of ratings."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.importing import draft
from lm_plural.harness.data.importing.draft import Import
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.documents import RECIPE
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.files import made_beside
from lm_plural.harness.ratings.table import Compact

#: File with the data set's card.
CARD = "README.md"


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
    folder, new = to / made.dataset, False
    names = [RECIPE, CARD, f"{made.dimension}.yaml"]
    if made.file.name in names or names[2] == RECIPE:
        raise UsageError(f"{made.file.name}, {names[2]}: the recipe needs the name {RECIPE}; choose another")
    try:
        if folder.exists():
            raise UsageError(f"{folder}: is there; choose another --dataset or --to, or remove it")
        new = not to.exists()
        to.mkdir(parents=True, exist_ok=True)
        with made_beside(folder) as beside:
            beside.mkdir()
            whole = beside / made.dataset  # a recipe's folder has its name
            notes = _write(whole, made)
            whole.rename(folder)
    except OSError as e:
        raise PluralError(f"{folder}: cannot write: {e.strerror or e}") from e
    finally:
        with suppress(OSError):
            if new:
                to.rmdir()  # only if it is empty
    return Brought(folder, notes, bool(made.axes))


def _write(folder: Path, made: Import) -> list[str]:
    """Write the folder and return what is to say; errors name the user's file, not its copy."""
    folder.mkdir()
    recipe, copy = folder / RECIPE, folder / made.file.name
    shutil.copyfile(made.file, copy)
    (folder / CARD).write_text(draft.card(made), encoding="utf-8")
    draft.write_yaml(recipe, draft.recipe(made))
    try:
        ratings = Dataset(load_recipe(recipe), folder).prepare(made.dimension)
    except PluralError as e:
        named = f"{made.file}:1: column "
        text = re.sub(rf"^{re.escape(str(recipe))}:\d+: (raters\.axes\.)?", lambda m: named if m[1] else "", str(e))
        text = text.replace(f" ({made.field})", f" ({made.text})")
        kind = UsageError if isinstance(e, UsageError) else PluralError
        raise kind(text.replace(str(copy), str(made.file))) from e
    if made.axes:
        raters = ratings.raters[ratings.ratings["rater"].unique()]
        draft.write_yaml(folder / f"{made.dimension}.yaml", draft.task(made, raters))
    return _notes(made, ratings)


def _notes(made: Import, ratings: Compact) -> list[str]:
    items, raters = (ratings.ratings[of].n_unique() for of in ("item", "rater"))
    out = [f"{ratings.ratings.height:,} ratings of {items:,} items by {raters:,} raters"]
    out.append(f"columns: item_id={made.item} rater_id={made.rater} rating={made.rating} text={made.text}")
    out.append(f"levels: {', '.join(made.levels)}; {made.direction} is better")
    out.append(f"axes: {', '.join(made.axes) or 'none found, so there is no task: name columns with --axes'}")
    if nothing := [*dict.fromkeys([*made.nothing, *made.skipped])]:
        out.append(f"read as no answer: {', '.join(nothing)}")
    out += map(str, ratings.exclusions)
    if made.axes and not made.labels:
        out.append(f"asked of a model: {made.question!r} with bare levels; --question and --labels say it in words")
    return out
