"""The independent figures beside the real data (``reference.json``), and shipped recipes to hold against them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.ratings.coarsen import Coarsening
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable
from tests.conftest import ROOT

#: Unsure is left out, as in the independent figures of DICES.
NO_OR_YES = Coarsening(Scale(("No", "Yes"), "lower", positions=(0, 1)), np.array([[1.0, 0], [0, 0], [0, 1]]))


def reference(mirror: Path, folder: str) -> dict[str, Any]:
    """Return the figures of one data set."""
    found: dict[str, Any] = json.loads((mirror / folder / "reference.json").read_text())
    return found


def shipped(name: str, **filters: bool) -> Dataset:
    """Return a data set by its shipped recipe, on the real files where they are at hand."""
    folder = ROOT / "tasks" / name
    return Dataset(load_recipe(folder / "dataset.yaml"), folder, filters)


def changed(name: str, folder: Path, change: Callable[[dict[str, Any]], object]) -> Dataset:
    """Return a data set by a copy of its recipe with one thing changed; its files may be put into ``folder / name``."""
    (folder / name).mkdir(exist_ok=True)
    recipe = yaml.safe_load((ROOT / "tasks" / name / "dataset.yaml").read_text())
    change(recipe)
    (folder / name / "dataset.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return Dataset(load_recipe(folder / name / "dataset.yaml"), folder / name)


def unchecked(recipe: dict[str, Any]) -> None:
    """Take checksums and sizes out of a recipe; the published row total stays."""
    for spec in recipe["files"].values():
        spec["sha256"] = None
        spec.pop("size", None)


def truncated(name: str, file: str, folder: Path, cut: Callable[[Path, Path], object]) -> Dataset:
    """Return a data set without checksums whose `file` is beside the recipe, made from the real one by `cut`."""
    path = shipped(name).path(file)
    dataset = changed(name, folder, unchecked)
    target = dataset.folder / dataset.recipe.files[file].path
    target.parent.mkdir(exist_ok=True)
    cut(path, target)
    for other in set(dataset.recipe.files) - {file}:
        shutil.copy(shipped(name).path(other), dataset.folder / dataset.recipe.files[other].path)
    return dataset


def without_last_line(path: Path, target: Path) -> None:
    """Copy a text file but its last line."""
    target.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def without_last_record(path: Path, target: Path) -> None:
    """Copy a JSON file but the last of its instances."""
    content = json.loads(path.read_text())
    content["instances"].pop()
    target.write_text(json.dumps(content))


def described(table: RatingTable, axes: Sequence[str] = (), coarsening: Coarsening | None = None) -> dict[str, Any]:
    """Return the block without a model and without intervals."""
    block: dict[str, Any] = disaggregate(table, None, axes, Options(inference="none", coarsening=coarsening)).to_dict()
    return block


def equal(found: Mapping[str, Any], known: Mapping[str, Any], rate: str) -> None:
    """Compare a group with figures of reference.json."""
    for name in {"n_items", "n_raters", "n_ratings"} & known.keys():
        assert found[name] == known[name]
    assert found["mean"] == pytest.approx(known["mean"], abs=1e-5)
    assert found["rates"][rate] == pytest.approx(known["rate"], abs=1e-5)
    if "mean_of_item_means" in known and "item_mean" in found:
        assert found["item_mean"]["value"] == pytest.approx(known["mean_of_item_means"], abs=1e-5)
    for metric, alpha in known["alpha"].items():
        assert found["alpha"][metric] == (None if alpha is None else pytest.approx(alpha, abs=1e-5))


def whole(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of all raters with their counts; raters that cannot be counted have none."""
    counts = {k: known[k] for k in ("n_items", "n_raters", "n_ratings") if known[k] is not None}
    return {**known["overall"], **counts}


def share_of_worst(table: RatingTable) -> float:
    """Return the share of ratings on the level that is worst by the scale's direction."""
    worst = table.scale.size - 1 if table.scale.direction == "lower" else 0
    return float(np.mean(table.ratings["level"].to_numpy() == worst))
