"""Results on shares of answers on a terminal: groups, the most alike first, and which differences hold up."""

from __future__ import annotations

from typing import Any

from lm_plural.harness.report.cells import MOST_GROUPS, difference, interval, number, p_value
from lm_plural.harness.report.layout import Row, bold, grid, paragraphs
from lm_plural.harness.statistics.catalogue import measure, named
from lm_plural.harness.statistics.inference import CLEAR

#: Statistics in columns; the first two that are known are shown.
COLUMNS = named("shares")
#: Differences of one axis shown.
MOST_CONTRASTS = 6

SHARES_LEGEND = """\
[low,high]: 95 % interval for other questions, not for other people: raters are not known. JS similarity: 1 minus the \
Jensen-Shannon distance (base 2), 1 equal, 0 nothing in common. W1 alignment: 1 minus the earth mover's distance over \
the longest way, for ordered options. TV: total variation, 0 equal. at random: the JS similarity of a model that holds \
every option as likely. others: that of the average other group."""


def render_shares(block: dict[str, Any]) -> str:
    """Return the table of all groups and what is between them."""
    columns = [c for c in COLUMNS if block["overall"][c]["value"] is not None][:2] or [*COLUMNS[:1]]
    overall = block["overall"]
    rows = [["average group", str(overall["n_items"]), *(interval(overall[s], 3) for s in columns)]]
    for axis, content in block["axes"].items():
        rows.append([f"[{axis}]"])
        rows += _groups(content["groups"], columns)
    text = [grid(rows, ["group", "items", *(measure(s).heading for s in columns), "at random", "others"])]
    text += [_between(axis, content) for axis, content in block["axes"].items() if content["contrasts"]]
    if "paraphrases" in block:
        text.append(_wordings(block["paraphrases"]))
    if "steered" in block:
        text.append(_steered(block["steered"]))
    return "\n\n".join(text)


def _groups(groups: dict[str, Any], columns: list[str]) -> list[Row]:
    """Return a row per group, the most alike first and those without an interval last; of many, the ends."""
    found = {name: group["js_similarity"] for name, group in groups.items()}
    order = sorted(groups.items(), key=lambda gv: (found[gv[0]]["low"] is None, -(found[gv[0]]["value"] or 0)))
    rows = [_row(name, group, columns) for name, group in order]
    if hidden := len(rows) - MOST_GROUPS:
        half = MOST_GROUPS // 2
        rows = [*rows[:half], [f"({hidden} more)"], *rows[-half:]] if hidden > 0 else rows
    return rows


def _row(name: str, group: dict[str, Any], columns: list[str]) -> Row:
    beside = (number(group["beside"][other]["js_similarity"], 3) for other in ("uniform", "other_groups"))
    return [name, str(group["n_items"]), *(interval(group[s], 3) for s in columns), *beside]


def _between(axis: str, content: dict[str, Any]) -> str:
    rows = [r for r in content["contrasts"] if r["statistic"] == "js_similarity" and r["p_adjusted"] is not None]
    if not rows:
        return f"[{axis}] differences: no comparison has an interval; the reasons stand in the results file"
    clear = sorted((r for r in rows if r["p_adjusted"] <= CLEAR), key=lambda r: -abs(r["value"]))
    lines = [f"[{axis}] differences in JS similarity, other questions: {len(clear)} of {len(rows)} clear of chance"]
    lines += [bold(f"    {difference(r, 'the average other group')}") for r in clear[:MOST_CONTRASTS]]
    if clear[MOST_CONTRASTS:]:
        lines.append(f"    and {len(clear) - MOST_CONTRASTS} more")
    return paragraphs(lines, hang=6)


def _wordings(found: dict[str, Any]) -> str:
    spans = [
        group["js_similarity"]["max"] - group["js_similarity"]["min"]
        for content in found["axes"].values()
        for group in content["groups"].values()
        if group["js_similarity"]["max"] is not None
    ]
    span = f"JS similarity of a group moves by up to {max(spans):.3f}" if spans else "nothing to compare"
    return paragraphs(
        [f"over {found['n_wordings']} wordings of the question: {span}", *(f"  {f}" for f in found["flags"])], hang=6
    )


def _steered(found: dict[str, Any]) -> str:
    lines = [f"[{found['axis']}] asked to answer as a member of a group, the model's JS similarity to it changes by"]
    lines += [f"  as {name}: {_moved(group)}" for name, group in list(found["groups"].items())[:MOST_GROUPS]]
    more = len(found["groups"]) - MOST_GROUPS
    return paragraphs([*lines, f"  ({more} more)"] if more > 0 else lines, hang=6)


def _moved(group: dict[str, Any]) -> str:
    change = group["change"]["js_similarity"]
    if change["value"] is None:
        return f"refused, {group['flags'][0]}" if group["flags"] else "no item in common"
    if change["p_adjusted"] is None:
        return f"{number(change['value'], 3, signed=True)}, without an interval"
    ends = {"value": change["value"], "low": change["low_simultaneous"], "high": change["high_simultaneous"]}
    return f"{interval(ends, 3, signed=True)}, p {p_value(change['p_adjusted'])}"
