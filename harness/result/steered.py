"""How much closer to a group a model gets when it is asked to answer as one of its members: the block ``steered``."""

from __future__ import annotations

import math
from typing import Any

from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.paired.changes import Change, PairedGroup
from lm_plural.harness.analysis.paired.steered import compare_steered, group_block
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.result.answers import Answers
from lm_plural.harness.run.loop import Work
from lm_plural.harness.statistics.paired import STATISTICS
from lm_plural.harness.task.elicit import steering
from lm_plural.harness.task.steered import steered_items


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
    answers = {g: Answers.of(work, group=g) for g in steered_items(work.loaded)}
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
