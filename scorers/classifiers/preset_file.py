"""What is known of a published model and how it is read: the schema of the files under ``scorers/presets``.

A file says everything that changes a score, and who may use it: model and commit, licence, languages, what goes in, how
labels become a number, and what the number means.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lm_plural.harness.documents import load_yaml
from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.files import is_file
from lm_plural.harness.strict import Filled, Strict, parse

#: Presets that come with the package.
FOLDER = Path(__file__).parent.parent / "presets"
#: What a preset's file and its user call a commit and a file's hash.
COMMIT, SHA256 = r"^[0-9a-f]{40}$", r"^[0-9a-f]{64}$"

Head = Literal["softmax", "sigmoid", "reward", "guard"]
Weight = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Message(Strict):
    """A turn of the conversation that a model is shown."""

    role: Literal["system", "user", "assistant"]
    content: Filled


class Preset(Strict):
    """A published model and how it is read."""

    model: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="Name on the Hub.")
    revision: str | None = Field(pattern=COMMIT, description="Commit; null: none was read.")
    sha256: str | None = Field(pattern=SHA256, description="Of the weights; null: not read.")
    size: Filled
    licence: Filled
    licence_url: Filled
    gated: bool = Field(description="Whether the Hub wants an account and a yes to its terms.")
    languages: Annotated[list[Filled], Field(min_length=1)] = Field(description="Those that the card names.")
    direction: Literal["more", "less"]
    input: Literal["text", "pair", "chat"] = Field(description="The response; prompt and response; a chat template.")
    unit: Literal["response", "sentence"] = Field("response", description="Of sentences the greatest score counts.")
    head: Head
    labels: list[Filled] = Field([], description="All of the model's, in its order (softmax, sigmoid).")
    scores: dict[Name, dict[Filled, Weight]] = Field(min_length=1, description="Dimension to label to its weight.")
    before: list[str] = Field([], description="Guards: what stands before the answer to each dimension.")
    messages: list[Message] = Field([], description="Chat: with {prompt}, {response} and {criteria}.")
    template: dict[str, Any] = Field({}, description="Chat: further arguments of the template.")
    own_template: dict[str, Any] = Field({}, description="Guards: the same with criteria of the user's own.")
    max_length: int = Field(ge=8, description="Tokens.")
    measures: Filled = Field(description="What a high score means, in one sentence.")
    caution: Filled
    source: Filled = Field(description="Where what is said here was read.")

    @model_validator(mode="after")
    def _fits_together(self) -> Preset:
        for wrong, why in self._misfits():
            if wrong:
                raise ValueError(why)
        return self

    def _misfits(self) -> Iterator[tuple[bool, str]]:
        labelled, guard = self.head in ("softmax", "sigmoid"), self.head == "guard"
        known = [label for weights in self.scores.values() for label in weights]
        yield labelled != bool(self.labels), "labels: expected for heads softmax and sigmoid, and for no other"
        yield labelled and not {*known} <= {*self.labels}, "scores: a label is none of labels"
        yield self.head != "reward" and not all(self.scores.values()), "scores: a dimension has no labels"
        yield self.head == "reward" and bool(known or len(self.scores) > 1), "scores: expected {dimension: {}}"
        yield len(self.before) != guard * len(self.scores), "before: expected one for each dimension of a guard"
        yield guard and any(len(weights) < 2 for weights in self.scores.values()), "scores: expected two labels or more"
        begun = any(a != b and a.startswith(b) for weights in self.scores.values() for a in weights for b in weights)
        yield guard and begun, "scores: a label begins another"
        yield (self.input == "chat") != bool(self.messages), "messages: expected for input chat, and for no other"
        yield guard and self.input != "chat", "input: expected chat for a guard"
        yield bool(self.own_template) and len(known) != 2, "own_template: expected one dimension of two labels"
        yield self.unit == "sentence" and not labelled, "unit: sentence is for heads softmax and sigmoid"

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Columns of its scores."""
        return tuple(self.scores)

    @property
    def needs_criteria(self) -> bool:
        """Whether it says nothing without a text of the user's."""
        return any("{criteria}" in m.content for m in self.messages)


def preset_names() -> list[str]:
    """Return the names of the presets that come with the package."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


@cache
def load_preset(name: str) -> Preset:
    """Return a preset by name, or that of a YAML file.

    Raises
    ------
    UsageError
        If there is none (with a suggestion), or the file is none, with every finding.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not is_file(path):
        known = preset_names()
        raise UsageError(f"no preset {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}, or a YAML file")
    return parse(load_yaml(path), Preset)
