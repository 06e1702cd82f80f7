"""Cells and rows of tables on a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from lm_plural.harness.report.layout import Row

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
