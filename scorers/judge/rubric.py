"""What a judge is asked: one dimension, as a statement about a reply, with what each level of agreement means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from lm_plural.harness.documents import load_yaml
from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.files import is_file
from lm_plural.harness.hashing import digest
from lm_plural.harness.strict import Filled, Strict, parse

#: Rubrics that come with the package.
FOLDER = Path(__file__).parent / "rubrics"
#: What answers are called: one character each, so that none begins another.
LABELS = "123456789"


class Wording(Strict):
    """A rubric in one language."""

    statement: Filled = Field(description="What may be true of a reply, as a sentence.")
    asked: Filled = Field(description="Before what a person asked.")
    replied: Filled = Field(description="Before the reply.")
    question: Filled = Field(description="After the statement: what to do.")
    levels: Annotated[list[Filled], Field(min_length=2, max_length=len(LABELS))] = Field(
        description="What agreeing less or more means, the least agreement first."
    )
    answer: Filled = Field(description="The beginning of the answer.")


class Rubric(Strict):
    """A dimension, and how a judge is asked about it in each language."""

    dimension: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: int | str | float
    languages: dict[str, Wording] = Field(min_length=1)

    @model_validator(mode="after")
    def _have_one_scale(self) -> Rubric:
        if len(sizes := {len(w.levels) for w in self.languages.values()}) > 1:
            raise ValueError(f"languages have {' and '.join(map(str, sorted(sizes)))} levels; expected as many in each")
        return self

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
