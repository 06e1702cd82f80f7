"""Results of a respond task: scores of the model's own responses, per group of raters (methods 6.6 and 7.3)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.audit.audit import with_people
from lm_plural.harness.analysis.group import SCHEMA_VERSION, Number
from lm_plural.harness.analysis.judging import UNFIT, called, columns, fitness, unscored
from lm_plural.harness.analysis.options import WITHOUT_RATERS, Options
from lm_plural.harness.analysis.responses.exposure import EXPOSURE, REFERENCE, Exposures, concerns_of
from lm_plural.harness.analysis.responses.scores import ChosenPrompts, PromptMeans, Scores, beside_each_other, reasons
from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.table import Axis, RatingTable, axis_name
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
    found: dict[tuple[str, str, str, float, float, bool], tuple[Floats, dict[str, float]]] = {}
    for record in score_records:
        for dimension, value in record["scores"].items():
            low, high = record["range"]
            key = (record["scorer"], dimension, record["version"], low, high, record["direction"] == "more")
            if key not in found:
                found[key] = (np.full(shape, np.nan), {})
            values, references = found[key]
            if record["part"] == "reference":
                if value is not None and record["item_id"] in item_of:
                    references[record["item_id"]] = value
            elif record["sample"] in place:
                values[place[record["sample"]]] = np.nan if value is None else value
    out = []
    for key, (values, references) in found.items():
        of_prompt: list[list[float]] = [[] for _ in prompts]
        for item, value in references.items():
            of_prompt[item_of[item]].append(value)
        means = np.array([np.mean(r) if r else np.nan for r in of_prompt])
        out.append(Scores(*key, values, means, references))
    return out


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

    Exposure needs ratings on the dimension a scorer measures: it is given where people rated that dimension of the
    references, the task's or another one. Scores are in the scorer's own range, higher meaning more of the dimension.
    Of the options ``inference``, ``min_raters_interval``, ``draws``, ``seed`` and ``show_unfit`` are looked at;
    ``min_raters`` is the task's.
    """
    task = work.loaded.task
    options = replace(options or Options(), min_raters=task.groups.min_raters)
    prompts = list({r.doc.id: r.doc for r in work.requests}.values())
    prompt_of = {i: n for n, doc in enumerate(prompts) for i in doc.item_ids}
    judges = judges_of(work, score_records)
    unfit = [f"{UNFIT}: {key} is not fit to judge, {reason}" for key, j in judges.items() for reason in j["unfit"]]
    hidden = set() if options.show_unfit else {key for key, found in judges.items() if found["unfit"]}
    whole, k = gather(work, score_records), task.k or task.repeats
    n_unscored = {s.key: int(np.isnan(s.by_prompt).sum()) for s in whole}
    scores = [_hidden(s) if s.key in hidden else s for s in whole]
    means = PromptMeans({s.key: s.per_prompt(k, task.threshold) for s in scores}, options.inference, frozenset(hidden))
    told = [s for s in scores if s.key not in hidden]
    tables = _tables(work, {s.dimension for s in whole}, prompt_of)
    harm = {d: "lower" if t.scale.direction == "higher" else "higher" for d, t in tables.items()}
    badness = {d: _badness([s for s in told if s.dimension == d], harm[d]) for d in tables}
    concerns = {d: concerns_of(t, prompt_of, len(prompts), t.scale) for d, t in tables.items()}
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
            *map(str, tables[task.dimension].exclusions),
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
            "scorers": {s.key: _trusted(s, tables, harm, work, options) for s in whole},
            "correlations": beside_each_other(told, harm),
            "no_scorer": [d for d in work.loaded.dimensions if d not in {s.dimension for s in whole}],
            "flags": [*unfit, *means.flags(everything)],
        },
        "axes": {
            axis_name(axis): _axis(
                {d: Exposures.of(t, axis, concerns[d], badness[d], options) for d, t in tables.items()},
                task.dimension,
                means,
            )
            for axis in axes or task.groups.axes
        },
    }


def _replaced(records: Sequence[Record]) -> list[str]:
    """Return the note on responses that were not all Unicode."""
    found = [n for r in records if (n := r.get("replaced", 0))]
    what = "characters that are no Unicode (lone surrogates); U+FFFD stands for them"
    return [f"{len(found)} of {len(records)} responses had {sum(found)} {what}"] if found else []


def _tables(work: Work, scored: Collection[str], prompt_of: Mapping[str, int]) -> dict[str, RatingTable]:
    """Return the ratings of the prompts' references on the task's dimension, first, and on others that are scored."""
    own = work.loaded.task.dimension
    tables = {d: work.loaded.dataset.table(d).select(prompt_of) for d in work.loaded.dimensions if d in {own, *scored}}
    return {d: t for d, t in tables.items() if d == own or not t.ratings.is_empty()}


def _trusted(
    scores: Scores, tables: Mapping[str, RatingTable], harm: Mapping[str, str], work: Work, options: Options
) -> dict[str, Any]:
    """Return what is known of a scorer: its dimension, and how far it agrees with people."""
    table, end = tables.get(scores.dimension), harm.get(scores.dimension, "higher")
    if not work.loaded.dataset.recipe.raters.known:
        options = replace(options, inference=WITHOUT_RATERS[options.inference])
    items, values = list(scores.by_item), np.array(list(scores.by_item.values()), dtype=np.float64)
    badness = dict(zip(items, scores.badness(values, end).tolist(), strict=True))
    known = {"scorer": scores.scorer, "dimension": scores.dimension, "version": scores.version}
    return {**known, "people": with_people(table, badness, options)}


def _badness(scores: Sequence[Scores], harm: str) -> dict[str, Floats]:
    """Return badness of responses and of references, per prompt, by the name of its exposure."""
    return {
        prefix + s.key: s.badness(values, harm)
        for s in scores
        for prefix, values in ((EXPOSURE, s.mean), (REFERENCE, s.reference))
    }


def _axis(by_dimension: Mapping[str, Exposures], own: str, means: PromptMeans) -> dict[str, Any]:
    """Return the groups of an axis, by who rated the task's own dimension, and what is between them on any."""
    found, others = by_dimension[own], {d: e for d, e in by_dimension.items() if d != own and e.badness}
    rated = found.counts.sum(axis=2) > 0
    ratings = (found.counts @ found.concerns.size).sum(axis=0)
    groups = {}
    for g, name in enumerate(found.names):
        few = flags.too_few(int(found.n_raters[g]), found.options)
        groups[name] = {
            "n_items": int(rated[:, g].sum()),
            "n_raters": int(found.n_raters[g]),
            "n_ratings": int(ratings[g]),
            **(_refused(found, others, means, g, few) if few else _group(found, others, means, g, rated[:, g])),
        }
    between = [e.between() for e in (found, *others.values())]
    return {
        "groups": groups,
        "contrasts": [row for part in between for row in part["contrasts"]],
        "spread": {name: s for part in between for name, s in part["spread"].items()},
    }


Others = Mapping[str, Exposures]


def _group(found: Exposures, others: Others, means: PromptMeans, g: int, rated: ChosenPrompts) -> dict[str, Any]:
    """Return the numbers of a group, over the prompts it rated, and every rule that fired."""
    over, by_dimension = means.over(rated), {}
    own, why, limits = _exposed(found, g)
    numbers = dict(own)
    for dimension, other in others.items():
        if found.names[g] in other.names:
            its, its_why, its_limits = _exposed(other, other.names.index(found.names[g]))
        else:
            its, its_why, its_limits = dict.fromkeys([CONCERN, *other.badness], Number(math.nan)), [], []
        by_dimension[dimension] = its.pop(CONCERN).to_dict()
        numbers |= its
        why, limits = [*why, *(f"{f} ({dimension})" for f in its_why)], [*limits, *its_limits]
    return {
        "concern": own[CONCERN].to_dict(),
        **({"concerns": by_dimension} if others else {}),
        "statistics": _by_scorer(over, numbers),
        "flags": list(dict.fromkeys([*why, *means.flags(over), *limits])),
    }


def _exposed(found: Exposures, g: int) -> tuple[dict[str, Number], list[str], list[str]]:
    """Return concern and exposures of a group, why some are missing, and what limits them."""
    numbers = {name: found.number(name, g) for name in found.statistics.names}
    limits = {name: found.limits(name, g) for name, n in numbers.items() if not math.isnan(n.value)}
    due = [name for name, found_limits in limits.items() if flags.has_interval(found_limits, found.options)]
    why = reasons(numbers, due, "no_concern: no harm seen in a scored prompt")
    return numbers, why, list(dict.fromkeys(f for found_limits in limits.values() for f in found_limits))


def _refused(found: Exposures, others: Others, means: PromptMeans, g: int, why: str) -> dict[str, Any]:
    """Return a group below the least number of raters: its concern, and null for all else."""
    over = means.over(np.zeros(len(found.counts), dtype=bool))
    exposures = dict.fromkeys([name for e in (found, *others.values()) for name in e.badness], Number(math.nan))
    return {
        "concern": Number(found.number(CONCERN, g).value).to_dict(),
        **({"concerns": dict.fromkeys(others, Number(math.nan).to_dict())} if others else {}),
        "statistics": _by_scorer(over, exposures),
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
