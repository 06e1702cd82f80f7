"""One profile for each rater."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.rules import Locate, Rules
from lm_plural.harness.ratings.table import UNDECLARED


def levels(column: pl.Expr, separator: str | None, undeclared: Sequence[str]) -> pl.Expr:
    """Return cells as lists of different levels; one that says nothing beside `undeclared` is ``["undeclared"]``."""
    silent = [UNDECLARED, "", *undeclared]
    if separator:
        part = pl.element().str.strip_chars()
        said = part.filter(~part.is_in(silent)).unique(maintain_order=True)
        parts = column.str.split(separator).list.eval(said)
    else:
        parts = pl.when(~column.is_in(silent)).then(pl.concat_list(column))
    return pl.when(parts.list.len() > 0).then(parts).otherwise(pl.concat_list(pl.lit(UNDECLARED)))


def one_profile_each(raters: pl.DataFrame, rules: Rules, locate: Locate) -> tuple[pl.DataFrame, list[str]]:
    """Return one row per rater, each level of an axis named once, and the raters to leave out."""
    axes = [c for c in raters.columns if c not in ("rater_id", "row")]
    raters = raters.with_columns(pl.col(a).list.unique().list.sort() for a in axes)
    raters = raters.unique(subset=["rater_id", *axes], keep="first", maintain_order=True)
    rows, raters = raters, raters.select("rater_id", *axes)
    twice = raters.filter(pl.col("rater_id").is_duplicated())
    if twice.is_empty():
        return raters, []
    ids = twice["rater_id"].unique(maintain_order=True).to_list()
    if rules.profiles == "error":
        first, second = rows.filter(pl.col("rater_id") == ids[0]).rows(named=True)[:2]
        where = f"{locate(second['row'])}: " if "row" in second else ""
        differ = [f"{a}: {'|'.join(first[a])} and {'|'.join(second[a])}" for a in axes if first[a] != second[a]]
        raise PluralError(f"{where}rater {ids[0]!r} has two profiles ({'; '.join(differ)}); expected one")
    once = raters.filter(~pl.col("rater_id").is_duplicated())
    if rules.profiles == "drop":
        return once, ids
    merged = twice.group_by("rater_id", maintain_order=True).agg(_agreed(a, rules) for a in axes)
    return pl.concat([once, merged.select(once.columns)]), []


def _agreed(axis: str, rules: Rules) -> pl.Expr:
    """Return the level all profiles of a rater have, else undeclared."""
    said = pl.col(axis)
    if rules.profiles == "fill":
        said = said.filter(said.list.first() != UNDECLARED)
    return pl.when(said.n_unique() == 1).then(said.first()).otherwise(pl.lit([UNDECLARED])).alias(axis)


def with_undeclared(raters: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Return raters with those of `ids` that are not among them, undeclared on every axis."""
    strangers = ids.unique(maintain_order=True).to_frame().join(raters, on="rater_id", how="anti")
    axes = [pl.lit([UNDECLARED]).alias(a) for a in raters.columns if a != "rater_id"]
    return pl.concat([raters, strangers.with_columns(*axes).select(raters.columns)])
