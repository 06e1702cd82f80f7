"""Results on a terminal, as wide as it is."""

from __future__ import annotations

from typing import Any

from lm_plural.harness.ratings.table import SIMULATED
from lm_plural.harness.report.cells import count, measured, number, shown
from lm_plural.harness.report.layout import Row, grid, paragraphs
from lm_plural.harness.report.rate import RATE_LEGEND, render_rate
from lm_plural.harness.report.respond import RESPOND_LEGEND, render_respond
from lm_plural.harness.report.shares import SHARES_LEGEND, render_shares
from lm_plural.harness.statistics.catalogue import measure

ANNOTATED_LEGEND = """\
all responses: mean rating of all responses of the run, from the ratings of a sample and a scorer's scores of all \
(two-way PPI++); ratings alone: the same without the scorer. trust: how far the scorer is, 0 to 1. gain: variance of \
the ratings alone over that with the scorer; 1.00: it adds nothing."""


def render_results(content: dict[str, Any]) -> str:
    """Return all tasks of a results file as text."""
    parts = [f"model: {content['model_name']}"]
    for name, block in content["disaggregated"].items():
        dataset = content["datasets"][content["configs"][name]["dataset"]]
        parts.append(render_block(name, block, warning=dataset["warning"]))
    kinds = {b.get("kind", b["mode"]) for b in content["disaggregated"].values()}
    parts += [render_legend(kind) for kind in sorted(kinds)]
    return "\n\n".join(parts)


LEGENDS = {"rate": RATE_LEGEND, "respond": RESPOND_LEGEND, "shares": SHARES_LEGEND}


def render_legend(kind: str) -> str:
    """Return what the columns of a kind of table mean."""
    return paragraphs([LEGENDS[kind]])


def render_block(name: str, block: dict[str, Any], warning: str | None = None) -> str:
    """Return one task as text: a head line, notes, a table per axis."""
    head = [f"{name} ({block['mode']})" if "mode" in block else name]
    if block.get("simulated_raters"):
        head.append(SIMULATED)
    if warning:
        head.append(f"content note: {warning}")
    if block["inference"] != "none":
        head.append(f"intervals: 95 %, for other {block['inference'].replace('+', ' and ')}")
    head += [f"note: {note}" for note in block["notes"]]
    return paragraphs(head) + "\n\n" + _body(block)


def _body(block: dict[str, Any]) -> str:
    if block.get("kind") == "shares":
        return render_shares(block)
    return render_respond(block) if "statistics" in block["overall"] else render_rate(block)


def render_annotated(content: dict[str, Any]) -> str:
    """Return every dimension that people rated as text."""
    parts = [f"people's ratings of responses of {content['model_name']}\nrun: {content['run']}"]
    if content["excluded"]:
        why = [
            f"  {one['rater_id'] or 'a rater'}: {one['why']}, {one['ratings']} ratings" for one in content["excluded"]
        ]
        parts.append(paragraphs([f"{len(why)} raters excluded:", *why], hang=4))
    for name, block in content["annotated"].items():
        parts.append(paragraphs([f"statement: {block['statement']}"]))
        if "powered" in block["overall"]:
            parts.append(_powered(block))
        parts.append(render_block(name, block))
    return "\n\n".join([*parts, paragraphs([ANNOTATED_LEGEND]), paragraphs([RATE_LEGEND])])


def _powered(block: dict[str, Any]) -> str:
    """Return the means over all responses, with the scorer and without."""
    scorer = block["scorer"]
    told = "no scorer has scores of them"
    if scorer is not None:
        told = f"scorer {scorer['name']}, correlation {number(scorer['correlation'], 2)} with mean ratings"
    head = f"mean over all {block['n_responses']:,} responses, {block['n_rated']:,} of them rated; {told}"
    rows = [_row("all raters", block["overall"])]
    for axis, content in block["axes"].items():
        rows.append([f"[{axis}]"])
        rows += shown(content["groups"].items(), _row)
    header = ["group", "raters", "rated", "all responses", "ratings alone", "trust", "gain"]
    return f"{paragraphs([head])}\n{grid(rows, header)}"


def _row(name: str, group: dict[str, Any]) -> Row:
    m, found = measure("item_mean"), group["powered"]
    numbers = [measured(group, m, found), measured(group, m, found["alone"])]
    return [name, count(group), str(found["n_rated"]), *numbers, number(found["trust"], 2), number(found["gain"], 2)]
