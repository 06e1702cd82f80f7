"""What hangs on how the model was asked, in plain lines: other wordings, and answering as a member of a group."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from lm_plural.harness.result.cells import MOST_GROUPS, WIDTH, interval, number, p_value
from lm_plural.harness.statistics.inferences import CLEAR

#: Differences named that turn round.
MOST_TURNS = 4


def render_asked(block: dict[str, Any]) -> list[str]:
    """Return a paragraph each on the wordings and on steering, if the task has them."""
    found = [_wordings(block["paraphrases"])] if "paraphrases" in block else []
    return found + ([_steered(block["steered"])] if "steered" in block else [])


def _fill(lines: Sequence[str]) -> str:
    return "\n".join(textwrap.fill(x, WIDTH, subsequent_indent="      ") for x in lines)


def _wordings(found: dict[str, Any]) -> str:
    every, refused = found["n_wordings"], len(found["flags"])
    if refused == every:
        return _fill([f"none of {every} wordings of the question is answered on the scale"])
    which = f"{every - refused} of {every} wordings" if refused else f"{every} wordings"
    ends = [
        f"{name} {number(of['min'], digits, signed=sign)} to {number(of['max'], digits, signed=sign)}"
        for name, digits, sign in (("divergence", 3, False), ("bias", 2, True))
        if (of := found["overall"].get(name))
    ]
    lines = [f"over {which} of the question: {', '.join(ends)} (all raters)", *(f"  {flag}" for flag in found["flags"])]
    gaps = [g for g in found["differences"] if g["statistic"] == "divergence"]
    turns = [g for g in gaps if g["turns"]]
    if gaps and not turns:
        lines.append("  differences in divergence that are clear of chance have the same sign under every wording")
    if turns:
        names = "; ".join(f"{g['a']} - {_other(g)}{_under(g)}" for g in turns[:MOST_TURNS])
        more = f"; and {len(turns) - MOST_TURNS} more" if turns[MOST_TURNS:] else ""
        lines.append(f"  {len(turns)} of {len(gaps)} clear differences in divergence turn round: {names}{more}")
    return _fill(lines)


def _other(row: dict[str, Any]) -> str:
    return "all others" if row["kind"] == "rest" else str(row["b"])


def _under(row: dict[str, Any]) -> str:
    other = [str(n) for n, v in enumerate(row["by_wording"]) if v is not None and v * row["value"] < 0]
    return f" under wording {', '.join(other)}"


def _steered(found: dict[str, Any]) -> str:
    groups = sorted(found["groups"].items(), key=lambda gv: -gv[1]["n_raters"])
    lines = [f"[{found['axis']}] asked to answer as a member of a group, the model gets"]
    lines += [f"  as {name}: {_moved(group)}" for name, group in groups[:MOST_GROUPS]]
    return _fill(lines + ([f"  ({len(groups) - MOST_GROUPS} more)"] if groups[MOST_GROUPS:] else []))


def _moved(group: dict[str, Any]) -> str:
    """Say how much closer to the group the model gets, and whether more so than to others."""
    change, others = group["change"]["divergence"], group["than_others"]
    if change["value"] is None:
        return f"refused, {group['flags'][0]}"
    if change["p_adjusted"] is None:
        return f"{number(-change['value'], 3, signed=True)} closer, without an interval"
    size, clear = _size(change), change["p_adjusted"] <= CLEAR
    moved = f"{size} {'closer' if change['value'] < 0 else 'further away'}"
    text = moved if clear else f"no clear change, {size} (+ is closer)"
    text += f" (p {p_value(change['p_adjusted'])})"
    if others is None or others["p_adjusted"] is None:
        return text
    if others["p_adjusted"] <= CLEAR:
        size = _size(others)
        way = (
            f"{size} more than to all others"
            if others["value"] < 0
            else f"to all others it gets {size} closer than that"
        )
        return f"{text}; {way} (p {p_value(others['p_adjusted'])})"
    return text + ("; not clearly more than to all others" if clear and change["value"] < 0 else "")


def _size(row: dict[str, Any]) -> str:
    """Return how far a change that is clear of 0 is from it, any other with the sign of getting closer."""
    below = {"value": -row["value"], "low": -row["high_simultaneous"], "high": -row["low_simultaneous"]}
    clear = row["p_adjusted"] <= CLEAR
    if clear and row["value"] > 0:
        below = {"value": row["value"], "low": row["low_simultaneous"], "high": row["high_simultaneous"]}
    return interval(below, 3, signed=not clear)
