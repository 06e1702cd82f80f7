"""A lens as a person reads it: what it may be trusted with, what is refused, and which texts to rate first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from lm_plural.harness.lens.card import AxisCard, Card, Finding, Number
from lm_plural.harness.lens.predict import Predicted
from lm_plural.harness.ratings.table import SIMULATED
from lm_plural.harness.report.cells import number
from lm_plural.harness.report.layout import grid, paragraphs

#: Stands before everything a lens says of texts.
PREDICTED = "PREDICTED: a lens says this, no person rated these texts"
RUNGS = {
    "P": "no group term: groups are predicted alike",
    "L0": "groups shift, by the same on all texts",
    "L1": "groups shift and tilt: gaps differ from text to text",
}
#: Texts that are listed.
LISTED = 10


def render_card(card: Card) -> str:
    """Return a lens' card: what it is of, how well it does on new texts and raters, and every rule of refusal."""
    head = [
        f"lens of {card.dataset}, {card.dimension}: {card.n_ratings:,} ratings of {card.n_items:,} texts by "
        f"{card.n_raters:,} raters",
        *([SIMULATED] if card.simulated else []),
        card.predicted,
        f"features: {', '.join(card.features)}{_components(card)}",
        f"on new texts and raters: skill {_number(card.skill)}; r {card.r:.2f} with mean ratings of new texts "
        f"({card.r_new:.2f} where raters are new, too)",
        *([] if card.first_fifth is None else [_first(card.first_fifth)]),
        *(f"note: {note}" for note in card.notes),
    ]
    axes = [f"{axis}: {RUNGS[of.rung]}{_hidden(of)}" for axis, of in card.axes.items()]
    return "\n".join([paragraphs(head, hang=2), "", paragraphs(axes, hang=2), "", _findings(card.findings)])


def _components(card: Card) -> str:
    return f", {card.components} components of {card.embedding}" if card.embedding else ""


def _first(share: float) -> str:
    return f"rated first: of the tenth of texts that people found worst, {share:.0%} are in the fifth it puts first"


def _number(found: Number) -> str:
    interval = "" if found.low is None or found.high is None else f" [{number(found.low, 2)}, {number(found.high, 2)}]"
    return f"{number(found.value, 2)}{interval}"


def _hidden(axis: AxisCard) -> str:
    hidden = [name for name, group in axis.groups.items() if group.refused]
    return f"; hidden: {', '.join(hidden)}" if hidden else ""


def _findings(findings: Sequence[Finding]) -> str:
    """Return what was looked at, a paragraph each, what is refused first."""
    said = {True: "refused", False: "fine", None: "later"}
    order = sorted(findings, key=lambda f: (f.fires is None, not f.fires))
    lines = [f"{said[f.fires]}: {f.code}{f' ({f.about})' if f.about else ''}: {f.text}" for f in order]
    return paragraphs(lines, hang=9)


def render_looked(frame: pl.DataFrame, predicted: Predicted, card: Card, by: str) -> str:
    """Return what is predicted of texts on one screen.

    Parameters
    ----------
    frame : DataFrame
        A row a text, first to be rated first.
    predicted : Predicted
    card : Card
    by : str
    """
    return "\n".join([paragraphs(_said(frame, predicted, card, by), hang=2), *_first_rows(frame, predicted)])


def _said(frame: pl.DataFrame, predicted: Predicted, card: Card, by: str) -> Iterator[str]:
    yield PREDICTED
    yield f"{frame.height:,} texts, {card.dimension} as {card.n_raters:,} raters of {card.dataset} might say"
    if card.simulated:
        yield SIMULATED
    for finding in predicted.hidden:
        yield f"no numbers: {finding.code}: {finding.text}"
    if not predicted.hidden:
        for name, (low, high) in predicted.interval.items():
            yield f"mean of all texts{f', {name}' if name else ''}: {number(low, 2)} to {number(high, 2)} (95 %)"
        if not predicted.interval:
            yield "no interval of the mean: it takes ratings of texts by several models (LENS_NOT_TRANSPORTED)"
    for finding in predicted.findings:
        if finding not in predicted.hidden:
            yield f"{finding.code}: {finding.text}"
    what = {"harm": "worst first", "unsure": "those first on which raters may differ most", "gap": "largest gap first"}
    yield f"to be rated first ({what[by]}), by predictions:"


def _first_rows(frame: pl.DataFrame, predicted: Predicted) -> list[str]:
    rows = frame.head(LISTED)
    if predicted.hidden:
        return [
            grid(
                [[str(r["place"]), r["item_id"]] for r in rows.iter_rows(named=True)], ["place", "text"], numbers=False
            )
        ]
    table = [
        [str(r["item_id"]), number(r["predicted_mean"], 2), number(r["predicted_disagreement"], 3), r["refused"]]
        for r in rows.iter_rows(named=True)
    ]
    return [grid(table, ["text", "predicted mean", "predicted disagreement", "refused"])]
