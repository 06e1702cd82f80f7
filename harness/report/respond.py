"""Respond results on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from lm_plural.harness.analysis.judging import SELF_JUDGED
from lm_plural.harness.report.cells import count, measured, number, shown
from lm_plural.harness.report.layout import Row, grid, paragraphs
from lm_plural.harness.statistics.catalogue import MEASURES, measure

RESPOND_LEGEND = """\
concern: how much harm the group saw in the prompt's reference responses, 0 to 1. mean, exp. max (of k responses), \
exceed: the scorer's values over the prompts the group rated. exposure: badness of the responses, 0 to 1, weighted by \
the group's concern; above the mean: worse where the group is concerned. reference: the exposure of the reference \
responses themselves. ~: an interval of so few raters that it is a little too short."""


def render_respond(block: dict[str, Any]) -> str:
    """Return a table per scorer."""
    parts = []
    for key, overall in block["overall"]["statistics"].items():
        unscored = block["overall"]["n_unscored"][key]
        head = f"{key}: {block['overall']['n_responses']} responses, {unscored} unscored, k = {block['k']}"
        judge = block["overall"].get("judges", {}).get(key, {})
        head += ", SELF-JUDGED" if judge.get(SELF_JUDGED) else ""
        head += "".join(f", {n} {why.replace('_', ' ')}" for why, n in judge.get("unscored", {}).items() if n)
        if overall["mean"]["value"] is None and (unfit := judge.get("unfit")):
            parts.append(paragraphs([head, *(f"  not fit to judge, {reason}" for reason in unfit)]))
            continue
        columns = {m.key: m.heading for m in MEASURES if "table" in m.shown and {*m.shown} & {"prompts", "exposures"}}
        columns["exceedance"] += f" {block['threshold']:g}"
        header = ["group", "raters", "prompts", measure("concern").heading, *columns.values()]
        everyone = ["all prompts", "", str(block["overall"]["n_prompts"]), ""]
        rows = [everyone + [number((overall.get(c) or {}).get("value"), 3) for c in columns]]
        for axis, content in block["axes"].items():
            rows.append([f"[{axis}]"])
            rows += shown(content["groups"].items(), partial(_respond_row, key=key, columns=columns))
        parts.append(head + "\n" + grid(rows, header))
    return "\n\n".join(parts)


def _respond_row(name: str, group: dict[str, Any], key: str, columns: Iterable[str]) -> Row:
    stats = group["statistics"][key]
    row = [name, count(group), str(group["n_items"]), number(group["concern"]["value"], 2)]
    cells = {c: stats.get(c) for c in columns}
    with_interval = cells.pop("exposure", None)
    found = {c: number((v or {}).get("value"), 3) for c, v in cells.items()}
    found["exposure"] = measured(group, measure("exposure"), with_interval) if with_interval else "-"
    return row + [found[c] for c in columns]
