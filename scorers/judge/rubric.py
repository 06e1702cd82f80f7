"""What a judge is asked: one dimension, as a statement about a reply, with what each level of agreement means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from lm_plural.harness.documents import load_yaml
from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.files import is_file
from lm_plural.harness.hashing import digest
from lm_plural.harness.strict import Distinct, Filled, NotTruth, Strict, parse

#: Rubrics that come with the package.
FOLDER = Path(__file__).parent / "rubrics"
#: Levels of a scale: 0 to 10 is the longest that people are asked with.
MOST_LEVELS = 11
#: Between what a level is called and what it means.
MEANS = ": "


class Wording(Strict):
    """A rubric in one language."""

    statement: Filled = Field(description="What may be true of a reply, as a sentence.")
    asked: Filled = Field(description="Before what a person asked.")
    replied: Filled = Field(description="Before the reply.")
    question: Filled = Field(description="After the statement: what to do.")
    levels: Annotated[list[Filled], Field(min_length=2, max_length=MOST_LEVELS)] = Field(
        description="Levels of agreement, the least first, each what it is called and, after a colon, what it means."
    )
    choose: Filled = Field(description="Before the answers to choose from, where a judge writes its answer.")
    answer: Filled = Field(description="The beginning of the answer, where its probability is read.")

    @property
    def names(self) -> list[str]:
        """What the levels are called."""
        return [level.partition(MEANS)[0] for level in self.levels]


class Rubric(Strict):
    """A dimension, and how a judge is asked about it in each language."""

    dimension: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: int | str | float
    answers: Annotated[list[Annotated[int | Filled, NotTruth]], Distinct] | None = Field(
        None, description="What answers are called, whichever way their meaning runs; by default 1, 2, 3, ..."
    )
    languages: dict[str, Wording] = Field(min_length=1)

    @model_validator(mode="after")
    def _have_one_scale(self) -> Rubric:
        if len(sizes := {len(w.levels) for w in self.languages.values()}) > 1:
            raise ValueError(f"languages have {' and '.join(map(str, sorted(sizes)))} levels; expected as many in each")
        if len(self.labels) != self.size:
            raise ValueError(f"{len(self.labels)} answers to {self.size} levels")
        if self._closed and not all(w.answer.endswith("(") for w in self.languages.values()):
            raise ValueError(
                "an answer begins another; expected `answer` to end with (, so that they are told by the )"
            )
        return self

    @property
    def labels(self) -> list[str]:
        """What answers are called, as many as levels."""
        return [str(a) for a in self.answers or range(1, self.size + 1)]

    @property
    def _closed(self) -> bool:
        return any(a != b and b.startswith(a) for a in self.labels for b in self.labels)

    @property
    def read(self) -> list[str]:
        """What is read after the beginning of an answer, none beginning another: ``1)`` and ``10)``, else ``1``."""
        return [f"{label})" if self._closed else label for label in self.labels]

    @property
    def hash(self) -> str:
        """Identity: changes with any word."""
        return digest(self.model_dump(mode="json"))

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(next(iter(self.languages.values())).levels)


def rubric_names() -> list[str]:
    """Return the names of the rubrics that come with the package."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def load_rubric(name: str) -> Rubric:
    """Return a rubric by name, or that of a YAML file.

    Raises
    ------
    UsageError
        If there is none (with a suggestion), or the file is none, with every finding.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not is_file(path):
        known = rubric_names()
        raise UsageError(f"no rubric {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}, or a YAML file")
    return parse(load_yaml(path), Rubric)
