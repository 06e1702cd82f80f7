"""Which tasks and data sets there are: built-in ones, ``--include_path`` folders and single YAML files."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from lm_plural.harness.data.find import AtHand, at_hand
from lm_plural.harness.documents import RECIPE, Document, InvalidFileError, load_yaml
from lm_plural.harness.errors import UsageError, argument, did_you_mean
from lm_plural.harness.files import is_file

#: Folders of other people's code, in which no task of the user's lies.
INSTALLED = {"site-packages", "node_modules"}


def builtin_tasks() -> Path:
    """Return the folder of the tasks that come with the package."""
    import lm_plural

    return Path(lm_plural.__path__[0]) / "tasks"


@dataclass
class Index:
    """Task files by name and tag. Files are read once; a broken one is reported only when it is asked for.

    Parameters
    ----------
    include_paths : sequence of Path
        Folders searched besides the built-in one; their tasks win over built-in ones of the same name.
    """

    include_paths: Sequence[Path] = ()
    broken: dict[Path, InvalidFileError] = field(default_factory=dict)
    _known: dict[Path, tuple[AtHand, Mapping[str, Any]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for folder in self.include_paths:
            if not folder.is_dir():
                raise UsageError(f"{argument('include_path')} {folder}: no such folder")

    @property
    def folders(self) -> list[Path]:
        """Folders searched, the most specific first."""
        return [*self.include_paths, builtin_tasks()]

    @cached_property
    def _yaml(self) -> dict[Path, list[Path]]:
        return {folder: _yaml_files(folder) for folder in self.folders}

    @cached_property
    def tasks(self) -> dict[str, Document]:
        """Task documents by name, in name order."""
        return {name: d for name, d in self._documents.items() if not is_contrast(d)}

    @cached_property
    def contrasts(self) -> dict[str, Document]:
        """Documents of contrast sets, which test scorers, by name, in name order."""
        return {name: d for name, d in self._documents.items() if is_contrast(d)}

    @cached_property
    def _documents(self) -> dict[str, Document]:
        found: dict[str, Document] = {}
        included: dict[Path, Document] = {}
        for folder in self.folders:
            here: dict[str, Path] = {}
            for path in self._yaml[folder]:
                if path.name == RECIPE or path.name.startswith("_"):
                    continue
                if (document := self._read(path, included)) is None:
                    continue
                name = str(document.data["task"])
                if name in here:
                    raise UsageError(document.at(("task",), f"task {name!r} is also defined in {here[name]}"))
                here[name] = path
                found.setdefault(name, document)
        return dict(sorted(found.items()))

    def _read(self, path: Path, included: dict[Path, Document]) -> Document | None:
        try:
            document = load_yaml(path, included=included)
            if "task" not in document.data:
                raise InvalidFileError([document.at((), "missing key 'task'")])
        except InvalidFileError as e:
            self.broken[path] = e
            return None
        return document

    @cached_property
    def tags(self) -> dict[str, list[str]]:
        """Names of the tasks under each tag."""
        out: dict[str, list[str]] = {}
        for name, document in self.tasks.items():
            for tag in tags_of(document):
                out.setdefault(tag, []).append(name)
        return out

    def select(self, patterns: Iterable[str]) -> list[Document]:
        """Return task documents for names, tags, globs and YAML paths, each once, in the order asked.

        A contrast set is there for its name or path only: no tag or glob is meant to hold one.

        Raises
        ------
        UsageError
            If a pattern matches nothing (with a suggestion), or two files define one task.
        """
        chosen: dict[Path, Document] = {}
        for pattern in patterns:
            for document in self._match(pattern):
                chosen.setdefault(document.path.resolve(), document)
        names: dict[str, Path] = {}
        for document in chosen.values():
            name = str(document.data.get("task"))
            if "task" in document.data and name in names:
                raise UsageError(f"{document.path}: task {name!r} is also asked for from {names[name]}")
            names[name] = document.path
        return list(chosen.values())

    def _match(self, pattern: str) -> list[Document]:
        if Path(pattern).name == RECIPE:
            raise UsageError(f"{pattern}: a recipe of a data set, not a task (lm-plural data show NAME)")
        if pattern.endswith((".yaml", ".yml")):
            return [load_yaml(Path(pattern))]
        if pattern in self._documents:
            return [self._documents[pattern]]
        if pattern in self.tags:
            return [self.tasks[name] for name in self.tags[pattern]]
        if names := fnmatch.filter(self.tasks, pattern):
            return [self.tasks[name] for name in names]
        for path, error in self.broken.items():
            if path.stem == pattern:
                raise error
        hint = did_you_mean(pattern, [*self._documents, *self.tags])
        raise UsageError(f"unknown task {pattern!r}{hint} (lm-plural ls tasks)")

    def recipes(self) -> dict[str, Path]:
        """Return the recipe files by data set name (the name of their folder)."""
        return self._recipes

    @cached_property
    def _recipes(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self.folders:
            for path in self._yaml[folder]:
                if path.name == RECIPE:
                    found.setdefault(path.parent.resolve().name, path)
        return dict(sorted(found.items()))

    def recipe_path(self, dataset: str, beside: Path) -> Path:
        """Return the recipe of a data set: in the task's own folder, in a folder beside it, else a known one.

        Raises
        ------
        UsageError
            If there is none (with a suggestion).
        """
        own = beside.parent / RECIPE
        if is_file(own) and beside.parent.resolve().name == dataset:
            return own
        if is_file(below := beside.parent / dataset / RECIPE):
            return below
        known = self.recipes()
        if dataset not in known:
            raise UsageError(f"unknown dataset {dataset!r}{did_you_mean(dataset, known)} (lm-plural ls datasets)")
        return known[dataset]

    def at_hand(self, document: Document) -> AtHand | Literal["stand-in", "?"]:
        """Return whether the data of a task are at hand, without reading them.

        ``?``: its data set is not known, or the recipe cannot be read.
        """
        try:
            path = self.recipe_path(str(document.data.get("dataset")), document.path)
            return "stand-in" if self.stand_in(document, path) else self._files(path)[0]
        except UsageError:
            return "?"

    def stand_in(self, document: Document, recipe: Path) -> Path | None:
        """Return the recipe whose data serve a task instead of its own ones, if those are not at hand.

        Raises
        ------
        InvalidFileError
            If a recipe cannot be read.
        """
        there, own = self._files(recipe)
        other = None if there == "yes" else self.recipes().get(str(own.get("stand_in")))
        if other is None:
            return None
        there, copy = self._files(other)
        return other if there == "yes" and _serves(document.data, copy) else None

    def _files(self, recipe: Path) -> tuple[AtHand, Mapping[str, Any]]:
        """Return whether the files of a recipe are at hand, and what it says, of which only that much is checked."""
        if recipe not in self._known:
            document = load_yaml(recipe, confined=True)
            try:
                files = {f["path"]: f.get("url") for f in document.data["files"].values()}
                found = at_hand(recipe.parent.resolve().name, files, recipe.parent)
            except (AttributeError, KeyError, TypeError) as e:
                raise InvalidFileError([document.at(("files",), "files: expected files with their paths")]) from e
            self._known[recipe] = (found, document.data)
        return self._known[recipe]


def _yaml_files(folder: Path) -> list[Path]:
    """Return the YAML files below a folder, in order; not those of hidden folders and of what is installed."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") and f not in INSTALLED]
        found += [path for name in names if name.endswith(".yaml") and is_file(path := Path(place, name))]
    return sorted(found)


def _serves(task: Mapping[str, Any], recipe: Mapping[str, Any]) -> bool:
    """Return whether another copy of a task's data has what the task cannot do without."""
    steer = task.get("steer")
    axis = steer.get("axis") if isinstance(steer, dict) else steer
    return task.get("dimension") in _keys(recipe, "ratings", "dimensions") and (
        axis is None or axis in _keys(recipe, "raters", "axes")
    )


def _keys(data: Any, *way: str) -> list[Any]:
    """Return the keys of a mapping inside mappings; none where there is something else."""
    for key in way:
        data = data.get(key) if isinstance(data, dict) else None
    return list(data) if isinstance(data, dict) else []


def is_contrast(document: Document) -> bool:
    """Return whether a task file is that of a contrast set (``task.contrast``)."""
    return bool(document.data.get("mode") == "contrast")


def tags_of(document: Document) -> list[str]:
    """Return the tags of a task that may not be valid."""
    value = document.data.get("tag")
    return [str(tag) for tag in (value if isinstance(value, list) else [value]) if tag is not None]
