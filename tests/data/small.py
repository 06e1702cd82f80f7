"""A data set of one file and one table made by steps, and what is said when it cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lm_plural.harness.data.apply import apply_steps
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import Recipe
from lm_plural.harness.data.steps import Step
from lm_plural.harness.errors import PluralError

Cells = Mapping[str, str | list[str | None] | None]


def done(rows: Sequence[Cells], *steps: dict[str, Any], **tables: Sequence[Cells]) -> pl.DataFrame:
    """Return rows after steps; `tables` may be joined."""
    todo = [Step.model_validate(s) for s in steps]
    return apply_steps(frame_of(rows), todo, lambda name: frame_of(tables[name])).collect()


def frame_of(rows: Sequence[Cells]) -> pl.LazyFrame:
    marks = dict.fromkeys(("_rule", "_fault"))
    lists = {c for row in rows for c, cell in row.items() if isinstance(cell, list)}
    schema = {c: pl.List(pl.String) if c in lists else pl.String for c in [*rows[0], *marks]}
    return pl.DataFrame([marks | row for row in rows], schema=schema).lazy().with_row_index("row")


def small(folder: Path, text: str | bytes, *steps: dict[str, Any], name: str = "r.csv", **keys: Any) -> Dataset:
    """Write a file and return the data set that reads it; its columns are item, rater, rating and group."""
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    recipe: dict[str, Any] = {
        "dataset": "small",
        "title": "Small",
        "licence": "Apache-2.0",
        "citation": "Nobody (2026).",
        "files": {"file": {"path": name, "sha256": None}},
        "tables": {"table": {"file": "file", "steps": list(steps)}},
        "scales": {"five": {"levels": [1, 2, 3, 4, 5], "direction": "lower"}},
        "items": {"file": "table", "id": "item", "fields": ["item"]},
        "raters": {"file": "table", "id": "rater", "axes": {"group": "group"}},
        "ratings": {
            "file": "table",
            "item": "item",
            "rater": "rater",
            "dimensions": {"harm": {"column": "rating", "scale": "five"}},
        },
    }
    return Dataset(Recipe.model_validate(recipe | keys), folder)


def said(dataset: Dataset) -> str:
    """Return the one line that stops the reading, the folder cut off."""
    with pytest.raises(PluralError) as e:
        dataset.table("harm")
    assert e.value.exit_code == 1
    return str(e.value).replace(f"{dataset.folder}/", "")
