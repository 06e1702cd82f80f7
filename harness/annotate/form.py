"""The words that raters see, in their language: a YAML file that whoever collects may rewrite.

The files in ``forms/`` are what a form is made of; ``form.yaml`` in the folder of an export is one with the statements,
levels and groups of that export, and is read again by ``--form``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from lm_plural.harness.documents import load_yaml
from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import UNDECLARED
from lm_plural.harness.strict import Strict, parse

FORMS = Path(__file__).parent / "forms"
#: What a rater is on an axis where no group fits.
OTHER = "other"
#: Groups of an axis that can be asked for in a form.
MOST_OPTIONS = 40


class Question(Strict):
    """What is asked of raters on one axis.

    Attributes
    ----------
    question : str
    multiple : bool
        Whether several groups may be chosen.
    options : dict of str to str
        Words by group, in order.
    """

    question: str
    multiple: bool = False
    options: dict[str, str] = Field({})


class Form(Strict):
    """All words of a form; ``levels`` of a language are by the scale's own words, those of an export by level."""

    language: str
    title: str
    consent: str
    agree: str
    instructions: str
    question: str
    answer: str
    empty: str
    statements: dict[str, str]
    other_statement: str = Field("{dimension}", pattern=r"\{dimension\}")
    levels: dict[str, str]
    check: str
    check_task: str = Field(pattern=r"\{level\}")
    about: str
    axes: dict[str, Question]
    other_axis: str = Field("{axis}", pattern=r"\{axis\}")
    none_of_these: str
    not_told: str

    def choices(self, axis: str) -> dict[str, str]:
        """Return what may be chosen on an axis: words by group; nobody has to tell."""
        options = self.axes[axis].options
        return {**options, OTHER: self.none_of_these, UNDECLARED: self.not_told}


def languages() -> list[str]:
    """Return the languages there are words in."""
    return sorted(path.stem for path in FORMS.glob("*.yaml"))


def read_form(path: Path) -> Form:
    """Read a form; raises InvalidFileError or UsageError as every YAML file of ours."""
    return parse(load_yaml(path), Form)


def form_for(
    language: str, scales: Mapping[str, Scale], axes: Mapping[str, Sequence[str]], several: Sequence[str]
) -> Form:
    """Return the form of an export in a language.

    Parameters
    ----------
    language : str
    scales : mapping of str to Scale
        By dimension that is asked for; all have the same levels.
    axes : mapping of str to sequence of str
        Groups of each axis.
    several : sequence of str
        Axes on which a rater may be in several groups.

    Raises
    ------
    UsageError
        If there are no words in that language.
    """
    if language not in languages():
        known = ", ".join(languages())
        raise UsageError(f"no words for a form in {language!r}; there are {known}; others by --form FILE")
    words = read_form(FORMS / f"{language}.yaml")
    scale = next(iter(scales.values()))
    statements = {
        d: words.statements.get(d) or words.other_statement.format(dimension=d.replace("_", " ")) for d in scales
    }
    levels = {v: words.levels.get(label, label) for v, label in zip(scale.levels, scale.labels, strict=True)}
    asked = {}
    for axis, groups in axes.items():
        one = words.axes.get(axis)
        question = one.question if one else words.other_axis.format(axis=axis.replace("_", " "))
        options = {g: g.replace("_", " ") for g in groups if g not in (UNDECLARED, OTHER)}
        asked[axis] = Question(question=question, multiple=axis in several, options=options)
    return words.model_copy(update={"statements": statements, "levels": levels, "axes": asked})


def check_form(form: Form, scales: Mapping[str, Scale], where: object) -> None:
    """Refuse (UsageError) a form that does not ask what is exported."""
    scale = next(iter(scales.values()))
    for what, found, wanted in (("statements", form.statements, scales), ("levels", form.levels, scale.levels)):
        if set(found) != set(wanted):
            raise UsageError(f"{where}: {what}: found {', '.join(found)}; expected {', '.join(wanted)}")
    if len(set(form.levels.values())) < len(form.levels):
        raise UsageError(f"{where}: levels: two have the same words; expected different ones")


def to_yaml(form: Form) -> str:
    """Return a form as YAML, in the order of its keys."""
    content: dict[str, Any] = form.model_dump(mode="json")
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
