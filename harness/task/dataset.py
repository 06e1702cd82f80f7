"""A data set in memory: items and the rating table, made from a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.ratings.clean import build_table
from lm_plural.harness.ratings.table import UNDECLARED, RatingTable
from lm_plural.harness.task.datafile import find_file, locate, read_columns
from lm_plural.harness.task.recipe import Recipe


@dataclass(frozen=True)
class Dataset:
    """Items and ratings of a recipe, read when first asked for."""

    recipe: Recipe
    folder: Path

    @property
    def data_hash(self) -> str:
        """Identity of the data: what the recipe says of the bytes and of reading them."""
        from lm_plural.harness.hashing import digest

        return digest(self.recipe.model_dump(mode="json"))

    def path(self, name: str) -> Path:
        """Return a file of the recipe, checked."""
        return find_file(self.recipe, name, self.folder)

    @cached_property
    def items(self) -> pl.DataFrame:
        """Items: ``item_id`` and the recipe's fields, all text, in file order.

        Raises
        ------
        PluralError
            If an id is missing, or stands twice with different fields.
        """
        spec = self.recipe.items
        path = self.path(spec.file)
        rows = read_columns(path, [spec.id, *spec.fields]).with_columns(item_id=pl.col(spec.id))
        if (empty := rows.filter(pl.col("item_id").is_null())).height:
            raise PluralError(f"{locate(path, empty['row'][0])}: an item without {spec.id}")
        items = rows.select("row", "item_id", *(f for f in spec.fields if f != "item_id"))
        items = items.unique(subset=items.columns[1:], keep="first", maintain_order=True)
        if (twice := items.filter(~pl.col("item_id").is_first_distinct())).height:
            at = twice.row(0, named=True)
            raise PluralError(f"{locate(path, at['row'])}: item {at['item_id']!r} stands twice with different fields")
        return items.drop("row")

    def table(self, dimension: str) -> RatingTable:
        """Return the rating table of one dimension, troublesome rows treated by the recipe's rules.

        Raises
        ------
        UsageError
            If the recipe has no such dimension (with a suggestion).
        PluralError
            For trouble in the files that no rule covers.
        """
        if dimension not in self._tables:
            self._tables[dimension] = self._build(dimension)
        return self._tables[dimension]

    @cached_property
    def _tables(self) -> dict[str, RatingTable]:
        return {}

    def _build(self, dimension: str) -> RatingTable:
        recipe, spec = self.recipe, self.recipe.ratings
        if dimension not in spec.dimensions:
            known = spec.dimensions
            raise UsageError(
                f"data set {recipe.dataset!r} has no ratings on {dimension!r}{did_you_mean(dimension, known)}; "
                f"there are {', '.join(known)}"
            )
        path, rated = self.path(spec.file), spec.dimensions[dimension]
        columns = [spec.item, spec.rater, rated.column, *filter(None, (spec.scale_column, spec.weight))]
        rows = read_columns(path, columns).select(
            "row",
            item_id=pl.col(spec.item),
            rater_id=pl.col(spec.rater),
            dimension=pl.lit(dimension),
            scale=pl.col(spec.scale_column) if spec.scale_column else pl.lit(rated.scale),
            value=pl.col(rated.column),
            **({"weight": pl.col(spec.weight)} if spec.weight else {}),
        )
        _refuse(rows, pl.col("item_id").is_null(), "item_id", f"no item in column {spec.item!r}", path)
        _refuse(rows, pl.col("rater_id").is_null(), "rater_id", f"no rater in column {spec.rater!r}", path)
        strange = pl.col("value").is_not_null() & ~pl.col("scale").is_in(list(recipe.scales), nulls_equal=True)
        _refuse(rows, strange, "scale", f"unknown scale; there are {', '.join(recipe.scales)}", path)
        return build_table(
            rows,
            self._raters(),
            {name: s.scale() for name, s in recipe.scales.items()},
            items=self.items["item_id"],
            rules=recipe.rules,
            locate=lambda row: locate(path, row),
        )

    def _raters(self) -> pl.DataFrame:
        spec = self.recipe.raters
        rows = read_columns(self.path(spec.file), [spec.id, *spec.axes.values()]).filter(pl.col(spec.id).is_not_null())
        axes = [
            levels(pl.col(column), spec.separator, spec.undeclared).alias(axis) for axis, column in spec.axes.items()
        ]
        return rows.select(pl.col(spec.id).alias("rater_id"), *axes)


def _refuse(rows: pl.DataFrame, bad: pl.Expr, column: str, message: str, path: Path) -> None:
    for row, value in rows.filter(bad).select("row", column).head(1).iter_rows():
        found = "" if value is None else f", found {value!r}"
        raise PluralError(f"{locate(path, row)}: {message}{found}")


def levels(column: pl.Expr, separator: str | None, undeclared: list[str]) -> pl.Expr:
    """Return cells as lists of different levels; an empty or `undeclared` cell is ``["undeclared"]``."""
    known = column.replace(dict.fromkeys(undeclared, UNDECLARED)).fill_null(UNDECLARED)
    if not separator:
        return pl.concat_list(known)
    part = pl.element().str.strip_chars()
    parts = known.str.split(separator).list.eval(part.filter(part != "").unique(maintain_order=True))
    return pl.when(parts.list.len() > 0).then(parts).otherwise(pl.concat_list(pl.lit(UNDECLARED)))
