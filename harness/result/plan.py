"""How many raters a group and how many items a gap needs (methods 3.9), from a pilot or from stated components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.ratings.table import Axis, RatingTable, axis_name
from lm_plural.harness.result.contrast import LEVEL, gap_parts
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.group import null
from lm_plural.harness.result.options import Options, Predictions
from lm_plural.harness.statistics import power
from lm_plural.harness.statistics.contrasts import Family, Sides, choose, families
from lm_plural.harness.statistics.counts import Ints, count_levels
from lm_plural.harness.statistics.groups import LINEAR
from lm_plural.harness.statistics.intervals import quantile
from lm_plural.harness.statistics.power import Parts
from lm_plural.harness.statistics.random import generator

MODEL = ("bias", "divergence", "rps")
STATISTICS = ("item_mean", "disagreement", "cliff", *MODEL)
#: In the unit of the scale; others lie in [-1, 1].
IN_POINTS = ("item_mean", "bias")
#: Items asked about where there is no pilot.
ITEMS = 100
#: Fewer have no interval, whatever the normal approximation says.
LEAST_RATERS, LEAST_ITEMS = Options().min_raters_interval, 2
#: Designs shown around the answer.
STEPS = (0.25, 0.5, 1, 2, 4)


@dataclass(frozen=True)
class Question:
    """What is to be detected, and by what design.

    Parameters
    ----------
    gap : float
        In the unit of the statistic.
    power : float
    statistic : str
    items, raters, ratings_per_rater : int, optional
        Of the design; default: the pilot's, and without one 100 items, all rated by everyone.
    comparisons : int, optional
        Each is tested at 5 % / comparisons; default: max-T over the pilot's comparisons, without one a single one.
    """

    gap: float
    power: float = 0.8
    statistic: str = "item_mean"
    items: int | None = None
    raters: int | None = None
    ratings_per_rater: int | None = None
    comparisons: int | None = None

    @property
    def bonferroni(self) -> float:
        """Normal critical value of one of the comparisons."""
        return float(quantile(np.asarray(np.inf), 1 - (1 - LEVEL) / (self.comparisons or 1)))


@dataclass(frozen=True)
class Plan:
    """One gap: where its variance comes from, and what would detect it.

    Parameters
    ----------
    question : Question
    critical : float
        Standard errors that a significant gap has.
    parts : Parts
        With raters who each rate the share `share` of the items.
    share : ndarray, shape (2,)
    items : int
        Asked about.
    raters : ndarray, shape (2,), or None
        Of either side, asked about.
    """

    question: Question
    critical: float
    parts: Parts
    share: Floats
    items: int
    raters: Floats | None = None

    def parts_at(self, items: float) -> Parts:
        """Return the parts with so many items: of more than ``ratings_per_rater`` a rater rates only that many."""
        most, p = self.question.ratings_per_rater, self.parts
        if most is None:
            return p
        one = p.within * self.share  # of a single rating
        return Parts(p.item, one, p.rater) if items <= most else Parts(p.item, 0.0 * one, p.rater + one / most)

    def ratings_per_rater(self, items: float) -> Floats:
        """Return how many of the items a rater of either side rates."""
        most = self.question.ratings_per_rater
        return self.share * items if most is None else np.minimum(items, most) * np.ones(2)

    def detectable(self, items: float, raters: float | Floats) -> float:
        """Return the smallest detectable gap."""
        se = np.sqrt(power.gap_variance(self.parts_at(items), items, raters))
        return float(power.minimum_detectable(se, self.question.power, critical=self.critical))

    def raters_needed(self, items: float) -> float:
        """Return raters a group, as many in both; NaN where no number is enough."""
        q = self.question
        found = power.raters_needed(q.gap, self.parts_at(items), items, q.power, critical=self.critical)
        return float(np.maximum(found, LEAST_RATERS))

    def items_needed(self, raters: float | Floats) -> float:
        """Return items for raters a group, one number or one per side; NaN where no number is enough."""
        most = self.question.ratings_per_rater
        found = self._items(self.parts_at(0), raters)
        if most is not None and not found <= most:
            found = self._items(self.parts_at(np.inf), raters)
        return float(np.maximum(found, LEAST_ITEMS))

    def _items(self, parts: Parts, raters: float | Floats) -> float:
        q, n = self.question, np.asarray(raters)
        one = Parts(parts.item, parts.within / n, parts.rater / n)  # sides may differ in raters
        return float(power.items_needed(q.gap, one, 1.0, q.power, critical=self.critical))

    def answer(self) -> dict[str, Any]:
        """Return what is needed, and what the design asked about detects."""
        raters, rated = self.raters_needed(self.items), self.ratings_per_rater(self.items)
        answer = {
            "items": self.items,
            "raters": None,
            "detectable": None,
            "raters_needed": _whole(raters),
            "ratings_per_rater": rated.tolist(),
            "ratings_needed": _whole(float(np.ceil(raters * rated.sum()))),
            "items_needed": None,
            "least_raters": _whole(self.raters_needed(np.inf)),
            "least_items": _whole(self.items_needed(np.inf)),
        }
        if self.raters is not None:
            answer["raters"] = [int(n) for n in self.raters]
            answer["detectable"] = self.detectable(self.items, self.raters)
            answer["items_needed"] = _whole(self.items_needed(self.raters))
        return answer | {"variance": {k: np.asarray(v).tolist() for k, v in vars(self.parts).items()}}

    def grid(self) -> dict[str, Any]:
        """Return the detectable gap for raters x items around the answer, and what is needed for each of them."""
        middle = self.items if self.raters_needed(self.items) > 0 else 2 * self.items_needed(np.inf)
        items, raters = _around(middle, LEAST_ITEMS), _around(self.raters_needed(middle), LEAST_RATERS)
        return {
            "items": items,
            "raters": raters,
            "detectable": [[self.detectable(i, n) for i in items] for n in raters],
            "raters_needed": [_whole(self.raters_needed(i)) for i in items],
            "items_needed": [_whole(self.items_needed(n)) for n in raters],
        }


def plan_from_components(question: Question, sd_item: float, sd_rater: float, sd_residual: float) -> dict[str, Any]:
    """Return the answer for a gap in mean rating, from standard deviations in scale points.

    Parameters
    ----------
    question : Question
    sd_item : float
        Of the item-by-group effect: how far a group's view of an item is from what item and group alone would say.
    sd_rater : float
        Of raters' habits.
    sd_residual : float
        Of one rating.
    """
    raters = None if question.raters is None else np.full(2, float(question.raters))
    parts = power.parts_of_sd(sd_item, sd_rater, sd_residual)
    plan = Plan(question, question.bonferroni, parts, np.ones(2), question.items or ITEMS, raters)
    gap = {"a": "one group", "b": "another", **plan.answer()}
    return {"axis": None, **_critical(plan, "normal"), "gaps": [gap], "grid": plan.grid(), "notes": []}


def plan_from_pilot(
    table: RatingTable,
    predictions: Predictions | None,
    axis: Axis,
    question: Question,
    options: Options | None = None,
    groups: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the answer for every pair of groups of an axis, the pair that needs most raters first.

    Parameters
    ----------
    table : RatingTable
        Of one dimension on one scale.
    predictions : Predictions or None
        Needed by statistics of a model.
    axis : str or tuple of str
    question : Question
    options : Options, optional
    groups : sequence of str
        Those to be compared; default: all that have enough raters for an interval.

    Raises
    ------
    UsageError
        For an unknown group, a statistic that needs predictions, or a gap that cannot be.
    PluralError
        If too few raters, items or differences leave nothing to plan from.
    """
    options = options or Options()
    frame, notes = Frame.of(table, options), [str(e) for e in table.exclusions]
    _check(question, frame, predictions)
    q = None if predictions is None else frame.align(predictions, options, notes)
    members, names = frame.grouping(table.groups(axis))
    counts = count_levels(frame.coded, members)
    if q is not None:
        counts = counts * ~np.isnan(q[:, :1, None])
    n_items = int(counts.any(axis=(1, 2)).sum())
    sizes = members.sizes(np.unique(frame.coded.rater))
    chosen = _chosen(dict(zip(names, sizes.tolist(), strict=True)), groups, axis_name(axis), notes)
    sides = Sides.of(frame.coded, members, counts)
    a, b = choose("pairs", chosen, len(names))
    found = families(
        frame.coded,
        sides,
        frame.scaling,
        q,
        a,
        b,
        rng=generator(options.seed, axis_name(axis), "pairs"),
        weights=options.weights,
        draws=options.draws,
        least=LEAST_RATERS,
    )
    family = found[question.statistic]
    plans = {(names[a[m]], names[b[m]]): (_plan(family, m, sides, question), m) for m in _usable(family, names, notes)}
    worst_first = sorted(plans, key=lambda ab: _difficulty(plans[ab][0]), reverse=True)
    worst, m = plans[worst_first[0]]
    return {
        "axis": axis_name(axis),
        **_critical(worst, "max-T", len(plans)),
        "gaps": [{"a": ab[0], "b": ab[1], **plans[ab][0].answer(), "items_of_pilot": n_items} for ab in worst_first],
        "precision": null(float(np.sqrt(2 / family.estimates.df[m]))),
        "grid": worst.grid(),
        "notes": notes,
    }


def _check(question: Question, frame: Frame, predictions: Predictions | None) -> None:
    if question.statistic in MODEL and predictions is None:
        raise UsageError(f"statistic {question.statistic!r} needs predictions")
    widest = float(np.ptp(frame.scaling.positions)) if question.statistic in IN_POINTS else 1.0
    if question.gap > widest:
        raise UsageError(f"gap {question.gap:g}: expected at most {widest:g}, the largest in {question.statistic}")


def _chosen(sizes: dict[str, int], groups: Sequence[str], axis: str, notes: list[str]) -> Ints:
    """Return the places of the groups to be compared, all with enough raters."""
    for name in groups:
        if name not in sizes:
            hint = did_you_mean(name, sizes) or f"; there are {', '.join(sizes)}"
            raise UsageError(f"no group {name!r} on axis {axis}{hint}")
    asked = {g: n for g, n in sizes.items() if not groups or g in groups}
    small = [f"{g} {n}" for g, n in asked.items() if n < LEAST_RATERS]
    enough = [k for k, g in enumerate(sizes) if g in asked and sizes[g] >= LEAST_RATERS]
    if len(enough) < 2 or (groups and small):
        what = f"axis {axis}: two groups of at least {LEAST_RATERS} raters each are needed to plan from"
        raise PluralError(f"{what}; raters: {', '.join(small or [f'{g} {n}' for g, n in asked.items()])}")
    if small:
        notes.append(f"groups with fewer than {LEAST_RATERS} raters left out: {', '.join(small)}")
    return np.array(enough)


def _usable(family: Family, names: Sequence[str], notes: list[str]) -> list[int]:
    """Return the contrasts that have an interval."""
    usable = ~np.isnan(family.estimates.se)
    lost = [f"{names[a]} - {names[b]}" for a, b in zip(family.a[~usable], family.b[~usable], strict=True)]
    why = f"fewer than {LEAST_RATERS} raters on common items, or nothing varies"
    if not usable.any():
        raise PluralError(f"nothing to plan from: {why} ({', '.join(lost)})")
    if lost:
        notes.append(f"comparisons left out, {why}: {', '.join(lost)}")
    return np.flatnonzero(usable).tolist()


def _plan(family: Family, m: int, sides: Sides, question: Question) -> Plan:
    """Return the plan of contrast m, with the pilot's numbers where none are asked about."""
    parts, n_items, raters = gap_parts(family, m)
    n = sides.counts[:, [family.a[m], family.b[m]]].sum(axis=2)
    least = 1 if question.statistic in LINEAR else 2
    share = n[(n >= least).all(axis=1)].sum(axis=0) / raters / n_items
    asked = raters if question.raters is None else np.full(2, float(question.raters))
    critical = family.critical if question.comparisons is None else question.bonferroni
    return Plan(question, critical, parts, share, question.items or n_items, asked)


def _critical(plan: Plan, method: str, comparisons: int = 1) -> dict[str, Any]:
    """Return how many comparisons the plan allows for, and how."""
    m = plan.question.comparisons
    return {
        "critical": plan.critical,
        "comparisons": m or comparisons,
        "critical_from": method if m is None else "Bonferroni",
    }


def _difficulty(plan: Plan) -> tuple[float, float, float]:
    """Return what orders plans by how much they need."""
    needed = plan.raters_needed(plan.items)
    se = plan.detectable(plan.items, LEAST_RATERS)
    return (np.inf if np.isnan(needed) else needed), plan.raters_needed(np.inf), se


def _around(middle: float, least: int) -> list[int]:
    """Return numbers around one, the others rounded to two digits."""
    near = {int(middle) if step == 1 else int(float(f"{middle * step:.1e}")) for step in STEPS}
    return sorted({max(n, least) for n in near})


def _whole(number: float) -> int | None:
    return None if np.isnan(number) else int(number)
