"""Raw rows and rating tables in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from lm_plural.harness.ratings.clean import build_table
from lm_plural.harness.ratings.rules import Rules
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable

FIVE = Scale(tuple("12345"))
Row = tuple[Any, ...]


def rows_of(*rows: Row) -> pl.DataFrame:
    """Rows are (item, rater, value) and, if need be, the scale's name."""
    full = [(n, r[0], r[1], "tox", r[3] if len(r) > 3 else "five", r[2]) for n, r in enumerate(rows)]
    names = ["row", "item_id", "rater_id", "dimension", "scale", "value"]
    types = [pl.UInt32, *[pl.String] * 5]
    return pl.DataFrame(full, schema=dict(zip(names, types, strict=True)), orient="row")


def raters_of(profiles: Mapping[str, Mapping[str, list[str]]] | list[tuple[str, Mapping[str, list[str]]]]):
    pairs = list(profiles.items()) if isinstance(profiles, Mapping) else profiles
    axes = list(pairs[0][1])
    schema = {"rater_id": pl.String, **dict.fromkeys(axes, pl.List(pl.String))}
    return pl.DataFrame([(r, *(p[a] for a in axes)) for r, p in pairs], schema=schema, orient="row")


def table(*rows: Row, raters=None, scales=None, items=None, **rules: str) -> RatingTable:
    """Build a table; without `raters` everyone is a woman."""
    given = raters or {r: {"gender": ["woman"]} for r in dict.fromkeys(row[1] for row in rows)}
    return build_table(
        rows_of(*rows),
        raters_of(given),
        scales or {"five": FIVE},
        items=None if items is None else pl.Series(items, dtype=pl.String),
        rules=Rules(**rules),  # type: ignore[arg-type]
        locate=lambda row: f"r.csv:{row + 2}",
    )
