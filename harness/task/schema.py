"""The task file: what is asked of a model, on which data, for which groups."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lm_plural.harness.ratings.coarsen import Neutral
from lm_plural.harness.ratings.strategies import Strategy
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.task.recipe import Strict

Coding = Literal["levels", "letters", "words"]
Order = Literal["ascending", "descending"]


def _axis(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _distinct(axis: Axis) -> Axis:
    if isinstance(axis, tuple) and (len(axis) < 2 or len(set(axis)) != len(axis)):
        raise ValueError("an intersection needs two or more different axes")
    return axis


class Groups(Strict):
    """Which groups of raters results are given for."""

    axes: list[Annotated[str | tuple[str, ...], BeforeValidator(_axis), AfterValidator(_distinct)]] = Field(
        min_length=1, description="Axes; a list of axes means their cells (intersectional)."
    )
    min_raters: int = Field(5, ge=1, description="Least raters for a group to be computed.")


class Elicitation(Strict):
    """How a distribution over the scale is drawn out of a model (methods 1.4): all combinations are averaged.

    Codings: ``levels`` shows and scores ``doc_to_choice``, ``letters`` A, B, C, ..., ``words`` the scale's labels.
    """

    codings: list[Coding] = Field(["levels", "letters"], min_length=1)
    orders: list[Order] = Field(["ascending", "descending"], min_length=1)
    max_off_scale: float = Field(0.5, ge=0, le=1, description="Refuse the task if the median off-scale mass is above.")


class Coarsen(Strict):
    """Fewer levels (methods 7.5), for ratings and predictions alike."""

    levels: Literal[2, 3]
    neutral: Neutral | None = Field(None, description="Where the middle goes; must be said for two levels.")

    @model_validator(mode="after")
    def _says_neutral(self) -> Self:
        if self.levels == 2 and self.neutral is None:
            raise ValueError("neutral must be said: up, down, drop or split")
        return self


class ScorerSpec(Strict):
    """A scorer by registered name and its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


def _scorer(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and "options" not in value:
        return {"name": value.get("name"), "options": {k: v for k, v in value.items() if k != "name"}}
    return value


class Task(Strict):
    """One task; key names are lm-eval's where the meaning is the same."""

    task: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    tag: list[str] = Field(default_factory=list)
    dataset: str = Field(description="Name of a recipe: tasks/<dataset>/dataset.yaml.")
    mode: Literal["rate", "respond"]
    dimension: str = Field(description="Rated dimension; for respond tasks the one that weights exposure.")
    items: dict[str, str] = Field({}, description="Only items whose fields have these values.")
    doc_to_text: str = Field(description="Jinja template of the prompt.")
    doc_to_choice: list[str | int] | None = Field(None, description="Rate: labels of the levels, lowest first.")
    gen_prefix: str = Field("", description="Text the answer begins with, after the chat template's assistant turn.")
    target_delimiter: str = Field(" ", description="Rate: between prompt and label.")
    description: str = Field("", description="System prompt, or text before the prompt without a chat template.")
    num_fewshot: Literal[0] = 0
    elicitation: Elicitation = Elicitation()
    doc_id: str | None = Field(None, description="Respond: field that names a prompt shared by several items.")
    doc_to_target: str | None = Field(None, description="Respond: field with the reference response.")
    generation_kwargs: dict[str, Any] = Field(
        {}, description="Respond: max_gen_toks, until, do_sample, temperature, ..."
    )
    repeats: int = Field(1, ge=1, description="Respond: responses per prompt.")
    scorers: list[Annotated[ScorerSpec, BeforeValidator(_scorer)]] = Field(default_factory=list)
    threshold: float = Field(0.5, description="Respond: a response counts as exceeding from this score on.")
    k: int | None = Field(None, ge=1, description="Respond: responses the expected maximum is over; default repeats.")
    groups: Groups
    reference: Strategy = "all"
    coarsen: Coarsen | None = None
    weights: Literal["items", "pairs"] = "items"
    metadata: dict[str, Any] = Field(description="version at least.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "version" not in self.metadata:
            raise ValueError("metadata.version is missing")
        if self.mode == "rate" and not self.doc_to_choice:
            raise ValueError("a rate task needs doc_to_choice")
        if self.mode == "respond" and not self.scorers:
            raise ValueError("a respond task needs scorers")
        if self.k is not None and self.k > self.repeats:
            raise ValueError(f"k={self.k} needs at least as many repeats, found {self.repeats}")
        return self

    @property
    def choices(self) -> list[str]:
        """Labels of the levels as text."""
        return [str(c) for c in self.doc_to_choice or ()]
