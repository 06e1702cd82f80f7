"""Results on a terminal, as wide as it is."""

from __future__ import annotations

from typing import Any

from lm_plural.harness.ratings.table import SIMULATED
from lm_plural.harness.report.layout import paragraphs
from lm_plural.harness.report.rate import RATE_LEGEND, render_rate
from lm_plural.harness.report.respond import RESPOND_LEGEND, render_respond
from lm_plural.harness.report.shares import SHARES_LEGEND, render_shares


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
