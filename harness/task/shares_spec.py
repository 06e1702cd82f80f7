"""The key ``shares`` of a recipe: groups whose shares of answers were published, and nothing of single people."""

from __future__ import annotations

from pydantic import Field

from lm_plural.harness.task.base import Filled, Strict


class OptionsSpec(Strict):
    """Where the answers are that each item offers, one row each, in the order people were shown."""

    file: str = Field(description="A file or a table.")
    item: str = Field(description="Column with the item id.")
    option: str = Field(description="Column that tells the item's options apart.")
    label: str | None = Field(None, description="Column with the option's words; default: `option`.")
    position: str | None = Field(
        None, description="Column with the option's place on a line; an item is ordered if all its options have one."
    )


class SharesSpec(Strict):
    """Where each group's shares of answers are, one row per (item, group, option), instead of raters and ratings."""

    dimension: Filled = Field("opinion", description="What tasks call that which was asked about.")
    options: OptionsSpec
    file: str = Field(description="A file or a table.")
    item: str = Field(description="Column with the item id.")
    axis: str = Field(description="Column with the axis of the group.")
    group: str = Field(description="Column with the group.")
    option: str = Field(description="Column with the option.")
    share: str = Field(description="Column with the share; no row: nobody of the group chose the option.")
    counts: bool = Field(False, description="What stands in `share` are numbers of answers, not shares.")
