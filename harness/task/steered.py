"""Which groups a model is asked to answer as, and on which items."""

from __future__ import annotations

import polars as pl

from lm_plural.harness.ratings.table import UNDECLARED
from lm_plural.harness.task.load import LoadedTask


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
