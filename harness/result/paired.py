"""Two sets of predictions against the same ratings: the change of every statistic, for every group (methods 3.7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Axis as AxisKey
from lm_plural.harness.ratings.table import RatingTable, axis_name
from lm_plural.harness.result import flags
from lm_plural.harness.result.disaggregated import SCHEMA_VERSION
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.group import Number, null
from lm_plural.harness.result.options import Options, Predictions
from lm_plural.harness.statistics.contrasts import Kind, Sides, choose
from lm_plural.harness.statistics.counts import Membership, Sums, count_levels
from lm_plural.harness.statistics.groups import Weighting
from lm_plural.harness.statistics.changes import Changes
from lm_plural.harness.statistics.paired import group_changes
from lm_plural.harness.statistics.paired_gaps import gap_changes
from lm_plural.harness.statistics.random import generator

#: Statistics whose gaps between groups may change; that in bias cannot (see ``statistics.paired``).
WITH_GAPS = ("divergence", "rps")


@dataclass(frozen=True)
class Change(Number):
    """A change, first set less second, with its interval alone and among those it is read with; NaN for refused.

    ``low_one_sided`` is a lower bound at 95 % for all changes of the family at once, ``high_one_sided`` an upper one:
    what gates compare with a margin (methods section 4).
    """

    low_simultaneous: float = math.nan
    high_simultaneous: float = math.nan
    low_one_sided: float = math.nan
    high_one_sided: float = math.nan
    p: float = math.nan
    p_adjusted: float = math.nan

    @classmethod
    def of(cls, c: Changes, n: int) -> Change:
        """Return the n-th of some changes."""
        e = c.estimates
        value, se = e.value[n], e.se[n]
        both, one = c.critical * se, c.critical_one_sided * se
        bounds = value - both, value + both, value - one, value + one
        return cls(*map(float, (value, se, e.df[n], e.low[n], e.high[n], *bounds, e.p[n], c.p_adjusted[n])))

    @property
    def bare(self) -> bool:
        """Whether it has a value and no interval."""
        return not math.isnan(self.value) and math.isnan(self.se)

    def to_dict(self) -> dict[str, float | None]:
        """Return it as JSON types, null for NaN and infinity."""
        return {name: null(number) for name, number in asdict(self).items()}


@dataclass(frozen=True)
class PairedGroup:
    """The changes of one group.

    Parameters
    ----------
    n_items, n_raters : int
        Compared, and who rated them.
    statistics : dict of str to Change
        ``bias`` in scale points; ``divergence`` and ``rps``, in which more is worse; ``skill`` and
        ``log_equivalent_raters`` (log of the ratio of both sets), in which more is better.
    flags : tuple of str
    """

    n_items: int
    n_raters: int
    statistics: dict[str, Change]
    flags: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the group as JSON types."""
        numbers = {name: change.to_dict() for name, change in self.statistics.items()}
        return {"n_items": self.n_items, "n_raters": self.n_raters, **numbers, "flags": list(self.flags)}


@dataclass(frozen=True)
class PairedAxis:
    """One axis: its groups, and the changes of gaps between them as JSON types, one row each."""

    groups: dict[str, PairedGroup]
    contrasts: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the axis as JSON types."""
        return {"groups": {g: v.to_dict() for g, v in self.groups.items()}, "contrasts": self.contrasts}


@dataclass(frozen=True)
class Paired:
    """All changes, first set of predictions less second.

    Attributes
    ----------
    overall : PairedGroup
        All raters as one group.
    axes : dict of str to PairedAxis
    """

    scale: Scale
    n_items: int
    overall: PairedGroup
    axes: dict[str, PairedAxis]
    options: Options
    notes: tuple[str, ...] = ()

    @property
    def by_group(self) -> dict[str, dict[str, PairedGroup]]:
        """Groups by axis, then name."""
        return {axis: a.groups for axis, a in self.axes.items()}

    def contrasts(self) -> pl.DataFrame:
        """Return the change of every gap, one row each: that of side ``a`` less that of side ``b``."""
        return _frame({"axis": axis} | row for axis, result in self.axes.items() for row in result.contrasts)

    def to_frame(self) -> pl.DataFrame:
        """Return the change of every statistic of every group, one row each."""
        groups = [("", "all", self.overall)]
        groups += [(axis, g, v) for axis, a in self.axes.items() for g, v in a.groups.items()]
        return _frame(
            {"axis": axis, "group": name, "statistic": s}
            | change.to_dict()
            | {"n_items": g.n_items, "n_raters": g.n_raters, "flags": list(g.flags)}
            for axis, name, g in groups
            for s, change in g.statistics.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON types."""
        s, o = self.scale, self.options
        return {
            "schema_version": SCHEMA_VERSION,
            "scale": {
                "levels": list(s.levels),
                "labels": list(s.labels),
                "positions": list(s.positions),
                "direction": s.direction,
            },
            "n_items": self.n_items,
            "inference": o.inference,
            "weights": o.weights if o.item_weights is None else f"{o.weights}, times weights of the user",
            "min_raters": o.min_raters,
            "min_raters_interval": o.min_raters_interval,
            "draws": o.draws,
            "seed": o.seed,
            "notes": list(self.notes),
            "overall": self.overall.to_dict(),
            "axes": {axis: a.to_dict() for axis, a in self.axes.items()},
        }


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
    q_a, q_b = (_aligned(frame, table.scale, p, which, options, notes) for which, p in (("first", a), ("second", b)))
    compared = _compared(q_a, q_b, notes)
    job = _Job(frame, options, q_a, q_b, compared, frame.user_weights(options))
    overall = job.groups("", Membership.everyone(frame.coded.n_raters), ["all"])["all"]
    groupings = {axis_name(axis): frame.grouping(table.groups(axis)) for axis in axes}
    results = {name: job.axis(name, members, names) for name, (members, names) in groupings.items()}
    return Paired(frame.scale, int(compared.sum()), overall, results, options, tuple(notes))


def _aligned(
    frame: Frame, scale: Scale, predictions: Predictions, which: str, options: Options, notes: list[str]
) -> Floats:
    shape = np.shape(predictions.q)
    if shape != (len(predictions.item_ids), scale.size):
        raise PluralError(
            f"{which} set of predictions: q has shape {shape}, expected ({len(predictions.item_ids)}, {scale.size}): "
            f"{len(predictions.item_ids)} items, and levels {', '.join(scale.levels)}"
        )
    own: list[str] = []
    q = frame.align(predictions, options, own)
    notes += [f"{which} set: {note}" for note in own]
    return q


def _compared(q_a: Floats, q_b: Floats, notes: list[str]) -> npt.NDArray[np.bool_]:
    """Return which items both sets predict, shape (I,)."""
    of_a, of_b = (~np.isnan(q[:, 0]) for q in (q_a, q_b))
    both = np.asarray(of_a & of_b)
    if not both.any():
        raise PluralError(
            f"no rated item is in both sets of predictions: {of_a.sum()} are in the first only, "
            f"{of_b.sum()} in the second only"
        )
    if alone := int((of_a ^ of_b).sum()):
        notes.append(f"{alone} rated items predicted by one of the two sets only not compared")
    if same := int((q_a[both] == q_b[both]).all(axis=1).sum()):
        notes.append(f"the sets are equal on {same} of {both.sum()} compared items")
    return both


@dataclass(frozen=True)
class _Job:
    """What all groups of a comparison share."""

    frame: Frame
    options: Options
    q_a: Floats
    q_b: Floats
    compared: npt.NDArray[np.bool_]
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
            rng=generator(o.seed, axis, "paired"),
            inference=o.inference,
            draws=o.draws,
            least=max(o.min_raters, o.min_raters_interval),
        )
        return {name: self._group(found, g) for g, name in enumerate(names)}

    def _counts(self, members: Membership) -> npt.NDArray[Any]:
        return count_levels(self.frame.coded, members) * self.compared[:, None, None]

    def _group(self, found: Mapping[str, Changes], g: int) -> PairedGroup:
        sizes = {name: (int(c.n_raters[0, g]), int(c.n_items[g])) for name, c in found.items()}
        raters, items = sizes["divergence"]
        if few := flags.too_few(raters, self.options):
            return PairedGroup(items, raters, dict.fromkeys(found, Change(math.nan)), (few,))
        numbers = {name: Change.of(c, g) for name, c in found.items()}
        limits = {name: flags.of_interval(*size, self.options) for name, size in sizes.items() if size[1]}
        full = [name for name, of_it in limits.items() if flags.has_interval(of_it, self.options)]
        said = _lost(numbers, items, sizes["skill"][1]) + _bare({name: numbers[name] for name in full})
        said += dict.fromkeys(flag for of_it in limits.values() for flag in of_it)
        return PairedGroup(items, raters, numbers, tuple(said))

    def _gaps(
        self, axis: str, kind: Kind, sides: Sides, computed: npt.NDArray[np.int64], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        o, frame = self.options, self.frame
        a, b = choose(kind, computed, len(names))
        if not len(a):
            return []
        rng = generator(o.seed, axis, "paired", kind)
        found = gap_changes(
            frame.coded,
            sides,
            frame.scaling,
            self.q_a,
            self.q_b,
            a,
            b,
            rng=rng,
            inference=o.inference,
            weights=o.weights,
            user=self.user,
            draws=o.draws,
            least=o.min_raters_interval,
        )
        called = [*names, *["rest"] * len(names)]
        return [{"a": called[a[m]], "b": called[b[m]]} | self._gap(found, m) for m in range(len(a))]

    def _gap(self, found: Changes, m: int) -> dict[str, Any]:
        change, items, raters = Change.of(found, m), int(found.n_items[m]), found.n_raters[:, m].astype(int).tolist()
        said = ["no_common_items: no item has a rater of both"]
        if items:
            said = flags.of_contrast((raters[0], raters[1]), items, float(found.share[m]), self.options)
            said = _bare({"the gap": change} if flags.has_interval(said, self.options) else {}) + said
        sizes = {"n_items": items, "n_raters_a": raters[0], "n_raters_b": raters[1], "family": len(found.n_items)}
        return change.to_dict() | sizes | {"flags": said}


def _lost(numbers: Mapping[str, Change], items: int, with_pairs: int) -> list[str]:
    """Return the reason for every change that has no value."""
    if not items:
        return ["no_ratings: no rating of this group on a compared item"]
    if not with_pairs:
        return ["no_pairs: no compared item has two raters of this group, so no skill, log_equivalent_raters"]
    found = []
    if math.isnan(numbers["skill"].value):
        found.append("no_signal: the group's ratings do not vary over items more than by chance, so skill is refused")
    if math.isnan(numbers["log_equivalent_raters"].value):
        found.append("no_ratio: divergence of a set may be 0, so equivalent raters of both have no ratio")
    return found


def _bare(numbers: Mapping[str, Change]) -> list[str]:
    """Return the reason for every change that has a value but, though raters and items are enough, no interval."""
    bare = {name: change.value for name, change in numbers.items() if change.bare}
    found = []
    if bare.get("skill"):
        del bare["skill"]
        found.append("weak_signal: what there is to predict is hardly told from chance, so skill has no interval")
    if bare:
        found.append(f"no_variation: the change is the same for all, so no interval of {', '.join(bare)}")
    return found


def _frame(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), infer_schema_length=None, strict=False)
