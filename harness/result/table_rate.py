"""Rate results on a terminal: groups with intervals and, under each axis, which differences hold up."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from lm_plural.harness.result.cells import WIDTH, Row, grid, interval, number, p_value, short, shown
from lm_plural.harness.result.table_asked import render_asked
from lm_plural.harness.statistics.inferences import CLEAR

#: Statistic, its heading, digits and whether the sign is shown: with a model, and without.
MODEL_COLUMNS = (("bias", "bias", 2, True), ("divergence", "divergence", 3, False))
HUMAN_COLUMNS = (("item_mean", "item mean", 2, False), ("disagreement", "within", 3, False))
#: Contrasts of these statistics are shown.
MODEL_CONTRASTS, HUMAN_CONTRASTS = ("bias", "divergence"), ("item_mean", "disagreement")
#: Differences of one axis shown.
MOST_CONTRASTS = 6

RATE_LEGEND = """\
[low,high]: 95 % interval for other items and other raters, unless "inference" says otherwise. bias: model minus group \
in scale points. divergence: squared distance from the group's ratings, 0 to 1. skill: 1 perfect, 0 no better than the \
group's average habit. worth: the model tells as much about the group as that many of its members. within: how \
much the group disagrees inside. cohesion: agreement inside the group minus agreement with all others, with its p. \
Differences are signed, tested together within an axis (max-T). '-': refused, the reason stands in the results file."""


def render_rate(block: dict[str, Any]) -> str:
    """Return the table of all groups and what is between them."""
    model = "bias" in block["overall"]
    if not model and "item_mean" not in block["overall"]:
        return _described(block)
    columns = MODEL_COLUMNS if model else HUMAN_COLUMNS
    last = ["skill", "worth"] if model else ["cohesion"]
    header = ["group", "raters", "mean", *(c[1] for c in columns), *last]
    rows = [_row("all raters", block["overall"], columns, None)]
    for axis, content in block["axes"].items():
        rows.append([f"[{axis}]"])
        cohesion = content.get("cohesion", {})
        rows += shown(content["groups"].items(), _rows(columns, cohesion))
    text = [grid(rows, header)]
    refused = block.get("elicitation", {}).get("refused")
    for axis, content in block["axes"].items():
        if content.get("contrasts") and not refused:
            text.append(_between(axis, content, MODEL_CONTRASTS if model else HUMAN_CONTRASTS))
    return "\n\n".join([*text, *render_asked(block)])


def _rows(columns: Sequence[Any], cohesion: dict[str, Any]) -> Callable[[str, Any], Row]:
    return lambda name, group: _row(name, group, columns, cohesion.get(name))


def _row(name: str, group: dict[str, Any], columns: Sequence[Any], cohesion: dict[str, Any] | None) -> Row:
    row = [short(name, 25), "?" if group["n_raters"] is None else str(group["n_raters"]), number(group["mean"], 2)]
    row += [interval(group[k], digits, signed=signed) for k, _, digits, signed in columns]
    if "equivalent_raters" in group:
        return [*row, number(group["skill"]["value"], 2), interval(group["equivalent_raters"], 1)]
    return [*row, _cohesion(cohesion) if cohesion else ""]


def _cohesion(found: dict[str, Any]) -> str:
    return f"{number(found['difference'], 3, signed=True)} (p {number(found['p'], 3)})"


def _between(axis: str, content: dict[str, Any], statistics: Sequence[str]) -> str:
    """Return the differences of one axis that hold up, or what would have been seen."""
    lines = [f"[{axis}] differences"]
    for statistic in statistics:
        rows = [r for r in content["contrasts"] if r["statistic"] == statistic and r["p_adjusted"] is not None]
        clear = sorted((r for r in rows if r["p_adjusted"] <= CLEAR), key=lambda r: r["p_adjusted"])
        lines.append(_spread(statistic, content["spread"].get(statistic)))
        lines += [_difference(r) for r in clear[:MOST_CONTRASTS]]
        if len(clear) > MOST_CONTRASTS:
            lines.append(f"    and {len(clear) - MOST_CONTRASTS} more")
        if rows and not clear:
            lines.append(_nothing(rows, content["mdg"][statistic]))
        if not rows:
            lines.append("    no comparison has an interval; the reasons stand in the results file")
    return "\n".join(textwrap.fill(x, WIDTH, subsequent_indent="      ") for x in lines)


def _spread(statistic: str, found: dict[str, Any] | None) -> str:
    if not found or found["tau"] is None:
        return f"  {statistic}:"
    text = f"  {statistic}: SD between groups {number(found['tau'], 3)}"
    if found["range"]["high"] is not None:
        text += f", largest gap {number(found['range']['low'], 3)} to {number(found['range']['high'], 3)}"
    if worst := found.get("worst"):
        text += f"; may be worst: {_some(worst['not_distinguishable'])}"
    return text


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _difference(row: dict[str, Any]) -> str:
    low, high = (number(row[k], 3, signed=True) for k in ("low_simultaneous", "high_simultaneous"))
    other = "all others" if row["kind"] == "rest" else row["b"]
    p = p_value(row["p_adjusted"])
    return f"    {row['a']} - {other}: {number(row['value'], 3, signed=True)} [{low},{high}], p {p}"


def _nothing(rows: Sequence[dict[str, Any]], mdg: Sequence[dict[str, Any]]) -> str:
    gaps = sorted(g["now"] for g in mdg)
    return (
        f"    none of {_comparisons(rows)} is clear of chance; gaps from {gaps[0]:.3f} on would be seen "
        f"(power 80 %), in the least precise comparison from {gaps[-1]:.3f}"
    )


def _comparisons(rows: Sequence[dict[str, Any]]) -> str:
    pairs = sum(r["kind"] == "pairs" for r in rows)
    return f"{pairs} pair{'s' * (pairs != 1)} and {len(rows) - pairs} comparisons with all others"


def _described(block: dict[str, Any]) -> str:
    """Return groups without statistics: under a disagreement strategy and without a model there are none."""
    rows = [_row("all raters", block["overall"], (), None)]
    for axis, content in block["axes"].items():
        rows.append([f"[{axis}]"])
        rows += shown(content["groups"].items(), _rows((), {}))
    return grid(rows, ["group", "raters", "mean", ""])
