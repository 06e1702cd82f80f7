"""A shipped data set and its tasks in a folder of their own, on INVENTED rows, and what validation finds there."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from lm_plural.harness.documents import RECIPE
from lm_plural.harness.task.check import check_task
from lm_plural.harness.task.index import Index
from tests.conftest import ROOT


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
