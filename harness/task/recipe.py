"""The recipe of a data set (``dataset.yaml``): where its files are and how to read people's ratings out of them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lm_plural.harness.ratings.clean import Rules
from lm_plural.harness.ratings.scale import Direction


class Strict(BaseModel):
    """A model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _inside(path: str) -> str:
    p = PurePosixPath(path)
    if p.is_absolute() or ".." in p.parts or "\\" in path or not path:
        raise ValueError(f"{path!r} must be a relative path that stays in its folder")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]


class DataFile(Strict):
    """One file of the data set: CSV (also gzipped), JSON lines or Parquet, told by its ending."""

    path: RelativePath = Field(description="Beside the recipe, or in $LM_PLURAL_DATA_MIRROR/<dataset>/.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file's bytes.")
    url: str | None = Field(None, pattern=r"^https://", description="Where the file is published, at a fixed commit.")


class ScaleSpec(Strict):
    """A rating scale."""

    levels: list[str | int | float] = Field(min_length=2, description="As in the file, lowest first.")
    labels: list[str] = Field([], description="Words for the levels; default: the levels.")
    positions: list[float] = Field([], description="Where the levels stand; default: the numbers, else 1..K.")
    direction: Direction = Field(description="Which end is better.")


class ItemsSpec(Strict):
    """Where the items are."""

    file: str
    id: str = Field(description="Column with the item id.")
    fields: list[str] = Field(min_length=1, description="Columns that templates may use.")


class RatersSpec(Strict):
    """Where the raters' profiles are."""

    file: str
    id: str = Field(description="Column with the rater id.")
    axes: dict[str, str] = Field(min_length=1, description="Axis name to column.")
    separator: str | None = Field(None, description="Between several values in one cell.")
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
    scale_column: str | None = Field(None, description="Column naming each row's scale, if it changes inside the file.")


class Recipe(Strict):
    """How to turn a data set's files into items and a rating table."""

    dataset: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    licence: str = Field(min_length=1, description='As stated by its authors, or "none stated".')
    citation: str = Field(min_length=1)
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
        for part, name in (
            ("items", self.items.file),
            ("raters", self.raters.file),
            ("ratings", self.ratings.file),
        ):
            if name not in self.files:
                raise ValueError(f"{part}.file: no file {name!r}; there are {', '.join(self.files)}")
        for dimension, spec in self.ratings.dimensions.items():
            if spec.scale not in self.scales:
                raise ValueError(
                    f"ratings.dimensions.{dimension}: no scale {spec.scale!r}; there are {', '.join(self.scales)}"
                )
        return self
