"""Results of a rate task: from journal lines to the disaggregated block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.ratings.coarsen import Coarsening, to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.result.making.answers import Answers
from lm_plural.harness.result.making.asked import paraphrases, steered
from lm_plural.harness.result.making.shares import shares_result
from lm_plural.harness.run.loop import Work
from lm_plural.harness.task.load import LoadedTask
from lm_plural.harness.task.schema import Coarsen


def rate_result(work: Work, axes: Sequence[Axis] | None = None, options: Options | None = None) -> dict[str, Any]:
    """Return the block of a finished rate task, elicitation included.

    If the median off-scale mass is above the task's limit, the model does not answer on the scale: what would be
    computed from it is refused and the groups are described alone.
    """
    loaded, task = work.loaded, work.loaded.task
    if loaded.by_shares:
        return shares_result(work, axes, options)
    axes, options = axes or task.groups.axes, task_options(loaded, options or Options())
    table, plain = loaded.table.select({r.doc.id for r in work.requests}), Answers.of(work)
    block = disaggregate(table, plain.predictions, axes, options, refused=plain.refused).to_dict()
    block["elicitation"] = plain.elicitation(task)
    if task.paraphrases:
        block["paraphrases"] = paraphrases(work, table, axes, options, block)
    if task.steer:
        block["steered"] = steered(work, table, plain, options)
    block["notes"] += loaded.notes
    block["notes"] += [f"comparison with the groups refused, {plain.refused}"] if plain.refused else []
    return block


def task_options(loaded: LoadedTask, options: Options) -> Options:
    """Return how to disaggregate, with what the task says itself."""
    task = loaded.task
    return replace(
        options,
        min_raters=task.groups.min_raters,
        weights=task.weights,
        reference=task.reference,
        coarsening=coarsening(task.coarsen, loaded.scale),
    )


def coarsening(spec: Coarsen | None, scale: Scale) -> Coarsening | None:
    """Return the map a task asks for."""
    if spec is None:
        return None
    return to_three(scale) if spec.levels == 3 else to_two(scale, spec.neutral or "up")
