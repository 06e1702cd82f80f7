"""The names under which lm-eval shows numbers: ``divergence``, ``divergence:gender=Woman``, and what stands there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lm_plural.harness.analysis.options import MODEL_STATISTICS
from lm_plural.harness.analysis.shares.compared import STATISTICS as SHARES_STATISTICS
from lm_plural.harness.ratings.table import Axis, axis_name
from lm_plural.harness.run.journal import Record
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.task.load import LoadedTask
from lm_plural.harness.task.schema import Task

#: What lm-eval writes where it has no number.
NONE = "N/A"
ERROR = "_stderr"


def names(loaded: LoadedTask, scores: Sequence[Record] = ()) -> list[str]:
    """Return the names of all numbers, each followed by its standard error's.

    They are the same for every doc and rank, whatever was asked of it: lm-eval loses a metric that some doc lacks.
    Groups with fewer raters than the task's least number are left out: none of their numbers could ever be given.

    Parameters
    ----------
    loaded : LoadedTask
    scores : sequence of Record
        Of a respond task, some: they say which scorers and dimensions there are.
    """
    overall, exposed = _statistics(loaded, scores)
    found = list(overall)
    for axis in loaded.task.groups.axes:
        for group in _large_enough(loaded, axis):
            found += [_name(s, _place(axis_name(axis), group)) for s in (*overall, *exposed)]
    return [name for n in found for name in (n, n + ERROR)]


def _large_enough(loaded: LoadedTask, axis: Axis) -> list[str]:
    least = loaded.task.groups.min_raters
    if loaded.by_shares:
        return list(loaded.shares.answered(least)[0].groups(axis))
    return [group for group, raters in loaded.table.group_sizes(axis).items() if raters >= least]


def _statistics(loaded: LoadedTask, scores: Sequence[Record]) -> tuple[list[str], list[str]]:
    """Return the statistics of everyone and of groups, and those that only groups have."""
    task = loaded.task
    if loaded.by_shares:
        return list(SHARES_STATISTICS), []
    if task.mode == "rate":
        return list(MODEL_STATISTICS), []
    scored = list(dict.fromkeys((r["scorer"], d) for r in scores for d in r["scores"]))
    means, exposures = (_given(named("lm_eval", place), task) for place in ("prompts", "exposures"))
    return (
        [f"{scorer}.{dimension}.{mean}" for scorer, dimension in scored for mean in means],
        [f"{scorer}.{d}.{exposure}" for scorer, d in scored if d in loaded.dimensions for exposure in exposures],
    )


def _given(names: Sequence[str], task: Task) -> list[str]:
    """Return those of statistics of responses that a task has: without references none of theirs."""
    return [name for name in names if task.doc_to_target or not name.startswith("reference_")]


def numbers(block: dict[str, Any]) -> dict[str, float | str]:
    """Return values and standard errors of a result by name; ``N/A`` for what is refused."""
    out: dict[str, float | str] = {}
    for place, group in _groups(block):
        stats = group.get("statistics", {"": group})
        for scorer, values in stats.items():
            for statistic, number in values.items():
                if isinstance(number, dict) and "value" in number:
                    name = _name(f"{scorer}.{statistic}".lstrip("."), place)
                    out[name] = NONE if number["value"] is None else number["value"]
                    out[name + ERROR] = NONE if number["se"] is None else number["se"]
    return out


def reasons(block: dict[str, Any]) -> dict[str, list[str]]:
    """Return every flag of a result by the group it is about, ``all`` for everyone's."""
    return {place.removeprefix(":") or "all": list(g["flags"]) for place, g in _groups(block) if g["flags"]}


def _groups(block: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "", block["overall"]
    for axis, content in block["axes"].items():
        for name, group in content["groups"].items():
            yield _place(axis, name), group


def _place(axis: str, group: str) -> str:
    return f":{axis}={group}"


def _name(statistic: str, place: str) -> str:
    """Return the name; a comma would end it, since lm-eval's keys are ``name,filter``."""
    return (statistic + place).replace(",", ";")
