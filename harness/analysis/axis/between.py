"""What is between the groups of one axis: contrasts, spread, cohesion, distances, what could be detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.axis.cohesion import cohesion, permutations_of
from lm_plural.harness.analysis.axis.comparison import Comparison
from lm_plural.harness.analysis.axis.contrast_rows import Written
from lm_plural.harness.analysis.axis.effects import effects
from lm_plural.harness.analysis.axis.sensitivity import coarsenings, strategies
from lm_plural.harness.analysis.axis.spread import Apart
from lm_plural.harness.analysis.axis.standardised import standardised
from lm_plural.harness.analysis.group import null
from lm_plural.harness.statistics.counts import Sums
from lm_plural.harness.statistics.groups.ceiling import group_distances
from lm_plural.harness.statistics.groups.contrasts import families
from lm_plural.harness.statistics.groups.family import Kind, Sides, choose
from lm_plural.harness.statistics.groups.few_raters import few_rater_tests
from lm_plural.harness.statistics.groups.groups import GroupStatistics
from lm_plural.harness.statistics.uncertainty.draws import generator

#: Items that two raters of both groups rated, below which the distance of two groups is refused.
FEWEST_COMMON = 30
#: Contrasts of one kind, above which they are not permuted: there are group-against-rest tests in their place.
MOST_TESTS = 100
#: Groups of an axis, above which there are too many pairs to look at.
MOST_GROUPS = 40
#: Groups of an axis, all and those with enough raters, and cells (items x groups x levels), above which its groups are
#: described one by one and not compared: what they have in common would not fit into memory, or take hours.
MOST_TOGETHER, MOST_COMPARED, MOST_CELLS = 1_000, 200, 25_000_000


def by_pairs(groups: int, items: int, levels: int) -> bool:
    """Return whether this many groups are few enough to be compared pair by pair on this many items."""
    return groups <= MOST_GROUPS and items * levels * groups * (groups - 1) <= 2 * MOST_CELLS


def too_large(groups: int, computed: int, items: int, levels: int) -> str | None:
    """Return why the groups of an axis are not compared, of which `computed` have enough raters."""
    cells = items * groups * levels
    if groups > MOST_TOGETHER:
        return f"{groups:,} groups, at most {MOST_TOGETHER:,} are compared"
    if computed > MOST_COMPARED:
        return f"{computed:,} groups with enough raters, at most {MOST_COMPARED:,} are compared"
    if groups > 1 and cells > MOST_CELLS:
        return f"{items:,} items x {groups:,} groups x {levels} levels, at most {MOST_CELLS:,} in all are compared"
    return None


@dataclass(frozen=True)
class Between:
    """The groups of one axis, as far as they may be compared.

    Parameters
    ----------
    what : Comparison
    statistics : GroupStatistics
        Of its groups.
    raters : ndarray of int, shape (G,)
        Present.
    """

    what: Comparison
    statistics: GroupStatistics
    raters: npt.NDArray[Any]

    @property
    def computed(self) -> npt.NDArray[np.int64]:
        """Groups with enough raters to be computed."""
        return np.flatnonzero(self.raters >= self.what.options.min_raters)

    @property
    def by_pairs(self) -> bool:
        """Whether groups are few enough to be compared pair by pair."""
        items, _, levels = self.what.counts.shape
        return by_pairs(len(self.computed), items, levels)

    def notes(self) -> list[str]:
        """Return what was done without, or less often, because the table is large."""
        found, (items, _, levels), o = [], self.what.counts.shape, self.what.options
        if not self.by_pairs:
            of = "" if len(self.computed) > MOST_GROUPS else f" of {levels} levels on {items:,} items"
            found.append(f"{len(self.computed)} groups{of}: each against all others, not by pairs")
        n = permutations_of(self.what)
        if n < o.permutations:
            ratings, raters = len(self.what.frame.coded.rater), len(np.unique(self.what.members.rater))
            size = f"{raters:,} raters with {ratings:,} ratings"
            found.append(f"{size}: p from {n:,} or more permutations instead of {o.permutations:,}")
        return found

    def all(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the rows of contrasts, and the other blocks of the axis."""
        what, computed = self.what, self.computed
        if len(computed) < 1 or len(what.names) < 2:
            return [], {"spread": {}, "cohesion": {}, "distances": {}, "mdg": {}}
        sides = Sides.of(what.frame.coded, what.members, what.counts)
        kinds: tuple[Kind, ...] = ("pairs", "rest") if self.by_pairs else ("rest",)
        written = {kind: self._written(kind, sides) for kind in kinds}
        found = [w.detectable() for w in written.values()]
        pairs = written["pairs"].families if self.by_pairs else {}
        large = what.only(computed if self.by_pairs else computed[:0])
        return [row for w in written.values() for row in w.rows()], {
            "notes": self.notes(),
            "spread": Apart(what.axis, what.names, self.statistics, what.options).all(pairs),
            "cohesion": cohesion(what, sides, computed),
            "distances": self.distances(),
            "mdg": {s: [gap for gaps in found for gap in gaps.get(s, [])] for s in written["rest"].families},
            "effects": effects(large),
            "sensitivity": {"strategies": strategies(large), "coarsenings": coarsenings(large)},
            "standardised": standardised(what.axis, what.names, self.statistics, self.raters, what.options),
        }

    def _written(self, kind: Kind, sides: Sides) -> Written:
        what, o = self.what, self.what.options
        on = what.frame.coded, sides, what.frame.scaling, what.q, *choose(kind, self.computed, len(what.names))
        found = families(*on, o.inferring(what.axis, kind), weights=o.weights, user=what.user)
        rng, small = generator(o.seed, what.axis, kind, "permutation"), {}
        if len(on[-1]) <= MOST_TESTS:
            small = few_rater_tests(*on, rng=rng, permutations=o.permutations, strata=what.strata)
        return Written(found, what.names, o, small, kind)

    def distances(self) -> dict[str, dict[str, float | None]]:
        """Return how far groups are from each other, in the unit of the model's divergence; null on few items."""
        sums = Sums.of(self.what.counts, self.what.frame.scaling)
        pairs = (sums.n >= 2).astype(np.float64)
        apart = np.where(pairs.T @ pairs >= FEWEST_COMMON, group_distances(sums), np.nan)
        names = [(g, self.what.names[g]) for g in self.computed]
        return {a: {b: null(float(apart[g, h])) for h, b in names} for g, a in names}
