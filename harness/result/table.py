"""Results on a terminal, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

import tabulate

SIMULATED = "SIMULATED RATERS: these ratings were drawn by a program, no person gave them"
WIDTH = 100
tabulate.MIN_PADDING = 0  # its only way to say it: columns as narrow as their content
#: Groups of one axis shown; the file has them all.
MOST_GROUPS = 12

RATE_COLUMNS = {
    "bias": "bias",
    "divergence": "diverg.",
    "disagreement": "within",
    "rps": "rps",
    "skill": "skill",
    "equivalent_raters": "worth",
}
RATE_LEGEND = """\
bias: model minus group in scale points. diverg.: squared distance from the group's ratings, 0 to 1. within: how much \
the group disagrees inside; rps = diverg. + within. skill: 1 perfect, 0 no better than the \
group's average habit. worth: the model tells as much about the group as that many of its members. \
'-': refused, the reason stands in the results file."""
RESPOND_LEGEND = """\
concern: how much harm the group saw in the prompt's reference responses, 0 to 1. mean, exp. max (of k responses), \
exceed: the scorer's values over the prompts the group rated. exposure: badness of the responses, 0 to 1, weighted by \
the group's concern; above the mean: worse where the group is concerned. reference: the exposure of the reference
responses themselves."""


def render_results(content: dict[str, Any]) -> str:
    """Return all tasks of a results file as text."""
    parts = [f"model: {content['model_name']}"]
    for name, block in content["disaggregated"].items():
        dataset = content["datasets"][content["configs"][name]["dataset"]]
        parts.append(render_block(name, block, warning=dataset["warning"]))
    modes = {b["mode"] for b in content["disaggregated"].values()}
    legends = {"rate": RATE_LEGEND, "respond": RESPOND_LEGEND}
    parts += [textwrap.fill(legends[mode], WIDTH) for mode in sorted(modes)]
    return "\n\n".join(parts)


def render_block(name: str, block: dict[str, Any], warning: str | None = None) -> str:
    """Return one task as text: a head line, notes, a table per axis."""
    head = [f"{name} ({block['mode']})" if "mode" in block else name]
    if block.get("simulated_raters"):
        head.append(SIMULATED)
    if warning:
        head.append(f"content note: {warning}")
    head += [f"note: {note}" for note in block["notes"]]
    body = _rate(block) if "statistics" not in block["overall"] else _respond(block)
    return "\n".join(textwrap.fill(line, WIDTH) for line in head) + "\n\n" + body


def _rate(block: dict[str, Any]) -> str:
    shown = {k: v for k, v in RATE_COLUMNS.items() if k in block["overall"]}
    header = ["group", "raters", "items", "ratings", "mean", *(shown.values() or ["alpha"])]
    rows = [_rate_row("all raters", block["overall"], shown)]
    for axis, content in block["axes"].items():
        rows.append([f"[{axis}]"])
        groups = content["groups"].items()
        rows += _shown(groups, lambda g, v: _rate_row(g, v, shown))
    return _table(rows, header)


def _rate_row(name: str, group: dict[str, Any], shown: dict[str, str]) -> list[str]:
    row = [
        _short(name),
        str(group["n_raters"]),
        str(group["n_items"]),
        str(group["n_ratings"]),
        _number(group["mean"], 2),
    ]
    if not shown:
        return [*row, _number(group["alpha"]["interval"], 3)]
    digits = {"bias": 2, "skill": 2, "equivalent_raters": 1}
    signed = {"bias"}
    return row + [_number(group[k]["value"], digits.get(k, 3), signed=k in signed) for k in shown]


def _respond(block: dict[str, Any]) -> str:
    parts = []
    for key, overall in block["overall"]["statistics"].items():
        unscored = block["overall"]["n_unscored"][key]
        head = f"{key}: {block['overall']['n_responses']} responses, {unscored} unscored, k = {block['k']}"
        columns = {
            "mean": "mean",
            "expected_maximum": "exp. max",
            "exceedance": f"exceed {block['threshold']:g}",
            "exposure": "exposure",
            "reference_exposure": "reference",
        }
        header = ["group", "raters", "prompts", "concern", *columns.values()]
        everyone = ["all prompts", "", str(block["overall"]["n_prompts"]), ""]
        rows = [everyone + [_number((overall.get(c) or {}).get("value"), 3) for c in columns]]
        for axis, content in block["axes"].items():
            rows.append([f"[{axis}]"])
            rows += _shown(content["groups"].items(), lambda g, v, c=columns, k=key: _respond_row(g, v, k, c))
        parts.append(head + "\n" + _table(rows, header))
    return "\n\n".join(parts)


def _respond_row(name: str, group: dict[str, Any], key: str, columns: Iterable[str]) -> list[str]:
    stats = group["statistics"][key]
    row = [_short(name), str(group["n_raters"]), str(group["n_items"]), _number(group["concern"]["value"], 2)]
    return row + [_number((stats.get(c) or {}).get("value"), 3) for c in columns]


def _shown(groups: Iterable[tuple[str, Any]], row: Any) -> list[list[str]]:
    """Return rows of the groups that could be computed, the largest first, and a line that counts the others."""
    groups = sorted(groups, key=lambda gv: -gv[1]["n_raters"])
    enough = [(g, v) for g, v in groups if not any(f.startswith("few_raters") for f in v["flags"])]
    rows = [row(g, v) for g, v in enough[:MOST_GROUPS]]
    if hidden := len(groups) - len(rows):
        few = len(groups) - len(enough)
        rows.append([f"({hidden} more, {few} too small)" if few else f"({hidden} more)"])
    return rows


def _short(name: str, width: int = 26) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"


def _number(value: float | None, digits: int, *, signed: bool = False) -> str:
    if value is None or value != value:
        return "-"
    value = round(value, digits) + 0.0  # no -0.00
    return f"{value:{'+' if signed else ''}.{digits}f}"


def _table(rows: list[list[str]], header: list[str]) -> str:
    width = len(header)
    rows = [r + [""] * (width - len(r)) for r in rows]
    align = ["left"] + ["right"] * (width - 1)
    return tabulate.tabulate(rows, header, tablefmt="simple", colalign=align, disable_numparse=True)
