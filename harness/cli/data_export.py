"""``lm-plural data export``: a data set as one long table, where its licence lets it be passed on."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.files import write_atomic

if TYPE_CHECKING:
    from lm_plural.harness.task.dataset import Dataset
    from lm_plural.harness.task.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is exported and where to."""
    add = parser.add_argument
    add("--dimension", metavar="NAME", help="rated dimension (default: the only one)")
    add("--output_path", "-o", type=Path, required=True, metavar="FILE", help="CSV or Parquet, told by its ending")
    private = "for your own use: write it although the licence does not let you pass it on"
    add("--private", action="store_true", help=private)


def export(dataset: Dataset, dimension: str | None, path: Path, *, private: bool) -> int:
    """Write ``item_id, rater_id, rating``, the axes (several values separated by ``|``) and the items' fields.

    Raises
    ------
    PluralError
        If the licence forbids to pass the data on and it is not for private use, or the file cannot be written.
    UsageError
        If the dimension has to be named, or the ending is of no known kind.
    """
    import polars as pl

    recipe = dataset.recipe
    names = list(recipe.ratings.dimensions)
    if dimension is None and len(names) > 1:
        raise UsageError(f"data set {recipe.dataset!r} has {len(names)} dimensions: give --dimension {'|'.join(names)}")
    if path.suffix not in (".csv", ".parquet"):
        raise UsageError(f"--output_path {path}: expected a file that ends in .csv or .parquet")
    if not private:
        check_redistribution(recipe)
    table = dataset.table(dimension or names[0])
    levels = pl.DataFrame(
        [(name, k, level) for name, s in table.scales.items() for k, level in enumerate(s.levels)],
        schema={"scale": pl.String, "level": pl.Int16, "rating": pl.String},
        orient="row",
    )
    raters = table.raters.with_columns(pl.col(a).list.join("|") for a in table.axes)
    long = table.ratings.join(levels, on=["scale", "level"], maintain_order="left")
    long = long.join(raters, on="rater_id", maintain_order="left").join(
        dataset.items, on="item_id", maintain_order="left"
    )
    first = ["item_id", "rater_id", "rating"]
    long = long.select(*first, pl.exclude(*first, "scale", "level"))
    with io.BytesIO() as out:
        long.write_csv(out) if path.suffix == ".csv" else long.write_parquet(out)
        write_atomic(path, out.getvalue())
    print(f"{long.height:,} ratings written to {path}; licence: {recipe.licence}; cite: {recipe.citation}")
    return 0


def check_redistribution(recipe: Recipe) -> None:
    """Refuse to pass on texts and ratings whose licence does not allow it.

    Raises
    ------
    PluralError
    """
    if recipe.redistribution != "allowed":
        raise PluralError(
            f"data set {recipe.dataset!r}: licence {recipe.licence!r} does not let its texts and ratings be published "
            "again; publish the recipe and the results instead (--private writes a table for your own use)"
        )
