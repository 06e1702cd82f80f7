"""What a model said of each item, beside the results: for whatever compares models item by item; no texts."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from lm_plural.harness.data.files.scan import reading
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import is_file, write_atomic
from lm_plural.harness.result.making.answers import Answers
from lm_plural.harness.result.making.respond import gather
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Work

ITEM, LEVELS = "item_id", "q"


def predictions(work: Work, scores: Sequence[Record] = ()) -> pl.DataFrame:
    """Return what the model said of each item asked.

    Rate tasks: ``q``, the distribution over the levels, lowest first, averaged over label orders, codings and wordings;
    where items have options of their own, zeros follow a shorter list. Respond tasks: the mean score of an item's
    responses by ``<scorer>.<dimension>``, null where none could be scored. All in float32.
    """
    if work.loaded.task.mode == "rate":
        found = Answers.of(work).predictions
        q = pl.Series(LEVELS, found.q.astype(np.float32), dtype=pl.Array(pl.Float32, found.q.shape[1]))
        return pl.DataFrame({ITEM: list(found.item_ids)}, {ITEM: pl.String}).with_columns(q.cast(pl.List(pl.Float32)))
    items = list(dict.fromkeys(r.doc.id for r in work.requests))
    means = {s.key: pl.Series(s.mean.astype(np.float32)).fill_nan(None) for s in gather(work, scores)}
    return pl.DataFrame({ITEM: items} | means)


def predictions_path(folder: Path, task: str) -> Path:
    """Return the file of a task's predictions."""
    return folder / f"predictions_{task}.parquet"


def save_predictions(folder: RunFolder, task: str, found: pl.DataFrame) -> None:
    """Write predictions, whole or not at all; the same ones are not written again."""
    out, path = BytesIO(), predictions_path(folder.path, task)
    found.write_parquet(out, compression="zstd", statistics=False)
    if not is_file(path) or path.read_bytes() != out.getvalue():
        write_atomic(path, out.getvalue())


def saved_predictions(folder: Path, task: str) -> pl.DataFrame:
    """Return what :func:`save_predictions` wrote.

    Raises
    ------
    PluralError
        If there is none, or it is damaged.
    """
    path = predictions_path(folder, task)
    if not is_file(path):
        raise PluralError(f"{path}: no predictions of task {task!r}; `lm-plural score {folder}` writes them")
    with reading(path):
        found = pl.read_parquet(path, glob=False, memory_map=False)
        if found.schema.get(ITEM) != pl.String:
            raise ValueError(f"expected a column {ITEM!r} of text, found {', '.join(found.columns)}")
        return found
