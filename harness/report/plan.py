"""Plans on a terminal: the answer for the hardest gap, designs around it, the other gaps, what is assumed."""

from __future__ import annotations

import math
from typing import Any

from lm_plural.harness.analysis.design.plan import IN_POINTS, LEAST_ITEMS, Question
from lm_plural.harness.report.cells import MOST_GROUPS
from lm_plural.harness.report.layout import grid, paragraphs


def render_plan(question: Question, plan: dict[str, Any]) -> str:
    """Return a plan as text."""
    told = [*plan["assumptions"], *(f"note: {note}" for note in plan["notes"])]
    parts = [
        paragraphs(sentences(question, plan)),
        _designs(question, plan["grid"]),
        *([_pairs(question, plan["gaps"])] if len(plan["gaps"]) > 1 else []),
        paragraphs(told, hang=2),
    ]
    return "\n\n".join(parts)


def sentences(question: Question, plan: dict[str, Any]) -> list[str]:
    """Return the answer for the gap that needs most, in plain words."""
    gap, n = plan["gaps"][0], len(plan["gaps"])
    points = " scale points" if question.statistic in IN_POINTS else ""
    sides = f"{gap['a']} and {gap['b']}" + (f" ({plan['axis']}: of {n} pairs the one that needs most)" if n > 1 else "")
    found = [
        f"To detect a gap of {question.gap:g}{points} in {question.statistic} between {sides} "
        f"with power {100 * question.power:g} %: {_answer(question, gap, pilot=plan['axis'] is not None)}.",
        f"Raters alone set a limit: at least {gap['least_raters']:,} a group, however many items."
        + (f" Items, too: at least {gap['least_items']:,}." if gap["least_items"] > LEAST_ITEMS else ""),
    ]
    if gap["detectable"] is not None:
        design = "The pilot" if question.items is None and question.raters is None else "The design asked about"
        found.append(f"{design} detects {_gap(question, gap['detectable'])}.")
    return found


def _answer(question: Question, gap: dict[str, Any], *, pilot: bool) -> str:
    """Return raters needed with these items, and items needed with these raters."""
    items = f"{gap['items']:,} items"
    if pilot and not question.items:
        total = gap["items_of_pilot"]
        items = f"the pilot's {items}" if gap["items"] == total else f"{gap['items']:,} of the pilot's {total:,} items"
    if gap["raters_needed"] is None:
        answer = f"with {items} no number of raters is enough"
    else:
        answer = f"{gap['raters_needed']:,} raters a group with {items} ({gap['ratings_needed']:,} ratings)"
    if gap["raters"] is None:
        return answer
    a, b = gap["raters"]
    raters = f"{a:,} raters a group" if question.raters else f"the pilot's {a:,} and {b:,} raters"
    return f"{answer}; with {raters} " + (
        "no number of items is enough" if gap["items_needed"] is None else f"{gap['items_needed']:,} items"
    )


def _designs(question: Question, designs: dict[str, Any]) -> str:
    def cell(gap: float) -> str:
        return _gap(question, gap) + ("*" if gap <= question.gap * (1 + 1e-9) else " ")

    rows = [
        [f"{n:,} raters a group", *map(cell, gaps), _number(needed)]
        for n, gaps, needed in zip(designs["raters"], designs["detectable"], designs["items_needed"], strict=True)
    ]
    rows.append(["raters needed", *(_number(n) + " " for n in designs["raters_needed"])])
    head = f"smallest detectable gap (* reaches {question.gap:g}, - cannot be reached)"
    return head + "\n" + grid(rows, ["", *(f"{i:,} items " for i in designs["items"]), "items needed"])


def _pairs(question: Question, gaps: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{gap['a']} - {gap['b']}",
            f"{gap['raters'][0]:,} {gap['raters'][1]:,}",
            f"{gap['items']:,}",
            _gap(question, gap["detectable"]),
            *(_number(gap[k]) for k in ("raters_needed", "items_needed", "least_raters")),
        ]
        for gap in gaps[:MOST_GROUPS]
    ]
    if hidden := len(gaps) - len(rows):
        rows.append([f"({hidden} more)"])
    header = ["pair", "raters", "items", "detects", "raters needed", "items needed", "at least"]
    return grid(rows, header)


def _gap(question: Question, gap: float) -> str:
    """Return a gap with two digits more than the first of the gap asked about."""
    return f"{gap:.{min(max(2 - math.floor(math.log10(question.gap)), 0), 9)}f}"


def _number(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"
