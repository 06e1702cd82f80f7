"""A judge's card: what the contrast set says of a language model with each rubric."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_plural.harness.analysis.judging import Alike, alike
from lm_plural.harness.jobs.audit import audit, audit_folder, contrast_pairs
from lm_plural.harness.jobs.checked import checked_limit
from lm_plural.harness.jobs.evaluate import Outcome
from lm_plural.harness.run.score import Scoring, score_together
from lm_plural.harness.scoring import check_options
from lm_plural.harness.task.contrast import ContrastSet, load_contrast
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.schema import ScorerSpec

#: The contrast set that judges are held against.
CONTRAST = "contrast"


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Parameters
    ----------
    outcomes : dict of str to Outcome
        By rubric.
    alike : dict of str to Alike
        By language: how far the scores of different dimensions go together.
    """

    outcomes: dict[str, Outcome]
    alike: dict[str, Alike]


def check_judge(
    *,
    model: str = "hf",
    model_args: Mapping[str, Any],
    rubrics: Sequence[str] = (),
    samples: int | None = None,
    limit: float | None = None,
    device: str = "auto",
    output_path: str | os.PathLike[str] = "outputs",
) -> Checked:
    """Hold a model as a judge against the contrast set, with each rubric; the same call again asks nothing.

    Parameters
    ----------
    model : str
        Backend of lm-eval.
    model_args : mapping
        As of ``lm_eval``.
    rubrics : sequence of str
        Names, or YAML files; by default those of the set's dimensions.
    samples : int, optional
        Answers to draw of each question, where a server has no log-probabilities.
    limit : int or float, optional
        First prompts of each dimension and language: a count, or a share below 1. What is found is then no verdict that
        other results would know of.
    device : str
        Of the judge: ``auto``, ``cpu``, ``cuda``.
    output_path : path
        Files go to a folder for each rubric.

    Returns
    -------
    Checked

    Raises
    ------
    PluralError
        If the model cannot be loaded, or has no log-probabilities and no samples are asked for.
    UsageError
        For an unknown rubric.

    Examples
    --------
    >>> import lm_plural as lp
    >>> cards = lp.check_judge(model_args={"pretrained": "smollm2-demo"}, limit=2)  # doctest: +SKIP
    """
    found = load_contrast(Index().contrasts[CONTRAST], checked_limit(limit))
    rubrics = list(dict.fromkeys(rubrics or found.file.dimensions))
    drawn = {} if samples is None else {"samples": samples}
    options = {"model": model, "model_args": dict(model_args), "device": device, **drawn}
    specs = [ScorerSpec(name="judge", options={"rubric": rubric, **options}) for rubric in rubrics]
    scores = _scored(found, specs, Path(output_path))
    outcomes = {
        rubric: audit(
            scorer=spec.name,
            scorer_options=spec.options,
            tasks=[CONTRAST],
            limit=limit,
            output_path=output_path,
        )
        for rubric, spec in zip(rubrics, specs, strict=True)
    }
    language = {sample.id: sample.language for _, sample in found.samples()}
    by_language = {
        x: {d: {i: v for i, v in by_text.items() if language[i] == x} for d, by_text in scores.items()}
        for x in dict.fromkeys(language.values())
    }
    return Checked(outcomes, {x: alike(of) for x, of in by_language.items()})


def _scored(found: ContrastSet, specs: Sequence[ScorerSpec], output_path: Path) -> dict[str, dict[str, float | None]]:
    """Score the set's texts with all rubrics at once, which costs less, into the journal of each.

    Returns
    -------
    dict
        Scores by dimension and text.
    """
    for spec in specs:
        check_options(spec.name, spec.options)
    pairs = contrast_pairs(found)
    records = [record for record, _ in pairs]
    with ExitStack() as stack:
        scorings = []
        for spec in specs:
            folder = audit_folder(spec, output_path)
            stack.enter_context(folder.locked())
            scorings.append(scoring := Scoring([spec], folder.scores(found.name)))
            stack.callback(scoring.close)
        if missing := [s for s in scorings if not s.complete(records)]:
            what = f"{len(pairs)} texts of {found.name} with {len(missing)} rubrics"
            print(f"lm-plural judge: scoring {what}", file=sys.stderr)
            score_together(missing, pairs)
        by_dimension: dict[str, dict[str, float | None]] = {}
        for scoring in scorings:
            for record in scoring.scores_of(records):
                for dimension, value in record["scores"].items():
                    by_dimension.setdefault(dimension, {})[record["item_id"]] = value
    return by_dimension
