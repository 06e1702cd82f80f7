"""Steps that turn a published file into a plain table, one after the other, without code in the recipe.

A step is a mapping of one key, its name, to what it needs::

    steps:
      - split: {columns: [annotations, annotators], separator: ","}
      - explode: {columns: [annotations, annotators]}
      - recode: {column: gender, levels: {F: woman, M: man}, other: error}

All cells are text. What they do is written in :mod:`~.apply`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from lm_plural.harness.ratings.scale import canonical
from lm_plural.harness.strict import Distinct, Filled, NotTruth, Strict

Column = Filled
Columns = Annotated[list[Column], Distinct, Field(min_length=1)]
#: A cell as YAML may write it; levels of a scale have one spelling, so 3 and 3.0 are one. Null: an empty cell.
Cell = Annotated[str | int | float | None, NotTruth]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _cells(value: list[Cell]) -> list[Cell]:
    if not value:
        raise ValueError("expected at least one cell")
    return [None if v is None else canonical(v) for v in value]


def folded(level: str) -> str:
    """Return a level without case, spaces and punctuation."""
    return re.sub(r"[\W_]", "", level.lower())


def _spelled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if wrong := [k for k in value if isinstance(k, bool)]:
        raise ValueError(f'YAML reads a key as {str(wrong[0]).lower()}: write it in quotes, like "yes"')
    return {canonical(k): None if v is None else str(v) for k, v in value.items()}


#: Old level to new one, null for an empty cell.
Levels = Annotated[dict[str, str | None], BeforeValidator(_spelled)]
Cells = Annotated[
    list[Cell],
    BeforeValidator(_listed, json_schema_input_type=Cell | list[Cell]),
    AfterValidator(_cells),
]
#: Column to the cells it must hold one of; all columns must agree.
Where = Annotated[dict[Column, Cells], Field(min_length=1)]


class Split(Strict):
    """Cells like ``0,1,1`` become lists."""

    columns: Columns
    separator: str = Field(",", min_length=1)


class Explode(Strict):
    """One row per place of a list; several columns are parallel lists of one length."""

    columns: Columns
    position: str | None = Field(None, description="New column with the place in the list, from 0.")
    uneven: Filled | None = Field(
        None, description="Rule that leaves out rows whose lists differ in length; default: an error."
    )


class Unpivot(Strict):
    """One row per column: their names go into one column, their cells into another."""

    columns: Columns
    names: Column
    values: Column


class Literal(Strict):
    """Text that writes out a Python list, dict or defaultdict becomes lists; nothing in it is run."""

    column: Column
    values: Column = Field(description="New column with the list, or the dict's values.")
    names: str | None = Field(None, description="New column with the dict's keys.")


class Recode(Strict):
    """Cells are renamed; a level that is not named stays (`keep`), becomes empty, or is an error."""

    column: Column
    levels: Levels = Field(description="Old to new; null: an empty cell.")
    other: str = Field("error", description="keep, missing, error, or what every other level becomes, like: =Other")
    fold: bool = Field(False, description="Compare without case, spaces and punctuation.")
    separators: str | None = Field(
        None,
        min_length=1,
        description="Cells hold several values, as a JSON list or between any of these characters: each is recoded, "
        "and they are joined by |.",
    )
    into: str | None = Field(None, description="New column; default: the same.")

    @model_validator(mode="after")
    def _other_is_known(self) -> Self:
        if self.other not in ("keep", "missing", "error") and not (self.other.startswith("=") and self.other[1:]):
            raise ValueError(f"other: expected keep, missing, error or =LEVEL, found {self.other!r}")
        return self

    @model_validator(mode="after")
    def _folds_apart(self) -> Self:
        names = {folded(level): level for level in reversed(self.levels)} if self.fold else {}
        if lost := [level for level in self.levels if self.fold and names[folded(level)] != level]:
            raise ValueError(f"levels: {names[folded(lost[0])]!r} and {lost[0]!r} are one when folded")
        return self


class Bin(Strict):
    """Numbers become bands: below the first edge, from there to below the second, ...; the last is from it on."""

    column: Column
    edges: list[float] = Field(min_length=1)
    labels: list[str]
    into: str | None = Field(None, description="New column; default: the same.")
    least: float | None = Field(None, description="Numbers below are an error.")
    most: float | None = Field(None, description="Numbers above are an error.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.labels) != len(self.edges) + 1:
            raise ValueError(f"expected {len(self.edges) + 1} labels, one more than edges; found {len(self.labels)}")
        if sorted(set(self.edges)) != self.edges:
            raise ValueError(f"edges must increase, found {self.edges}")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least {self.least:g} is above most {self.most:g}")
        return self


class OneHot(Strict):
    """Columns of true and false become one column; several true ones stand in one cell, separated by ``|``."""

    columns: Annotated[dict[Column, str], Field(min_length=1, description="Column to level.")]
    into: Column


class Pairs(Strict):
    """The choice of one text among several becomes one row per pair: the chosen text and one of the others.

    Which of the two comes first depends on the texts alone, so it neither tells the choice nor differs between raters.
    """

    columns: dict[Filled, Column] = Field(min_length=2, description="Cell of `chosen` to the column with that text.")
    chosen: Column
    first: Column = Field(description="New column with a text.")
    second: Column = Field(description="New column with the other text.")
    preferred: Column = Field(description="New column: first or second.")
    rule: Filled = Field(description="Leaves out rows in which no text is chosen over a different one.")


class Concat(Strict):
    """Cells joined into a new column, empty ones left out."""

    columns: Columns
    separator: str = " "
    into: Column


class Digest(Strict):
    """A short id made from the text of columns, for items that have none."""

    columns: Columns
    into: Column


class Drop(Strict):
    """Rows left out by a rule with a name; ratings among them are counted and printed."""

    rule: Filled
    where: Where


class Join(Strict):
    """Columns of another table, where all of `by` are equal; an empty cell where it has no such row."""

    table: str
    by: Columns
    columns: Columns


class Once(Strict):
    """Of rows that are equal in some columns the first is kept; the others are counted under a rule with a name."""

    columns: Columns
    rule: Filled


class Fill(Strict):
    """A new column with the same cell in every row."""

    into: Column
    value: Annotated[str | int | float, NotTruth]


class Step(Strict):
    """One step: exactly one of the keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"minProperties": 1, "maxProperties": 1})

    split: Split | None = None
    explode: Explode | None = None
    unpivot: Unpivot | None = None
    literal: Literal | None = None
    recode: Recode | None = None
    bin: Bin | None = None
    one_hot: OneHot | None = None
    pairs: Pairs | None = None
    concat: Concat | None = None
    digest: Digest | None = None
    drop: Drop | None = None
    keep: Drop | None = None
    join: Join | None = None
    once: Once | None = None
    fill: Fill | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1 or self.what is None:
            known, n = ", ".join(type(self).model_fields), len(self.model_fields_set)
            raise ValueError(f"a step is one of {known}; found {n}")
        return self

    @property
    def name(self) -> str:
        """The step's name."""
        return next(iter(self.model_fields_set))

    @property
    def what(self) -> Any:
        """What the step needs."""
        return getattr(self, self.name)
