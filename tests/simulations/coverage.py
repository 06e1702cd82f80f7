"""How often the engine's 95 % intervals hold the truth (S1, S2, S2s, S2x and S3 of the methods note)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lm_plural.harness.arrays import ratio
from lm_plural.harness.statistics.counts import Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.contrasts import families
from lm_plural.harness.statistics.groups.family import Family, Sides, choose
from lm_plural.harness.statistics.groups.groups import GroupStatistics, Weighting, group_statistics
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.intervals import Estimates, raw
from lm_plural.harness.statistics.uncertainty.permutation import score_test
from lm_plural.harness.statistics.uncertainty.pigeonhole import pigeonhole
from tests.simulations.generate import POSITIONS, Data, Design, simulate, truth
from tests.statistics.resampled import item_statistics, mean_over_items

SCALING = Scaling.plain(POSITIONS)
GROUP = ("item_mean", "bias", "divergence", "disagreement", "rps", "signal", "skill", "equivalent_raters")
GAP = ("item_mean", "bias", "divergence", "disagreement", "rps", "cliff")
RATIO = ("divergence", "disagreement")


@dataclass(frozen=True)
class Sample:
    """Estimates of all repetitions, shape (n, M), and the truth about them, shape (M,)."""

    estimates: Estimates
    truth: np.ndarray

    @cached_property
    def defined(self) -> np.ndarray:
        """Which repetitions gave an interval; one without an upper end ("at least 7") is one."""
        return ~np.isnan(self.estimates.low)

    @cached_property
    def _covers(self) -> np.ndarray:
        e = self.estimates
        return (e.low <= self.truth) & (self.truth <= np.where(np.isnan(e.high), np.inf, e.high))

    @property
    def coverage(self) -> np.ndarray:
        """Share of the intervals that hold the truth, shape (M,)."""
        return self._covers.sum(axis=0) / np.maximum(self.defined.sum(axis=0), 1)

    @property
    def simultaneous(self) -> float:
        """Share of the repetitions in which all M intervals hold the truth."""
        return float(self._covers.all(axis=1).mean())

    @property
    def se_ratio(self) -> np.ndarray:
        """Root mean square of the standard errors, over the standard deviation of the estimates, shape (M,)."""
        e, n = self.estimates, self.defined.sum(axis=0)
        spread = self._mean((e.value - self._mean(e.value)) ** 2) * ratio(n, n - 1)
        return np.sqrt(ratio(self._mean(e.se**2), spread))

    @property
    def error(self) -> np.ndarray:
        """Mean error in units of its Monte-Carlo standard error, shape (M,); NaN where the truth is not finite."""
        e = self.estimates.value - np.where(np.isfinite(self.truth), self.truth, np.nan)
        spread = self._mean((e - self._mean(e)) ** 2)
        return ratio(self._mean(e), np.sqrt(ratio(spread, self.defined.sum(axis=0) - 1)))

    def _mean(self, x: np.ndarray) -> np.ndarray:
        return ratio(np.where(self.defined, x, 0.0).sum(axis=0), self.defined.sum(axis=0))


def repeat(design: Design, repetitions: int, seed: int = 2, replicates: int = 0) -> dict[str, Sample]:
    """Simulate, estimate and compare with the truth, under names such as "group skill" and "gap bias".

    Of two groups or more, beside the engine's intervals ("gap", "ratio", simultaneous "all gaps"), those of two wrong
    ways: "items gap" takes raters for fixed, "iid gap item_mean" takes ratings for independent. With `replicates`,
    "pigeonhole" holds standard errors by the bootstrap.
    """
    rng = generator(seed, "coverage", design.name)
    runs = [dict(_estimate(simulate(design, rng), rng, replicates)) for _ in range(repetitions)]
    true = _truths(design)
    return {
        name: Sample(Estimates(*(np.stack([getattr(run[name], f) for run in runs]) for f in FIELDS)), true[name])
        for name in runs[0]
    }


FIELDS = ("value", "se", "df", "low", "high")


def _truths(design: Design) -> dict[str, np.ndarray]:
    true, (a, b) = truth(design), np.triu_indices(len(design.raters), 1)
    gap = {n: true[n][a, b] if n == "cliff" else true[n][a] - true[n][b] for n in GAP}
    out = {f"group {n}": true[n] for n in GROUP}
    # a perfect model has no ratio of divergences
    out |= {f"ratio {n}": np.log(ratio(true[n][a], true[n][b])) for n in RATIO}
    out |= {f"pigeonhole {n}": true[n] for n in ("bias", "divergence", "disagreement")}
    return out | {f"{kind} {n}": x for kind in ("gap", "items gap", "iid gap", "all gaps") for n, x in gap.items()}


def _estimate(data: Data, rng: np.random.Generator, replicates: int) -> Iterator[tuple[str, Estimates]]:
    counts = count_levels(data.coded, data.members)
    weights = Weighting.of(Sums.of(counts, SCALING))
    found = group_statistics(data.coded, data.members, counts, SCALING, data.q, weights)
    signal = found.combine(found.base("signal"), {"signal": 1.0})
    yield from ((f"group {n}", e) for n, e in (found.estimates | {"signal": signal}).items())
    groups = np.arange(data.members.n_groups)
    a, b = choose("pairs", groups, len(groups))
    # a perfect model's distributions are by group, and the sides of contrasts hold every group's rest as well
    q = data.q if data.q.ndim == 2 else np.concatenate([data.q, data.q], axis=1)
    sides = Sides.of(data.coded, data.members, counts)
    gaps = families(data.coded, sides, SCALING, q, a, b, Inferring(rng, draws=2000))
    for name, family in gaps.items():
        yield from ((f"{kind} {name}", e) for kind, e in _ways(family))
    yield "iid gap item_mean", _independent(counts, a, b)
    yield from _bootstrap(data, found, weights, replicates, rng) if replicates else ()


def _ways(family: Family) -> Iterator[tuple[str, Estimates]]:
    e = family.estimates
    yield "gap", e
    yield "all gaps", Estimates(e.value, e.se, e.df, family.low, family.high)
    yield "items gap", raw(e.value, *family.covariance.variance(family.loadings, "items"))
    if family.ratio is not None:
        r = family.ratio
        yield "ratio", Estimates(np.log(r.value), r.se, r.df, np.log(r.low), np.log(r.high))


def _independent(counts: np.ndarray, a: np.ndarray, b: np.ndarray) -> Estimates:
    """Return the gap in mean rating as if every rating were by another person about another item."""
    n = counts.sum(axis=(0, 2))
    mean, square = (counts.sum(axis=0) @ POSITIONS**p / n for p in (1, 2))
    own = (square - mean**2) / n
    return raw(mean[a] - mean[b], own[a] + own[b], np.full(len(a), np.inf))


def _bootstrap(
    data: Data, found: GroupStatistics, weights: Weighting, replicates: int, rng: np.random.Generator
) -> Iterator[tuple[str, Estimates]]:
    for name, statistic in item_statistics(SCALING, data.q).items():
        mean = mean_over_items(statistic, data.coded, data.members, weights.by_name(name))
        drawn = pigeonhole(data.coded, data.members, mean, replicates, rng)
        yield f"pigeonhole {name}", raw(found.base(name), drawn.var(axis=0, ddof=1), np.full(drawn.shape[1], np.inf))


def permutation_p(design: Design, repetitions: int, seed: int = 3, n_permutations: int = 199) -> np.ndarray:
    """Return the permutation p for a difference in mean rating of the first two groups, shape (n,) (S2s)."""
    rng, out = generator(seed, "permutation", design.name), []
    for _ in range(repetitions):
        coded, members, _ = simulate(design, rng)
        mean = np.bincount(coded.rater, coded.level) / np.bincount(coded.rater)
        sides = [members.group == g for g in (0, 1)]
        out.append(score_test(mean, *sides, rng, n_permutations=n_permutations)[0])
    return np.array(out)
