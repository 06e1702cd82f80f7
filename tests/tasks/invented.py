"""Data sets on INVENTED rows in the schema of the published files, as far as it is known (``invented/SCHEMAS.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
from tests.conftest import ROOT


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
