"""Cutting a result in two: what is read by people and tools, and the details; and joining both again, exactly.

The details hold every key of the whole, in its order, with null in the place of what stands in the results file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: Where the blocks of tasks are: of a run, of an audit, of ratings of a run's own responses.
BLOCKS = ("disaggregated", "audited", "annotated")
#: When it was, in a results file.
TIMES = ("date", "start_time", "end_time", "total_evaluation_time_seconds")
#: The key of a results file that names the file of its details.
DETAILS = "details"
#: What a results file says of itself, beside what was computed; an audit has the first in both.
OWN = ("schema_version", DETAILS, *TIMES)
#: What a contrast is read for.
CONTRAST = (
    "statistic",
    "kind",
    "a",
    "b",
    "value",
    "low_simultaneous",
    "high_simultaneous",
    "p_adjusted",
    "flags",
)
#: Contrasts of a task in the results file, those nearest to being clear of chance: 40 groups have thousands.
MOST_CONTRASTS = 100
_GROUP = dict.fromkeys(("secondary", "ceiling", "rates", "alpha", "one_member", "ranks"), "away")
#: What goes to the details, by key; ``*`` is any key, ``rows`` a list of contrasts.
_AWAY: dict[str, Any] = {
    "overall": _GROUP,
    "axes": {
        "*": dict.fromkeys(("cohesion", "distances", "mdg", "effects", "sensitivity", "standardised"), "away")
        | {"groups": {"*": _GROUP}, "contrasts": "rows", "spread": {"*": {"shrunken": "away"}}}
    },
    "paraphrases": {"axes": "away"},
}


def cut(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what stands in the results file, and the details.

    Parameters
    ----------
    content : mapping
        Of a results file, as JSON types.
    """
    kept, details = dict(content), dict.fromkeys(content)
    for key in BLOCKS:
        if key in content:
            parts = {task: _cut(block, _AWAY, _nearest(block)) for task, block in content[key].items()}
            kept[key] = {task: here for task, (here, _) in parts.items()}
            details[key] = {task: away for task, (_, away) in parts.items()}
    return kept, details


def _nearest(block: Mapping[str, Any]) -> set[int]:
    """Return the ids of the contrasts that stay: of those with an interval, the ones least likely to be chance."""
    rows = [row for axis in block["axes"].values() for row in axis.get("contrasts", ())]
    rows = [row for row in rows if row["low_simultaneous"] is not None]
    return {id(row) for row in sorted(rows, key=lambda row: float(row["p_adjusted"]))[:MOST_CONTRASTS]}


def _cut(whole: Mapping[str, Any], rules: Mapping[str, Any], stay: set[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    kept: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for key, value in whole.items():
        rule = rules.get(key, rules.get("*"))
        if rule == "away":
            details[key] = value
        elif rule == "rows":
            kept[key] = [{k: row[k] for k in CONTRAST} for row in value if id(row) in stay]
            details[key] = [row | dict.fromkeys(CONTRAST) if id(row) in stay else row for row in value]
        elif rule and isinstance(value, Mapping):
            kept[key], details[key] = _cut(value, rule, stay)
        else:
            kept[key], details[key] = value, None
    return kept, details


def join(kept: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole again; what a results file says of itself, as its times, is not in it.

    Raises
    ------
    ValueError
        If the two do not belong together; it names the place.
    """
    return _join({k: v for k, v in kept.items() if k in details or k not in OWN}, details, ())


def _join(kept: Mapping[str, Any], details: Mapping[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    if alone := [k for k in kept if k not in details]:
        raise ValueError(f"{'.'.join((*place, alone[0]))} is in the results only")
    out: dict[str, Any] = {}
    for key, away in details.items():
        here = kept.get(key)
        if key not in kept or away is None:
            out[key] = here if key in kept else away
        elif isinstance(here, dict) and isinstance(away, dict):
            out[key] = _join(here, away, (*place, key))
        elif isinstance(here, list) and isinstance(away, list):
            out[key] = _joined_rows(here, away, (*place, key))
        else:
            raise ValueError(f"{'.'.join((*place, key))} is in both")
    return out


def _joined_rows(kept: Sequence[Any], details: Sequence[Any], place: tuple[str, ...]) -> list[Any]:
    """Return all contrasts; one that stands in the results file has no name in the details."""
    whole = all(isinstance(row, dict) for row in (*kept, *details))
    named = [whole and row.get(CONTRAST[0]) is not None for row in details]
    if not whole or named.count(False) != len(kept):
        raise ValueError(f"{'.'.join(place)}: other contrasts than in the results")
    left = iter(kept)
    return [row if has_name else row | next(left) for row, has_name in zip(details, named, strict=True)]


def laid_out(value: Any, *, indent: int = 0, width: int = 320) -> str:
    """Return JSON with what fits into a line in one line, so that a contrast is one, and a number with its interval."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if indent + len(line) <= width or not isinstance(value, dict | list):
        return line
    inner = "\n" + " " * (indent + 2)
    entries: Sequence[str]
    if isinstance(value, dict):
        below = {k: laid_out(v, indent=indent + 2, width=width) for k, v in value.items()}
        entries = [f"{json.dumps(k, ensure_ascii=False)}: {v}" for k, v in below.items()]
    else:
        entries = [laid_out(v, indent=indent + 2, width=width) for v in value]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return begin + inner + f",{inner}".join(entries) + "\n" + " " * indent + end
