"""The key ``steer`` of a rate task: the model is also asked to answer as a member of each group of an axis."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lm_plural.harness.task.base import Distinct, Filled, Strict


class Steer(Strict):
    """As members of which groups a model is also asked, and in which words."""

    axis: str
    text: Filled = Field(
        "Answer as a person would who describes their {{ axis }} as: {{ group }}.",
        description="Jinja template, put before the prompt with a blank line; it sees axis and group.",
    )
    names: dict[str, Filled] = Field(
        {}, description="Words for a group, where its name in the data does not read well."
    )
    groups: Annotated[list[str], Distinct] = Field(
        [], description="Default: every group with groups.min_raters raters, but the undeclared."
    )


def _written(value: Any) -> Any:
    return {"axis": value} if isinstance(value, str) else value


#: An axis, or a mapping that says more.
SteerLike = Annotated[Steer | None, BeforeValidator(_written, json_schema_input_type=str | Steer | None)]
