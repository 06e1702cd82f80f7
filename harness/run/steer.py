"""Which groups a model is asked to answer as, on which items, and whether the key ``steer`` fits the data."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.model.elicit import steering
from lm_plural.harness.ratings.table import UNDECLARED
from lm_plural.harness.task.load import LoadedTask
from lm_plural.harness.task.template import TemplateRenderError


def steered_items(loaded: LoadedTask) -> dict[str, set[str]]:
    """Return the groups a model is asked to answer as, in name order, and the ids of the items each rated.

    They are those of the whole task, so that a larger ``--limit`` goes on where a smaller one ended.
    """
    steer = loaded.task.steer
    if steer is None:
        return {}
    if loaded.by_shares:
        enough, _ = loaded.shares.answered(loaded.task.groups.min_raters)
        wanted = steer.groups or enough.groups(steer.axis)
        return {g: i for g, i in enough.groups(steer.axis).items() if g != UNDECLARED and g in wanted}
    rated = loaded.table.ratings.join(loaded.table.groups(steer.axis), on="rater_id")
    by_group = rated.group_by("group").agg(pl.col("rater_id").n_unique(), pl.col("item_id").unique()).sort("group")
    return {
        group: set(items)
        for group, raters, items in by_group.iter_rows()
        if group != UNDECLARED and raters >= loaded.task.groups.min_raters and group in (steer.groups or [group])
    }


def steer_findings(loaded: LoadedTask) -> Iterator[str]:
    """Yield what of ``steer`` does not fit: axis, groups, names, the text."""
    steer, document = loaded.task.steer, loaded.document
    if steer is None:
        return
    try:
        groups = loaded.shares.groups(steer.axis) if loaded.by_shares else loaded.table.group_sizes(steer.axis)
        known = sorted({*groups} - {UNDECLARED})
    except UsageError as e:
        yield document.at(("steer", "axis"), str(e))
        return
    named = [(("steer", "groups", n), g) for n, g in enumerate(steer.groups)]
    for loc, group in [*named, *((("steer", "names", g), g) for g in steer.names)]:
        if group not in known:
            message = f"no group {group!r} of {steer.axis!r}{did_you_mean(group, known)}; there are {', '.join(known)}"
            yield document.at(loc, message)
    asked, least = steered_items(loaded), loaded.task.groups.min_raters
    for loc, group in named:
        if group in known and group not in asked:
            yield document.at(loc, f"group {group!r} has fewer than {least} raters")
    if not asked and not steer.groups:
        yield document.at(("steer", "axis"), f"no group of {steer.axis!r} has {least} raters")
    yield from _text(loaded, list(asked))


def _text(loaded: LoadedTask, groups: list[str]) -> Iterator[str]:
    said: dict[str, str] = {}
    for group in groups:
        try:
            text = steering(loaded.task, group)
        except TemplateRenderError as e:
            yield loaded.document.at(("steer", "text"), str(e), e.line)
            return
        if (other := said.setdefault(text, group)) != group:
            yield loaded.document.at(("steer", "text"), f"says the same of {other!r} and {group!r}: {text!r}")
            return
