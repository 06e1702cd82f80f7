"""Whether a task fits a data set that knows shares of answers by group, and no raters."""

from __future__ import annotations

from collections.abc import Iterator

from lm_plural.harness.errors import UsageError
from lm_plural.harness.task.load import LoadedTask

#: Keys that need raters or one scale for all items, and the value they must keep.
KEEP = {"reference": "all", "weights": "items", "coarsen": None}


def share_findings(loaded: LoadedTask) -> Iterator[str]:
    """Yield the keys of a task that have no meaning without raters."""
    task, at = loaded.task, loaded.document.at
    if not loaded.by_shares:
        return
    if task.mode != "rate":
        yield at(("mode",), "without raters nobody rated a response; expected mode: rate")
        return
    if task.doc_to_choice:
        yield at(("doc_to_choice",), "every item has options of its own; expected none for all")
    if task.elicitation.codings != ["letters"]:
        yield at(("elicitation",), "every item has options of its own; expected codings: [letters]")
    for key, value in KEEP.items():
        if getattr(task, key) != value:
            yield at((key,), f"needs raters; with shares of answers, expected {key}: {value or 'nothing'}")


def axes_of_shares(loaded: LoadedTask) -> Iterator[str]:
    """Yield axes of a task that the data set has no shares for."""
    for n, axis in enumerate(loaded.task.groups.axes):
        try:
            loaded.shares.groups(axis)
        except UsageError as e:
            yield loaded.document.at(("groups", "axes", n), str(e))
