"""A data set in memory: items and the rating table, made from a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from lm_plural.harness.data.cache import Cache
from lm_plural.harness.data.find import find_file, sha256_of
from lm_plural.harness.data.reader import Reader, scales_of
from lm_plural.harness.data.recipe import Recipe
from lm_plural.harness.data.shares import read_shares
from lm_plural.harness.data.steps import Where
from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.hashing import digest
from lm_plural.harness.ratings.shares import ShareTable
from lm_plural.harness.ratings.table import Compact, RatingTable


@dataclass(frozen=True)
class Dataset:
    """Items and ratings of a recipe, read when first asked for.

    Parameters
    ----------
    recipe : Recipe
    folder : Path
        Of the recipe.
    filters : mapping of str to bool
        Quality filters of the recipe to switch on or off.
    """

    recipe: Recipe
    folder: Path
    filters: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.filters:
            if name not in self.recipe.filters:
                known = ", ".join(self.recipe.filters) or "none"
                hint = did_you_mean(name, self.recipe.filters)
                raise UsageError(f"data set {self.recipe.dataset!r} has no filter {name!r}{hint}; there are {known}")

    @cached_property
    def data_hash(self) -> str:
        """Identity of the data: what the recipe says of the bytes and of reading them, and the filters that are on.

        The bytes themselves, where the recipe does not know their checksum.
        """
        unchecked = {n: sha256_of(self.path(n)) for n, f in self.recipe.files.items() if f.sha256 is None}
        return digest([self.recipe.model_dump(mode="json"), unchecked, list(self._on)])

    def path(self, name: str) -> Path:
        """Return a file of the recipe, checked."""
        return find_file(self.recipe, name, self.folder)

    @cached_property
    def items(self) -> pl.DataFrame:
        """Items: ``item_id`` and the recipe's fields, all text, in file order.

        Raises
        ------
        PluralError
            If an id is missing, or stands twice with different fields.
        """
        return self._cache.items(self._reader.items)

    def table(self, dimension: str) -> RatingTable:
        """Return the rating table of one dimension, troublesome rows treated by the recipe's rules.

        Raises
        ------
        UsageError
            If the recipe has no such dimension (with a suggestion).
        PluralError
            For trouble in the files that no rule covers.
        """
        known = self.recipe.ratings.dimensions
        if dimension not in known:
            raise UsageError(
                f"data set {self.recipe.dataset!r} has no ratings on {dimension!r}{did_you_mean(dimension, known)}; "
                f"there are {', '.join(known)}"
            )
        if dimension not in self._tables:
            self._tables[dimension] = self.prepare(dimension).table(scales_of(self.recipe))
        return self._tables[dimension]

    def prepare(self, dimension: str) -> Compact:
        """Return the ratings of a dimension as codes, read and cached if they were not; errors as in :meth:`table`."""
        return self._cache.ratings(dimension, lambda: self._reader.ratings(dimension, self.items["item_id"]))

    def shares_on(self, dimension: str) -> ShareTable:
        """Return the shares of answers by group, of a data set that publishes those and no ratings.

        Raises
        ------
        UsageError
            If it has no such dimension (with a suggestion), or ratings.
        PluralError
            For a fault in the files.
        """
        if dimension not in (known := self.recipe.dimensions):
            hint = did_you_mean(dimension, known)
            raise UsageError(
                f"data set {self.recipe.dataset!r} has no shares on {dimension!r}{hint}; there is {', '.join(known)}"
            )
        return self.shares

    @cached_property
    def shares(self) -> ShareTable:
        """As :meth:`shares_on`, of the only dimension there is."""
        if self.recipe.shares is None:
            raise UsageError(f"data set {self.recipe.dataset!r} has ratings, not shares of answers by group")
        return read_shares(self.recipe.shares, self._reader.source, self._on)

    @cached_property
    def _tables(self) -> dict[str, RatingTable]:
        return {}

    @cached_property
    def _cache(self) -> Cache:
        return Cache(self.recipe.dataset, self.data_hash)

    @property
    def _reader(self) -> Reader:
        return Reader(self.recipe, self.folder, self._on)

    @property
    def _on(self) -> dict[str, Where]:
        """What the filters that are on leave out."""
        return {name: f.where for name, f in self.recipe.filters.items() if self.filters.get(name, f.active)}
