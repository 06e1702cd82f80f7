"""The task file: what is asked of a model, on which data, for which groups."""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lm_plural.harness.documents import Loc
from lm_plural.harness.errors import argument
from lm_plural.harness.ratings.coarsen import Neutral
from lm_plural.harness.ratings.strategies import Strategy
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.strict import Distinct, Filled, MisfitError, NotTruth, Strict


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


Coding = Literal["levels", "letters", "words"]
Order = Literal["ascending", "descending"]


def _axis(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _several(axis: Axis) -> Axis:
    if isinstance(axis, tuple) and (len(axis) < 2 or len(set(axis)) != len(axis)):
        raise ValueError("an intersection needs two or more different axes")
    return axis


class Groups(Strict):
    """Which groups of raters results are given for."""

    axes: Annotated[
        list[
            Annotated[
                str | tuple[str, ...],
                BeforeValidator(_axis, json_schema_input_type=str | list[str]),
                AfterValidator(_several),
            ]
        ],
        Distinct,
    ] = Field(min_length=1, description="Axes; a list of axes means their cells (intersectional).")
    min_raters: int = Field(5, ge=1, description="Least raters for a group to be computed.")


class Elicitation(Strict):
    """How a distribution over the scale is drawn out of a model (methods 1.4): all combinations are averaged.

    Codings: ``levels`` shows and scores ``doc_to_choice``, ``letters`` A, B, C, ..., ``words`` the scale's labels.
    """

    codings: Annotated[list[Coding], Distinct] = Field(["levels", "letters"], min_length=1)
    orders: Annotated[list[Order], Distinct] = Field(["ascending", "descending"], min_length=1)
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
    if isinstance(value, dict) and "name" in value and value.keys() - {"name", "options"}:
        return {"name": value["name"], "options": {k: v for k, v in value.items() if k != "name"}}
    return value


class _Written(BaseModel):
    """A scorer as a task file may write it; the other keys are the scorer's options."""

    model_config = ConfigDict(extra="allow", title="Scorer")
    name: str


ScorerLike = Annotated[ScorerSpec, BeforeValidator(_scorer, json_schema_input_type=str | _Written)]


#: Keys that only one mode has.
OWN = {
    "rate": {
        "paraphrases",
        "doc_to_choice",
        "target_delimiter",
        "elicitation",
        "steer",
        "reference",
        "coarsen",
        "weights",
    },
    "respond": {"doc_id", "doc_to_target", "generation_kwargs", "repeats", "scorers", "threshold", "k"},
}


#: Generation arguments that name code to run, where a request goes or with which key: not for a task to say.
COMMANDS = re.compile(r"trust_remote_code|^custom_|logits?_processor|url|api_|header|proxy|token$|key$|secret|auth")


def _commands(value: Any) -> list[str]:
    """Return the names of such arguments, nested ones too."""
    if isinstance(value, list):
        return [name for v in value for name in _commands(v)]
    if not isinstance(value, dict):
        return []
    return [name for k, v in value.items() for name in ([str(k)] if COMMANDS.search(str(k)) else _commands(v))]


class Task(Strict):
    """One task; key names are lm-eval's where the meaning is the same."""

    task: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    tag: list[str] = Field(default_factory=list)
    dataset: str = Field(description="Name of a recipe: tasks/<dataset>/dataset.yaml.")
    mode: Literal["rate", "respond"]
    dimension: str = Field(description="Rated dimension; for respond tasks the one that weights exposure.")
    items: dict[str, str] = Field({}, description="Only items whose fields have these values.")
    filters: dict[str, bool] = Field({}, description="Quality filters of the recipe, by name, to switch on or off.")
    doc_to_text: str = Field(description="Jinja template of the prompt.")
    paraphrases: list[Filled] = Field([], description="Rate: templates that ask the same in other words.")
    doc_to_choice: list[Annotated[str | int, NotTruth]] | None = Field(
        None, description="Rate: labels of the levels, lowest first."
    )
    gen_prefix: str = Field("", description="Text the answer begins with, after the chat template's assistant turn.")
    target_delimiter: str = Field(" ", description="Rate: between prompt and label.")
    description: str = Field("", description="System prompt, or text before the prompt without a chat template.")
    num_fewshot: Literal[0] = 0
    elicitation: Elicitation = Elicitation()
    steer: SteerLike = Field(None, description="Rate: also ask the model to answer as a member of each group.")
    doc_id: str | None = Field(None, description="Respond: field that names a prompt shared by several items.")
    doc_to_target: str | None = Field(None, description="Respond: field with the reference response.")
    generation_kwargs: dict[str, Any] = Field(
        {}, description="Respond: max_gen_toks, until, do_sample, temperature, ..."
    )
    repeats: int = Field(1, ge=1, description="Respond: responses per prompt.")
    scorers: Annotated[list[ScorerLike], Distinct] = Field(default_factory=list)
    threshold: float = Field(0.5, description="Respond: a response counts as exceeding from this score on.")
    k: int | None = Field(None, ge=1, description="Respond: responses the expected maximum is over; default repeats.")
    groups: Groups
    reference: Strategy = "all"
    coarsen: Coarsen | None = None
    weights: Literal["items", "pairs"] = "items"
    metadata: dict[str, Any] = Field(description="version at least.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        misfits: list[tuple[Loc, str]] = []
        if "version" not in self.metadata:
            misfits.append((("metadata",), "version is missing"))
        elif not _is_plain(self.metadata["version"]):
            misfits.append((("metadata", "version"), f"expected text or a number, found {self.metadata['version']!r}"))
        other = {"rate": "respond", "respond": "rate"}[self.mode]
        for key in sorted(self.model_fields_set & OWN[other]):
            misfits.append(((key,), f"a key of {other} tasks; this is a {self.mode} task"))
        if self.mode == "rate" and not self.doc_to_choice and "levels" in self.elicitation.codings:
            own = "where items have options of their own, elicitation: {codings: [letters]}"
            misfits.append((("mode",), f"a rate task needs doc_to_choice; {own}"))
        if self.mode == "respond" and not self.scorers:
            misfits.append((("mode",), "a respond task needs scorers"))
        if self.mode == "respond" and self.k is not None and self.k > self.repeats:
            misfits.append((("k",), f"{self.k} needs at least as many repeats, found {self.repeats}"))
        for name in _commands(self.generation_kwargs):
            only = f"{name!r} is not for a task to say; whoever runs it may, by {argument('gen_kwargs')}"
            misfits.append((("generation_kwargs", name), only))
        misfits += self._copies()
        if self.steer and self.reference != "all":
            misfits.append(
                (("steer",), f"compares with all ratings only; expected reference: all, not {self.reference}")
            )
        if misfits:
            raise MisfitError(*misfits)
        return self

    def _copies(self) -> list[tuple[Loc, str]]:
        """Return paraphrases that say what an earlier wording says, spaces apart."""
        plain = ["".join(text.split()) for text in self.wordings]
        return [
            (("paraphrases", n - 1), f"the same as {f'paraphrases.{first - 1}' if first else 'doc_to_text'}")
            for n, text in enumerate(plain)
            if (first := plain.index(text)) < n
        ]

    @property
    def wordings(self) -> list[str]:
        """Templates of the question, ``doc_to_text`` first."""
        return [self.doc_to_text, *self.paraphrases]

    @property
    def choices(self) -> list[str]:
        """Labels of the levels as text."""
        return [str(c) for c in self.doc_to_choice or ()]


def _is_plain(value: Any) -> bool:
    """Return whether a results file can hold a value as it is."""
    return isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))
