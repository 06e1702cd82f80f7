"""Results of a respond task: scores of the model's own responses, per group of raters (methods 6.6 and 7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Axis, RatingTable, axis_name
from lm_plural.harness.result.disaggregated import SCHEMA_VERSION
from lm_plural.harness.result.group import Number
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Work
from lm_plural.harness.statistics.responses import exceedance, expected_maximum, exposure


@dataclass(frozen=True)
class Scores:
    """Scores of one scorer on one dimension.

    Parameters
    ----------
    scorer, dimension, version : str
    low, high : float
        Range of the scorer.
    more : bool
        Whether a higher score means more of the dimension.
    by_prompt : ndarray, shape (P, repeats)
        NaN where unscored.
    reference : ndarray, shape (P,)
        Mean score of the prompt's reference responses; NaN without any.
    """

    scorer: str
    dimension: str
    version: str
    low: float
    high: float
    more: bool
    by_prompt: Floats
    reference: Floats

    @property
    def key(self) -> str:
        """Name in results: ``profanity.toxicity``."""
        return f"{self.scorer}.{self.dimension}"

    def badness(self, values: Floats, harm: str) -> Floats:
        """Return scores from 0 (good) to 1 (bad); `harm` is the end of the dimension that is bad."""
        share = (values - self.low) / (self.high - self.low)
        return share if self.more == (harm == "higher") else 1 - share


def respond_result(work: Work, score_records: Sequence[Record], axes: Sequence[Axis] | None = None) -> dict[str, Any]:
    """Return the block of a finished respond task.

    Exposure needs ratings on the dimension a scorer measures: it is given where the scorer's dimension is the task's.
    Scores are in the scorer's own range, higher meaning more of the dimension.
    """
    task, scale = work.loaded.task, work.loaded.scale
    prompts = list({r.doc.id: r.doc for r in work.requests}.values())
    all_scores = gather(work, score_records)
    item_ids = [i for doc in prompts for i in doc.item_ids]
    table = work.loaded.dataset.table(task.dimension).select(item_ids)
    prompt_of = {i: n for n, doc in enumerate(prompts) for i in doc.item_ids}
    k = task.k or task.repeats
    overall = _summary(all_scores, np.ones(len(prompts), dtype=bool), k, task.threshold)
    out_axes: dict[str, Any] = {}
    for axis in axes or task.groups.axes:
        concern = concerns(table, table.groups(axis), prompt_of, len(prompts), scale)
        out_axes[axis_name(axis)] = {"groups": _groups(concern, all_scores, work, k)}
    records = work.answers()
    return {
        "schema_version": SCHEMA_VERSION,
        "inference": "none",
        "dimension": task.dimension,
        "k": k,
        "threshold": task.threshold,
        "min_raters": task.groups.min_raters,
        "notes": [*map(str, table.exclusions), *work.loaded.unrated],
        "overall": {
            "n_prompts": len(prompts),
            "n_responses": len(records),
            "n_empty": sum(1 for r in records if not (r["filtered_resps"][0] or "").strip()),
            "n_unscored": {s.key: int(np.isnan(s.by_prompt).sum()) for s in all_scores},
            "statistics": overall,
        },
        "axes": out_axes,
    }


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
            values, references = found.setdefault(key, (np.full(shape, np.nan), [[] for _ in prompts]))
            if record["part"] == "reference":
                if value is not None and record["item_id"] in item_of:
                    references[item_of[record["item_id"]]].append(value)
            elif record["sample"] in place:
                values[place[record["sample"]]] = np.nan if value is None else value
    return [
        Scores(*key, values, np.array([np.mean(r) if r else np.nan for r in references]))
        for key, (values, references) in found.items()
    ]


@dataclass(frozen=True)
class Concern:
    """How much harm each group saw in each prompt's references, in [0, 1], shape (P, G); NaN where not rated."""

    names: list[str]
    value: Floats
    n_raters: list[int]
    n_ratings: list[int]


def concerns(
    table: RatingTable, members: pl.DataFrame, prompt_of: dict[str, int], n_prompts: int, scale: Scale
) -> Concern:
    """Return each group's mean rating of a prompt's references, harm-oriented and scaled to [0, 1]."""
    positions = np.asarray(scale.positions)
    harm = (positions - positions[0]) / (positions[-1] - positions[0])
    harm = 1 - harm if scale.direction == "higher" else harm
    rows = table.ratings.join(members, on="rater_id").with_columns(
        prompt=pl.col("item_id").replace_strict(prompt_of, return_dtype=pl.Int64),
        harm=pl.col("level").cast(pl.Int64).replace_strict(dict(enumerate(harm.tolist())), return_dtype=pl.Float64),
    )
    names = sorted(members["group"].unique())
    value = np.full((n_prompts, len(names)), np.nan)
    cells = rows.group_by("prompt", "group").agg(pl.col("harm").mean())
    number = {g: n for n, g in enumerate(names)}
    for prompt, group, mean in cells.iter_rows():
        value[prompt, number[group]] = mean
    sizes = dict(rows.group_by("group").agg(pl.col("rater_id").n_unique()).iter_rows())
    ratings = dict(rows.group_by("group").len().iter_rows())
    return Concern(names, value, [sizes.get(g, 0) for g in names], [ratings.get(g, 0) for g in names])


def _groups(concern: Concern, all_scores: list[Scores], work: Work, k: int) -> dict[str, Any]:
    task = work.loaded.task
    harm = "lower" if work.loaded.scale.direction == "higher" else "higher"
    out: dict[str, Any] = {}
    for g, name in enumerate(concern.names):
        rated = ~np.isnan(concern.value[:, g])
        enough = concern.n_raters[g] >= task.groups.min_raters
        statistics = _summary(all_scores, rated if enough else np.zeros_like(rated), k, task.threshold)
        for scores in all_scores:
            if scores.dimension != task.dimension:
                continue
            for label, s in (
                ("exposure", scores.by_prompt),
                ("reference_exposure", scores.reference[:, None]),
            ):
                bad = _mean_rows(scores.badness(s, harm))
                value = exposure(concern.value[:, g : g + 1], bad)[0] if enough else float("nan")
                statistics[scores.key][label] = Number(float(value)).to_dict()
        flags = [] if enough else [f"few_raters: {concern.n_raters[g]} of at least {task.groups.min_raters}"]
        if enough and not rated.any():
            flags.append("no_items: the group rated none of the prompts")
        out[name] = {
            "n_items": int(rated.sum()),
            "n_raters": concern.n_raters[g],
            "n_ratings": concern.n_ratings[g],
            "concern": Number(float(np.mean(concern.value[rated, g])) if rated.any() else float("nan")).to_dict(),
            "statistics": statistics,
            "flags": flags,
        }
    return out


def _mean_rows(values: Floats) -> Floats:
    """Return the mean of each row over what is not NaN; NaN for a row of NaN."""
    n = (~np.isnan(values)).sum(axis=1)
    return ratio(np.nansum(values, axis=1), n)


def _summary(all_scores: list[Scores], rows: Any, k: int, threshold: float) -> dict[str, Any]:
    """Return mean, expected maximum of k and exceedance over the chosen prompts, each prompt equal."""
    out: dict[str, Any] = {}
    for s in all_scores:
        chosen = s.by_prompt[rows]
        per_prompt = {
            "mean": _mean_rows(chosen),
            "expected_maximum": np.array([expected_maximum(x, k) for x in chosen]),
            "exceedance": np.array([exceedance(x, k, threshold) for x in chosen]),
        }
        out[s.key] = {n: Number(_mean_known(v)).to_dict() for n, v in per_prompt.items()}
        out[s.key]["reference_mean"] = Number(_mean_known(s.reference[rows])).to_dict()
    return out


def _mean_known(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
