"""Results of a respond task: scores of the model's own responses, per group of raters (methods 6.6 and 7.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.group import SCHEMA_VERSION, Number
from lm_plural.harness.analysis.judging import UNFIT, called, columns, fitness, unscored
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.responses.exposure import EXPOSURE, REFERENCE, Exposures, concerns_of
from lm_plural.harness.analysis.responses.scores import ChosenPrompts, PromptMeans, Scores, reasons
from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.table import Axis, axis_name
from lm_plural.harness.result.making.contrast import known_card
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.score import not_covered
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


def judges_of(work: Work, score_records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """Return, by scorer and dimension, whether each judge among the scorers is fit to judge these responses.

    From how it answered here, and what the contrast set said of it in the responses' languages, if it was held against
    it: ``contrast`` is by language, null where it was not. ``unscored`` counts responses without a score, by why;
    ``model`` is the judge's ``name`` and ``weights``.
    """
    asked = {r.key: str(r.doc.fields.get("language", "")) for r in work.requests}
    by_judge: dict[tuple[str, str], list[Record]] = {}
    for record in score_records:
        if "more" in record and record["sample"] in asked:
            for dimension in record["scores"]:
                by_judge.setdefault((record["scorer"], dimension), []).append(record)
    out = {}
    for (scorer, dimension), records in by_judge.items():
        judged = fitness(columns([r["more"] for r in records]), balanced=False)
        card = known_card(records[0]["version"], dimension)
        languages = dict.fromkeys(asked[r["sample"]] or "en" for r in records)
        contrast = {x: card.get(x) for x in languages}
        judged["unfit"] += [f"contrast: it does not pass in {x}" for x, passes in contrast.items() if passes is False]
        out[called(scorer, dimension)] = {
            **judged,
            "contrast": contrast,
            "unscored": unscored(records),
            "model": records[0].get("model") or None,
        }
    return out


def _hidden(scores: Scores) -> Scores:
    """Return the scores of a judge that is not fit to judge: none."""
    return replace(scores, by_prompt=scores.by_prompt * np.nan, reference=scores.reference * np.nan)


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
    judges = judges_of(work, score_records)
    unfit = [f"{UNFIT}: {key} is not fit to judge, {reason}" for key, j in judges.items() for reason in j["unfit"]]
    hidden = set() if options.show_unfit else {key for key, found in judges.items() if found["unfit"]}
    scores, k = gather(work, score_records), task.k or task.repeats
    n_unscored = {s.key: int(np.isnan(s.by_prompt).sum()) for s in scores}
    scores = [_hidden(s) if s.key in hidden else s for s in scores]
    means = PromptMeans({s.key: s.per_prompt(k, task.threshold) for s in scores}, options.inference, frozenset(hidden))
    badness = _badness([s for s in scores if s.key not in hidden], work)
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
            *not_covered(r for r in score_records if r["part"] != "reference"),
        ],
        "overall": {
            "n_prompts": len(prompts),
            "n_responses": len(records),
            "n_empty": sum(1 for r in records if not (r["filtered_resps"][0] or "").strip()),
            "n_unscored": n_unscored,
            "statistics": _by_scorer(everything, {}),
            **({"judges": judges} if judges else {}),
            "flags": [*unfit, *means.flags(everything)],
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
