"""One model, or none, against every group of raters: the block ``disaggregated`` of a result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.axis.between import MOST_CELLS, MOST_COMPARED, Between, too_large
from lm_plural.harness.analysis.axis.comparison import Comparison
from lm_plural.harness.analysis.disaggregated import AxisResult, Disaggregated
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import Group, Number, describe, of_groups
from lm_plural.harness.analysis.one_reference import AgainstReference, Found
from lm_plural.harness.analysis.options import HUMAN_STATISTICS, MODEL_STATISTICS, Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.table import Axis as AxisKey
from lm_plural.harness.ratings.table import RatingTable, axis_name
from lm_plural.harness.statistics.counts import Ints, Membership, Sums, count_levels
from lm_plural.harness.statistics.groups.groups import GroupStatistics, Weighting, group_statistics


def disaggregate(
    table: RatingTable,
    predictions: Predictions | None,
    axes: Sequence[AxisKey],
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
        If the reference is ``weighted`` and the ratings have no weights, or a user's weight of an item is no weight.
    """
    options = options or Options()
    if options.reference == "weighted" and "weight" not in table.ratings.columns:
        raise UsageError("reference 'weighted' needs a column weight beside the ratings, and there is none")
    frame = Frame.of(table, options)
    notes: list[str] = [str(e) for e in table.exclusions]
    if dropped := len(table.ratings) - len(frame.coded.level):
        notes.append(f"{dropped} ratings left out: on a level the coarsening drops")
    called = [axis_name(axis) for axis in axes]
    if twice := [name for name in called if called.count(name) > 1]:
        raise UsageError(f"two axes are called {twice[0]!r}; expected different ones")
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
    q = None if predictions is None else frame.align(predictions, options, notes)
    job = _Job(frame, options, q, refused, frame.user_weights(options, notes), frame.strata(table, options))
    overall = job.groups(everyone, ["all"], balanced)[0][0]
    notes += job.too_large(groupings)
    results = {name: job.axis(name, members, names) for name, (members, names) in groupings.items()}
    return Disaggregated(frame.scale, overall, results, options, tuple(notes))


@dataclass(frozen=True)
class _Job:
    """What all groups of a result share."""

    frame: Frame
    options: Options
    q: Floats | None
    refused: str | None
    user: Floats | None
    strata: Ints | None

    @property
    def model(self) -> Floats | None:
        """The model's q, unless it is refused."""
        return None if self.refused else self.q

    def too_large(self, groupings: Mapping[str, tuple[Membership, Sequence[str]]]) -> list[str]:
        """Return a line for every axis whose groups are not compared because there are too many."""
        why = {name: self._too_large(*grouping) for name, grouping in groupings.items()}
        return [f"groups of {name} are not compared: {reason}" for name, reason in why.items() if reason]

    def _too_large(self, members: Membership, names: Sequence[str]) -> str | None:
        computed = int((members.sizes(self._present) >= self.options.min_raters).sum())
        return too_large(len(names), computed, self.frame.coded.n_items, self.frame.coded.n_levels)

    @cached_property
    def _present(self) -> Ints:
        """Raters with a rating."""
        return np.flatnonzero(np.bincount(self.frame.coded.rater))

    def axis(self, name: str, members: Membership, names: Sequence[str]) -> AxisResult:
        """Return one axis with what is between its groups."""
        if self._too_large(members, names):
            return AxisResult({g: v for part in self._parts(members, names) for g, v in part.items()})
        groups, statistics, counts = self.groups(members, names)
        by_name = dict(zip(names, groups, strict=True))
        if statistics is None or self.options.inference == "none":
            return AxisResult(by_name)
        raters = np.array([g.n_raters for g in groups])
        what = Comparison(name, names, members, counts, self.frame, self.options, self.model, self.user, self.strata)
        contrasts, between = Between(what, statistics, raters).all()
        for member, cohesion in between["cohesion"].items():
            cohesion["alpha"] = by_name[member].to_dict()["alpha"]
        return AxisResult(by_name, contrasts, between)

    def _parts(self, members: Membership, names: Sequence[str]) -> Iterator[dict[str, Group]]:
        """Describe groups a few at a time, on the items and with the raters they have."""
        coded = self.frame.coded
        some = min(MOST_COMPARED, max(1, MOST_CELLS // (4 * coded.n_items * coded.n_levels)))
        order = np.argsort(members.group, kind="stable")
        ends = np.searchsorted(members.group[order], np.arange(len(names) + some, step=some))
        for part, (begin, end) in enumerate(pairwise(ends)):
            mine, first = order[begin:end], part * some
            frame, items, raters = self.frame.of_raters(members.rater[mine])
            known = names[first : first + some]
            inside = Membership(np.searchsorted(raters, members.rater[mine]), members.group[mine] - first, len(known))
            user = None if self.user is None else self.user[items]
            job = replace(self, frame=frame, q=None if self.q is None else self.q[items], user=user, strata=None)
            yield dict(zip(known, job.groups(inside, known, together=False)[0], strict=True))

    def groups(
        self,
        members: Membership,
        names: Sequence[str],
        balanced: Membership | None = None,
        *,
        together: bool = True,
    ) -> tuple[list[Group], GroupStatistics | None, npt.NDArray[Any]]:
        """Describe groups, and return their counts on compared items.

        `balanced` is over whose groups ``group_balanced`` takes its mean, default each its own. Groups that are not all
        `together` have no secondary measures, which are read at one number of raters for the axis.
        """
        counts = count_levels(self.frame.coded, members)
        sizes = members.sizes(self._present)
        if self.options.reference != "all":
            found = self._against_reference(counts, members, balanced)
            return [self._describe(counts, sizes, g, *found[g]) for g in range(len(names))], None, counts
        compared = self._compared(counts)
        weights = Weighting.of(Sums.of(compared, self.frame.scaling), self.options.weights, self.user)
        statistics = group_statistics(
            self.frame.coded, members, compared, self.frame.scaling, self.model, weights, self.options.inference
        )
        more = of_groups(self.frame, members, compared, self.model if together else None, statistics)
        return (
            [self._describe(counts, sizes, g, *self._numbers(statistics, g), more[g]) for g in range(len(names))],
            statistics,
            compared,
        )

    def _against_reference(self, counts: npt.NDArray[Any], members: Membership, balanced: Membership | None) -> Found:
        if self.model is None:
            flag = f"strategy_{self.options.reference}: without a model there is nothing to hold against the reference"
            return [({}, [flag]) for _ in range(counts.shape[1])]
        return AgainstReference(self.frame, self.options, self.model, self.user).groups(counts, members, balanced)

    def _compared(self, counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return counts of the items the model is compared on; all, without a model."""
        return counts if self.model is None else counts * ~np.isnan(self.model[:, :1, None])

    def _numbers(self, found: GroupStatistics, g: int) -> tuple[dict[str, Number], list[str]]:
        shown = ("item_mean", *MODEL_STATISTICS) if self.model is not None else HUMAN_STATISTICS
        numbers, limits, promised = {}, dict[str, list[str]](), []
        for name in shown:
            raters, items = int(found.n_raters(name)[g]), int(found.n_items(name)[g])
            own = flags.of_interval(raters, items, self.options)
            if flags.has_interval(own, self.options):
                promised.append(name)
            numbers[name] = Number.at(found.estimates[name], g, interval=name in promised)
            for flag in own if not math.isnan(numbers[name].low) or name not in promised else ():
                limits.setdefault(flag, []).append(name)
        return numbers, [*flags.of_values(numbers, promised), *flags.of_some(limits, len(shown))]

    def _describe(
        self,
        counts: npt.NDArray[Any],
        sizes: npt.NDArray[Any],
        g: int,
        numbers: dict[str, Number],
        found: list[str],
        more: dict[str, Any] | None = None,
    ) -> Group:
        if self.refused is not None:
            numbers = numbers | dict.fromkeys(MODEL_STATISTICS, Number(math.nan))
            found = [self.refused, *found]
        if few := flags.too_few(int(sizes[g]), self.options):
            numbers, found, more = dict.fromkeys(numbers, Number(math.nan)), [few], None
        return describe(self.frame, counts[:, g], int(sizes[g]), numbers, more or {}, found)
