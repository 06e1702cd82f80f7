"""The tasks a command asks for, valid and with their data, before anything slow begins."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lm_plural.harness.errors import PluralError

if TYPE_CHECKING:
    from lm_plural.harness.task.check import Report
    from lm_plural.harness.task.index import Index
    from lm_plural.harness.task.load import LoadedTask


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
    from lm_plural.harness.documents import InvalidFileError
    from lm_plural.harness.task.check import check_task

    reports = [check_task(document, index) for document in index.select(names)]
    missing = [r for r in reports if r.data_missing]
    needed = [r for r in missing if r.loaded and {r.loaded.name, str(r.loaded.document.path)} & set(names)]
    if missing and (needed or len(missing) == len(reports)):
        raise PluralError(_not_at_hand(needed or missing))
    if missing:
        left = ", ".join(_datasets(missing))
        print(f"{len(missing)} tasks left out, data not at hand (lm-plural data ls): {left}", file=sys.stderr)
    reports = [r for r in reports if not r.data_missing]
    if findings := [f for r in reports for f in r.findings]:
        raise (
            PluralError(findings[0]) if all(r.data_wrong for r in reports if r.findings) else InvalidFileError(findings)
        )
    return [r.loaded for r in reports if r.loaded]


def _datasets(reports: Sequence[Report]) -> list[str]:
    return list(dict.fromkeys(r.loaded.dataset.recipe.dataset for r in reports if r.loaded))


def _not_at_hand(reports: Sequence[Report]) -> str:
    """Return one line for all data sets that are missing: the first in full, the others by name."""
    names = _datasets(reports)
    more = f" (also not at hand: {', '.join(names[1:])})" if names[1:] else ""
    return reports[0].findings[0] + more
