"""Invented files with one thing changed, to see what the reader of another file is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lm_plural.harness.ratings.table import RatingTable

INVENTED = Path(__file__).parent / "invented"


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
