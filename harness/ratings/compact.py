"""Checked ratings as codes: what the cleaning makes, the cache keeps and the rating table is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Exclusion, RatingTable


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
