"""One model, or none, against every group of raters: the block ``disaggregated`` of a result.

Point estimates of methods 2.1; ``se``, ``low`` and ``high`` are null until uncertainty is asked for (``inference``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.strategies import reference
from lm_plural.harness.ratings.table import Axis, RatingTable, axis_name
from lm_plural.harness.result.disaggregated import MODEL_STATISTICS, Disaggregated, Group, Options, Predictions
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.alpha import METRICS, krippendorff_alpha
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, count_levels


def disaggregate(
    table: RatingTable,
    predictions: Predictions | None,
    axes: Sequence[Axis],
    options: Options | None = None,
    *,
    refused: str | None = None,
) -> Disaggregated:
    """Compare a model with every group of the given axes; without predictions, describe the groups only.

    Parameters
    ----------
    table : RatingTable
        Of one dimension on one scale.
    predictions : Predictions or None
    axes : sequence
        Axis names, or tuples of them for intersections.
    options : Options, optional
    refused : str, optional
        Reason why the predictions say nothing: every statistic of the model is null and flagged with it.

    Raises
    ------
    PluralError
        If no predicted item has a rating.
    UsageError
        If the reference is ``weighted`` and the ratings have no weights.
    """
    options = options or Options()
    if options.reference == "weighted" and "weight" not in table.ratings.columns:
        raise UsageError("reference 'weighted' needs a column weight beside the ratings, and there is none")
    frame = _Frame.of(table, options)
    notes: list[str] = [str(e) for e in table.exclusions]
    if dropped := len(table.ratings) - len(frame.coded.level):
        notes.append(f"{dropped} ratings left out: on a level the coarsening drops")
    groupings = {axis_name(axis): frame.grouping(table.groups(axis)) for axis in axes}
    everyone = Membership.everyone(frame.coded.n_raters)
    balanced = everyone
    if options.coarsening:
        notes.append(f"coarsened from {table.scale.size} to {frame.scale.size} levels: {', '.join(frame.scale.labels)}")
    if options.reference != "all":
        notes.append(f"measured under strategy {options.reference!r}, not against all ratings")
    if options.reference == "group_balanced" and groupings:
        name, (balanced, _) = next(iter(groupings.items()))
        notes.append(f"the reference of all raters is the mean over the groups of {name}")
    q = None if predictions is None else frame.align(predictions, notes)
    overall = frame.groups(everyone, ["all"], q, refused, balanced)["all"]
    by_group = {name: frame.groups(members, names, q, refused) for name, (members, names) in groupings.items()}
    return Disaggregated(frame.scale, overall, by_group, options, notes=tuple(notes))


@dataclass(frozen=True)
class _Frame:
    """A table as codes, with what its numbers mean."""

    coded: Coded
    item_ids: list[str]
    rater_number: dict[str, int]
    scale: Scale
    scaling: Scaling
    options: Options

    @classmethod
    def of(cls, table: RatingTable, options: Options) -> _Frame:
        scale, scaling = table.scale, Scaling.plain(table.scale.positions)
        if options.coarsening:
            scale = options.coarsening.scale
            scaling = Scaling(np.asarray(scale.positions), options.coarsening.matrix)
        ratings = table.ratings.filter(pl.col("level").is_in(np.flatnonzero(scaling.kept).tolist()))
        if ratings.is_empty():
            raise PluralError("no ratings left: all are on a level the coarsening drops")
        item_ids = ratings["item_id"].unique(maintain_order=True).to_list()
        items = {v: n for n, v in enumerate(item_ids)}
        raters = {v: n for n, v in enumerate(table.raters["rater_id"])}
        coded = Coded(
            ratings["item_id"].replace_strict(items, return_dtype=pl.Int64).to_numpy(),
            ratings["rater_id"].replace_strict(raters, return_dtype=pl.Int64).to_numpy(),
            ratings["level"].cast(pl.Int64).to_numpy(),
            len(items),
            len(raters),
            np.asarray(table.scale.positions),
            ratings["weight"].to_numpy() if "weight" in ratings.columns else None,
        )
        return cls(coded, item_ids, raters, scale, scaling, options)

    def grouping(self, pairs: pl.DataFrame) -> tuple[Membership, list[str]]:
        """Return ``rater_id, group`` pairs as codes, and the names of the groups."""
        names = sorted(pairs["group"].unique())
        number = {g: n for n, g in enumerate(names)}
        members = Membership(
            pairs["rater_id"].replace_strict(self.rater_number, return_dtype=pl.Int64).to_numpy(),
            pairs["group"].replace_strict(number, return_dtype=pl.Int64).to_numpy(),
            len(names),
        )
        return members, names

    def align(self, predictions: Predictions, notes: list[str]) -> Floats:
        """Return q in item order, NaN for an item without prediction."""
        q = predictions.q
        if self.options.coarsening:
            q = self.options.coarsening.distribution(q)
        place = {v: n for n, v in enumerate(self.item_ids)}
        out = np.full((len(self.item_ids), q.shape[1]), np.nan)
        known = [(place[i], n) for n, i in enumerate(predictions.item_ids) if i in place]
        if not known:
            raise PluralError(
                f"none of the {len(predictions.item_ids)} predicted items has a rating; "
                f"ratings are of items like {self.item_ids[0]!r}, predictions like {predictions.item_ids[0]!r}"
            )
        rows, source = map(np.asarray, zip(*known, strict=True))
        out[rows] = q[source]
        if extra := len(predictions.item_ids) - len(known):
            notes.append(f"{extra} predicted items without a rating left out")
        if absent := len(self.item_ids) - len(known):
            notes.append(f"{absent} rated items without a prediction not compared")
        if lost := int(np.isnan(out[rows, 0]).sum()):
            notes.append(f"{lost} predictions wholly on a level the coarsening drops not compared")
        return out

    def groups(
        self,
        members: Membership,
        names: Sequence[str],
        q: Floats | None,
        refused: str | None,
        balanced: Membership | None = None,
    ) -> dict[str, Group]:
        """Describe groups; `balanced` is over whose groups ``group_balanced`` takes its mean, default each its own."""
        counts = count_levels(self.coded, members)
        sizes = members.sizes(np.unique(self.coded.rater))
        statistics, lacks = self._statistics(counts, members, q, balanced) if q is not None else ({}, [()] * len(names))
        out: dict[str, Group] = {}
        for g, name in enumerate(names):
            values, flags = {k: float(v[g]) for k, v in statistics.items()}, list(lacks[g])
            if refused is not None:
                values, flags = dict.fromkeys(MODEL_STATISTICS, math.nan), [refused]
            if sizes[g] < self.options.min_raters:
                values = dict.fromkeys(values, math.nan)
                flags = [f"few_raters: {sizes[g]} of at least {self.options.min_raters}"]
            out[name] = self._describe(counts[:, g], int(sizes[g]), values, flags)
        return out

    def _describe(self, counts: npt.NDArray[Any], raters: int, values: dict[str, float], flags: list[str]) -> Group:
        level = counts @ self.scaling.matrix
        pooled = level.sum(axis=0)
        share = ratio(pooled, pooled.sum())
        tail = share[::-1].cumsum()[::-1]
        alpha: dict[str, float] = {
            m: krippendorff_alpha(counts, self.scaling.positions, m, self.scaling.matrix) for m in METRICS
        }
        if math.isnan(alpha["nominal"]):
            flags = [*flags, "alpha_undefined: no item with two ratings, or all ratings equal"]
        return Group(
            n_items=int((counts.sum(axis=1) > 0).sum()),
            n_raters=raters,
            n_ratings=int(counts.sum()),
            mean=float(share @ self.scaling.positions),
            rates={f">={lv}": float(t) for lv, t in zip(self.scale.levels[1:], tail[1:], strict=True)},
            alpha=alpha,
            statistics=values,
            flags=tuple(flags),
        )

    def _statistics(
        self, counts: npt.NDArray[Any], members: Membership, q: Floats, balanced: Membership | None
    ) -> tuple[dict[str, Floats], list[tuple[str, ...]]]:
        predicted = ~np.isnan(q[:, 0])
        counts = counts * predicted[:, None, None]
        sums = Sums.of(counts, self.scaling)
        if self.options.reference != "all":
            parts = counts
            if self.options.reference == "group_balanced":
                parts = count_levels(self.coded, balanced)[:, None] if balanced else counts[:, :, None]
            elif self.options.reference == "weighted":
                parts = count_levels(self.coded, members, weighted=True)
            return self._under_strategy(parts, q)
        weights = agreement.item_weights(sums, self.options.weights)
        base = agreement.per_item(sums, q)
        mean = {n: agreement.weighted_mean(getattr(base, n), weights) for n in MODEL_STATISTICS[:4]}
        signal = agreement.signal(self.coded, members, sums, weights)
        mean["skill"] = agreement.skill(mean["divergence"], signal)
        mean["equivalent_raters"] = agreement.equivalent_raters(mean["divergence"], mean["disagreement"])
        return mean, [_lacks(mean, g) for g in range(counts.shape[1])]

    def _under_strategy(self, counts: npt.NDArray[Any], q: Floats) -> tuple[dict[str, Floats], list[tuple[str, ...]]]:
        harm = "lower" if self.scale.direction == "higher" else "higher"
        target = reference(counts @ self.scaling.matrix, self.options.reference, harm=harm)
        weights = np.where(np.isnan(target).any(axis=-1) | np.isnan(q[:, :1]), 0.0, 1.0)
        weights = ratio(weights, weights.sum(axis=0), 0.0)
        bias = (q @ self.scaling.positions)[:, None] - target @ self.scaling.positions
        nothing = np.full(target.shape[1], np.nan)
        out = dict.fromkeys(MODEL_STATISTICS, nothing)
        out["bias"] = agreement.weighted_mean(bias, weights)
        out["divergence"] = agreement.weighted_mean(agreement.plug_in_divergence(self.scaling, target, q), weights)
        flag = f"strategy_{self.options.reference}: divergence is plug-in; the rest needs all ratings"
        lacks = "no_reference: no predicted item has a reference under this strategy"
        return out, [(flag, lacks) if math.isnan(v) else (flag,) for v in out["divergence"]]


def _lacks(values: dict[str, Floats], group: int) -> tuple[str, ...]:
    """Return the reason for every statistic that could not be computed."""
    if math.isnan(values["divergence"][group]):
        return ("no_pairs: no predicted item has two raters of this group",)
    flags = []
    if math.isnan(values["skill"][group]):
        flags.append("no_signal: the group's ratings do not vary over items more than by chance, so skill is refused")
    if math.isnan(values["equivalent_raters"][group]):
        flags.append("no_divergence: not distinguishable from perfect, so equivalent raters have no upper limit")
    return tuple(flags)
