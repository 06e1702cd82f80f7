"""Results of a rate task: from journal lines to the disaggregated block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lm_plural.harness.model.elicit import distribution
from lm_plural.harness.ratings.coarsen import Coarsening, to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.result.disaggregate import disaggregate
from lm_plural.harness.result.disaggregated import Disaggregated
from lm_plural.harness.result.options import Options, Predictions
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.plan import Request
from lm_plural.harness.task.load import LoadedTask
from lm_plural.harness.task.schema import Coarsen


def rate_result(work: Work, axes: Sequence[Axis] | None = None, options: Options | None = None) -> dict[str, Any]:
    """Return the block of a finished rate task, elicitation included.

    If the median off-scale mass is above the task's limit, the model does not answer on the scale: what would be
    computed from it is refused and the groups are described alone.
    """
    loaded = work.loaded
    predictions, off_scale = predict(work)
    limit = loaded.task.elicitation.max_off_scale
    median = float(np.median(off_scale))
    reason = None
    if median > limit:
        reason = f"off_scale: a median of {median:.0%} of the model's probability is on no level (limit {limit:.0%})"
    result = describe(loaded, predictions, [r.doc.id for r in work.requests], axes, options or Options(), reason)
    block = result.to_dict()
    block["elicitation"] = {
        "codings": list(loaded.task.elicitation.codings),
        "orders": list(loaded.task.elicitation.orders),
        "n_items": len(predictions.item_ids),
        "off_scale_median": median,
        "off_scale_mean": float(np.mean(off_scale)),
        "refused": reason is not None,
    }
    block["notes"] += loaded.unrated
    block["notes"] += [f"comparison with the groups refused, {reason}"] if reason else []
    return block


def predict(work: Work) -> tuple[Predictions, list[float]]:
    """Return the model's distribution and off-scale mass for each item whose variants are all answered."""
    by_item: dict[str, list[Request]] = {}
    for request in work.requests:
        by_item.setdefault(request.doc.id, []).append(request)
    ids, rows, off_scale = [], [], []
    for item, requests in by_item.items():
        records = [work.journal.records.get(r.key) for r in requests]
        if any(r is None for r in records):
            continue
        q, off = distribution([r["filtered_resps"][0] for r in records if r])
        ids.append(item)
        rows.append(q)
        off_scale.append(off)
    return Predictions(ids, np.array(rows).reshape(len(ids), -1)), off_scale


def describe(
    loaded: LoadedTask,
    predictions: Predictions,
    item_ids: Sequence[str],
    axes: Sequence[Axis] | None,
    options: Options,
    refused: str | None = None,
) -> Disaggregated:
    """Disaggregate a task's ratings of the items asked about."""
    task = loaded.task
    table = loaded.dataset.table(task.dimension).select(item_ids)
    options = replace(
        options,
        min_raters=task.groups.min_raters,
        weights=task.weights,
        reference=task.reference,
        coarsening=coarsening(task.coarsen, loaded.scale),
    )
    return disaggregate(table, predictions, axes or task.groups.axes, options, refused=refused)


def coarsening(spec: Coarsen | None, scale: Scale) -> Coarsening | None:
    """Return the map a task asks for."""
    if spec is None:
        return None
    return to_three(scale) if spec.levels == 3 else to_two(scale, spec.neutral or "up")
