"""What reading options and reading shares have in common: checks with a place in a file, and counts of what is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from lm_plural.harness.task.datafile import stop_at
from lm_plural.harness.task.frames import FAULT, RULE

#: Returns a file or table by name, and the files its rows come from.
Source = Callable[[str], tuple[pl.LazyFrame, list[Path]]]
LEFT = pl.col(RULE).is_not_null()


def left_out_note(n: int, what: str, rule: str) -> str:
    """Return how many of something a rule left out."""
    return f"{n} {what}{'s' * (n != 1)} left out: {rule}"


def sound(rows: pl.DataFrame, key: Sequence[str], paths: Sequence[Path]) -> pl.DataFrame:
    """Return rows after checking that those no rule left out have no fault, and all of their key.

    Raises
    ------
    PluralError
        For the first that has not, with its line.
    """
    stop_at(rows, ~LEFT & pl.col(FAULT).is_not_null(), pl.col(FAULT), paths)
    for column in key:
        text = f"no {column.removesuffix('_id')}; expected one in every row"
        stop_at(rows, ~LEFT & pl.col(column).is_null(), pl.lit(text), paths)
    return rows


def once(rows: pl.DataFrame, key: Sequence[str], what: str, paths: Sequence[Path]) -> pl.DataFrame:
    """Return rows after checking that no key stands twice; raises as `sound`."""
    text = pl.format(f"a second {what} of " + ", ".join(["'{}'"] * len(key)) + "; expected one", *key)
    stop_at(rows, ~pl.struct(key).is_first_distinct(), text, paths)
    return rows


def number(rows: pl.DataFrame, column: str, paths: Sequence[Path], least: float = -float("inf")) -> pl.Series:
    """Return a column as numbers, after checking those that no rule left out; raises as `sound`."""
    value = pl.col(column).cast(pl.Float64, strict=False)
    fine = (value.is_finite() & (value >= least)).fill_null(value=False)
    expected = f"a number from {least:g} on" if least > -float("inf") else "a number"
    text = pl.format(f"{column} '{{}}'; expected {expected}", pl.col(column))
    stop_at(rows, ~LEFT & pl.col(FAULT).is_null() & pl.col(column).is_not_null() & ~fine, text, paths)
    return rows.select(value)[column]
