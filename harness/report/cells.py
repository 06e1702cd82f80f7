"""Cells and rows of tables on a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from lm_plural.harness.report.layout import Row
from lm_plural.harness.statistics.catalogue import Measure
from lm_plural.harness.statistics.inference import about, approximate

#: Groups of one axis shown; the file has them all.
MOST_GROUPS = 12


def shown(groups: Iterable[tuple[str, Any]], row: Callable[[str, Any], Row]) -> list[Row]:
    """Return rows of the groups that could be computed, the largest first, and a line that counts the others."""
    groups = sorted(groups, key=lambda gv: -gv[1]["n_raters"])
    enough = [(g, v) for g, v in groups if not any(f.startswith("few_raters") for f in v["flags"])]
    rows = [row(g, v) for g, v in enough[:MOST_GROUPS]]
    if hidden := len(groups) - len(rows):
        few = len(groups) - len(enough)
        rows.append([f"({hidden} more, {few} too small)" if few else f"({hidden} more)"])
    return rows


def number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """Return a rounded number, ``-`` for what was refused."""
    if value is None or value != value:
        return "-"
    value = round(value, digits) + 0.0  # no -0.00
    return f"{value:{'+' if signed else ''}.{digits}f}"


def p_value(p: float) -> str:
    """Return a rounded p, ``< 0.001`` below that."""
    return "< 0.001" if p < 0.001 else number(p, 3)


def count(group: dict[str, Any]) -> str:
    """Return how many raters a group has and, in brackets, how few of them a number with ``~`` rests on."""
    n, few = group["n_raters"], [raters for raters, _ in approximate(group.get("flags", ()))]
    if n is None:
        return "?"
    return f"{n:,} ({min(few)})" if few and min(few) < n else f"{n:,}"


def measured(group: dict[str, Any], m: Measure, estimate: dict[str, Any] | None = None, flagged: str = "") -> str:
    """Return a measure of a group in a cell, with ``~`` where its interval rests on few raters.

    `estimate`: what is shown, if it does not stand in the group under the measure's name; `flagged`: what flags call
    it, if not that.
    """
    found = estimate or group[m.key]
    few = found["low"] is not None and about(group.get("flags", ()), flagged or m.key) is not None
    return "~" * few + interval(found, m.digits, signed=m.signed)


def agreement(people: dict[str, Any], digits: int = 2) -> str:
    """Return a scorer's correlation with people in a cell, or that it was not measured."""
    found = people.get("pearson")
    if found is None:
        return "not measured"
    return interval(found, digits) if found["value"] is not None else "refused"


def on_few(row: dict[str, Any]) -> tuple[str, str]:
    """Return what stands before and after a difference that rests on few raters: ``~``, and how many on either side."""
    if about(row.get("flags", ())) is None:
        return "", ""
    return "~", f" ({row['n_raters_a']} and {row['n_raters_b']} raters)"


def difference(row: dict[str, Any], others: str = "all others") -> str:
    """Return a signed difference with its interval among its family: ``a - b: +0.050 [+0.010,+0.090], p 0.012``."""
    value, low, high = (number(row[k], 3, signed=True) for k in ("value", "low_simultaneous", "high_simultaneous"))
    (before, after), other = on_few(row), others if row["kind"] == "rest" else row["b"]
    return f"{row['a']} - {other}: {before}{value} [{low},{high}], p {p_value(row['p_adjusted'])}{after}"


def interval(estimate: dict[str, Any], digits: int, *, signed: bool = False) -> str:
    """Return ``0.05 [.03,.08]``; an open end is empty, and without an interval there are no brackets."""
    value = number(estimate["value"], digits, signed=signed)
    if estimate["low"] is None and estimate["high"] is None:
        return value
    if estimate["value"] is None:
        return f">= {number(estimate['low'], digits)}"
    ends = ("" if estimate[k] is None else number(estimate[k], digits, signed=signed) for k in ("low", "high"))
    short_ends = ",".join(re.sub(r"^([+-]?)0[.]", r"\1.", end) for end in ends)
    return f"{value} [{short_ends}]"
