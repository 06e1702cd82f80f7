"""Results of a respond task: scores of the model's own responses, per group of raters (methods 6.6 and 7.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.group import SCHEMA_VERSION, Number
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.responses.exposure import EXPOSURE, REFERENCE, Exposures, concerns_of
from lm_plural.harness.analysis.responses.scores import ChosenPrompts, PromptMeans, Scores, reasons
from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.table import Axis, axis_name
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Work
from lm_plural.harness.statistics.scored.exposure import CONCERN


def gather(work: Work, score_records: Sequence[Record]) -> list[Scores]:
    """Arrange score records by scorer and dimension."""
    prompts = {doc_id: n for n, doc_id in enumerate(dict.fromkeys(r.doc.id for r in work.requests))}
    place = {r.key: (prompts[r.doc.id], r.repeat) for r in work.requests}
    item_of = {i: prompts[r.doc.id] for r in work.requests for i in r.doc.item_ids}
    shape = (len(prompts), max(r.repeat for r in work.requests) + 1)
    found: dict[tuple[str, str, str, float, float, bool], tuple[Floats, list[list[float]]]] = {}
    for record in score_records:
        for dimension, value in record["scores"].items():
            low, high = record["range"]
            key = (record["scorer"], dimension, record["version"], low, high, record["direction"] == "more")
            if key not in found:
                found[key] = (np.full(shape, np.nan), [[] for _ in prompts])
            values, references = found[key]
            if record["part"] == "reference":
                if value is not None and record["item_id"] in item_of:
                    references[item_of[record["item_id"]]].append(value)
            elif record["sample"] in place:
                values[place[record["sample"]]] = np.nan if value is None else value
    return [
        Scores(*key, values, np.array([np.mean(r) if r else np.nan for r in references]))
        for key, (values, references) in found.items()
    ]


#: The note of results that speak of new raters only.
NO_RATERS = "inference 'raters': a scorer has no raters, so means of scores over prompts have no interval"


def respond_result(
    work: Work,
    score_records: Sequence[Record],
    axes: Sequence[Axis] | None = None,
    options: Options | None = None,
) -> dict[str, Any]:
    """Return the block of a finished respond task.

    Exposure needs ratings on the dimension a scorer measures: it is given where the scorer's dimension is the task's.
    Scores are in the scorer's own range, higher meaning more of the dimension. Of the options ``inference``,
    ``min_raters_interval``, ``draws`` and ``seed`` are looked at; ``min_raters`` is the task's.
    """
    task = work.loaded.task
    options = replace(options or Options(), min_raters=task.groups.min_raters)
    prompts = list({r.doc.id: r.doc for r in work.requests}.values())
    prompt_of = {i: n for n, doc in enumerate(prompts) for i in doc.item_ids}
    table = work.loaded.dataset.table(task.dimension).select(prompt_of)
    scores, k = gather(work, score_records), task.k or task.repeats
    means = PromptMeans({s.key: s.per_prompt(k, task.threshold) for s in scores}, options.inference)
    badness = _badness(scores, work)
    concerns = concerns_of(table, prompt_of, len(prompts), work.loaded.scale)
    records = work.answers()
    everything = means.over(np.ones(len(prompts), dtype=bool))
    return {
        "schema_version": SCHEMA_VERSION,
        "inference": options.inference,
        "dimension": task.dimension,
        "k": k,
        "threshold": task.threshold,
        "min_raters": options.min_raters,
        "min_raters_interval": options.min_raters_interval,
        "draws": options.draws,
        "seed": options.seed,
        "notes": [
            *map(str, table.exclusions),
            *work.loaded.notes,
            *([NO_RATERS] if options.inference == "raters" else []),
            *_replaced(records),
        ],
        "overall": {
            "n_prompts": len(prompts),
            "n_responses": len(records),
            "n_empty": sum(1 for r in records if not (r["filtered_resps"][0] or "").strip()),
            "n_unscored": {s.key: int(np.isnan(s.by_prompt).sum()) for s in scores},
            "statistics": _by_scorer(everything, {}),
            "flags": means.flags(everything),
        },
        "axes": {
            axis_name(axis): _axis(Exposures.of(table, axis, concerns, badness, options), means)
            for axis in axes or task.groups.axes
        },
    }


def _replaced(records: Sequence[Record]) -> list[str]:
    """Return the note on responses that were not all Unicode."""
    found = [n for r in records if (n := r.get("replaced", 0))]
    what = "characters that are no Unicode (lone surrogates); U+FFFD stands for them"
    return [f"{len(found)} of {len(records)} responses had {sum(found)} {what}"] if found else []


def _badness(scores: Sequence[Scores], work: Work) -> dict[str, Floats]:
    """Return badness of responses and of references, per prompt, by the name of its exposure."""
    harm = "lower" if work.loaded.scale.direction == "higher" else "higher"
    return {
        prefix + s.key: s.badness(values, harm)
        for s in scores
        if s.dimension == work.loaded.task.dimension
        for prefix, values in ((EXPOSURE, s.mean), (REFERENCE, s.reference))
    }


def _axis(found: Exposures, means: PromptMeans) -> dict[str, Any]:
    rated = found.counts.sum(axis=2) > 0
    ratings = (found.counts @ found.concerns.size).sum(axis=0)
    groups = {}
    for g, name in enumerate(found.names):
        few = flags.too_few(int(found.n_raters[g]), found.options)
        groups[name] = {
            "n_items": int(rated[:, g].sum()),
            "n_raters": int(found.n_raters[g]),
            "n_ratings": int(ratings[g]),
            **(_refused(found, means, g, few) if few else _group(found, means, g, rated[:, g])),
        }
    return {"groups": groups, **found.between()}


def _group(found: Exposures, means: PromptMeans, g: int, rated: ChosenPrompts) -> dict[str, Any]:
    """Return the numbers of a group, over the prompts it rated, and every rule that fired."""
    numbers = {name: found.number(name, g) for name in found.statistics.names}
    limits = {name: found.limits(name, g) for name, n in numbers.items() if not math.isnan(n.value)}
    due = [name for name, found_limits in limits.items() if flags.has_interval(found_limits, found.options)]
    over = means.over(rated)
    why = [*reasons(numbers, due, "no_concern: no harm seen in a scored prompt"), *means.flags(over)]
    return {
        "concern": numbers[CONCERN].to_dict(),
        "statistics": _by_scorer(over, numbers),
        "flags": [*why, *dict.fromkeys(f for found_limits in limits.values() for f in found_limits)],
    }


def _refused(found: Exposures, means: PromptMeans, g: int, why: str) -> dict[str, Any]:
    """Return a group below the least number of raters: its concern, and null for all else."""
    over = means.over(np.zeros(len(found.counts), dtype=bool))
    return {
        "concern": Number(found.number(CONCERN, g).value).to_dict(),
        "statistics": _by_scorer(over, dict.fromkeys(found.badness, Number(math.nan))),
        "flags": [why],
    }


def _by_scorer(over: dict[str, dict[str, Number]], exposures: dict[str, Number]) -> dict[str, Any]:
    """Return statistics by scorer as JSON types."""
    out = {key: {name: n.to_dict() for name, n in values.items()} for key, values in over.items()}
    for name, number in exposures.items():
        if name != CONCERN:
            statistic, key = name.split(":", 1)
            out[key][statistic] = number.to_dict()
    return out
