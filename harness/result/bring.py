"""People's own files: a long table of ratings with axes, and a model's predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from lm_plural.harness.errors import PluralError, UsageError, at
from lm_plural.harness.ratings.clean import build_table
from lm_plural.harness.ratings.rules import Rules
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Axis, RatingTable
from lm_plural.harness.result.options import Predictions
from lm_plural.harness.task.datafile import columns_of, read_columns
from lm_plural.harness.task.lines import locate
from lm_plural.harness.task.reader import levels

KEYS = ("item_id", "rater_id")
#: How far a row of probabilities may be from 1.
TOLERANCE = 1e-3


def read_ratings(
    path: Path, scale: Scale, axes: Iterable[Axis], rules: Rules, columns: Mapping[str, str] | None = None
) -> RatingTable:
    """Read ``item_id, rater_id, rating``, ``weight`` if there, and one column per axis (cells may hold ``a|b``).

    `columns` says how the file calls the first four, where it calls them something else.

    Raises
    ------
    PluralError
        For anything wrong in the file, with its line.
    UsageError
        If an axis is one of the other columns.
    """
    names = list(dict.fromkeys(a for axis in axes for a in ([axis] if isinstance(axis, str) else axis)))
    if taken := [n for n in names if n in (*KEYS, "rating", "weight", "row")]:
        raise UsageError(f"axis {taken[0]!r}: expected a column that says something of raters")
    called = {name: (columns or {}).get(name, name) for name in (*KEYS, "rating", "weight")}
    weight = ["weight"] if called["weight"] in columns_of(path) or "weight" in (columns or {}) else []
    wanted = {called[name]: name for name in (*KEYS, "rating", *weight)}
    if twice := [n for n in names if n in wanted]:
        raise UsageError(f"axis {twice[0]!r}: expected a column that says something of raters")
    rows = read_columns(path, [*wanted, *names]).rename(wanted)
    for column in KEYS:
        if (empty := rows.filter(pl.col(column).is_null())).height:
            raise PluralError(f"{locate(path, empty['row'][0])}: no {column}; expected one in every row")
    raters = rows.select("row", "rater_id", *(levels(pl.col(n), "|", []).alias(n) for n in names))
    long = rows.select(
        "row",
        "item_id",
        "rater_id",
        dimension=pl.lit("rating"),
        scale=pl.lit("scale"),
        value=pl.col("rating"),
        **{w: pl.col(w) for w in weight},
    )
    return build_table(long, raters, {"scale": scale}, rules=rules, locate=lambda row: locate(path, row))


def read_predictions(path: Path, scale: Scale) -> Predictions:
    """Read ``item_id`` and either ``p1..pK`` (probabilities in scale order) or ``prediction`` (a level).

    Raises
    ------
    PluralError
        For a NaN, a negative or missing probability, a row that does not sum to 1, a repeated item, or a level that
        is not on the scale.
    """
    columns = [f"p{k}" for k in range(1, scale.size + 1)]
    header = columns_of(path)
    if (one_more := f"p{scale.size + 1}") in header:
        raise PluralError(f"{at(path, 1, '')}column {one_more!r}; expected p1..p{scale.size}, one for each level")
    if "prediction" in header and not set(columns) & set(header):
        return _levels(path, scale)
    rows = read_columns(path, ["item_id", *columns])
    _once(rows, path)
    q = np.array([[_probability(row[c], c, path, row["row"]) for c in columns] for row in rows.iter_rows(named=True)])
    totals = q.sum(axis=1)
    if (bad := np.flatnonzero(np.abs(totals - 1) > TOLERANCE)).size:
        raise PluralError(
            f"{locate(path, rows['row'][int(bad[0])])}: probabilities sum to {totals[bad[0]]:.6g}, expected 1"
        )
    return Predictions(rows["item_id"].to_list(), q / totals[:, None])


def read_weights(path: Path) -> dict[str, float]:
    """Read ``item_id`` and ``weight``, one row per item.

    Raises
    ------
    PluralError
        For a repeated item, or a weight that is not a number of 0 or more.
    """
    rows = read_columns(path, ["item_id", "weight"])
    _once(rows, path, "weight")
    out = {}
    for row in rows.iter_rows(named=True):
        try:
            weight = float(row["weight"])
        except (TypeError, ValueError):
            weight = float("nan")
        if not 0 <= weight < float("inf"):
            raise PluralError(
                f"{locate(path, row['row'])}: weight is {row['weight']!r}; expected a number of 0 or more"
            )
        out[row["item_id"]] = weight
    return out


def _levels(path: Path, scale: Scale) -> Predictions:
    rows = read_columns(path, ["item_id", "prediction"])
    _once(rows, path)
    q = np.zeros((len(rows), scale.size))
    for n, (row, value) in enumerate(rows.select("row", "prediction").iter_rows()):
        try:
            q[n, scale.index(value or "")] = 1.0
        except UsageError as e:
            raise PluralError(f"{locate(path, row)}: prediction {e}") from e
    return Predictions(rows["item_id"].to_list(), q)


def _once(rows: pl.DataFrame, path: Path, what: str = "prediction") -> None:
    if rows.is_empty():
        raise PluralError(f"{path}: no {what}s in the file")
    bad = rows.filter(pl.col("item_id").is_null() | ~pl.col("item_id").is_first_distinct())
    if bad.height:
        first = bad.row(0, named=True)
        wrong = "no item_id" if first["item_id"] is None else f"a second {what} for item {first['item_id']!r}"
        raise PluralError(f"{locate(path, first['row'])}: {wrong}; expected one row per item")


def _probability(text: str | None, column: str, path: Path, row: int) -> float:
    try:
        value = float(text) if text is not None else float("nan")
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1 + TOLERANCE:
        found = "empty" if text is None else repr(text)
        raise PluralError(f"{locate(path, row)}: {column} is {found}; expected a probability from 0 to 1")
    return value
