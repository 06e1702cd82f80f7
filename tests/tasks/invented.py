"""Shipped data sets on INVENTED rows: as they are, with one thing changed, and what validation finds there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.documents import RECIPE
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.task.check import check_task
from lm_plural.harness.task.index import Index
from tests.conftest import ROOT

INVENTED = Path(__file__).parent / "invented"


def invented(name: str, folder: Path, filters: Mapping[str, bool] | None = None) -> Dataset:
    """Return a shipped recipe on the files in `folder`: everything but checksums, sizes and row totals is the recipe's.

    Parameters
    ----------
    name : str
        Of the data set.
    folder : Path
        Holds invented files under the recipe's own file names.
    filters : mapping, optional
    """
    recipe = load_recipe(ROOT / "tasks" / name / "dataset.yaml")
    files = {n: f.model_copy(update={"sha256": None, "size": None}) for n, f in recipe.files.items()}
    ratings = recipe.given_ratings and recipe.given_ratings.model_copy(update={"rows": None})
    return Dataset(recipe.model_copy(update={"files": files, "given_ratings": ratings}), folder, filters or {})


def edited_json(name: str, folder: Path, file: str, edit: Callable[[Any], object]) -> Path:
    """Return a copy of the invented files of a data set, the records of one JSON file changed by `edit`."""
    here = Path(shutil.copytree(INVENTED / name, folder / name))
    records = json.loads((here / file).read_text(encoding="utf-8"))
    edit(records)
    (here / file).write_text(json.dumps(records), encoding="utf-8")
    return here


def edited_text(name: str, folder: Path, file: str, old: str, new: str) -> Path:
    """Return a copy of the invented files of a data set, the first `old` in one file replaced by `new`."""
    here = Path(shutil.copytree(INVENTED / name, folder / name))
    text = (here / file).read_text(encoding="utf-8")
    assert old in text
    (here / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return here


def levels_of(table: RatingTable, item: str) -> dict[str, str]:
    """Return what each rater said of an item."""
    rows = table.ratings.filter(item_id=item).select("rater_id", "scale", "level").iter_rows()
    return {rater: table.scales[scale].levels[level] for rater, scale, level in rows}


def excluded(table: RatingTable) -> dict[str, int]:
    """Return how many ratings each rule left out."""
    return {e.rule: e.rows for e in table.exclusions}


def with_invented(name: str, files: Path, folder: Path) -> Path:
    """Return ``folder / name``: the shipped recipe without checksums, sizes and row totals, its tasks, the files."""
    here = shutil.copytree(ROOT / "tasks" / name, folder / name)
    recipe = yaml.safe_load((here / RECIPE).read_text())
    for spec in recipe["files"].values():
        spec["sha256"] = None
        spec.pop("size", None)
    recipe.get("ratings", {}).pop("rows", None)
    (here / RECIPE).write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True))
    return Path(shutil.copytree(files, here, dirs_exist_ok=True))


def findings(folder: Path) -> dict[str, list[str]]:
    """Return what validation finds in each task of a data set's folder."""
    index = Index([folder.parent])
    return {
        name: check_task(document, index).findings
        for name, document in index.tasks.items()
        if document.path.is_relative_to(folder)
    }
