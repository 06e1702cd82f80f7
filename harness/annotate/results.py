"""From checked ratings to results: people's ratings are references of the model's own responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from lm_plural.harness.analysis.group import SCHEMA_VERSION
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.responses.rated import AllResponses, rated_result
from lm_plural.harness.analysis.responses.scores import Scores
from lm_plural.harness.annotate.collected import Checked
from lm_plural.harness.annotate.form import Form
from lm_plural.harness.annotate.manifest import Manifest, text_hash
from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError, UsageError, argument, did_you_mean
from lm_plural.harness.ratings.clean import build_table
from lm_plural.harness.ratings.table import Axis, RatingTable
from lm_plural.harness.result.making.respond import gather
from lm_plural.harness.run.journal import Journal
from lm_plural.harness.run.loop import Work

#: What a results file says of where its ratings are from.
STRONG = "people rated the model's own responses: of a respond task this is the strong evidence"


def latest_scores(work: Work, journal: Journal) -> list[Scores]:
    """Return the scores of a run's responses as they were last made, one set for each scorer and dimension."""
    texts = {r["key"]: r["filtered_resps"] for r in work.answers()}
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for record in journal.records.values():
        if record["sample"] in texts:
            last[record["sample"], record["scorer"]] = record
    found: dict[str, Scores] = {}
    for scores in gather(work, list(last.values())):
        found[scores.key] = scores  # of several versions the one that was made last
    return list(found.values())


def scorer_of(scores: Sequence[Scores], dimension: str, name: str | None) -> Scores | None:
    """Return the scorer whose scores stand beside the ratings of a dimension: the named one, or the first of it.

    Raises
    ------
    UsageError
        If the named one has no scores here.
    """
    of_it = [s for s in scores if s.dimension == dimension]
    if name is None:
        return next(iter(of_it), None)
    if found := [s for s in of_it if name in (s.scorer, s.key)]:
        return found[0]
    known = [s.key for s in of_it]
    there = ", ".join(known) or "none"
    what = f"no scores of {dimension}{did_you_mean(name, known)}; there are {there}"
    raise UsageError(f"{argument('scorer')} {name}: {what}")


def check_texts(work: Work, manifest: Manifest) -> None:
    """Refuse a run whose responses are not those that were exported.

    Raises
    ------
    PluralError
    """
    now = {r["key"]: r["filtered_resps"][0] or "" for r in work.answers()}
    for item in manifest.items:
        if item.key not in now or text_hash(now[item.key]) != item.text:
            what = "is not in the run any more" if item.key not in now else "is another text now"
            raise PluralError(
                f"{manifest.run}: the response of item {item.id} {what}; ratings speak of what was exported"
            )


def all_responses(manifest: Manifest, work: Work, scores: Scores | None) -> AllResponses:
    """Return all prompts of an export with their strata, which of them were drawn, and their scores."""
    prompts = {p: n for n, p in enumerate(p for ids in manifest.strata.values() for p in ids)}
    stratum = np.repeat(np.arange(len(manifest.strata)), [len(ids) for ids in manifest.strata.values()])
    by_prompt, own = None, None
    if scores is not None:
        by_prompt, own = _of_prompts(manifest, work, scores, prompts)
    return AllResponses(
        {item.id: prompts[item.prompt] for item in manifest.items},
        stratum,
        {item.id: 1 / item.probability for item in manifest.items},
        None if scores is None else scores.key,
        by_prompt,
        own,
    )


def _of_prompts(
    manifest: Manifest, work: Work, scores: Scores, prompts: Mapping[str, int]
) -> tuple[Floats, dict[str, float]]:
    places = {doc: n for n, doc in enumerate(dict.fromkeys(r.doc.id for r in work.requests))}
    sign = 1.0 if scores.more else -1.0
    by_prompt = np.array([sign * scores.mean[places[p]] for p in prompts])
    repeat_of = {r.key: r.repeat for r in work.requests}
    own = {i.id: sign * float(scores.by_prompt[places[i.prompt], repeat_of[i.key]]) for i in manifest.items}
    return by_prompt, own


def table_of(found: Checked, manifest: Manifest, dimension: str) -> RatingTable:
    """Return the ratings of one dimension; raises PluralError if there are none."""
    rows = [r for r in found.ratings if r["dimension"] == dimension]
    if not rows:
        raise PluralError(f"no rating of {dimension} is left")
    long = pl.DataFrame(
        {
            "row": range(len(rows)),
            "item_id": [r["item_id"] for r in rows],
            "rater_id": [r["rater_id"] for r in rows],
            "dimension": dimension,
            "scale": dimension,
            "value": [r["rating"] for r in rows],
        }
    )
    profiles = {axis: pl.Series([said[axis] for said in found.raters.values()]) for axis in manifest.axes}
    raters = pl.DataFrame({"rater_id": list(found.raters), **profiles})
    return build_table(long, raters, {dimension: manifest.dimensions[dimension].scale})


def results(
    found: Checked,
    manifest: Manifest,
    form: Form,
    work: Work,
    scores: Sequence[Scores],
    axes: Sequence[Axis],
    options: Options,
    *,
    scorer: str | None,
    simulated: bool,
) -> dict[str, Any]:
    """Return the content of a results file: a block for each dimension."""
    blocks = {}
    for dimension in manifest.dimensions:
        chosen = scorer_of(scores, dimension, scorer)
        table = table_of(found, manifest, dimension)
        block = rated_result(table, all_responses(manifest, work, chosen), axes, options)
        block |= {
            "simulated_raters": simulated,
            "dimension": dimension,
            "statement": form.statements[dimension],
            "language": manifest.language,
            "n_excluded": len(found.excluded),
        }
        counted = [f"{n} {what}" for what, n in found.counts.items()]
        block["notes"] = [*([] if simulated else [STRONG]), *counted, *found.notes, *block["notes"]]
        blocks[f"{manifest.task}.{dimension}"] = block
    return {
        "model_name": manifest.model_name,
        "run": manifest.run,
        "task": manifest.task,
        "model_hash": manifest.model_hash,
        "excluded": found.excluded,
        "counts": found.counts,
        "lm_plural_version": version("lm-plural"),
        "results_version": SCHEMA_VERSION,
        "annotated": blocks,
    }
