"""The recipe of a data set (``dataset.yaml``): where its files are and how to read people's ratings out of them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.ratings.clean import Rules
from lm_plural.harness.ratings.scale import Direction, Scale
from lm_plural.harness.task.yamlfile import Loc, MisfitError, stays_inside


class Strict(BaseModel):
    """A model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _inside(path: str) -> str:
    if not stays_inside(path):
        raise ValueError("must be a relative path that stays in its folder")
    return path


def _no_truth_value(value: Any) -> Any:
    """YAML reads yes, no, on and off as truth values, which would become the levels 1 and 0."""
    if isinstance(value, bool):
        raise ValueError('YAML reads this as true or false: write it in quotes, like "yes"')
    return value


def _distinct(values: list[Any]) -> list[Any]:
    if twice := [v for n, v in enumerate(values) if v in values[:n]]:
        raise ValueError(f"{twice[0]!s} stands twice")
    return values


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must say something")
    return text


RelativePath = Annotated[str, AfterValidator(_inside)]
NotTruth = BeforeValidator(_no_truth_value)
Distinct = AfterValidator(_distinct)
Filled = Annotated[str, AfterValidator(_filled)]


class DataFile(Strict):
    """One file of the data set: CSV (also gzipped), JSON lines or Parquet, told by its ending."""

    path: RelativePath = Field(description="Beside the recipe, or in $LM_PLURAL_DATA_MIRROR/<dataset>/.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file's bytes.")
    url: str | None = Field(None, pattern=r"^https://", description="Where the file is published, at a fixed commit.")


class ScaleSpec(Strict):
    """A rating scale."""

    levels: list[Annotated[str | int | float, NotTruth]] = Field(
        min_length=2, description="As in the file, lowest first."
    )
    labels: list[str] = Field([], description="Words for the levels; default: the levels.")
    positions: list[float] = Field([], description="Where the levels stand; default: the numbers, else 1..K.")
    direction: Direction = Field(description="Which end is better.")

    @model_validator(mode="after")
    def _is_scale(self) -> Self:
        try:
            self.scale()
        except UsageError as e:
            raise ValueError(str(e)) from e
        return self

    def scale(self) -> Scale:
        """Return the scale."""
        return Scale(tuple(map(str, self.levels)), self.direction, tuple(self.labels), tuple(self.positions))


class ItemsSpec(Strict):
    """Where the items are."""

    file: str
    id: str = Field(description="Column with the item id.")
    fields: Annotated[list[str], Distinct] = Field(min_length=1, description="Columns that templates may use.")


class RatersSpec(Strict):
    """Where the raters' profiles are."""

    file: str
    id: str = Field(description="Column with the rater id.")
    axes: dict[str, str] = Field(min_length=1, description="Axis name to column.")
    separator: str | None = Field(None, min_length=1, description="Between several values in one cell.")
    undeclared: list[str] = Field([], description="Cells, beside empty ones, that mean undeclared.")


class RatedDimension(Strict):
    """One rated dimension."""

    column: str
    scale: str


class RatingsSpec(Strict):
    """Where the ratings are, one row per (item, rater)."""

    file: str
    item: str = Field(description="Column with the item id.")
    rater: str = Field(description="Column with the rater id.")
    dimensions: dict[str, RatedDimension] = Field(min_length=1)
    weight: str | None = Field(None, description="Column with a weight per rating, for reference: weighted.")
    scale_column: str | None = Field(None, description="Column naming each row's scale, if it changes inside the file.")


class Recipe(Strict):
    """How to turn a data set's files into items and a rating table."""

    dataset: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    licence: Filled = Field(description='As stated by its authors, or "none stated".')
    citation: Filled
    warning: str | None = Field(None, description="Content warning shown with the task.")
    simulated: bool = Field(False, description="The raters are simulated; said wherever results show.")
    files: dict[str, DataFile] = Field(min_length=1)
    scales: dict[str, ScaleSpec] = Field(min_length=1)
    items: ItemsSpec
    raters: RatersSpec
    ratings: RatingsSpec
    rules: Rules = Field(default_factory=Rules, description="What to do with troublesome rows.")

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        misfits: list[tuple[Loc, str]] = [
            ((part, "file"), f"no file {name!r}{did_you_mean(name, self.files)}; there are {', '.join(self.files)}")
            for part, name in (
                ("items", self.items.file),
                ("raters", self.raters.file),
                ("ratings", self.ratings.file),
            )
            if name not in self.files
        ]
        misfits += [
            (
                ("ratings", "dimensions", dimension, "scale"),
                f"no scale {d.scale!r}{did_you_mean(d.scale, self.scales)}; there are {', '.join(self.scales)}",
            )
            for dimension, d in self.ratings.dimensions.items()
            if d.scale not in self.scales
        ]
        if "rater_id" in self.raters.axes:
            misfits.append((("raters", "axes", "rater_id"), "an axis needs another name"))
        if misfits:
            raise MisfitError(*misfits)
        return self
