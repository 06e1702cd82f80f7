"""Reading items, raters and ratings by a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lm_plural.harness.data.apply import apply_steps
from lm_plural.harness.data.files.archive import extracted
from lm_plural.harness.data.files.frames import FAULT, ROW, RULE, SHOWN, holds, left_out, text_in
from lm_plural.harness.data.files.lines import FILE_BITS, place
from lm_plural.harness.data.files.scan import chosen, reading, scan, stacked, stop_at
from lm_plural.harness.data.find import fetched_folder, find_file
from lm_plural.harness.data.recipe import Recipe
from lm_plural.harness.data.steps import Where
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.clean import clean, levels
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Compact

#: Rows of ratings that are checked at once.
BATCH = 1_000_000


def scales_of(recipe: Recipe) -> dict[str, Scale]:
    """Return a recipe's scales by name."""
    return {name: s.scale() for name, s in recipe.scales.items()}


@dataclass(frozen=True)
class Reader:
    """A recipe's files as frames; everything here raises PluralError with file and line.

    Parameters
    ----------
    recipe : Recipe
    folder : Path
        Of the recipe.
    filters : mapping
        What the filters that are on leave out, by name.
    """

    recipe: Recipe
    folder: Path
    filters: Mapping[str, Where]

    def source(self, name: str) -> tuple[pl.LazyFrame, list[Path]]:
        """Return a file or table by name, and the files its rows come from."""
        if spec := self.recipe.files.get(name):
            path = find_file(self.recipe, name, self.folder)
            if spec.member:
                path = extracted(path, spec.member, fetched_folder(self.recipe.dataset))
            return scan(path, spec.records, spec.key, spec.entries), [path]
        table = self.recipe.tables[name]
        found = [self.source(source) for source in table.sources]
        paths = [path for _, some in found for path in some]
        with reading(paths[0]):
            frame = stacked([frame for frame, _ in found], table.optional)
            return apply_steps(frame, table.steps, lambda other: self.source(other)[0]), paths

    def items(self) -> pl.DataFrame:
        """Return ``item_id`` and the recipe's fields, in file order."""
        spec = self.recipe.items
        frame, paths = self.source(spec.file)
        with reading(paths[0]):
            fields = [f for f in spec.fields if f != "item_id"]
            rows = chosen(_left(frame), [spec.id, *spec.fields]).with_columns(item_id=pl.col(spec.id))
            once = rows.group_by("item_id", *fields, FAULT).agg(pl.col(ROW).min())
            order = [ROW, "item_id", *fields]  # a row may hold several items
            items = once.select(FAULT, *order).sort(order).collect(engine="streaming")
        _stop(items, paths)
        if (empty := items.filter(pl.col("item_id").is_null())).height:
            raise PluralError(f"{place(paths, empty[ROW][0])}: an item without {spec.id}")
        if (twice := items.filter(~pl.col("item_id").is_first_distinct())).height:
            at = twice.row(0, named=True)
            first = items.filter(pl.col("item_id") == at["item_id"]).row(0, named=True)
            differ = ", ".join(f for f in fields if first[f] != at[f])
            message = f"item {at['item_id']!r} stands twice with different fields ({differ}); expected the same"
            raise PluralError(f"{place(paths, at[ROW])}: {message}")
        return items.drop(ROW, FAULT)

    def _read_raters(self) -> tuple[pl.DataFrame, list[Path]]:
        """Return profiles, the row where each stands first, and the files these rows are in."""
        spec = self.recipe.raters
        frame, paths = self.source(spec.file)
        with reading(paths[0]):
            columns = list(dict.fromkeys([spec.id, *spec.axes.values()]))
            text_in(frame, columns)
            rows = _left(frame).filter(pl.col(spec.id).is_not_null())
            once = rows.group_by(*columns, FAULT).agg(pl.col(ROW).min())
            found = once.sort([ROW, *columns]).collect(engine="streaming")
        _stop(found, paths)
        axes = [levels(pl.col(c), spec.separator, spec.undeclared).alias(axis) for axis, c in spec.axes.items()]
        return found.select(pl.col(ROW).cast(pl.UInt64), pl.col(spec.id).alias("rater_id"), *axes), paths

    def ratings(self, dimension: str, items: pl.Series) -> Compact:
        """Return the ratings of a dimension as codes, checked by the recipe's rules."""
        frame, paths = self.source(self.recipe.ratings.dimensions[dimension].file or self.recipe.ratings.file)
        raters, more = self._read_raters()
        return clean(
            self._batches(frame, paths, dimension),
            raters.with_columns(pl.col(ROW) + (len(paths) << FILE_BITS)),  # as if stacked below the ratings
            scales_of(self.recipe),
            items=items,
            rules=self.recipe.rules,
            locate=lambda row: place([*paths, *more], row),
            columns=self._columns(dimension),
        )

    def _columns(self, dimension: str) -> dict[str, str]:
        """Return what the recipe calls the columns of ratings and raters."""
        spec = self.recipe.ratings
        told = {"item_id": spec.item, "rater_id": spec.rater, "value": spec.dimensions[dimension].column}
        axes = {f"axes.{axis}": column for axis, column in self.recipe.raters.axes.items()}
        return axes | told | ({"weight": spec.weight} if spec.weight else {})

    def _batches(self, frame: pl.LazyFrame, paths: Sequence[Path], dimension: str) -> Iterator[pl.DataFrame]:
        """Yield the raw ratings of a dimension, a million rows at a time."""
        spec, n = self.recipe.ratings, 0
        with reading(paths[0]):
            rows = self._raw(frame, dimension)
            for batch in rows.collect_batches(chunk_size=BATCH, maintain_order=True, engine="streaming"):
                n += len(batch)
                _refuse(batch, pl.col("item_id").is_null(), "item_id", f"no item in column {spec.item!r}", paths)
                _refuse(batch, pl.col("rater_id").is_null(), "rater_id", f"no rater in column {spec.rater!r}", paths)
                strange = ~pl.col("scale").is_in(list(self.recipe.scales), nulls_equal=True)
                known = f"unknown scale in column {spec.scale_column!r}; there are {', '.join(self.recipe.scales)}"
                _refuse(batch, strange & pl.col("value").is_not_null(), "scale", known, paths)
                yield batch
        if spec.rows and n != spec.rows:
            raise PluralError(f"{paths[0]}: {n} ratings; expected the {spec.rows} that were published")

    def _raw(self, frame: pl.LazyFrame, dimension: str) -> pl.LazyFrame:
        spec = self.recipe.ratings
        rated = spec.dimensions[dimension]
        columns = [spec.item, spec.rater, rated.column, *filter(None, (spec.scale_column, spec.weight))]
        for name, where in self.filters.items():
            text_in(frame, list(where))
            frame = left_out(frame, holds(where), f"filter {name}")
        return chosen(frame, columns).select(
            ROW,
            RULE,
            FAULT,
            item_id=pl.col(spec.item),
            rater_id=pl.col(spec.rater),
            dimension=pl.lit(dimension),
            scale=pl.col(spec.scale_column) if spec.scale_column else pl.lit(rated.scale),
            value=pl.col(rated.column),
            **({"weight": pl.col(spec.weight)} if spec.weight else {}),
        )


def _left(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.filter(pl.col(RULE).is_null())


def _stop(rows: pl.DataFrame, paths: Sequence[Path]) -> None:
    stop_at(rows, pl.col(FAULT).is_not_null(), pl.col(FAULT), paths)


def _refuse(rows: pl.DataFrame, bad: pl.Expr, column: str, message: str, paths: Sequence[Path]) -> None:
    found = pl.format(", found '{}'", pl.col(column).str.head(SHOWN)).fill_null("")
    stop_at(rows, bad & pl.col(RULE).is_null() & pl.col(FAULT).is_null(), pl.lit(message) + found, paths)
