"""People's own files and frames: a long table of ratings with axes, and a model's predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from lm_plural.harness.data.source import Rows, Source
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.clean import build_table, levels
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.rules import Rules
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Axis, RatingTable

KEYS = ("item_id", "rater_id")
#: What columns of ratings are read as, whatever they are called.
NAMES = (*KEYS, "rating", "weight")
#: How far a row of probabilities may be from 1.
TOLERANCE = 1e-3


def read_ratings(
    rows: Rows | Source, scale: Scale, axes: Iterable[Axis], rules: Rules, columns: Mapping[str, str] | None = None
) -> RatingTable:
    """Read ``item_id, rater_id, rating``, ``weight`` if there, and one column per axis (cells may hold ``a|b``).

    `columns` says how the file calls the first four, where it calls them something else.

    Raises
    ------
    PluralError
        For anything wrong in the rows, with file and line.
    UsageError
        If an axis is one of the other columns.
    """
    source = Source.of(rows, "ratings")
    names = list(dict.fromkeys(a for axis in axes for a in ([axis] if isinstance(axis, str) else axis)))
    if taken := [n for n in names if n in (*NAMES, "row")]:
        raise UsageError(f"axis {taken[0]!r}: expected a column that says something of raters")
    given = columns or {}
    called = {name: given.get(name, name) for name in (*KEYS, "rating")}
    if "weight" in given or "weight" not in called.values():
        called["weight"] = given.get("weight", "weight")
    wanted = {column: name for name, column in called.items()}
    for name, column in called.items():
        if (other := wanted[column]) != name:
            raise UsageError(f"column {column!r} would be {name} and {other}; expected a column for each")
    if twice := [n for n in names if n in wanted]:
        raise UsageError(f"axis {twice[0]!r}: expected a column that says something of raters")
    optional = [] if "weight" in given else [c for c in wanted if wanted[c] == "weight"]
    cells = source.read([*(c for c in wanted if c not in optional), *names], optional).rename(wanted, strict=False)
    profiles = cells.select("row", "rater_id", *names).unique(["rater_id", *names], keep="first", maintain_order=True)
    for column in KEYS:
        if (empty := cells.filter(pl.col(column).is_null())).height:
            what = f"no {column.removesuffix('_id')} in column {called[column]!r}"
            raise PluralError(f"{source.locate(empty['row'][0])}: {what}; expected one in every row")
    raters = profiles.select("row", "rater_id", *(levels(pl.col(n), "|", []).alias(n) for n in names))
    long = cells.select(
        "row",
        "item_id",
        "rater_id",
        dimension=pl.lit(called["rating"]),
        scale=pl.lit("scale"),
        value=pl.col("rating"),
        **({"weight": pl.col("weight")} if "weight" in cells.columns else {}),
    )
    called["value"] = called["rating"]
    return build_table(long, raters, {"scale": scale}, rules=rules, locate=source.locate, columns=called)


def read_predictions(rows: Rows | Source, scale: Scale, name: str = "predictions") -> Predictions:
    """Read ``item_id`` and either ``p1..pK`` (probabilities in scale order) or ``prediction`` (a level).

    `name` is what an error calls a frame.

    Raises
    ------
    PluralError
        For a NaN, a negative or missing probability, a row that does not sum to 1, a repeated item, or a level that
        is not on the scale.
    """
    source = Source.of(rows, name)
    columns = [f"p{k}" for k in range(1, scale.size + 1)]
    header = source.columns()
    if (one_more := f"p{scale.size + 1}") in header:
        raise PluralError(source.error(f"column {one_more!r}; expected p1..p{scale.size}, one for each level"))
    if "prediction" in header and not set(columns) & set(header):
        return _levels(source, scale)
    cells = source.read(["item_id", *columns])
    _once(cells, source)
    q = np.stack([_probabilities(cells, c, source) for c in columns], axis=1)
    totals = q.sum(axis=1)
    if (bad := np.flatnonzero(np.abs(totals - 1) > TOLERANCE)).size:
        raise PluralError(
            f"{source.locate(cells['row'][int(bad[0])])}: probabilities sum to {totals[bad[0]]:.6g}, expected 1"
        )
    return Predictions(cells["item_id"].to_list(), q / totals[:, None])


def read_weights(rows: Rows | Source) -> dict[str, float]:
    """Read ``item_id`` and ``weight``, one row per item.

    Raises
    ------
    PluralError
        For a repeated item, or a weight that is not a number of 0 or more.
    """
    source = Source.of(rows, "item_weights")
    cells = source.read(["item_id", "weight"])
    _once(cells, source, "weight")
    out = {}
    for row in cells.iter_rows(named=True):
        try:
            weight = float(row["weight"])
        except (TypeError, ValueError):
            weight = float("nan")
        if not 0 <= weight < float("inf"):
            raise PluralError(
                f"{source.locate(row['row'])}: weight is {row['weight']!r}; expected a number of 0 or more"
            )
        out[row["item_id"]] = weight
    return out


def _levels(source: Source, scale: Scale) -> Predictions:
    rows = source.read(["item_id", "prediction"])
    _once(rows, source)
    q = np.zeros((len(rows), scale.size))
    for n, (row, value) in enumerate(rows.select("row", "prediction").iter_rows()):
        try:
            q[n, scale.index(value or "")] = 1.0
        except UsageError as e:
            raise PluralError(f"{source.locate(row)}: prediction {e}") from e
    return Predictions(rows["item_id"].to_list(), q)


def _once(rows: pl.DataFrame, source: Source, what: str = "prediction") -> None:
    if rows.is_empty():
        raise PluralError(f"{source}: no {what}s in the file")
    bad = rows.filter(pl.col("item_id").is_null() | ~pl.col("item_id").is_first_distinct())
    if bad.height:
        first = bad.row(0, named=True)
        wrong = "no item_id" if first["item_id"] is None else f"a second {what} for item {first['item_id']!r}"
        raise PluralError(f"{source.locate(first['row'])}: {wrong}; expected one row per item")


def _probabilities(rows: pl.DataFrame, column: str, source: Source) -> npt.NDArray[np.float64]:
    value = pl.col(column).cast(pl.Float64, strict=False)
    read = rows.select("row", column, value=value)
    fine = value.is_between(0, 1 + TOLERANCE).fill_null(value=False)
    for row, text in rows.filter(~fine).head(1).select("row", column).iter_rows():
        found = "empty" if text is None else repr(text[:60])
        raise PluralError(f"{source.locate(row)}: {column} is {found}; expected a probability from 0 to 1")
    return read["value"].to_numpy()
