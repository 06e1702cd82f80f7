"""What the steps of a recipe do: each turns a lazy frame into another, so that a file is read in a stream.

Rows are never removed here (an empty list has none). A row left out by a rule keeps the rule's name in the column
``_rule``, and one with a cell that nobody foresaw says so in ``_fault``; who reads the table counts the first and stops
at the second, with its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from lm_plural.harness.task import apply_cells as cells
from lm_plural.harness.task import apply_rows as rows
from lm_plural.harness.task.steps import Step

#: Returns another table by name.
Tables = Callable[[str], pl.LazyFrame]

DO: dict[str, Callable[[pl.LazyFrame, Any], pl.LazyFrame]] = {
    "split": rows.split,
    "explode": rows.explode,
    "unpivot": rows.unpivot,
    "literal": rows.literal,
    "pairs": rows.pairs,
    "drop": rows.drop,
    "keep": rows.keep,
    "once": rows.once,
    "recode": cells.recode,
    "bin": cells.bin_,
    "one_hot": cells.one_hot,
    "concat": cells.concat,
    "digest": cells.digest,
    "fill": cells.fill,
}


def apply_steps(frame: pl.LazyFrame, todo: Iterable[Step], tables: Tables) -> pl.LazyFrame:
    """Return a table after its steps.

    Parameters
    ----------
    frame : LazyFrame
        Cells as text, or lists of it, with the columns ``row``, ``_rule`` and ``_fault``.
    todo : iterable of Step
    tables : callable
        Finds the table that a step joins.

    Raises
    ------
    PluralError
        If a step needs a column that is not there, or makes one that is (without a place: the caller knows the file).
    """
    for step in todo:
        frame = rows.join(frame, step.join, tables(step.join.table)) if step.join else DO[step.name](frame, step.what)
    return frame
