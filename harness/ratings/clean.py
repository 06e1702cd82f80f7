"""From raw rows to a rating table: every trouble is a clear error or a counted exclusion by an explicit rule.

Rows come in batches, so that a file larger than memory can be read: a batch is checked row by row and kept as small
codes; only what needs all rows, a second rating of one item by one rater, waits until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from lm_plural.harness.errors import PluralError, in_column
from lm_plural.harness.ratings.rules import Locate, Rules
from lm_plural.harness.ratings.scale import Scale, canonical
from lm_plural.harness.ratings.table import UNDECLARED, Compact, Exclusion, RatingTable


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


def one_profile_each(
    raters: pl.DataFrame, rules: Rules, locate: Locate, columns: Mapping[str, str]
) -> tuple[pl.DataFrame, list[str]]:
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
        differ = [
            f"{a}{in_column(a, columns.get(f'axes.{a}', a))}: {'|'.join(first[a])} and {'|'.join(second[a])}"
            for a in axes
            if first[a] != second[a]
        ]
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


#: Columns whose cells errors show, and how many characters of one.
CELLS, SHOWN = ("item_id", "rater_id", "value", "weight"), 60


@dataclass
class _Ids:
    """Ids and their places."""

    ids: pl.Series
    grows: bool

    def places(self, wanted: pl.Series) -> pl.Series:
        """Return the place of each id, null if it is unknown; if the list grows, none is."""
        if self.grows:
            self.ids = pl.concat([self.ids, wanted.filter(~wanted.is_in(self.ids.implode()))]).unique(
                maintain_order=True
            )
        known = pl.DataFrame({"id": self.ids, "place": pl.int_range(len(self.ids), dtype=pl.UInt32, eager=True)})
        return wanted.to_frame("id").join(known, on="id", how="left", maintain_order="left")["place"]


@dataclass
class Cleaning:
    """The rules at work on one batch after the other; ``out`` counts what they leave out."""

    raters: pl.DataFrame
    bad: Sequence[str]
    scales: Mapping[str, Scale]
    known_items: pl.Series | None
    rules: Rules
    locate: Locate
    columns: Mapping[str, str]
    out: dict[str, tuple[int, str]] = field(default_factory=dict)
    dimension: str = ""

    def __post_init__(self) -> None:
        none = pl.Series([], dtype=pl.String)
        known = self.known_items
        self.items = _Ids(none if known is None else known.unique(maintain_order=True), known is None)

    def codes(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return a batch as ``item, rater, scale, level, row`` and ``weight``, troublesome rows left out."""
        self.dimension = rows["dimension"][0]
        rows = self._by_recipe(rows)
        two = "raters with two profiles"
        rows = self._drop(rows, pl.col("rater_id").is_in(self.bad), two, ", ".join(self.bad[:5]))
        rows = self._missing(rows)
        rows = rows.with_columns(item=self.items.places(rows["item_id"]))
        rows = self._unknown(rows, "item", self.rules.unknown_item)
        rows = rows.with_columns(rater=self._rater_places(rows["rater_id"]))
        rows = self._unknown(rows, "rater", self.rules.unknown_rater)
        rows = self._weights(self._on_scale(rows))
        columns = ["item", "rater", "scale", "level", "row", *(["weight"] if "weight" in rows.columns else [])]
        return rows.select(columns)

    def _drop(self, rows: pl.DataFrame, bad: pl.Expr, rule: str, detail: str = "") -> pl.DataFrame:
        """Leave out the rows where `bad` holds and count them."""
        kept = rows.filter(~bad)
        if lost := len(rows) - len(kept):
            n, known = self.out.get(rule, (0, ""))
            self.out[rule] = (n + lost, known or detail)
        return kept

    def _by_recipe(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out what steps of the recipe marked, and stop at a fault in what is left."""
        if "_rule" not in rows.columns:
            return rows
        for rule in rows["_rule"].drop_nulls().unique(maintain_order=True):
            rows = self._drop(rows, pl.col("_rule").eq_missing(pl.lit(rule)), rule)
        self._stop(rows, pl.col("_fault").is_not_null(), lambda at: at["_fault"])
        return rows

    def _stop(self, rows: pl.DataFrame, bad: pl.Expr, message: Callable[[dict[str, Any]], str]) -> None:
        """Raise for the first row where `bad` holds."""
        for at in rows.filter(bad).head(1).iter_rows(named=True):
            cells = {c: v[:SHOWN] for c in CELLS if isinstance(v := at.get(c), str)}
            raise PluralError(f"{self.locate(at['row'])}: {message(at | cells)}")

    def _missing(self, rows: pl.DataFrame) -> pl.DataFrame:
        empty = pl.col("value").is_null()
        if self.rules.missing == "error":
            self._stop(rows, empty, lambda _: f"no rating for {self._rated}; expected one of its levels")
        return self._drop(rows, empty, "no rating in the cell")

    def _rater_places(self, ids: pl.Series) -> pl.Series:
        if self.rules.unknown_rater == "undeclared":
            self.raters = with_undeclared(self.raters, ids)
        return _Ids(self.raters["rater_id"], grows=False).places(ids)

    def _unknown(self, rows: pl.DataFrame, what: str, rule: str) -> pl.DataFrame:
        bad = pl.col(what).is_null()
        if rule == "error":
            name = f"{what}_id"
            where = in_column(name, self.columns.get(name, name))
            self._stop(rows, bad, lambda at: f"unknown {what} {at[name]!r}{where}; expected an id of the {what}s file")
        return self._drop(rows, bad, f"unknown {what}")

    def _on_scale(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add ``level`` and make ``scale`` a code; there are few distinct values, so each is looked up once."""
        names = list(self.scales)
        strange = ~pl.col("scale").is_in(names).fill_null(value=False)
        self._stop(rows, strange, lambda at: f"unknown scale {at['scale']!r}; expected one of {', '.join(names)}")
        pairs = rows.select("scale", "value").unique()
        levels = {n: {v: k for k, v in enumerate(s.levels)} for n, s in self.scales.items()}
        place = [levels[name].get(canonical(value)) for name, value in pairs.iter_rows()]
        code = [names.index(name) for name in pairs["scale"]]
        codes = pairs.with_columns(level=pl.Series(place, dtype=pl.UInt8), code=pl.Series(code, dtype=pl.UInt8))
        rows = rows.join(codes, on=["scale", "value"], how="left", maintain_order="left")
        off = pl.col("level").is_null()
        if self.rules.off_scale == "error":
            self._stop(rows, off, self._off_scale)
        detail = ", ".join(repr(v[:SHOWN]) for v in rows.filter(off)["value"].unique(maintain_order=True).head(5))
        return self._drop(rows, off, "not on the scale", detail).with_columns(scale="code")

    def _off_scale(self, at: dict[str, Any]) -> str:
        levels = self.scales[at["scale"]].levels
        words = str(at["value"]).strip()[:1].isalpha() and not any(level[:1].isalpha() for level in levels)
        hint = "; a scale of words names them as the file spells them, lowest first" if words else ""
        expected = ", ".join(levels)
        return f"rating {at['value']!r} of {self._rated} is not on its scale; expected one of {expected}{hint}"

    @property
    def _rated(self) -> str:
        """The dimension, and where its ratings are."""
        return self.dimension + in_column(self.dimension, self.columns.get("value", self.dimension))

    def _weights(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Read weights as numbers; there is no rule for a bad one."""
        if "weight" not in rows.columns:
            return rows
        read = rows.with_columns(number=pl.col("weight").cast(pl.Float64, strict=False))
        bad = ~(pl.col("number").is_finite() & (pl.col("number") >= 0)).fill_null(value=False)
        where = in_column("weight", self.columns.get("weight", "weight"))
        self._stop(read, bad, lambda at: f"weight {at['weight'] or ''!r}{where}; expected a number from 0 on")
        return read.with_columns(weight="number").drop("number")

    def once(self, ratings: pl.DataFrame) -> pl.DataFrame:
        """Treat repeated ratings of one item by one rater."""
        keys = ratings["item"].to_numpy().astype(np.uint64)
        keys *= np.uint64(max(len(self.raters), 1))
        keys += ratings["rater"].to_numpy()
        keys.sort()
        repeated = np.unique(keys[1:][keys[1:] == keys[:-1]])
        del keys
        if not len(repeated):
            return ratings
        key = pl.col("item").cast(pl.UInt64) * len(self.raters) + pl.col("rater")
        among = ratings.with_columns(key=key, twice=key.is_in(pl.Series(repeated).implode()))
        if self.rules.duplicates == "error":
            at = among.filter(pl.col("twice") & ~pl.col("key").is_first_distinct()).row(0, named=True)
            item, rater = self.items.ids[at["item"]], self.raters["rater_id"][at["rater"]]
            message = f"a second rating of item {item!r} by rater {rater!r} on {self.dimension}; expected one"
            raise PluralError(f"{self.locate(at['row'])}: {message}")
        if self.rules.duplicates == "first":
            again = pl.col("twice") & ~pl.col("key").is_first_distinct()
            return self._drop(among, again, "repeated (item, rater, dimension), first kept").select(ratings.columns)
        none = "repeated (item, rater, dimension), none kept"
        return self._drop(among, pl.col("twice"), none).select(ratings.columns)


def build_table(
    rows: pl.DataFrame,
    raters: pl.DataFrame,
    scales: Mapping[str, Scale],
    *,
    items: pl.Series | None = None,
    rules: Rules | None = None,
    locate: Locate = lambda row: f"row {row + 1}",
    columns: Mapping[str, str] | None = None,
) -> RatingTable:
    """Check raw rows and return the rating table; parameters and errors are those of :func:`clean`."""
    return clean([rows], raters, scales, items=items, rules=rules, locate=locate, columns=columns).table(scales)


def clean(
    batches: Iterable[pl.DataFrame],
    raters: pl.DataFrame,
    scales: Mapping[str, Scale],
    *,
    items: pl.Series | None = None,
    rules: Rules | None = None,
    locate: Locate = lambda row: f"row {row + 1}",
    columns: Mapping[str, str] | None = None,
) -> Compact:
    """Check raw rows and return them as codes.

    Parameters
    ----------
    batches : iterable of DataFrame
        ``row`` (0-based place in the source), ``item_id, rater_id, dimension, scale, value`` (str, null: skipped), and
        ``weight`` (str), if the ratings have weights. Where the recipe has steps: ``_rule``, the rule that left the row
        out, and ``_fault``, what is wrong with it.
    raters : DataFrame
        ``rater_id`` (str) and one ``List[str]`` column per axis; repeated equal profiles are one. ``row``, too, where
        the profiles stand in the ratings' own file, to say in which line of it.
    scales : mapping
        Scales by the names in ``rows.scale``.
    items : Series of str, optional
        Known item ids.
    rules : Rules, optional
    locate : callable
    columns : mapping of str to str, optional
        What the source calls the columns of `batches`, and of an axis as ``axes.NAME``, for messages; by default the
        same.

    Raises
    ------
    PluralError
        For the first trouble whose rule says ``error``, naming file, line, the value and what was expected; and when
        no rating is left.
    """
    rules, columns = rules or Rules(), columns or {}
    raters, bad = one_profile_each(raters, rules, locate, columns)
    job = Cleaning(raters, bad, scales, items, rules, locate, columns)
    parts = [job.codes(rows) for rows in batches if not rows.is_empty()]
    if not parts:
        raise PluralError(f"{locate(0)}: no ratings in the file")
    ratings = job.once(pl.concat(parts, rechunk=False))
    out = tuple(Exclusion(rule, n, detail) for rule, (n, detail) in job.out.items())
    if ratings.is_empty():
        raise PluralError(f"{locate(0)}: no ratings left: {'; '.join(map(str, out))}")
    return Compact(ratings.drop("row"), job.items.ids, job.raters, out)
