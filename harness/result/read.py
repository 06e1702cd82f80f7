"""Reading results: of a file, of a run, of a folder of runs. No other module parses results files.

A results file has the tasks of its command only; those of a run are in all its results files together, and of a
task the newest counts. Files of version 1, which hold everything themselves, are read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from lm_plural.harness.analysis.overview import ManyResults, named
from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.files import is_file
from lm_plural.harness.result.blocks import KINDS, Block, ContrastBlock, Group, Number, Responses, kind
from lm_plural.harness.result.details import BLOCKS, DETAILS, TIMES, join
from lm_plural.harness.run.folder import RunFolder

if TYPE_CHECKING:
    import polars as pl

#: Flags that say why a whole group has no value, and why it has no interval.
NO_VALUE = (
    "few_raters",
    "few_items",
    "no_ratings",
    "no_items",
    "no_reference",
    "no_agreement",
    "no_scores",
    "off_scale",
)
NO_INTERVAL = ("no_interval", "no_variation")

Model = TypeVar("Model", bound=BaseModel)


class _Skipped(BaseModel):
    """A mapping that is not looked into."""


class _Named(_Skipped):
    name: str


class _Head(BaseModel):
    """What a file says of itself; checking it costs little, as nothing else of the file becomes an object."""

    model_config = ConfigDict(strict=True)

    model_name: str | None = None
    scorer: _Named | None = None
    details: Annotated[str, Field(pattern=r"^details_[\w.:-]*\.json$")] | None = None
    disaggregated: dict[str, _Skipped] | None = None
    audited: dict[str, _Skipped] | None = None
    annotated: dict[str, _Skipped] | None = None
    overall: _Skipped | None = None
    axes: dict[str, _Skipped] | None = None


class _File:
    """A results file.

    Parameters
    ----------
    path : Path
    details : bool
        Whether its details are read too.

    Raises
    ------
    PluralError
        If it cannot be read, or is no results file.
    """

    def __init__(self, path: Path, *, details: bool = True) -> None:
        self.path, self.details = path, details
        self.head = head = _checked(_Head, _bytes(path), path)
        found = [key for key in BLOCKS if getattr(head, key) is not None]
        if not found and (head.overall is None or head.axes is None):
            raise PluralError(f"{path}: no results file: expected the key 'disaggregated', 'audited' or 'axes'")
        self.blocks = found[0] if found else None

    @property
    def tasks(self) -> list[str]:
        """Names of tasks; a file of ``lm-plural disaggregate`` names none, so its own name is taken."""
        return list(getattr(self.head, self.blocks)) if self.blocks else [self.path.stem]

    @cached_property
    def content(self) -> dict[str, Any]:
        """What was computed, without what the file says of itself."""
        own = _object(self.path)
        if not self.details or self.head.details is None:
            return {k: v for k, v in own.items() if k not in (*TIMES, DETAILS)}
        beside = self.path.with_name(self.head.details)
        if not is_file(beside):
            raise PluralError(f"{self.path}: its details are not there any more; expected {beside.name} beside it")
        try:
            return join(own, _object(beside))
        except ValueError as e:
            raise PluralError(f"{beside}: not the details of {self.path.name}: {e}") from e

    def block(self, task: str) -> Any:
        """Return what was computed of a task."""
        return self.content[self.blocks][task] if self.blocks else self.content


def read_content(path: Path) -> dict[str, Any]:
    """Return the content of a results file with its details, key for key as it was computed.

    Raises
    ------
    PluralError
        If it cannot be read, or is no results file, or its details are not there or not its own.
    """
    return _File(path).content


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as e:
        raise PluralError(f"{path}: cannot read: {getattr(e, 'strerror', None) or e}") from e


def _object(path: Path) -> dict[str, Any]:
    try:
        content = from_json(_bytes(path), allow_inf_nan=False)
    except ValueError as e:
        raise PluralError(f"{path}: not valid JSON: {e}") from e
    if not isinstance(content, dict):
        raise PluralError(f"{path}: expected a mapping of keys, found {content!r:.40}")
    return content


def _checked(model: type[Model], content: Any, where: object) -> Model:
    """Return content (a mapping, or the bytes of JSON) as a model, or one line with the place of the first misfit."""
    try:
        return model.model_validate_json(content) if isinstance(content, bytes) else model.model_validate(content)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        found = "" if first["type"] in ("missing", "json_invalid") else f", found {first['input']!r:.60}"
        raise PluralError(f"{where}: {f'{place}: ' if place else ''}{first['msg']}{found}") from e


class Run(ManyResults):
    """The results of one run or audit, or of one file.

    Parameters
    ----------
    folder : Path
        Where it lies.
    name : str
        Of the folder, or of a file of ``lm-plural disaggregate``.
    files : mapping
        The results file of each task.
    missing : sequence of str
        Tasks that ``run.json`` lists and no results file has.
    """

    def __init__(self, folder: Path, name: str, files: Mapping[str, _File], missing: Sequence[str] = ()) -> None:
        self.folder, self.name, self.missing, self._files = folder, name, tuple(missing), files
        self._blocks: dict[str, Block] = {}

    def _said(self) -> tuple[str, Mapping[str, Any], str]:
        head = next(iter(self._files.values())).head
        what = f"audit of {head.scorer.name}" if head.scorer else named(self.model_name or "groups of raters")
        return f"Results: {what}", {task: self.content(task) for task in self.tasks}, str(self.folder)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks that have results."""
        return list(self._files)

    @property
    def model_name(self) -> str | None:
        """The model, or the scorer audited; None in a file of ``lm-plural disaggregate``."""
        head = next(iter(self._files.values())).head
        return head.model_name or (head.scorer.name if head.scorer else None)

    def path(self, task: str) -> Path:
        """Return the results file that holds a task."""
        return self._files[task].path

    def content(self, task: str) -> dict[str, Any]:
        """Return the block of a task as JSON types, as it was computed."""
        found: dict[str, Any] = self._files[task].block(task)
        return found

    def block(self, task: str) -> Block:
        """Return the block of a task.

        Raises
        ------
        PluralError
            If it is not what it should be; file, task and place are named.
        """
        if task not in self._blocks:
            content = self._files[task].block(task)
            self._blocks[task] = _checked(KINDS[kind(content)], content, f"{self.path(task)}: task {task!r}")
        return self._blocks[task]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each group and measure; axis and group are null for all raters together."""
        for task in self.tasks:
            block = self.block(task)
            if isinstance(block, ContrastBlock):  # no raters, so nothing of groups
                continue
            groups: list[tuple[str | None, str | None, Group | Responses]] = [(None, None, block.overall)]
            groups += [(axis, name, g) for axis, found in block.axes.items() for name, g in found.groups.items()]
            for axis, name, group in groups:
                numbers = dict(group.numbers())
                for measure, number in numbers.items():
                    yield {
                        "run": self.name,
                        "task": task,
                        "axis": axis,
                        "group": name,
                        "measure": measure,
                        **{k: getattr(number, k) for k in ("value", "se", "low", "high")},
                        "n_raters": group.n_raters if isinstance(group, Group) else None,
                        "n_items": group.n_items if isinstance(group, Group) else group.n_prompts,
                        "flags": group.flags,
                        "reason": _reason(measure, number, group.flags, numbers),
                    }


def _reason(measure: str, number: Number, flags: Sequence[str], measures: Mapping[str, Number]) -> str | None:
    """Return the flag that says why a value or its interval is not there; None if both are, or none says it."""
    if number.value is not None and number.low is not None:
        return None
    about = {flag: {m for m in measures if _names(flag, m)} for flag in flags}
    codes = (*NO_VALUE, *(NO_INTERVAL if number.value is not None else ()))
    general = [flag for flag, named in about.items() if not named and flag.split(":", 1)[0] in codes]
    return next(iter([*(flag for flag, named in about.items() if measure in named), *general]), None)


def _names(flag: str, measure: str) -> bool:
    """Return whether the words of a flag name a measure; ``<scorer>.mean`` is ``mean:<scorer>`` there."""
    stem, _, last = measure.rpartition(".")
    spoken = last if stem in ("", "one_member") else f"{last}:{stem}"
    spoken = re.escape(spoken.partition("@")[0].replace("_", " "))
    return bool(re.search(rf"(?<!\w){spoken}(?!\w)", flag.partition(":")[2].replace("_", " ")))


class Results(ManyResults):
    """Results that were read.

    Parameters
    ----------
    runs : sequence of Run
        At least one.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = tuple(runs)

    def _said(self) -> tuple[str, Mapping[str, Any], str]:
        said = [run._said() for run in self.runs]
        if len(said) == 1:
            return said[0]
        blocks = {
            f"{run.name}: {task}": b for run, (_, of, _) in zip(self.runs, said, strict=True) for task, b in of.items()
        }
        return f"Results: {len(said)} runs", blocks, str(self.runs[0].folder.parent)

    @property
    def tasks(self) -> list[str]:
        """Names of all tasks."""
        return list(dict.fromkeys(task for run in self.runs for task in run.tasks))

    @property
    def model_name(self) -> str | None:
        """The model, or the scorer audited; None in a file of ``lm-plural disaggregate``.

        Raises
        ------
        UsageError
            If there are several.
        """
        if len(names := {run.model_name for run in self.runs}) == 1:
            return names.pop()
        raise UsageError(f"results of {len(names)} models: {', '.join(sorted(map(str, names)))}; see .runs")

    def block(self, task: str, run: str | None = None) -> Block:
        """Return the block of a task, typed; of the named run, if several have it.

        Raises
        ------
        UsageError
            If no run has it, or several have.
        """
        return self._run(task, run).block(task)

    def content(self, task: str, run: str | None = None) -> dict[str, Any]:
        """Return the block of a task as JSON types, key for key as it was computed; raises as :meth:`block`."""
        return self._run(task, run).content(task)

    def predictions(self, task: str, run: str | None = None) -> pl.DataFrame:
        """Return what the model said of each item: ``item_id``, and ``q`` or scores (``result.predictions``).

        Raises
        ------
        PluralError
            If they are not there or damaged; as :meth:`block`.
        """
        from lm_plural.harness.result.predictions import saved_predictions

        return saved_predictions(self._run(task, run).folder, task)

    def to_frame(self) -> pl.DataFrame:
        """Return a row for each group and measure.

        Columns: run, task, axis, group (null for all raters together), measure, value, se, low, high, n_raters,
        n_items, flags (of the group) and reason (why a value or an interval is not there).
        """
        import polars as pl

        schema: dict[str, pl.DataType] = dict.fromkeys(("run", "task", "axis", "group", "measure"), pl.String())
        schema |= dict.fromkeys(("value", "se", "low", "high"), pl.Float64())
        schema |= dict.fromkeys(("n_raters", "n_items"), pl.Int64())
        schema |= {"flags": pl.List(pl.String), "reason": pl.String()}
        return pl.DataFrame([row for run in self.runs for row in run.rows()], schema, orient="row")

    def _run(self, task: str, name: str | None) -> Run:
        runs = [run for run in self.runs if name in (None, run.name)]
        if not runs:
            known = [run.name for run in self.runs]
            raise UsageError(f"no run {name!r}{did_you_mean(str(name), known)}; there are {', '.join(known)}")
        found = [run for run in runs if task in run.tasks]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"task {task!r} is in {len(found)} runs; run= one of {', '.join(r.name for r in found)}")
        there = list(dict.fromkeys(t for run in runs for t in run.tasks))
        raise UsageError(f"no results of task {task!r}{did_you_mean(task, there)}; there are {', '.join(there)}")


def read_results(path: Path | str) -> Results:
    """Read results whole, each block checked.

    Parameters
    ----------
    path : Path or str
        A results file, the folder of a run or audit, or a folder of such folders.

    Raises
    ------
    PluralError
        If there are none, or a file is damaged; file, task and place are named.
    """
    path = Path(path)
    runs = [_run_of_file(path)] if not path.is_dir() else list(_runs(path, details=True))
    for run in runs:
        for task in run.tasks:
            run.block(task)
    return Results(runs)


def read_summaries(path: Path | str) -> Iterator[Results]:
    """Yield the results of every run in a folder, one after the other, without opening their details.

    Of each, the files are looked at now; a block is read when it is asked for, and is without what the details hold.

    Raises
    ------
    PluralError
        As :func:`read_results`.
    """
    for run in _runs(Path(path), details=False):
        yield Results([run])


def _run_of_file(path: Path) -> Run:
    file = _File(path)
    return Run(path.parent, path.parent.resolve().name if file.blocks else path.stem, dict.fromkeys(file.tasks, file))


def _runs(path: Path, *, details: bool) -> Iterator[Run]:
    """Yield the run of a folder, or else those of the folders in it, by name."""
    try:
        within = sorted(p for p in path.iterdir() if p.is_dir())
    except OSError as e:
        raise PluralError(f"{path}: cannot read: {e.strerror}") from e
    none = True
    for folder in map(RunFolder, [path] if RunFolder(path).results() else within):
        if files := folder.results():
            none = False
            yield _run_of_folder(folder, files, details=details)
    if none:
        what = "a results file, the folder of a run, or a folder of such folders"
        raise PluralError(f"{path}: no results here; expected {what}")


def _run_of_folder(folder: RunFolder, paths: Sequence[Path], *, details: bool) -> Run:
    """Take each task from the newest file that has it; files older than all that is wanted are not opened."""
    listed = folder.tasks()
    found: dict[str, _File] = {}
    for path in reversed(paths):
        if listed is not None and found.keys() >= set(listed):
            break
        file = _File(path, details=details)
        found = dict.fromkeys(file.tasks, file) | found
    order = [*(t for t in listed or () if t in found), *(t for t in found if t not in (listed or ()))]
    missing = [t for t in listed or () if t not in found]
    return Run(folder.path, folder.path.resolve().name, {t: found[t] for t in order}, missing)
