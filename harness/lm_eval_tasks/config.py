"""Finding a task by its name, and what lm-eval is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lm_eval.api.task import TaskConfig

from lm_plural.harness.documents import InvalidFileError
from lm_plural.harness.errors import PluralError
from lm_plural.harness.task.check import check_task
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import LoadedTask


@cache
def _index(include_path: tuple[str, ...]) -> Index:
    return Index([Path(p) for p in include_path])


def load(name: str, include_path: tuple[str, ...] = ()) -> LoadedTask:
    """Return a valid task whose data are at hand.

    Raises
    ------
    PluralError
        With one line that says what is missing, or what is wrong.
    """
    index = _index(include_path)
    report = check_task(index.select([name])[0], index)
    if report.data_missing:
        raise PluralError(report.findings[0])
    if report.findings or not report.loaded:
        raise InvalidFileError(report.findings)
    return report.loaded


def config_of(loaded: LoadedTask, metadata: Mapping[str, Any]) -> TaskConfig:
    """Return what lm-eval asks about a task, and writes into its results."""
    task, recipe = loaded.task, loaded.dataset.recipe
    rate = task.mode == "rate"
    return TaskConfig(
        task=task.task,
        task_alias=f"{task.task} (SIMULATED RATERS)" if recipe.simulated else None,
        tag=task.tag,
        doc_to_text=task.doc_to_text,
        description=task.description,
        gen_prefix=task.gen_prefix or None,
        target_delimiter=task.target_delimiter,
        num_fewshot=0,
        output_type="loglikelihood" if rate else "generate_until",
        # Without `until` lm-eval would end responses at the first empty line.
        generation_kwargs=None if rate else {"until": [], **task.generation_kwargs},
        repeats=1 if rate else task.repeats,
        metadata={
            **metadata,
            **task.metadata,
            "dataset": recipe.dataset,
            "licence": recipe.licence,
            "citation": recipe.citation,
            "warning": recipe.warning,
            "simulated_raters": recipe.simulated,
            "task_hash": loaded.hash,
        },
    )
