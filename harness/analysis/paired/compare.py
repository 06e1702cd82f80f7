"""Two sets of predictions against the same ratings: the change of every statistic, for every group (methods 3.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.paired.changes import Paired, PairedAxis, PairedGroup, gap_row
from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import MOST_TOGETHER, RatingTable, axis_name
from lm_plural.harness.ratings.table import Axis as AxisKey
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.counts import Ints, Membership, Sums, count_levels
from lm_plural.harness.statistics.groups.family import Kind, Sides, choose
from lm_plural.harness.statistics.groups.groups import Weighting
from lm_plural.harness.statistics.groups.paired import gap_changes, group_changes


def align_both(
    frame: Frame, scale: Scale, a: Predictions, b: Predictions, options: Options, notes: list[str]
) -> tuple[Floats, Floats]:
    """Return q of both sets in item order, shape (I, K) each, NaN for an item that only one predicts.

    Raises
    ------
    PluralError
        If predictions are not over `scale`, or the sets have no rated item in common.
    """
    q_a, q_b = (_aligned(frame, scale, p, which, options, notes) for which, p in (("first", a), ("second", b)))
    of_a, of_b = (~np.isnan(q[:, :1]) for q in (q_a, q_b))
    both = of_a & of_b
    if not both.any():
        raise PluralError(
            f"no rated item is in both sets of predictions: {of_a.sum()} are in the first only, "
            f"{of_b.sum()} in the second only"
        )
    if alone := int((of_a ^ of_b).sum()):
        notes.append(f"{alone} rated items predicted by one of the two sets only not compared")
    if same := int((q_a == q_b).all(axis=1).sum()):
        notes.append(f"the sets are equal on {same} of {both.sum()} compared items")
    return np.where(both, q_a, np.nan), np.where(both, q_b, np.nan)


def _aligned(
    frame: Frame, scale: Scale, predictions: Predictions, which: str, options: Options, notes: list[str]
) -> Floats:
    if predictions.q.shape[1] != scale.size:
        raise PluralError(
            f"{which} set of predictions: q has shape {predictions.q.shape}, expected {scale.size} columns, for levels "
            f"{', '.join(scale.levels)}"
        )
    own: list[str] = []
    q = frame.align(predictions, options, own)
    notes += [f"{which} set: {note}" for note in own]
    return q


#: Statistics whose gaps between groups may change; that in bias cannot (see ``statistics.paired_gaps``).
WITH_GAPS = named("gap changes")


def compare_predictions(
    table: RatingTable, a: Predictions, b: Predictions, axes: Sequence[AxisKey], options: Options | None = None
) -> Paired:
    """Compare two sets of predictions on the items both predict, for every group of the given axes: a less b.

    Parameters
    ----------
    table : RatingTable
        Of one dimension on one scale.
    a, b : Predictions
        Over the scale of the table.
    axes : sequence
        Axis names, or tuples of them for intersections.
    options : Options, optional

    Raises
    ------
    PluralError
        If predictions are not over the table's scale, or both sets have no item in common that has a rating.
    UsageError
        If the reference is not ``all``, or a user's weight of an item is no weight.
    """
    options = options or Options()
    if options.reference != "all":
        raise UsageError(f"reference {options.reference!r}: two sets are compared against all ratings only, 'all'")
    frame = Frame.of(table, options)
    notes = [str(e) for e in table.exclusions]
    if dropped := len(table.ratings) - len(frame.coded.level):
        notes.append(f"{dropped} ratings left out: on a level the coarsening drops")
    if options.coarsening:
        notes.append(f"coarsened from {table.scale.size} to {frame.scale.size} levels: {', '.join(frame.scale.labels)}")
    q_a, q_b = align_both(frame, table.scale, a, b, options, notes)
    job = _Job(frame, options, q_a, q_b, frame.user_weights(options, notes))
    overall = job.groups("", Membership.everyone(frame.coded.n_raters), ["all"])["all"]
    groupings = {axis_name(axis): frame.grouping(table.groups(axis, MOST_TOGETHER)) for axis in axes}
    results = {name: job.axis(name, *grouping) for name, grouping in groupings.items()}
    n_items = int((~np.isnan(q_a[:, 0])).sum())
    return Paired(frame.scale, n_items, overall, results, options, tuple(notes))


@dataclass(frozen=True)
class _Job:
    """What all groups of a comparison share."""

    frame: Frame
    options: Options
    q_a: Floats
    q_b: Floats
    user: Floats | None

    def axis(self, name: str, members: Membership, names: Sequence[str]) -> PairedAxis:
        """Return one axis with the changes of gaps between its groups."""
        groups = self.groups(name, members, names)
        computed = np.flatnonzero([g.n_raters >= self.options.min_raters for g in groups.values()])
        if self.options.inference == "none" or len(names) < 2 or not len(computed):
            return PairedAxis(groups)
        sides = Sides.of(self.frame.coded, members, self._counts(members))
        kinds: tuple[Kind, ...] = ("pairs", "rest")
        rows = [row for kind in kinds for row in self._gaps(name, kind, sides, computed, names)]
        return PairedAxis(groups, [{"statistic": s} | row for s in WITH_GAPS for row in rows])

    def groups(self, axis: str, members: Membership, names: Sequence[str]) -> dict[str, PairedGroup]:
        """Return the changes of all groups of an axis."""
        frame, o, counts = self.frame, self.options, self._counts(members)
        found = group_changes(
            frame.coded,
            members,
            counts,
            frame.scaling,
            self.q_a,
            self.q_b,
            Weighting.of(Sums.of(counts, frame.scaling), o.weights, self.user),
            o.inferring_groups(axis, "paired"),
        )
        return {name: PairedGroup.of(found, g, o) for g, name in enumerate(names)}

    def _counts(self, members: Membership) -> npt.NDArray[Any]:
        return count_levels(self.frame.coded, members) * ~np.isnan(self.q_a[:, :1, None])

    def _gaps(self, axis: str, kind: Kind, sides: Sides, computed: Ints, names: Sequence[str]) -> list[dict[str, Any]]:
        o, frame = self.options, self.frame
        a, b = choose(kind, computed, len(names))
        if not len(a):
            return []
        what = frame.coded, sides, frame.scaling, self.q_a, self.q_b, a, b
        found = gap_changes(*what, o.inferring(axis, "paired", kind), o.weights, self.user)
        called = [*names, *["rest"] * len(names)]
        return [{"a": called[a[m]], "b": called[b[m]]} | gap_row(found, m, o) for m in range(len(a))]
