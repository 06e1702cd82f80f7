"""What hangs on how a model was asked: the blocks ``paraphrases`` and ``steered`` of a rate result.

Wordings of a question are few and chosen by whoever wrote the task, not drawn from anything: their spread is told
beside the intervals and is no part of them. Steered answers are compared with plain ones on the same items and raters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import Group, null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.paired.changes import Change, PairedGroup
from lm_plural.harness.analysis.paired.compare import WITH_GAPS
from lm_plural.harness.analysis.paired.steered import compare_steered, group_block
from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.table import Axis, RatingTable, axis_name
from lm_plural.harness.result.making.answers import Answers
from lm_plural.harness.run.loop import Work
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.counts import Sums, count_levels
from lm_plural.harness.statistics.groups.family import Sides, support
from lm_plural.harness.statistics.groups.paired import STATISTICS
from lm_plural.harness.statistics.inference import CLEAR
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.task.elicit import steering

#: What is said wording by wording.
SAID = named("wordings")


def paraphrases(
    work: Work, table: RatingTable, axes: Sequence[Axis], options: Options, block: dict[str, Any]
) -> dict[str, Any]:
    """Return the block ``paraphrases``.

    Parameters
    ----------
    work : Work
    table : RatingTable
        Of the items asked about.
    axes : sequence
    options : Options
        The task's.
    block : dict
        The result over all wordings, whose clear differences are looked at wording by wording.
    """
    answers = [Answers.of(work, wording=n) for n in range(len(work.loaded.task.wordings))]
    points = replace(options, inference="none")
    found = [disaggregate(table, a.predictions, axes, points, refused=a.refused) for a in answers]
    return {
        "n_wordings": len(answers),
        "off_scale_median": [a.median for a in answers],
        "overall": _spread([f.overall for f in found]),
        "axes": {
            axis: {"groups": {g: _spread([f.axes[axis].groups[g] for f in found]) for g in content.groups}}
            for axis, content in found[0].axes.items()
        },
        "differences": _differences(table, axes, options, block, answers),
        "flags": [f"wording {n}: {a.refused}" for n, a in enumerate(answers) if a.refused],
    }


def _spread(groups: Sequence[Group]) -> dict[str, Any]:
    """Return one group's statistics by wording, and how far they are apart."""
    return {
        name: wordings_range([g.statistics[name].value for g in groups])
        for name in SAID
        if name in groups[0].statistics
    }


def wordings_range(values: Sequence[float]) -> dict[str, Any]:
    """Return values and, over those known, their ends and standard deviation (n - 1)."""
    known = [v for v in values if np.isfinite(v)]
    ends = {"min": min(known), "max": max(known)} if known else {"min": None, "max": None}
    return {"by_wording": [null(v) for v in values], **ends, "sd": float(np.std(known, ddof=1)) if known[1:] else None}


def _differences(
    table: RatingTable, axes: Sequence[Axis], options: Options, block: dict[str, Any], answers: Sequence[Answers]
) -> list[dict[str, Any]]:
    """Return the differences that are clear of chance, wording by wording.

    Those in bias are left out: on common items the model's mean falls out, so they are differences between people.
    """
    frame = Frame.of(table, options)
    q = [None if a.refused else frame.align(a.predictions, options, []) for a in answers]
    if all(x is None for x in q):  # the mean over wordings can be on the scale where none of them is
        return []
    found = []
    for axis in axes:
        rows = block["axes"][axis_name(axis)].get("contrasts", [])
        clear = [r for r in rows if r["statistic"] in WITH_GAPS and (p := r["p_adjusted"]) is not None and p <= CLEAR]
        if clear:
            found += _by_wording(frame, table, axis, options, clear, q)
    return found


def _by_wording(
    frame: Frame,
    table: RatingTable,
    axis: Axis,
    options: Options,
    rows: Sequence[dict[str, Any]],
    q: Sequence[Floats | None],
) -> list[dict[str, Any]]:
    members, names = frame.grouping(table.groups(axis))
    a = np.array([names.index(r["a"]) for r in rows])
    b = np.array([names.index(r["a"]) + len(names) if r["kind"] == "rest" else names.index(r["b"]) for r in rows])
    asked = np.all([~np.isnan(x[:, 0]) for x in q if x is not None], axis=0)
    counts = count_levels(frame.coded, members) * asked[:, None, None]
    sums = Sums.of(Sides.of(frame.coded, members, counts).counts, frame.scaling)
    v, _ = support(sums.n, a, b, options.weights, frame.user_weights(options, []), 2)
    values = np.full((len(q), len(rows)), np.nan)
    for n, of_wording in enumerate(q):
        if of_wording is not None:
            items = agreement.per_item(sums, of_wording)
            each = [getattr(items, row["statistic"]) for row in rows]
            apart = np.stack([x[:, i] - x[:, j] for x, i, j in zip(each, a, b, strict=True)], axis=1)
            values[n] = agreement.weighted_mean(apart, v)
    return [_row(axis_name(axis), row, values[:, m]) for m, row in enumerate(rows)]


def _row(axis: str, row: dict[str, Any], values: Floats) -> dict[str, Any]:
    out = {"axis": axis} | {k: row[k] for k in ("statistic", "kind", "a", "b", "value")}
    return out | {"by_wording": [null(v) for v in values], "turns": bool((values * row["value"] < 0).any())}


def steered(work: Work, table: RatingTable, plain: Answers, options: Options) -> dict[str, Any]:
    """Return the block ``steered`` of a task with the key ``steer``.

    Parameters
    ----------
    work : Work
    table : RatingTable
        Of the items asked about.
    plain : Answers
        Unsteered.
    options : Options
        The task's.
    """
    task = work.loaded.task
    assert task.steer
    answers = {g: Answers.of(work, group=g) for g in work.loaded.steered}
    why = {g: f"unsteered, {plain.refused}" if plain.refused else a.refused for g, a in answers.items()}
    usable = {g: a.predictions for g, a in answers.items() if not why[g]}
    found = compare_steered(table, task.steer.axis, usable, plain.predictions, options)
    groups = {
        g: {"said": steering(task, g), "off_scale_median": a.median}
        | (_refused(reason) if (reason := why[g]) else found[g])
        for g, a in answers.items()
    }
    return {"axis": task.steer.axis, "text": task.steer.text, "groups": groups}


def _refused(why: str) -> dict[str, Any]:
    return group_block(PairedGroup(0, 0, dict.fromkeys(STATISTICS, Change(math.nan)), (why,)))
