"""How many raters and items a gap needs, from a pilot or from stated components."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from lm_plural.harness.analysis.design.plan import LEAST_ITEMS, LEAST_RATERS, MODEL, STATISTICS, Question
from lm_plural.harness.analysis.design.planning import assumptions, plan_from_components, plan_from_pilot
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.data.own_files import read_predictions
from lm_plural.harness.data.source import Rows, Source
from lm_plural.harness.errors import UsageError, argument, did_you_mean
from lm_plural.harness.files import to_json, write_atomic
from lm_plural.harness.jobs.arguments import Axes, Levels, axes_of, rules_of, scale_of
from lm_plural.harness.jobs.disaggregate import read_table
from lm_plural.harness.ratings.rules import Chosen, Rules
from lm_plural.harness.statistics.measures.agreement import Weights


@dataclass(frozen=True)
class Planned:
    """What a gap needs.

    Parameters
    ----------
    question : Question
    origin : dict
        Of what the variance is known: ``pilot``, where it is from, or ``components``, in scale points.
    plans : list of dict
        One per axis, or one: the pairs of groups (``gaps``), the one that needs most first; designs around the answer
        (``grid``); what it rests on (``assumptions``, ``notes``).
    """

    question: Question
    origin: dict[str, Any]
    plans: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON types."""
        return {"schema_version": 1, "question": vars(self.question), **self.origin, "plans": self.plans}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the answer as JSON.

        Raises
        ------
        PluralError
            If it cannot be written.
        """
        write_atomic(Path(path), to_json(self.to_dict()))

    def __repr__(self) -> str:
        q = self.question
        head = f"Planned: a gap of {q.gap:g} in {q.statistic} with power {100 * q.power:g} %"
        lines = [_hardest(plan) for plan in self.plans[:8]]
        more = [f"and {len(self.plans) - 8} more axes"] if self.plans[8:] else []
        return "\n".join(line if len(line) <= 80 else line[:79] + "…" for line in [head, *lines, *more])


def _hardest(plan: dict[str, Any]) -> str:
    """Return what the pair that needs most needs, in a line."""
    gap, axis = plan["gaps"][0], f"{plan['axis']}: " if plan["axis"] else ""
    raters = "no number of raters is enough"
    if gap["raters_needed"] is not None:
        raters = f"{gap['raters_needed']:,} raters a group"
    return f"{axis}{gap['a']} - {gap['b']}: {raters} with {gap['items']:,} items"


def plan(
    gap: float,
    *,
    power: float = Question.power,
    statistic: str | None = None,
    items: int | None = None,
    raters: int | None = None,
    ratings_per_rater: int | None = None,
    comparisons: int | None = None,
    ratings: Rows | None = None,
    predictions: Rows | None = None,
    columns: Mapping[str, str] | None = None,
    scale: Levels | None = None,
    axes: Axes = (),
    groups: Sequence[str] = (),
    weights: Weights = Options.weights,
    rater_sd: float | None = None,
    residual_sd: float | None = None,
    item_sd: float | None = None,
    **rules: Unpack[Chosen],
) -> Planned:
    """Say how many raters a group and how many items would detect a gap between groups.

    The variance comes from a pilot (`ratings`, `scale`, `axes`) or is stated (`rater_sd`, `residual_sd`, `item_sd`).

    Parameters
    ----------
    gap : float
        To be detected, in the unit of the statistic.
    power : float
        Chance to detect it, from 0.5 to below 1.
    statistic : str, optional
        ``item_mean``, ``disagreement``, ``cliff``; with predictions ``bias`` (then the default), ``divergence``,
        ``rps``.
    items, raters, ratings_per_rater : int, optional
        Of the design: by default the pilot's, and without one 100 items, all rated by everyone.
    comparisons : int, optional
        To allow for, by Bonferroni; by default max-T over the pilot's pairs of groups, or one.
    ratings, predictions : path or frame, optional
        The pilot, and what a model says of its items (as of :func:`~lm_plural.harness.jobs.disaggregate.disaggregate`).
    columns : mapping, optional
        What the pilot calls its columns: ``{"item_id": "comment"}``.
    scale : sequence or Scale, optional
        Levels, lowest first.
    axes : sequence
        Columns with groups.
    groups : sequence of str
        Only these groups of the one axis.
    weights : {"items", "pairs"}
    rater_sd, residual_sd, item_sd : float, optional
        In scale points: of raters' habits, of one rating beyond item and rater, of a group's own view of an item.
    **rules : str
        What to do with troublesome rows of the pilot (``duplicates="first"``): those of
        :class:`~lm_plural.harness.ratings.rules.Chosen`, each as in its neighbour ``Rules``.

    Returns
    -------
    Planned

    Raises
    ------
    UsageError
        For a question that cannot be answered.
    PluralError
        For anything wrong in the rows, or if the pilot leaves nothing to plan from.

    Examples
    --------
    >>> import lm_plural as lp
    >>> lp.plan(0.25, rater_sd=0.55, residual_sd=1.0, item_sd=0.3)
    Planned: a gap of 0.25 in item_mean with power 80 %
    one group - another: 102 raters a group with 100 items
    """
    sds = {"rater_sd": rater_sd, "residual_sd": residual_sd, "item_sd": item_sd}
    design = {"items": items, "raters": raters, "ratings_per_rater": ratings_per_rater, "comparisons": comparisons}
    asked = _asked(gap, power, statistic, design, with_predictions=predictions is not None)
    cleaning = rules_of(rules)
    if ratings is None:
        of_pilot = {"predictions": predictions is not None, "scale": scale is not None, "axes": bool(axes)}
        of_pilot |= {"columns": bool(columns)}
        of_pilot |= {"groups": bool(groups), "weights": weights != Options.weights}
        of_pilot |= {rule: getattr(cleaning, rule) != getattr(Rules, rule) for rule in rules}
        stated = _components(sds, [name for name, given in of_pilot.items() if given], statistic)
        plans = [plan_from_components(asked, stated["item_sd"], stated["rater_sd"], stated["residual_sd"])]
        origin: dict[str, Any] = {"components": stated}
    else:
        levels, keys = _check_pilot(sds, scale, axes, groups)
        if asked.statistic in MODEL and predictions is None:
            raise UsageError(f"{argument('statistic')} {asked.statistic} needs {argument('predictions')}")
        whole, source = scale_of(levels), Source.of(ratings, "ratings")
        table = read_table(source, whole, keys, cleaning, columns)
        predicted = None if predictions is None else read_predictions(predictions, whole)
        options = Options(weights=weights)
        plans = [plan_from_pilot(table, predicted, axis, asked, options, groups) for axis in keys]
        origin = {"pilot": str(source)}
    for answer in plans:
        answer["assumptions"] = assumptions(asked, answer)
    return Planned(asked, origin, plans)


def _asked(
    gap: float, power: float, statistic: str | None, design: dict[str, int | None], *, with_predictions: bool
) -> Question:
    """Return what is asked, once the numbers can be."""
    if not 1e-9 < gap < 1e9:
        unit = "a number above 0 and below 1e9, in the unit of the statistic"
        raise UsageError(f"{argument('gap')} {gap:g}: expected {unit}")
    if not 0.5 <= power < 1:
        raise UsageError(f"{argument('power')} {power:g}: expected a number from 0.5 to below 1")
    statistic = statistic or ("bias" if with_predictions else "item_mean")
    if statistic not in STATISTICS:
        hint = did_you_mean(statistic, STATISTICS) or f"; there are {', '.join(STATISTICS)}"
        raise UsageError(f"{argument('statistic')} {statistic}: no such statistic{hint}")
    why = ", or there is no interval"
    least = {"items": (LEAST_ITEMS, why), "raters": (LEAST_RATERS, why)}
    for name, number in design.items():
        lowest, reason = least.get(name, (1, ""))
        if number is not None and number < lowest:
            raise UsageError(f"{argument(name)} {number}: expected at least {lowest}{reason}")
    return Question(gap, power, statistic, **design)


def _check_pilot(
    sds: dict[str, float | None], scale: Levels | None, axes: Axes, groups: Sequence[str]
) -> tuple[Levels, list[Any]]:
    """Return scale and axes of a pilot, once the arguments go together."""
    if both := [sd for sd, given in sds.items() if given is not None]:
        what = f"{argument(both[0])} and {argument('ratings')}"
        raise UsageError(f"{what}: expected a pilot or components, not both")
    for name, given in (("scale", scale), ("axes", axes)):
        if not given:
            raise UsageError(f"{argument('ratings')} needs {argument(name)}, too")
    keys = axes_of(axes)
    if groups and len(keys) > 1:
        raise UsageError(f"{argument('groups')}: expected groups of one axis, there are {len(keys)}")
    if len(set(groups)) == 1:
        raise UsageError(f"{argument('groups')}: expected two or more different groups")
    assert scale is not None
    return scale, keys


def _components(sds: dict[str, float | None], of_pilot: list[str], statistic: str | None) -> dict[str, float]:
    """Return the components, once they are all there and something varies."""
    called = ", ".join(map(argument, sds))
    stated = {sd: given for sd, given in sds.items() if given is not None}
    if not stated:
        pilot = ", ".join(map(argument, ("ratings", "scale", "axes")))
        raise UsageError(f"expected a pilot ({pilot}) or components ({called})")
    if lacking := [sd for sd in sds if sd not in stated]:
        raise UsageError(f"{argument(lacking[0])} is missing: components are {called}")
    if of_pilot:
        raise UsageError(f"{argument(of_pilot[0])} goes with {argument('ratings')}, not with components")
    if statistic not in (None, "item_mean"):
        raise UsageError(f"{argument('statistic')} {statistic}: components speak of item_mean only")
    for sd, value in stated.items():
        if not 0 <= value < 1e9:
            raise UsageError(f"{argument(sd)} {value:g}: expected a number from 0 to below 1e9, in scale points")
    if not any(stated.values()):
        raise UsageError(f"{called} are all 0: nothing varies, any design detects any gap")
    return stated
