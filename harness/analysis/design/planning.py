"""Plans from a pilot or from stated components (methods 3.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_plural.harness.analysis.axis.contrast_rows import gap_parts
from lm_plural.harness.analysis.design.plan import IN_POINTS, LEAST_RATERS, MODEL, Plan, Question
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.table import MOST_TOGETHER, Axis, RatingTable, axis_name
from lm_plural.harness.statistics import power
from lm_plural.harness.statistics.catalogue import measure
from lm_plural.harness.statistics.counts import Ints, count_levels
from lm_plural.harness.statistics.groups.contrasts import families
from lm_plural.harness.statistics.groups.family import Family, Sides, choose
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.uncertainty.draws import generator


def check_question(question: Question, frame: Frame, predictions: Predictions | None) -> None:
    """Refuse (UsageError) a gap that cannot be, and a statistic of a model without one."""
    if question.statistic in MODEL and predictions is None:
        raise UsageError(f"statistic {question.statistic!r} needs predictions")
    widest = float(np.ptp(frame.scaling.positions)) if question.statistic in IN_POINTS else 1.0
    if question.gap > widest:
        raise UsageError(f"gap {question.gap:g}: expected at most {widest:g}, the largest in {question.statistic}")


def chosen_groups(sizes: dict[str, int], groups: Sequence[str], axis: str, notes: list[str]) -> Ints:
    """Return the places of the groups to be compared, all with enough raters, from the raters of each.

    Raises
    ------
    UsageError
        For a group that is not there.
    PluralError
        If not all that are asked for, or fewer than two, have enough raters.
    """
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


def usable_contrasts(family: Family, names: Sequence[str], notes: list[str]) -> list[int]:
    """Return the contrasts that have an interval; without one there is nothing to plan from (PluralError)."""
    usable = ~np.isnan(family.estimates.se)
    lost = [f"{names[a]} - {names[b]}" for a, b in zip(family.a[~usable], family.b[~usable], strict=True)]
    why = f"fewer than {LEAST_RATERS} raters on common items, or nothing varies"
    if not usable.any():
        raise PluralError(f"nothing to plan from: {why} ({', '.join(lost)})")
    if lost:
        notes.append(f"comparisons left out, {why}: {', '.join(lost)}")
    return np.flatnonzero(usable).tolist()


#: Items asked about where there is no pilot.
ITEMS = 100


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
    parts = power.parts_of_sd(sd_item, sd_rater, sd_residual)
    plan = Plan(question, question.bonferroni, parts, np.ones(2), question.items or ITEMS, _asked(question))
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
    check_question(question, frame, predictions)
    q = None if predictions is None else frame.align(predictions, options, notes)
    members, names = frame.grouping(table.groups(axis, MOST_TOGETHER))
    counts = count_levels(frame.coded, members)
    if q is not None:
        counts = counts * ~np.isnan(q[:, :1, None])
    n_items = int(counts.any(axis=(1, 2)).sum())
    sizes = dict(zip(names, members.sizes(np.unique(frame.coded.rater)).tolist(), strict=True))
    chosen = chosen_groups(sizes, groups, axis_name(axis), notes)
    sides = Sides.of(frame.coded, members, counts)
    what = frame.coded, sides, frame.scaling, q, *choose("pairs", chosen, len(names))
    how = Inferring(generator(options.seed, axis_name(axis), "pairs"), draws=options.draws, least=LEAST_RATERS)
    found = families(*what, how, weights=options.weights)
    family = found[question.statistic]
    plans = {m: _plan(family, m, sides, question) for m in usable_contrasts(family, names, notes)}
    worst, *_ = hardest = sorted(plans, key=lambda m: _difficulty(plans[m]), reverse=True)
    between = {m: {"a": names[family.a[m]], "b": names[family.b[m]]} for m in plans}
    return {
        "axis": axis_name(axis),
        **_critical(plans[worst], "max-T", len(plans)),
        "gaps": [{**between[m], **plans[m].answer(), "items_of_pilot": n_items} for m in hardest],
        "precision": null(float(np.sqrt(2 / family.estimates.df[worst]))),
        "grid": plans[worst].grid(),
        "notes": notes,
    }


def _plan(family: Family, m: int, sides: Sides, question: Question) -> Plan:
    """Return the plan of contrast m, with the pilot's numbers where none are asked about."""
    parts, n_items, raters = gap_parts(family, m)
    n = sides.counts[:, [family.a[m], family.b[m]]].sum(axis=2)
    share = n[(n >= measure(question.statistic).least).all(axis=1)].sum(axis=0) / raters / n_items
    critical = family.critical if question.comparisons is None else question.bonferroni
    return Plan(question, critical, parts, share, question.items or n_items, _asked(question, raters))


def _asked(question: Question, otherwise: Floats | None = None) -> Floats | None:
    """Return the raters of either side, shape (2,)."""
    return otherwise if question.raters is None else np.full(2, float(question.raters))


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


def assumptions(question: Question, plan: dict[str, Any]) -> list[str]:
    """Return what the numbers rest on."""
    m, pilot = plan["comparisons"], plan["axis"] is not None
    several = f" for {m} comparisons by {plan['critical_from']}" if m > 1 else ""
    of_pilot = ", at the pilot's degrees of freedom" if plan["critical_from"] == "max-T" else ""
    found = [
        f"two-sided test at 5 %, critical value {plan['critical']:.2f}{several}{of_pilot}; for other items and raters",
        "normal approximation: optimistic below about 10 raters a group; "
        f"no answer is below {LEAST_RATERS}, with fewer there is no interval",
        f"{_load(question, plan['gaps'][0])}; {_counted(question)}",
    ]
    if not pilot:
        return [*found, "raters and items spread as stated"]
    known = f", known to about +-{100 * plan['precision']:.0f} % (one standard error)"
    return [
        *found,
        f"raters and items spread as in the pilot: its variance is an estimate{known}",
        "designs unlike the pilot's are extrapolations",
    ]


def _counted(question: Question) -> str:
    single = measure(question.statistic).least == 1
    least = "raters of both groups rate" if single else "two raters of each group rate"
    return f"items counted are those that {least}: the more raters, the more of them"


def _load(question: Question, gap: dict[str, Any]) -> str:
    """Return how many items a rater is taken to rate."""
    if most := question.ratings_per_rater:
        return f"every rater rates {most:,} items, or all if there are fewer"
    share = max(gap["ratings_per_rater"]) / gap["items"]
    if share > 0.995:
        return "every rater rates every item"
    return f"every rater rates the same share of the items as in the pilot ({100 * share:.2g} %)"
