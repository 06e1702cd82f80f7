"""The long rating table (methods 1.1): one row is what one rater said of one item on one dimension.

The native scale belongs to the row, because the fielded scale can change inside one collection. Axes may hold several
values for one rater, and "undeclared" is a level like any other, never imputed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import polars as pl

from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.ratings.scale import Scale

UNDECLARED = "undeclared"
#: Groups of an axis, above which it is refused: an id of raters says nothing of them.
MOST_GROUPS = 10_000
#: What is said wherever such ratings show.
SIMULATED = "SIMULATED RATERS: these ratings were drawn by a program, no person gave them"
#: The same where all groups are computed together, in memory that grows with their square.
MOST_TOGETHER = 400

#: An axis, or several axes whose cells are the groups (intersectional).
Axis = str | tuple[str, ...]


@dataclass(frozen=True)
class Exclusion:
    """Rows left out by a rule of the recipe, counted and printed; `whole`: counted before items were selected."""

    rule: str
    rows: int
    detail: str = ""
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.rows} ratings{self.whole * ' of the whole data set'} left out: {self.rule}" + (
            f" ({self.detail})" if self.detail else ""
        )


@dataclass(frozen=True)
class RatingTable:
    """Ratings, raters and scales that belong together (made by :func:`~.clean.build_table`).

    Parameters
    ----------
    ratings : DataFrame
        Of one dimension: ``item_id, rater_id, scale`` (str) and ``level`` (0-based place on the row's scale);
        ``weight`` (float), if the user gave weights.
    raters : DataFrame
        ``rater_id`` (str) and one ``List[str]`` column per axis, never empty.
    scales : mapping of str to Scale
        By the name used in ``ratings.scale``.
    exclusions : tuple of Exclusion
        What was left out on the way here.
    """

    ratings: pl.DataFrame
    raters: pl.DataFrame
    scales: Mapping[str, Scale]
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the single axes."""
        return tuple(c for c in self.raters.columns if c != "rater_id")

    def select(self, items: Iterable[str]) -> RatingTable:
        """Return the ratings of some items; what was left out before stays counted over all."""
        kept = self.ratings.filter(pl.col("item_id").is_in(list(items)))
        return replace(self, ratings=kept, exclusions=tuple(replace(e, whole=True) for e in self.exclusions))

    @property
    def scale(self) -> Scale:
        """The scale all ratings share.

        Raises
        ------
        PluralError
            If there are none.
        UsageError
            If they stand on several: coarsen them to one first.
        """
        counts = dict(self.ratings.group_by("scale").len().sort("scale").iter_rows())
        if not counts:
            raise PluralError("the selected items have no ratings")
        if len(counts) > 1:
            raise UsageError(f"the ratings stand on {len(counts)} scales ({counts}): name a coarsening to one scale")
        return self.scales[next(iter(counts))]

    def groups(self, axis: Axis, most: int | None = None) -> pl.DataFrame:
        """Return ``rater_id, group``: one row per membership, a rater in two groups has two rows.

        For several axes the groups are their cells, named ``woman & black``. `most` groups are allowed, by default
        :data:`MOST_GROUPS`.

        Raises
        ------
        UsageError
            If an axis does not exist (with a suggestion), stands twice in one intersection, or has too many groups.
        """
        names: Sequence[str] = (axis,) if isinstance(axis, str) else axis
        if not names:
            raise UsageError("an axis of no names; expected one or several")
        if len(set(names)) < len(names):
            raise UsageError(f"axis {axis_name(axis)!r} names one axis twice; expected different ones")
        for name in names:
            if name not in self.axes:
                known = ", ".join(self.axes) or "none"
                raise UsageError(f"no axis {name!r}{did_you_mean(name, self.axes)}; there are {known}")
        frame = reduce(lambda f, name: f.explode(name), names, self.raters.select("rater_id", *names))
        cells = frame.select(names).unique().select(cell=pl.concat_str(names, separator=" & "))
        if (twice := cells.filter(pl.col("cell").is_duplicated())).height:
            raise UsageError(
                f"two cells of {axis_name(axis)!r} would both be called {twice['cell'][0]!r}: rename a level"
            )
        if cells.height > (most := most or MOST_GROUPS):
            raise UsageError(
                f"axis {axis_name(axis)!r} has {cells.height:,} groups; expected at most {most:,} (an id of raters is "
                "no axis; of several axes the cells are the groups)"
            )
        return frame.select("rater_id", group=pl.concat_str(names, separator=" & "))

    def group_sizes(self, axis: Axis) -> dict[str, int]:
        """Return the number of raters of each group, by name."""
        sizes = self.groups(axis).group_by("group").agg(pl.col("rater_id").n_unique()).sort("group")
        return dict(sizes.iter_rows())


def axis_name(axis: Axis) -> str:
    """Return the key of an axis in results: ``gender``, or ``gender & race`` for cells."""
    return axis if isinstance(axis, str) else " & ".join(axis)


@dataclass(frozen=True)
class Compact:
    """Checked ratings as codes, a few bytes each.

    Parameters
    ----------
    ratings : DataFrame
        ``item`` and ``rater`` (places in the next two), ``scale`` (place among the scales), ``level`` (0-based), and
        ``weight`` (float), if the ratings have weights.
    items : Series of str
    raters : DataFrame
        ``rater_id`` and one ``List[str]`` column per axis.
    exclusions : tuple of Exclusion
    """

    ratings: pl.DataFrame
    items: pl.Series
    raters: pl.DataFrame
    exclusions: tuple[Exclusion, ...]

    def table(self, scales: Mapping[str, Scale]) -> RatingTable:
        """Return the rating table; raters without a rating are not in it."""
        names = pl.Series(list(scales), dtype=pl.String)
        columns = [self.items.gather(self.ratings["item"]).alias("item_id")]
        columns += [self.raters["rater_id"].gather(self.ratings["rater"]), names.gather(self.ratings["scale"])]
        columns[2] = columns[2].alias("scale")
        columns += [self.ratings["level"].cast(pl.Int16), *([self.ratings["weight"]] if self.weighted else [])]
        used = self.raters[self.ratings["rater"].unique()].sort("rater_id")
        return RatingTable(pl.DataFrame(columns), used, dict(scales), self.exclusions)

    @property
    def weighted(self) -> bool:
        """Whether the ratings have weights."""
        return "weight" in self.ratings.columns
