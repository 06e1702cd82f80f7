"""``lm-plural data export``: a data set as one long table, where its licence lets it be passed on."""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.files import write_atomic

if TYPE_CHECKING:
    import polars as pl

    from lm_plural.harness.data.dataset import Dataset
    from lm_plural.harness.data.recipe import Recipe

#: How a cell begins that a spreadsheet takes for a formula, unless it is a number.
FORMULA = r"^[=+\-@\t\r\n]"
NUMBER = r"^[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?$"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is exported and where to."""
    add = parser.add_argument
    add("--dimension", metavar="NAME", help="rated dimension (default: the only one)")
    add("--output_path", "-o", type=Path, required=True, metavar="FILE", help="CSV or Parquet, told by its ending")
    private = "for your own use: write it although the licence does not let you pass it on"
    add("--private", action="store_true", help=private)
    guard = "CSV: put ' before cells that a spreadsheet takes for formulas; for looking at, not for reading back"
    add("--guard", action="store_true", help=guard)


def export(dataset: Dataset, dimension: str | None, path: Path, *, private: bool, guard: bool = False) -> int:
    """Write ``item_id, rater_id, rating``, the axes (several values separated by ``|``) and the items' fields.

    Cells are the data's own, so that the file reads back as it was; those a spreadsheet would take for formulas are
    counted on standard error, or begin with ``'`` if `guard`.

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
    if path.suffix == ".csv":
        long = _guarded(long, guard=guard)
    with io.BytesIO() as out:
        long.write_csv(out) if path.suffix == ".csv" else long.write_parquet(out)
        write_atomic(path, out.getvalue())
    print(f"{long.height:,} ratings written to {path}; licence: {recipe.licence}; cite: {recipe.citation}")
    return 0


def _guarded(long: pl.DataFrame, *, guard: bool) -> pl.DataFrame:
    """Return a table whose cells are no formulas if `guard`; else say how many are."""
    import polars as pl

    text = pl.col(pl.String)
    formula = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    if guard:
        long = long.with_columns(pl.when(formula).then("'" + text).otherwise(text).name.keep())
        return long.rename({c: f"'{c}" for c in long.columns if re.match(FORMULA, c)})
    counts = long.select(formula.sum()).row(0, named=True)
    if cells := sum(n or 0 for n in counts.values()):
        where = ", ".join(c for c, n in counts.items() if n)
        print(
            f"lm-plural data: note: {cells:,} cells ({where}) begin like a formula (= + - @); open the file in a "
            "spreadsheet as text, or write it with --guard",
            file=sys.stderr,
        )
    return long


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
