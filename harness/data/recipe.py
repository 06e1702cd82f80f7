"""The recipe of a data set (``dataset.yaml``): where its files are and how to read people's ratings out of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import Field, model_validator

from lm_plural.harness.data.steps import Step, Where
from lm_plural.harness.documents import InvalidFileError, Loc, load_yaml
from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.ratings.rules import Rules
from lm_plural.harness.ratings.scale import Direction, Scale
from lm_plural.harness.strict import Distinct, Filled, MisfitError, NotTruth, RelativePath, Strict, parse


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    InvalidFileError
        With every finding; one of them may be that the data set is not called like its folder.
    """
    document = load_yaml(path, confined=True)
    recipe = parse(document, Recipe)
    if recipe.dataset != (folder := path.parent.resolve().name):
        message = f"dataset: expected the name of its folder, {folder!r}, found {recipe.dataset!r}"
        raise InvalidFileError([document.at(("dataset",), message)])
    return recipe


class OptionsSpec(Strict):
    """Where the answers are that each item offers, one row each, in the order people were shown."""

    file: str = Field(description="A file or a table.")
    item: str = Field(description="Column with the item id.")
    option: str = Field(description="Column that tells the item's options apart.")
    label: str | None = Field(None, description="Column with the option's words; default: `option`.")
    position: str | None = Field(
        None, description="Column with the option's place on a line; an item is ordered if all its options have one."
    )


class SharesSpec(Strict):
    """Where each group's shares of answers are, one row per (item, group, option), instead of raters and ratings."""

    dimension: Filled = Field("opinion", description="What tasks call that which was asked about.")
    options: OptionsSpec
    file: str = Field(description="A file or a table.")
    item: str = Field(description="Column with the item id.")
    axis: str = Field(description="Column with the axis of the group.")
    group: str = Field(description="Column with the group.")
    option: str = Field(description="Column with the option.")
    share: str = Field(description="Column with the share; no row: nobody of the group chose the option.")
    counts: bool = Field(False, description="What stands in `share` are numbers of answers, not shares.")


Spec = TypeVar("Spec")


class DataFile(Strict):
    """One file of the data set: CSV or TSV (also gzipped), JSON, JSON lines or Parquet, told by its ending."""

    path: RelativePath = Field(description="Beside the recipe, in a mirror folder, or fetched into the cache.")
    sha256: str | None = Field(
        pattern=r"^[0-9a-f]{64}$", description="Of the file's bytes; null: not known, so they are not checked."
    )
    size: int | None = Field(None, ge=1, description="Bytes.")
    url: str | None = Field(None, pattern=r"^https://", description="Where the file is published, at a fixed commit.")
    member: RelativePath | None = Field(None, description="Of a tar or zip archive: the file in it, by its last name.")
    how: str | None = Field(None, description="How to get a file that cannot be fetched: a form, a password, ...")
    records: str | None = Field(
        None, description="JSON: dotted path to the list or mapping of records; '.' is the whole file."
    )
    key: str | Annotated[list[Filled], Distinct, Field(min_length=2)] | None = Field(
        None,
        description="JSON mapping of records: new column with their keys. Several: of mappings inside mappings, each "
        "value at the bottom a row with its keys and itself in the column `value`; what ends earlier is no row.",
    )
    entries: list[Filled] = Field(
        [], description="JSON: fields that map names to values; each becomes two lists, `<field>.keys` and `.values`."
    )


class Table(Strict):
    """A table made from a file, another table, or several one below the other, by steps."""

    file: str | Annotated[list[str], Distinct, Field(min_length=1)] = Field(description="A file, or a table above.")
    optional: list[Filled] = Field([], description="Columns that not all of several files have, empty where missing.")
    steps: list[Step] = Field([])

    @property
    def sources(self) -> list[str]:
        """What it is made from."""
        return [self.file] if isinstance(self.file, str) else self.file


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

    file: str = Field(description="A file or a table.")
    id: str = Field(description="Column with the item id.")
    fields: Annotated[list[str], Distinct] = Field(min_length=1, description="Columns that templates may use.")


class RatersSpec(Strict):
    """Where the raters' profiles are."""

    file: str = Field(description="A file or a table.")
    id: str = Field(description="Column with the rater id.")
    axes: dict[str, str] = Field(description="Axis name to column; none: nothing is known of the raters.")
    separator: str | None = Field(None, min_length=1, description="Between several values in one cell.")
    undeclared: list[str] = Field([], description="Cells, beside empty ones, that mean undeclared.")
    known: bool = Field(
        True, description="False: who gave which rating was not published, each rating has an id of its own."
    )


class RatedDimension(Strict):
    """One rated dimension."""

    column: str
    scale: str
    file: str | None = Field(None, description="A file or a table, if not that of all ratings.")


class RatingsSpec(Strict):
    """Where the ratings are, one row per (item, rater)."""

    file: str = Field(description="A file or a table.")
    item: str = Field(description="Column with the item id.")
    rater: str = Field(description="Column with the rater id.")
    dimensions: dict[str, RatedDimension] = Field(min_length=1)
    weight: str | None = Field(None, description="Column with a weight per rating, for reference: weighted.")
    scale_column: str | None = Field(None, description="Column naming each row's scale, if it changes inside the file.")
    rows: int | None = Field(None, ge=1, description="Rows of ratings as published, before any rule; asserted.")


class Filter(Strict):
    """A quality filter that a task can switch by name; what it leaves out is counted and printed."""

    about: Filled = Field(description="What is left out and why somebody would.")
    active: bool = Field(False, description="Unless the task says otherwise.")
    where: Where = Field(description="Leave out the ratings (with shares: the options) whose columns hold these cells.")


class Recipe(Strict):
    """How to turn a data set's files into items and a rating table."""

    dataset: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    licence: Filled = Field(description='As stated by its authors, or "none stated".')
    redistribution: Literal["allowed", "forbidden"] = Field(
        "forbidden", description="Whether the licence lets others publish the texts and ratings again."
    )
    citation: Filled
    homepage: str | None = Field(None, pattern=r"^https://", description="Where a person reads about the data.")
    warning: str | None = Field(None, description="Content warning shown with the task.")
    simulated: bool = Field(False, description="The raters are simulated; said wherever results show.")
    stand_in: str | None = Field(
        None, description="Data set with the same items to use, and to say so, where these files are not at hand."
    )
    notes: list[str] = Field([], description="What everyone who reads a result must know.")
    files: dict[str, DataFile] = Field(min_length=1)
    tables: dict[str, Table] = Field({})
    scales: dict[str, ScaleSpec] = Field({})
    items: ItemsSpec
    given_raters: RatersSpec | None = Field(None, alias="raters")
    given_ratings: RatingsSpec | None = Field(None, alias="ratings")
    shares: SharesSpec | None = Field(None, description="Instead of scales, raters and ratings.")
    filters: dict[str, Filter] = Field({})
    rules: Rules = Field(default_factory=Rules, description="What to do with troublesome rows.")

    #: What a recipe must have: people's ratings, or the shares of groups.
    KINDS: ClassVar = (("scales", "raters", "ratings"), ("shares",))

    @property
    def raters(self) -> RatersSpec:
        """Where the raters' profiles are.

        Raises
        ------
        UsageError
            If the data set publishes shares of groups, not raters.
        """
        return self._people(self.given_raters)

    @property
    def ratings(self) -> RatingsSpec:
        """Where the ratings are; raises as `raters`."""
        return self._people(self.given_ratings)

    @property
    def addresses(self) -> dict[str, str | None]:
        """Paths of the files, with the addresses of those that can be fetched."""
        return {f.path: f.url for f in self.files.values()}

    @property
    def dimensions(self) -> list[str]:
        """What people were asked about."""
        return [self.shares.dimension] if self.shares else list(self.ratings.dimensions)

    def _people(self, given: Spec | None) -> Spec:
        if given is None:
            raise UsageError(f"data set {self.dataset!r} has no raters: it publishes shares of answers by group")
        return given

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        known = {"scales": self.scales, "raters": self.given_raters, "ratings": self.given_ratings}
        if not self.shares and (missing := [name for name, given in known.items() if not given]):
            raise MisfitError(*(((), f"missing key {name!r}") for name in missing))
        if self.shares and (extra := [name for name, given in known.items() if given]):
            raise MisfitError(*(((name,), "shares of answers have none; expected one or the other") for name in extra))
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        misfits = [*self._unknown_sources(), *self._unknown_scales()]
        if twice := sorted(set(self.files) & set(self.tables)):
            misfits.append((("tables", twice[0]), f"{twice[0]!r} is also a file; expected another name"))
        taken = {"rater_id", "row"} & set(self.given_raters.axes if self.given_raters else ())
        misfits += [(("raters", "axes", name), "an axis needs another name") for name in sorted(taken)]
        if misfits:
            raise MisfitError(*misfits)
        return self

    def _unknown_sources(self) -> Iterator[tuple[Loc, str]]:
        everything = [*self.files, *self.tables]
        named: list[tuple[Loc, str, list[str]]] = [(loc, name, everything) for loc, name in self._named()]
        for n, (name, table) in enumerate(self.tables.items()):
            above = [*self.files, *list(self.tables)[:n]]
            named += [(("tables", name, "file"), file, above) for file in table.sources]
            named += [
                (("tables", name, "steps", k), step.join.table, above)
                for k, step in enumerate(table.steps)
                if step.join
            ]
        for loc, name, known in named:
            if name not in known:
                kind = "table" if loc[0] == "tables" else "file"
                yield loc, f"no {kind} {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}"

    def _named(self) -> Iterator[tuple[Loc, str]]:
        """Yield the files and tables that items and what people said of them are read from."""
        yield ("items", "file"), self.items.file
        if self.shares:
            yield ("shares", "options", "file"), self.shares.options.file
            yield ("shares", "file"), self.shares.file
            return
        yield ("raters", "file"), self.raters.file
        yield ("ratings", "file"), self.ratings.file
        for name, d in self.ratings.dimensions.items():
            if d.file:
                yield ("ratings", "dimensions", name, "file"), d.file

    def _unknown_scales(self) -> Iterator[tuple[Loc, str]]:
        for dimension, d in self.given_ratings.dimensions.items() if self.given_ratings else ():
            if d.scale not in self.scales:
                hint = did_you_mean(d.scale, self.scales)
                yield (
                    ("ratings", "dimensions", dimension, "scale"),
                    f"no scale {d.scale!r}{hint}; there are {', '.join(self.scales)}",
                )
