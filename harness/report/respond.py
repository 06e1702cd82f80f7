"""Respond results on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from lm_plural.harness.analysis.judging import SELF_JUDGED
from lm_plural.harness.report.cells import agreement, count, interval, measured, number, shown
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
        head += "".join(f", {n} {why.replace('_', ' ')}" for why, n in judge.get("unscored", {}).items() if n)
        head = "\n".join([head, *(paragraphs([f"  {line}"], hang=2) for line in _trust(block, key))])
        if overall["mean"]["value"] is None and (unfit := judge.get("unfit")):
            reasons = paragraphs((f"  not fit to judge, {reason}" for reason in unfit), hang=2)
            parts.append(f"{head}\n{reasons}")
            continue
        columns = {m.key: m.heading for m in MEASURES if "table" in m.shown and {*m.shown} & {"prompts", "exposures"}}
        columns["exceedance"] += f" {block['threshold']:g}"
        header = ["group", "raters", "prompts", measure("concern").heading, *columns.values()]
        everyone = ["all prompts", "", str(block["overall"]["n_prompts"]), ""]
        rows = [everyone + [number((overall.get(c) or {}).get("value"), 3) for c in columns]]
        for axis, content in block["axes"].items():
            rows.append([f"[{axis}]"])
            dimension = block["overall"].get("scorers", {}).get(key, block)["dimension"]
            rows += shown(
                content["groups"].items(), partial(_respond_row, key=key, dimension=dimension, columns=columns)
            )
        parts.append(head + "\n" + grid(rows, header))
    if told := _together(block["overall"]):
        parts.append(paragraphs(told, hang=2))
    return "\n\n".join(parts)


def _trust(block: dict[str, Any], key: str) -> Iterator[str]:
    """Yield how far a scorer may be believed: whether it is the model itself, and its agreement with people."""
    if block["overall"].get("judges", {}).get(key, {}).get(SELF_JUDGED):
        yield "SELF-JUDGED: the scorer is the model whose responses these are"
    if (known := block["overall"].get("scorers", {}).get(key)) is None:
        return
    people = known["people"]
    if "pearson" not in people:
        yield f"agreement with people: {people['flags'][0].replace('_', ' ', 1)}"
        return
    whose = "simulated raters" if block.get("simulated_raters") else "people"
    freed, auc = people["disattenuated"], people["auc"]
    more = f", {interval(freed, 2)} freed from their noise" if freed["value"] is not None else ""
    found = f"r {agreement(people)}{more}, AUC {interval(auc, 2)}"
    yield f"agreement with {whose} on {people['n_items']} reference responses: {found}"


def _together(overall: dict[str, Any]) -> list[str]:
    """Return how far scorers of one dimension agree, and which dimensions have none."""
    out = [
        f"{pair['dimension']}: r of {pair['a']} and {pair['b']} {interval(pair['scorer_correlation'], 2)} "
        f"({pair['n_responses']} responses)"
        for pair in overall.get("correlations", ())
    ]
    if missing := overall.get("no_scorer"):
        out.append(f"no scorer chosen (docs/scorers.md): {', '.join(missing)}")
    return out


def _respond_row(name: str, group: dict[str, Any], key: str, dimension: str, columns: Iterable[str]) -> Row:
    stats = group["statistics"][key]
    concern = group.get("concerns", {}).get(dimension, group["concern"])
    row = [name, count(group), str(group["n_items"]), number(concern["value"], 2)]
    cells = {c: stats.get(c) for c in columns}
    with_interval = cells.pop("exposure", None)
    found = {c: number((v or {}).get("value"), 3) for c, v in cells.items()}
    found["exposure"] = measured(group, measure("exposure"), with_interval) if with_interval else "-"
    return row + [found[c] for c in columns]
