"""A rating table as codes, with what its numbers mean."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, Scaling


@dataclass(frozen=True)
class Frame:
    """Codes of items and raters, and the scale statistics are about.

    Parameters
    ----------
    coded : Coded
    item_ids : list of str
        In order of their codes.
    rater_ids : Series
    scale : Scale
    scaling : Scaling
    """

    coded: Coded
    item_ids: list[str]
    rater_ids: pl.Series
    scale: Scale
    scaling: Scaling

    @classmethod
    def of(cls, table: RatingTable, options: Options) -> Frame:
        """Code the ratings of a table whose level counts.

        Raises
        ------
        PluralError
            If none does.
        """
        scale, scaling = table.scale, Scaling.plain(table.scale.positions)
        if options.coarsening:
            scale = options.coarsening.scale
            scaling = Scaling(np.asarray(scale.positions), options.coarsening.matrix)
        ratings = table.ratings.filter(pl.col("level").is_in(np.flatnonzero(scaling.kept).tolist()))
        if ratings.is_empty():
            raise PluralError("no ratings left: all are on a level the coarsening drops")
        items, raters = ratings["item_id"].unique(maintain_order=True), table.raters["rater_id"]
        coded = Coded(
            _codes(ratings["item_id"], items),
            _codes(ratings["rater_id"], raters),
            ratings["level"].cast(pl.Int64).to_numpy(),
            len(items),
            len(raters),
            np.asarray(table.scale.positions),
            ratings["weight"].to_numpy() if "weight" in ratings.columns else None,
        )
        return cls(coded, items.to_list(), raters, scale, scaling)

    def of_raters(self, raters: Ints) -> tuple[Frame, Ints, Ints]:
        """Return the ratings by some raters, and the codes that its items and raters have here, in order."""
        c = self.coded
        wanted = np.zeros(c.n_raters, dtype=bool)
        wanted[raters] = True
        rows, who = np.flatnonzero(wanted[c.rater]), np.flatnonzero(wanted)
        items, item = np.unique(c.item[rows], return_inverse=True)
        weight = None if c.weight is None else c.weight[rows]
        rater = np.searchsorted(who, c.rater[rows])
        coded = Coded(item.reshape(-1), rater, c.level[rows], len(items), len(who), c.positions, weight)
        ids = self.rater_ids.gather(who)
        return replace(self, coded=coded, item_ids=[self.item_ids[i] for i in items], rater_ids=ids), items, who

    def whole_levels(self) -> Coded | None:
        """Return the ratings on the levels statistics are about; None where a coarsening splits a rating."""
        m = self.scaling.matrix
        if ((m > 0) & (m < 1)).any():
            return None
        return replace(self.coded, level=m.argmax(axis=1)[self.coded.level], positions=self.scaling.positions)

    def grouping(self, pairs: pl.DataFrame) -> tuple[Membership, list[str]]:
        """Return ``rater_id, group`` pairs as codes, and the names of the groups."""
        names = pairs["group"].unique().sort()
        members = Membership(_codes(pairs["rater_id"], self.rater_ids), _codes(pairs["group"], names), len(names))
        return members, names.to_list()

    def align(self, predictions: Predictions, options: Options, notes: list[str]) -> Floats:
        """Return q in item order, NaN for an item without prediction.

        Raises
        ------
        PluralError
            If no predicted item has a rating.
        UsageError
            If they are over another number of levels.
        """
        q = predictions.q if options.coarsening is None else options.coarsening.distribution(predictions.q)
        if predictions.q.shape[1] != self.coded.n_levels:
            raise UsageError(f"predictions over {predictions.q.shape[1]} levels; the scale has {self.coded.n_levels}")
        place = _codes(pl.Series(predictions.item_ids, dtype=pl.String), pl.Series(self.item_ids))
        out = np.full((len(self.item_ids), q.shape[1]), np.nan)
        known = place >= 0
        if not len(place):
            raise PluralError("no predictions: expected at least one item")
        if not known.any():
            raise PluralError(
                f"none of the {len(predictions.item_ids)} predicted items has a rating; "
                f"ratings are of items like {self.item_ids[0]!r}, predictions like {predictions.item_ids[0]!r}"
            )
        out[place[known]] = q[known]
        if extra := int((~known).sum()):
            notes.append(f"{extra} predicted items without a rating left out")
        if absent := len(self.item_ids) - int(known.sum()):
            notes.append(f"{absent} rated items without a prediction not compared")
        if lost := int(np.isnan(out[place[known], 0]).sum()):
            notes.append(f"{lost} predictions wholly on a level the coarsening drops not compared")
        return out

    def strata(self, table: RatingTable, options: Options) -> Ints | None:
        """Return the stratum of each rater, shape (R,): raters of the same groups of the axis named in the options.

        Raises
        ------
        UsageError
            If there is no such axis.
        """
        if options.strata is None:
            return None
        table.groups(options.strata)  # refuses an unknown axis
        levels = table.raters.select(s=pl.col(options.strata).list.sort().list.join("|"))["s"]
        return _codes(levels, levels.unique())

    def user_weights(self, options: Options, notes: list[str]) -> Floats | None:
        """Return the user's weights in item order, the largest as 1.

        Raises
        ------
        UsageError
            For a negative or infinite one, or if no rated item has a weight above 0.
        """
        if options.item_weights is None:
            return None
        given = options.item_weights
        if bad := [i for i, w in given.items() if not 0 <= w < float("inf")]:
            raise UsageError(f"weight {given[bad[0]]!r} of item {bad[0]!r}: expected a number of 0 or more")
        weights = np.array([given.get(i, 0.0) for i in self.item_ids])
        if not weights.any():
            raise UsageError("no rated item has a weight above 0")
        if absent := sum(i not in given for i in self.item_ids):
            notes.append(f"{absent} rated items without a weight of yours not counted in statistics")
        return np.asarray(weights / weights.max())


def _codes(values: pl.Series, known: pl.Series) -> Ints:
    """Return the place of each value among the known ones, -1 if it is not there."""
    places = pl.DataFrame({"v": known, "place": np.arange(len(known))})
    found = values.alias("v").to_frame().join(places, on="v", how="left", maintain_order="left")["place"]
    return np.asarray(found.fill_null(-1).to_numpy(), dtype=np.int64)
