"""From a task document to everything a run needs: the task, its data set, its docs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import Recipe, load_recipe
from lm_plural.harness.documents import Document
from lm_plural.harness.errors import UsageError
from lm_plural.harness.hashing import digest
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.shares import ShareTable
from lm_plural.harness.ratings.table import UNDECLARED, RatingTable, axis_name
from lm_plural.harness.strict import parse
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.schema import Task

#: Which docs: the first so many, a share below 1, or places.
Limit = int | float | Sequence[int] | None

#: Files without a checksum that are named one by one.
FEW = 3
#: Keys of a task that change what a model is asked.
ASKED = {"mode", "doc_to_text", "doc_to_choice", "gen_prefix", "target_delimiter", "description", "doc_id"}
ASKED |= {"generation_kwargs"}


@dataclass(frozen=True)
class Doc:
    """One thing asked: an item (rate) or a prompt that several items share (respond); its place, id and fields."""

    index: int
    id: str
    fields: Mapping[str, str]
    item_ids: tuple[str, ...]


@dataclass(frozen=True)
class LoadedTask:
    """A valid task with its data set."""

    task: Task
    dataset: Dataset
    document: Document
    lacks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The task's name."""
        return self.task.task

    @property
    def hash(self) -> str:
        """Identity of what is asked and of the data: changes with any key of the task or recipe."""
        return digest({"task": self.task.model_dump(mode="json"), "data": self.dataset.data_hash})

    @property
    def ask_hash(self) -> str:
        """Identity of what a model is asked: scorers, groups and references may change without asking again."""
        asked = self.task.model_dump(mode="json", include=ASKED)
        labels = self.scale.labels if self.task.mode == "rate" and not self.by_shares else ()
        return digest([self.name, asked, labels])

    @cached_property
    def table(self) -> RatingTable:
        """Ratings on the task's dimension, of the items it asks about."""
        return self.dataset.table(self.task.dimension).select(self._items["item_id"])

    @cached_property
    def scale(self) -> Scale:
        """The scale of the task's dimension."""
        return self.table.scale

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Dimensions that people rated in the data set, the task's own first."""
        return tuple(dict.fromkeys([self.task.dimension, *self.dataset.recipe.dimensions]))

    @property
    def by_shares(self) -> bool:
        """Whether groups are known by their shares of answers, without raters."""
        return self.dataset.recipe.shares is not None

    @cached_property
    def shares(self) -> ShareTable:
        """Shares of answers to the items the task asks about."""
        return self.dataset.shares_on(self.task.dimension).select(self._items["item_id"])

    def scale_of(self, doc: Doc) -> Scale:
        """Return the levels a model chooses from: the scale, or the item's own options."""
        return self.shares.scale(doc.id) if self.by_shares else self.scale

    @cached_property
    def _items(self) -> pl.DataFrame:
        items = self.dataset.items
        for key, value in self.task.items.items():
            if key not in items.columns:
                raise UsageError(
                    self.document.at(("items", key), f"items have no field {key!r}; there are {items.columns}")
                )
            items = items.filter(pl.col(key) == value)
        if items.is_empty():
            raise UsageError(self.document.at(("items",), f"no item has {self.task.items}"))
        return items

    @property
    def _rated(self) -> pl.DataFrame:
        """Items of which people said something."""
        known = self.shares.options["item_id"] if self.by_shares else self.table.ratings["item_id"]
        return self._items.filter(pl.col("item_id").is_in(known.unique().implode()))

    @property
    def notes(self) -> list[str]:
        """What a reader of results must know of the data: unrated items, and what the recipe says."""
        lost, recipe = self._items.height - self._rated.height, self.dataset.recipe
        out = list(self.dataset.shares.notes) if self.by_shares else []
        what = "shares of answers" if self.by_shares else f"rating on {self.task.dimension}"
        out += [f"{lost} of {self._items.height} items left out: no {what}"] if lost else []
        if not self.by_shares and not recipe.raters.known:
            out.append("who gave which rating is not known: raters cannot be counted, intervals speak of items only")
        unchecked = [f.path for f in recipe.files.values() if not f.sha256]
        if len(unchecked) > FEW:
            unchecked = [f"{len(unchecked)} files, {unchecked[0]} to {unchecked[-1]}"]
        out += [f"{path}: no checksum is known for this file" for path in unchecked]
        return [*out, *self.lacks, *recipe.notes]

    @cached_property
    def steered(self) -> dict[str, set[str]]:
        """The groups a model is asked to answer as, in name order, and the ids of the items each rated.

        They are those of the whole task, so that a larger ``--limit`` goes on where a smaller one ended.
        """
        steer, least = self.task.steer, self.task.groups.min_raters
        if steer is None:
            return {}
        if self.by_shares:
            enough, _ = self.shares.answered(least)
            wanted = steer.groups or enough.groups(steer.axis)
            return {g: i for g, i in enough.groups(steer.axis).items() if g != UNDECLARED and g in wanted}
        rated = self.table.ratings.join(self.table.groups(steer.axis), on="rater_id")
        by_group = rated.group_by("group").agg(pl.col("rater_id").n_unique(), pl.col("item_id").unique()).sort("group")
        return {
            group: set(items)
            for group, raters, items in by_group.iter_rows()
            if group != UNDECLARED and raters >= least and group in (steer.groups or [group])
        }

    def docs(self, limit: Limit = None) -> list[Doc]:
        """Return what to ask, in file order: all, the first `limit` (a share below 1), or the ones at some places.

        Items without a rating on the dimension are left out: nothing could be said of them.
        """
        items = self._rated
        key = self.task.doc_id or "item_id"
        if key not in items.columns:
            raise UsageError(self.document.at(("doc_id",), f"items have no field {key!r}; there are {items.columns}"))
        grouped = items.group_by(key, maintain_order=True).agg(pl.all().exclude(key).first(), ids=pl.col("item_id"))
        docs = [self._doc(n, str(row[key]), row) for n, row in enumerate(grouped.iter_rows(named=True))]
        if limit is None:
            return docs
        if isinstance(limit, Sequence):
            if beyond := [n for n in limit if not 0 <= n < len(docs)]:
                raise UsageError(f"task {self.name!r} has no sample {beyond[0]}; expected 0 to {len(docs) - 1}")
            return [docs[n] for n in sorted(set(limit))]
        return docs[: max(1, int(limit * len(docs)) if 0 < limit < 1 else int(limit))]

    def _doc(self, index: int, key: str, row: dict[str, Any]) -> Doc:
        """Return a doc; options of its own stand among its fields, so that other ones are another question."""
        ids = tuple(row.pop("ids"))
        fields = {k: "" if v is None else str(v) for k, v in row.items()}
        if self.by_shares:
            fields["options"] = json.dumps(self.shares.scale(key).labels, ensure_ascii=False)
        return Doc(index, key, fields, ids)


def load_task(document: Document, index: Index) -> LoadedTask:
    """Check a task document and find its recipe.

    Raises
    ------
    InvalidFileError
        With every finding of the task's own file, or of its recipe.
    """
    task = parse(document, Task)
    try:
        recipe_path = index.recipe_path(task.dataset, document.path)
    except UsageError as e:
        raise UsageError(document.at(("dataset",), str(e))) from e
    recipe, folder = load_recipe(recipe_path), recipe_path.parent
    if recipe.stand_in and (other := index.stand_in(document, recipe_path)):
        return _standing_in(task, recipe, Dataset(load_recipe(other), other.parent), document)
    return LoadedTask(task, _dataset(task, recipe, folder, document), document)


def _dataset(task: Task, recipe: Recipe, folder: Path, document: Document) -> Dataset:
    try:
        return Dataset(recipe, folder, task.filters)
    except UsageError as e:
        raise UsageError(document.at(("filters",), str(e))) from e


def _standing_in(task: Task, recipe: Recipe, dataset: Dataset, document: Document) -> LoadedTask:
    """Return the task on another copy of its data, without the axes and filters that copy lacks."""
    there = set(dataset.recipe.raters.axes)
    kept = [a for a in task.groups.axes if there >= ({a} if isinstance(a, str) else set(a))]
    gone = [axis_name(a) for a in task.groups.axes if a not in kept]
    lost = ", ".join([*gone, *(f"filter {name}" for name, on in task.filters.items() if on)])
    note = f"data set {dataset.recipe.dataset!r} stands in for {recipe.dataset!r}, whose files are not at hand"
    groups = task.groups.model_copy(update={"axes": kept})
    task = task.model_copy(update={"dataset": dataset.recipe.dataset, "groups": groups, "filters": {}})
    return LoadedTask(task, dataset, document, (note + (f": it has no {lost}" if lost else ""),))
