"""The tasks a command asks for, valid and with their data, before anything slow begins."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_plural.harness.documents import InvalidFileError
from lm_plural.harness.errors import PluralError, UsageError, argument
from lm_plural.harness.jobs.arguments import known_tasks
from lm_plural.harness.task.check import Report, check_task
from lm_plural.harness.task.contrast import refuse_contrast
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import Limit, LoadedTask


def asked_tasks(tasks: str | Sequence[str]) -> list[str]:
    """Return the names asked for; none is a UsageError."""
    if names := [tasks] if isinstance(tasks, str) else [str(t) for t in tasks]:
        return names
    raise UsageError(f"no tasks: give {argument('tasks')} (lm-plural ls tasks)")


def checked_limit(limit: float | None) -> float | None:
    """Return a limit that is a count, or a share below 1; another is a UsageError."""
    if limit is not None and not (0 < limit < 1 or (limit >= 1 and limit == int(limit))):
        raise UsageError(f"{argument('limit')} {limit}: expected a positive count or a share below 1")
    return limit


def checked_places(
    samples: Mapping[str, Sequence[int]] | None, tasks: Sequence[str], limit: object
) -> Mapping[str, Sequence[int]]:
    """Return the places of the items to ask, once they go together with what else is asked; else a UsageError."""
    if samples and limit is not None:
        raise UsageError(f"{argument('samples')} and {argument('limit')} cannot both be given")
    known_tasks(samples or {}, tasks, "samples")
    return samples or {}


def stored_task(loaded: LoadedTask, include_path: Sequence[object], limit: Limit) -> dict[str, Any]:
    """Return what ``run.json`` says of a task, so that it is found again as it was."""
    return {
        "path": str(loaded.document.path.resolve()),
        "hash": loaded.hash,
        "data_hash": loaded.dataset.data_hash,
        "include_path": [str(Path(str(p)).resolve()) for p in include_path],
        "limit": limit,
    }


def checked_reports(index: Index, names: Sequence[str]) -> list[Report]:
    """Return what is to be said of every task asked for.

    Raises
    ------
    UsageError
        For a name that is unknown, or that of a contrast set.
    """
    documents = index.select(names)
    for document in documents:
        refuse_contrast(document)
    return [check_task(document, index) for document in documents]


def checked_tasks(index: Index, names: Sequence[str]) -> list[LoadedTask]:
    """Return valid tasks: what can be known to be wrong is said before a model or scorer is loaded.

    Of tasks that a tag or pattern stands for, those whose data are not at hand are left out, with a line that says so;
    a task asked for by its name is not.

    Raises
    ------
    PluralError
        If a data file is not at hand, or not the one its recipe describes.
    InvalidFileError
        With every other finding.
    """
    reports = checked_reports(index, names)
    if stop := not_at_hand(reports, names):
        raise PluralError(stop)
    if missing := [r for r in reports if r.data_missing]:
        left = ", ".join(_datasets(missing))
        print(f"{len(missing)} tasks left out, data not at hand (lm-plural data ls): {left}", file=sys.stderr)
    return valid_tasks(reports)


def valid_tasks(reports: Sequence[Report]) -> list[LoadedTask]:
    """Return the tasks whose data are at hand, once nothing is wrong with any; raises as :func:`checked_tasks`."""
    reports = [r for r in reports if not r.data_missing]
    if findings := [f for r in reports for f in r.findings]:
        raise (
            PluralError(findings[0]) if all(r.data_wrong for r in reports if r.findings) else InvalidFileError(findings)
        )
    return [r.loaded for r in reports if r.loaded]


def _datasets(reports: Sequence[Report]) -> list[str]:
    return list(dict.fromkeys(r.loaded.dataset.recipe.dataset for r in reports if r.loaded))


def not_at_hand(reports: Sequence[Report], names: Sequence[str]) -> str | None:
    """Return one line if data without which nothing can begin are missing: the first data set in full, others by name.

    A task asked for by its name cannot be left out, nor can all tasks.
    """
    missing = [r for r in reports if r.data_missing]
    needed = [r for r in missing if r.loaded and {r.loaded.name, str(r.loaded.document.path)} & set(names)]
    if not needed and (not missing or len(missing) < len(reports)):
        return None
    needed = needed or missing
    others = _datasets(needed)[1:]
    more = f" (also not at hand: {', '.join(others)})" if others else ""
    return needed[0].findings[0] + more
