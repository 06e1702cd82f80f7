"""What is between the groups of one axis: contrasts, spread, cohesion, distances, what could be detected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.result.coarsenings import coarsenings
from lm_plural.harness.result.cohesion import cohesion_extras
from lm_plural.harness.result.contrast import Written
from lm_plural.harness.result.effects import effects
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.group import null
from lm_plural.harness.result.options import Options
from lm_plural.harness.result.standardised import standardised
from lm_plural.harness.result.strategies import strategies
from lm_plural.harness.statistics import draws, shrinkage, spread
from lm_plural.harness.statistics.association import cohesion_test
from lm_plural.harness.statistics.ceiling import group_distances
from lm_plural.harness.statistics.contrasts import Family, Kind, Sides, choose, families
from lm_plural.harness.statistics.counts import Membership, Sums
from lm_plural.harness.statistics.exact import few_rater_tests
from lm_plural.harness.statistics.groups import GroupStatistics
from lm_plural.harness.statistics.multiplicity import benjamini_hochberg
from lm_plural.harness.statistics.random import generator

#: Statistics in which more is worse (True) or better (False) for the group; others have no worst group.
WORSE = {"divergence": True, "rps": True, "skill": False}
#: Items that two raters of both groups rated, below which the distance of two groups is refused.
FEWEST_COMMON = 30
#: Contrasts of one kind, above which they are not permuted: there are group-against-rest tests in their place.
MOST_TESTS = 100
#: Groups of an axis, above which there are too many pairs to look at.
MOST_GROUPS = 40
#: Share of a group's items that others rated, below which it cannot be told whether people or items agree less.
SHARED_ITEMS = 0.7
SPREAD = ("item_mean", "disagreement", "bias", "divergence", "rps", "skill")


@dataclass(frozen=True)
class Axis:
    """The groups of one axis, as far as they may be compared.

    Parameters
    ----------
    frame : Frame
    members : Membership
    names : sequence of str
    counts : ndarray, shape (I, G, K_fine)
        Of the items to be counted.
    q : ndarray, shape (I, K), or None
    user : ndarray, shape (I,), or None
        Weights of items.
    strata : ndarray, shape (R,), or None
        Within which raters are permuted.
    statistics : GroupStatistics
    raters : ndarray of int, shape (G,)
        Present.
    options : Options
    name : str
        Of the axis, which keys its random numbers.
    """

    frame: Frame
    members: Membership
    names: Sequence[str]
    counts: npt.NDArray[Any]
    q: Floats | None
    user: Floats | None
    strata: npt.NDArray[Any] | None
    statistics: GroupStatistics
    raters: npt.NDArray[Any]
    options: Options
    name: str

    @property
    def computed(self) -> npt.NDArray[np.int64]:
        """Groups with enough raters to be computed."""
        return np.flatnonzero(self.raters >= self.options.min_raters)

    @property
    def by_pairs(self) -> bool:
        """Whether groups are few enough to be compared pair by pair."""
        return len(self.computed) <= MOST_GROUPS

    def trusted(self, statistic: str) -> npt.NDArray[np.bool_]:
        """Return the groups with enough raters for an interval, shape (G,)."""
        return np.asarray(self.statistics.n_raters(statistic) >= self.options.min_raters_interval)

    def between(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the rows of contrasts, and the other blocks of the axis."""
        if len(self.computed) < 1 or len(self.names) < 2:
            return [], {"spread": {}, "cohesion": {}, "distances": {}, "mdg": {}}
        sides = Sides.of(self.frame.coded, self.members, self.counts)
        kinds: tuple[Kind, ...] = ("pairs", "rest") if self.by_pairs else ("rest",)
        written = {kind: self._written(kind, sides) for kind in kinds}
        found = [w.detectable() for w in written.values()]
        mdg = {s: [gap for gaps in found for gap in gaps.get(s, [])] for s in written["rest"].families}
        return [row for w in written.values() for row in w.rows()], {
            "notes": [] if self.by_pairs else [f"{len(self.computed)} groups: each against all others, not by pairs"],
            "spread": self.spread(written["pairs"].families if self.by_pairs else {}),
            "cohesion": self.cohesion(sides),
            "distances": self.distances(),
            "mdg": mdg,
            **self.more(),
        }

    def more(self) -> dict[str, Any]:
        """Return effect sizes, what other strategies and scales would say, and gaps with the other axes held fixed."""
        what = (self.frame, self.members, self.names, self.counts)
        computed = self.computed if self.by_pairs else self.computed[:0]
        with_model = (self.q, computed, self.options, self.user)
        return {
            "effects": effects(*what, computed, self.options, self.user),
            "sensitivity": {
                "strategies": strategies(*what, *with_model),
                "coarsenings": coarsenings(*what, *with_model),
            },
            "standardised": standardised(self.name, self.names, self.statistics, self.raters, self.options),
        }

    def _written(self, kind: Kind, sides: Sides) -> Written:
        o, frame = self.options, self.frame
        a, b = choose(kind, self.computed, len(self.names))
        found = families(
            frame.coded,
            sides,
            frame.scaling,
            self.q,
            a,
            b,
            rng=generator(o.seed, self.name, kind),
            inference=o.inference,
            weights=o.weights,
            user=self.user,
            draws=o.draws,
            least=o.min_raters_interval,
        )
        small = (
            {}
            if len(a) > MOST_TESTS
            else few_rater_tests(
                frame.coded,
                sides,
                frame.scaling,
                self.q,
                a,
                b,
                rng=generator(o.seed, self.name, kind, "permutation"),
                permutations=o.permutations,
                strata=self.strata,
            )
        )
        return Written(found, self.names, o, small, kind)

    def spread(self, pairs: dict[str, Family]) -> dict[str, Any]:
        """Return tau, the range's interval, and who may be the worst, for every statistic."""
        return {s: self._spread(s, pairs.get(s)) for s in SPREAD if s in self.statistics.estimates}

    def _spread(self, statistic: str, pairs: Family | None) -> dict[str, Any]:
        found, o = self.statistics, self.options
        e = found.estimates[statistic]
        value = np.where(self.trusted(statistic) & ~np.isnan(e.se), e.value, np.nan)
        loadings = found.loadings(found.gradient(statistic))
        covariance = found.covariance.matrix(loadings, o.inference)
        apart = self._without_common_items(value, pairs)
        tau2 = np.nan if apart else spread.spread(value, covariance)
        low, high = (
            spread.range_interval(pairs.estimates.value, pairs.estimates.se, pairs.critical)
            if pairs
            else (np.nan, np.nan)
        )
        out: dict[str, Any] = {
            "tau": null(np.sqrt(max(tau2, 0.0))) if not np.isnan(tau2) else None,
            "tau2": null(tau2),
            "n_groups": int((~np.isnan(value)).sum()),
            "range": {"low": null(low), "high": null(high)},
            "flags": ["no_common_items: some groups rated other items, which may be why they differ"] if apart else [],
        }
        out["shrunken"], drawn = self._shrunken(statistic, value, covariance)
        if statistic in WORSE and drawn is not None:
            out["worst"] = self._worst(statistic, value, covariance, pairs, out["shrunken"])
        return out

    def _without_common_items(self, value: Floats, pairs: Family | None) -> bool:
        """Return whether two groups that have a value have no items in common to be compared on."""
        if pairs is None:
            return False
        known = ~np.isnan(value)
        return bool((known[pairs.a] & known[pairs.b] & (pairs.n_items == 0)).any())

    def _shrunken(
        self, statistic: str, value: Floats, covariance: Floats
    ) -> tuple[dict[str, dict[str, float | None]], Floats | None]:
        """Return values pulled towards each other (methods 5.2), cells of axes towards the axes' main effects."""
        known = ~np.isnan(value)
        if known.sum() < 3:
            return {}, None
        factors = self.factors()
        found = shrinkage.shrink(value, covariance, factors)
        rng = generator(self.options.seed, self.name, statistic, "shrunken")
        _, drawn = shrinkage.shrunken_draws(value, covariance, min(self.options.draws, 2_000), rng, factors)
        low, high = draws.percentile_interval(drawn)
        rows = zip(self.names, found.values, low, high, known, strict=True)
        return {name: {"value": null(v), "low": null(lo), "high": null(hi)} for name, v, lo, hi, k in rows if k}, drawn

    def factors(self) -> npt.NDArray[np.int64] | None:
        """Return each cell's level of every axis, shape (G, n_axes); None for one axis, or if names do not tell."""
        cells = [name.split(" & ") for name in self.names]
        n_axes = len(self.name.split(" & "))
        if n_axes == 1 or any(len(cell) != n_axes for cell in cells):
            return None
        return np.array([np.unique(level, return_inverse=True)[1] for level in zip(*cells, strict=True)]).T

    def _worst(
        self,
        statistic: str,
        value: Floats,
        covariance: Floats,
        pairs: Family | None,
        shrunken: dict[str, dict[str, float | None]],
    ) -> dict[str, Any]:
        """Return who may be the worst off, never one name: the largest estimate is the noisiest group's."""
        known = np.flatnonzero(~np.isnan(value))
        rng = generator(self.options.seed, self.name, statistic, "draws")
        drawn = draws.joint_draws(value[known], covariance[np.ix_(known, known)], self.options.draws, rng)
        chance = draws.probability_worst(drawn, WORSE[statistic])
        sides = np.array([pairs.a, pairs.b]).T if pairs else np.zeros((0, 2), dtype=np.int64)
        adjusted = pairs.p_adjusted if pairs else np.zeros(0)
        maybe = spread.not_distinguishable_from_worst(value, sides, adjusted, WORSE[statistic])
        pulled = [v["value"] for v in shrunken.values() if v["value"] is not None]
        return {
            "shrunken": (max if WORSE[statistic] else min)(pulled) if pulled else None,
            "not_distinguishable": [name for name, m in zip(self.names, maybe, strict=True) if m],
            "probability": {self.names[int(g)]: float(p) for g, p in zip(known, chance, strict=True)},
        }

    def distances(self) -> dict[str, dict[str, float | None]]:
        """Return how far groups are from each other, in the unit of the model's divergence; null on few items."""
        sums = Sums.of(self.counts, self.frame.scaling)
        pairs = (sums.n >= 2).astype(np.float64)
        apart = np.where(pairs.T @ pairs >= FEWEST_COMMON, group_distances(sums), np.nan)
        names = [(g, self.names[g]) for g in self.computed]
        return {a: {b: null(float(apart[g, h])) for h, b in names} for g, a in names}

    def cohesion(self, sides: Sides) -> dict[str, Any]:
        """Return agreement inside each group beside agreement with all others (GRASP, methods 7.1)."""
        coded = self.frame.whole_levels()
        if coded is None or self.options.inference == "none":
            return {}
        rng = generator(self.options.seed, self.name, "cohesion")
        found = cohesion_test(coded, self.members, rng, n_permutations=self.options.permutations, strata=self.strata)
        numbers = {
            "xrr": found.xrr,
            "difference": found.difference,
            "gai": found.gai,
            "p": found.p,
            "p_bh": benjamini_hochberg(np.where(np.isin(np.arange(len(found.p)), self.computed), found.p, np.nan)),
            "p_gai": found.p_gai,
            "null_gai": found.null_gai,
        }
        extras = cohesion_extras(self.frame, sides, self.names, self.computed)
        shared = self._shared_items(sides)
        out = {}
        for g in self.computed:
            row = {k: null(float(v[g])) for k, v in numbers.items()} | extras[self.names[g]]
            row["flags"] = []
            if shared[g] < SHARED_ITEMS:
                row |= dict.fromkeys(("p", "p_bh", "p_gai"))
                row["flags"] = [f"other_items: others rated {shared[g]:.0%} of the group's items, so no p"]
            out[self.names[g]] = row
        return out

    def _shared_items(self, sides: Sides) -> Floats:
        """Return the share of each group's pairs of ratings that are on items two others rated, shape (G,)."""
        n = sides.counts.sum(axis=2).astype(np.float64)
        mine, rest = np.split(n * (n - 1), 2, axis=1)
        return ratio((mine * (rest > 0)).sum(axis=0), mine.sum(axis=0), 1.0)
