"""A judge's card: what the contrast set says of a language model with each rubric."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lm_plural.harness.jobs.audit import audit
from lm_plural.harness.jobs.evaluate import Outcome
from lm_plural.harness.task.contrast import load_contrast
from lm_plural.harness.task.index import Index

#: The contrast set that judges are held against.
CONTRAST = "contrast"


def check_judge(
    *,
    model: str = "hf",
    model_args: Mapping[str, Any],
    rubrics: Sequence[str] = (),
    limit: float | None = None,
    device: str = "auto",
    output_path: str | os.PathLike[str] = "outputs",
) -> dict[str, Outcome]:
    """Hold a model as a judge against the contrast set, with each rubric; the same call again asks nothing.

    Parameters
    ----------
    model : str
        Backend of lm-eval.
    model_args : mapping
        As of ``lm_eval``.
    rubrics : sequence of str
        Names, or YAML files; by default those of the set's dimensions.
    limit : int or float, optional
        First prompts of each dimension and language: a count, or a share below 1. What is found is then no verdict that
        other results would know of.
    device : str
        Of the judge: ``auto``, ``cpu``, ``cuda``.
    output_path : path
        Files go to a folder for each rubric.

    Returns
    -------
    dict of str to Outcome
        By rubric.

    Raises
    ------
    PluralError
        If the model cannot be loaded or has no log-probabilities.
    UsageError
        For an unknown rubric.

    Examples
    --------
    >>> import lm_plural as lp
    >>> cards = lp.check_judge(model_args={"pretrained": "smollm2-demo"}, limit=2)  # doctest: +SKIP
    """
    rubrics = rubrics or list(load_contrast(Index().contrasts[CONTRAST]).file.dimensions)
    options = {"model": model, "model_args": dict(model_args), "device": device}
    return {
        rubric: audit(
            scorer="judge",
            scorer_options={"rubric": rubric, **options},
            tasks=[CONTRAST],
            limit=limit,
            output_path=output_path,
        )
        for rubric in rubrics
    }
