"""From raw rows to a rating table: every trouble is a clear error or a counted exclusion by an explicit rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.scale import Scale, canonical
from lm_plural.harness.ratings.table import UNDECLARED, Exclusion, RatingTable

#: Says where row number n (0-based) of the source stands, e.g. ``ratings.csv:18``.
Locate = Callable[[int], str]


@dataclass(frozen=True)
class Rules:
    """What to do with troublesome rows; the default is to stop with an error.

    Parameters
    ----------
    duplicates : {"error", "first", "drop"}
        Several rows of one (item, rater, dimension).
    off_scale : {"error", "drop"}
        A rating that is not a level of its scale.
    missing : {"drop", "error"}
        No rating in the cell (a skipped question).
    profiles : {"error", "drop", "undeclared"}
        A rater with two different profiles: stop, leave out the rater, or set the differing axes to undeclared.
    unknown_item, unknown_rater : {"error", "drop"} and {"error", "drop", "undeclared"}
        A rating of an item, or by a rater, that is not in its file.
    """

    duplicates: Literal["error", "first", "drop"] = "error"
    off_scale: Literal["error", "drop"] = "error"
    missing: Literal["drop", "error"] = "drop"
    profiles: Literal["error", "drop", "undeclared"] = "error"
    unknown_item: Literal["error", "drop"] = "error"
    unknown_rater: Literal["error", "drop", "undeclared"] = "error"


#: Rules a person with a single file of ratings can choose; the first choice is the default.
CHOICES: dict[str, tuple[str, ...]] = {
    "duplicates": ("error", "first", "drop"),
    "off_scale": ("error", "drop"),
    "missing": ("drop", "error"),
    "profiles": ("error", "drop", "undeclared"),
}


def build_table(
    rows: pl.DataFrame,
    raters: pl.DataFrame,
    scales: Mapping[str, Scale],
    *,
    items: pl.Series | None = None,
    rules: Rules | None = None,
    locate: Locate = lambda row: f"row {row + 1}",
) -> RatingTable:
    """Check raw rows and return the rating table.

    Parameters
    ----------
    rows : DataFrame
        ``row`` (0-based place in the source), ``item_id, rater_id, dimension, scale, value`` (str, null: skipped), and
        ``weight`` (str), if the ratings have weights.
    raters : DataFrame
        ``rater_id`` (str) and one ``List[str]`` column per axis; repeated equal profiles are one. ``row``, too, where
        the profiles stand in the ratings' own file, to say in which line of it.
    scales : mapping
        Scales by the names in ``rows.scale``.
    items : Series of str, optional
        Known item ids.
    rules : Rules, optional
    locate : callable

    Raises
    ------
    PluralError
        For the first trouble whose rule says ``error``, naming file, line, the value and what was expected; and when
        no rating is left.
    """
    rules = rules or Rules()
    out: list[Exclusion] = []
    if rows.is_empty():
        raise PluralError(f"{locate(0)}: no ratings in the file")
    raters, bad = _one_profile_each(raters, rules, locate)
    rows = _drop(rows, pl.col("rater_id").is_in(bad), "raters with two profiles", out, detail=", ".join(bad[:5]))
    rows = _missing(rows, rules, locate, out)
    if items is not None:
        rows = _unknown(rows, "item", items, rules.unknown_item, locate, out)
    if rules.unknown_rater == "undeclared":
        raters = _with_undeclared(raters, rows["rater_id"])
    rows = _unknown(rows, "rater", raters["rater_id"], rules.unknown_rater, locate, out)
    rows = _on_scale(rows, scales, rules, locate, out)
    rows = _once(rows, rules, locate, out)
    rows = _weights(rows, locate)
    if rows.is_empty():
        raise PluralError(f"{locate(0)}: no ratings left: {'; '.join(map(str, out))}")
    ratings = rows.select(c for c in ("item_id", "rater_id", "scale", "level", "weight") if c in rows.columns)
    used = raters.filter(pl.col("rater_id").is_in(ratings["rater_id"].unique().implode()))
    return RatingTable(ratings, used.sort("rater_id"), dict(scales), tuple(out))


def _drop(rows: pl.DataFrame, bad: pl.Expr, rule: str, out: list[Exclusion], detail: str = "") -> pl.DataFrame:
    """Leave out the rows where `bad` holds and count them."""
    kept = rows.filter(~bad)
    if len(kept) < len(rows):
        out.append(Exclusion(rule, len(rows) - len(kept), detail))
    return kept


def _one_profile_each(raters: pl.DataFrame, rules: Rules, locate: Locate) -> tuple[pl.DataFrame, list[str]]:
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
    same = [
        pl.when(pl.col(a).n_unique() == 1).then(pl.col(a).first()).otherwise(pl.lit([UNDECLARED])).alias(a)
        for a in axes
    ]
    merged = twice.group_by("rater_id", maintain_order=True).agg(*same)
    return pl.concat([once, merged.select(once.columns)]), []


def _missing(rows: pl.DataFrame, rules: Rules, locate: Locate, out: list[Exclusion]) -> pl.DataFrame:
    empty = rows.filter(pl.col("value").is_null())
    if len(empty) and rules.missing == "error":
        at = empty.row(0, named=True)
        raise PluralError(f"{locate(at['row'])}: no rating for {at['dimension']}; expected one of its levels")
    return _drop(rows, pl.col("value").is_null(), "no rating in the cell", out)


def _unknown(
    rows: pl.DataFrame, what: str, known: pl.Series, rule: str, locate: Locate, out: list[Exclusion]
) -> pl.DataFrame:
    bad = ~pl.col(f"{what}_id").is_in(known.unique().implode())
    strange = rows.filter(bad)
    if len(strange) and rule == "error":
        at = strange.row(0, named=True)
        raise PluralError(
            f"{locate(at['row'])}: unknown {what} {at[f'{what}_id']!r}; expected an id of the {what}s file"
        )
    return _drop(rows, bad, f"unknown {what}", out)


def _with_undeclared(raters: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    strangers = ids.unique(maintain_order=True).to_frame().join(raters, on="rater_id", how="anti")
    axes = [pl.lit([UNDECLARED]).alias(a) for a in raters.columns if a != "rater_id"]
    return pl.concat([raters, strangers.with_columns(*axes).select(raters.columns)])


def _on_scale(
    rows: pl.DataFrame, scales: Mapping[str, Scale], rules: Rules, locate: Locate, out: list[Exclusion]
) -> pl.DataFrame:
    """Add ``level``; there are few distinct values, so each is looked up once."""
    unknown = rows.filter(~pl.col("scale").is_in(list(scales)).fill_null(False))
    if len(unknown):
        at = unknown.row(0, named=True)
        raise PluralError(f"{locate(at['row'])}: unknown scale {at['scale']!r}; expected one of {', '.join(scales)}")
    pairs = rows.select("scale", "value").unique()
    levels = {n: {v: k for k, v in enumerate(s.levels)} for n, s in scales.items()}
    place = [levels[name].get(canonical(value)) for name, value in pairs.iter_rows()]
    rows = rows.join(
        pairs.with_columns(level=pl.Series(place, dtype=pl.Int16)),
        on=["scale", "value"],
        how="left",
        maintain_order="left",
    )
    strange = rows.filter(pl.col("level").is_null())
    if len(strange) and rules.off_scale == "error":
        at = strange.row(0, named=True)
        raise PluralError(
            f"{locate(at['row'])}: rating {at['value']!r} of {at['dimension']} is not on its scale; "
            f"expected one of {', '.join(scales[at['scale']].levels)}"
        )
    detail = ", ".join(repr(v) for v in strange["value"].unique(maintain_order=True).head(5))
    return _drop(rows, pl.col("level").is_null(), "not on the scale", out, detail)


def _once(rows: pl.DataFrame, rules: Rules, locate: Locate, out: list[Exclusion]) -> pl.DataFrame:
    key = ["item_id", "rater_id", "dimension"]
    twice = pl.struct(key).is_duplicated()
    if rules.duplicates == "error":
        double = rows.filter(twice)
        if len(double):
            at = double.row(1, named=True)
            raise PluralError(
                f"{locate(at['row'])}: a second rating of item {at['item_id']!r} by rater {at['rater_id']!r} "
                f"on {at['dimension']}; expected one"
            )
        return rows
    if rules.duplicates == "first":
        return _drop(rows, ~pl.struct(key).is_first_distinct(), "repeated (item, rater, dimension), first kept", out)
    return _drop(rows, twice, "repeated (item, rater, dimension), none kept", out)


def _weights(rows: pl.DataFrame, locate: Locate) -> pl.DataFrame:
    """Read weights as numbers; there is no rule for a bad one."""
    if "weight" not in rows.columns:
        return rows
    read = rows.with_columns(number=pl.col("weight").cast(pl.Float64, strict=False))
    bad = read.filter(~(pl.col("number").is_finite() & (pl.col("number") >= 0)).fill_null(value=False))
    if bad.height:
        at = bad.row(0, named=True)
        raise PluralError(f"{locate(at['row'])}: weight {at['weight']!r}; expected a number from 0 on")
    return read.with_columns(weight="number").drop("number")
