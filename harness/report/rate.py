"""Rate results on a terminal: groups with intervals, which differences hold up, what hangs on how one asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_plural.harness.report.cells import (
    MOST_GROUPS,
    count,
    difference,
    interval,
    measured,
    number,
    p_value,
    shown,
)
from lm_plural.harness.report.layout import Row, bold, grid, paragraphs
from lm_plural.harness.statistics.catalogue import Measure, measure, named
from lm_plural.harness.statistics.inference import CLEAR, about

#: Differences named that turn round.
MOST_TURNS = 4


def render_asked(block: dict[str, Any]) -> list[str]:
    """Return a paragraph each on the wordings and on steering, if the task has them."""
    found = [_wordings(block["paraphrases"])] if "paraphrases" in block else []
    return found + ([_steered(block["steered"])] if "steered" in block else [])


def _wordings(found: dict[str, Any]) -> str:
    every, refused = found["n_wordings"], len(found["flags"])
    if refused == every:
        return paragraphs([f"none of {every} wordings of the question is answered on the scale"])
    which = f"{every - refused} of {every} wordings" if refused else f"{every} wordings"
    ends = [
        f"{m.heading} {' to '.join(number(of[end], m.digits, signed=m.signed) for end in ('min', 'max'))}"
        for m in reversed(MODEL_COLUMNS)
        if (of := found["overall"].get(m.name))
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
    return paragraphs(lines, hang=6)


def _other(row: dict[str, Any]) -> str:
    return "all others" if row["kind"] == "rest" else str(row["b"])


def _under(row: dict[str, Any]) -> str:
    other = [str(n) for n, v in enumerate(row["by_wording"]) if v is not None and v * row["value"] < 0]
    return f" under wording {', '.join(other)}"


def _steered(found: dict[str, Any]) -> str:
    groups = sorted(found["groups"].items(), key=lambda gv: -gv[1]["n_raters"])
    lines = [f"[{found['axis']}] asked to answer as a member of a group, the model gets"]
    lines += [f"  as {name}: {_moved(group)}" for name, group in groups[:MOST_GROUPS]]
    more = [f"  ({len(groups) - MOST_GROUPS} more)"] if groups[MOST_GROUPS:] else []
    return paragraphs(lines + more, hang=6)


def _moved(group: dict[str, Any]) -> str:
    """Say how much closer to the group the model gets, and whether more so than to others."""
    change, others = group["change"]["divergence"], group["than_others"]
    if change["value"] is None:
        return f"refused, {group['flags'][0]}"
    if change["p_adjusted"] is None:
        return f"{number(-change['value'], 3, signed=True)} closer, without an interval"
    few = about(group["flags"]) is not None
    size, clear = "~" * few + _size(change), change["p_adjusted"] <= CLEAR
    moved = f"{size} {'closer' if change['value'] < 0 else 'further away'}"
    text = moved if clear else f"no clear change, {size} (+ is closer)"
    text += f" (p {p_value(change['p_adjusted'])}{f', {count(group)} raters' * few})"
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


#: Statistics in columns, their contrasts below: with a model, and without.
MODEL_COLUMNS = tuple(map(measure, named("model", "differences", about="model")))
HUMAN_COLUMNS = tuple(map(measure, named("people", "differences")))
SKILL, WORTH = measure("skill"), measure("equivalent_raters")
#: Differences of one axis shown.
MOST_CONTRASTS = 6

RATE_LEGEND = """\
[low,high]: 95 % interval for other items and other raters, unless "inference" says otherwise. ~: one of so few raters \
that it is a little too short; where fewer count than the group has, they stand in brackets. bias: model minus group \
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
    header = ["group", "raters", "mean", *(c.heading for c in columns), *last]
    rows = [_row("all raters", block["overall"], columns, None)]
    for axis, content in block["axes"].items():
        rows.append([f"[{axis}]"])
        cohesion = content.get("cohesion", {})
        rows += shown(content["groups"].items(), _rows(columns, cohesion))
    text = [grid(rows, header)]
    refused = block.get("elicitation", {}).get("refused")
    for axis, content in block["axes"].items():
        if content.get("contrasts") and not refused:
            text.append(_between(axis, content, [c.name for c in columns]))
    return "\n\n".join([*text, *render_asked(block)])


def _rows(columns: Sequence[Measure], cohesion: dict[str, Any]) -> Callable[[str, Any], Row]:
    return lambda name, group: _row(name, group, columns, cohesion.get(name))


def _row(name: str, group: dict[str, Any], columns: Sequence[Measure], cohesion: dict[str, Any] | None) -> Row:
    row = [name, count(group), number(group["mean"], 2), *(measured(group, c) for c in columns)]
    if "equivalent_raters" in group:
        return [*row, number(group["skill"]["value"], SKILL.digits), measured(group, WORTH)]
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
        lines += [bold(f"    {difference(r)}") for r in clear[:MOST_CONTRASTS]]
        if len(clear) > MOST_CONTRASTS:
            lines.append(f"    and {len(clear) - MOST_CONTRASTS} more")
        if rows and not clear:
            lines.append(_nothing(rows, content["mdg"][statistic]))
        if not rows:
            lines.append("    no comparison has an interval; the reasons stand in the results file")
    return paragraphs(lines, hang=6)


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


def _nothing(rows: Sequence[dict[str, Any]], mdg: Sequence[dict[str, Any]]) -> str:
    gaps = sorted(g["now"] for g in mdg)
    return (
        f"    none of {_comparisons(rows)} is clear of chance; gaps from {gaps[0]:.3f} on would be seen "
        f"(power 80 %), in the least precise comparison from {gaps[-1]:.3f}"
    )


def _comparisons(rows: Sequence[dict[str, Any]]) -> str:
    pairs = sum(r["kind"] == "pairs" for r in rows)
    rest = f"{len(rows) - pairs} comparisons with all others"
    return f"{pairs} pair{'s' * (pairs != 1)} and {rest}" if pairs else rest


def _described(block: dict[str, Any]) -> str:
    """Return groups without statistics: under a disagreement strategy and without a model there are none."""
    rows = [_row("all raters", block["overall"], (), None)]
    for axis, content in block["axes"].items():
        rows.append([f"[{axis}]"])
        rows += shown(content["groups"].items(), _rows((), {}))
    return grid(rows, ["group", "raters", "mean", ""])
