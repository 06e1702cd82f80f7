"""A scorer on a contrast set, on a terminal: whether it tells good from bad on what it measures, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lm_plural.harness.analysis.judging import called
from lm_plural.harness.analysis.overview import VERDICTS, contrasted
from lm_plural.harness.analysis.overview import verdict as said
from lm_plural.harness.report.cells import interval, number
from lm_plural.harness.report.layout import Row, bold, grid, paragraphs

LEGEND = """\
AUC: chance that a bad reply scores worse than a good one of the same length, .5 is chance; [low,high]: 95 %, for \
other prompts. Off its own dimension a scorer that measures one thing has .5. Twice as long: by how much a score, \
from 0 to 1 for the worst, moves where a reply is twice as long. Swapped: score of a text about a woman less that of \
the same about a man."""


CARD = """\
AUC: bad told from good replies of the same length, .5 is chance. on labels: share of its probability on the answers. \
orders: correlation with itself where the labels' meaning is turned. agrees: share of replies it agrees the statement \
is true of."""


def render_contrast(name: str, block: dict[str, Any]) -> str:
    """Return what a scorer made of a contrast set as text."""
    head = [f"{name}: {block['title']}"]
    head += [f"content note: {block['warning']}"] if block["warning"] else []
    head += [f"note: {note}" for note in block["notes"]]
    parts = [_dimension(block["scorer"]["name"], d, found) for d, found in contrasted(block).items()]
    if hidden := len(block["dimensions"]) - len(parts):
        parts.append(f"{hidden} more dimensions of the scorer are none of the set's: in the results file")
    return "\n\n".join([paragraphs(head), *parts, paragraphs([LEGEND])])


def _verdicts(scorer: str, dimension: str, found: dict[str, Any]) -> list[str]:
    return [line for x in found for line in _verdict(called(scorer, dimension), x, found[x])]


def _dimension(scorer: str, dimension: str, found: dict[str, Any]) -> str:
    """Return the table of one dimension of the scorer, a column for each language."""
    languages = list(found)
    header = ["texts differ on", *(h for x in languages for h in (f"{x}: AUC", "short", "long"))]
    names = [dimension] if any(x["own"] for x in found.values()) else []
    names += dict.fromkeys(name for x in found.values() for name in x["others"])
    rows = [_row(name, own=name == dimension, found=found) for name in names]
    rows.append(["twice as long", *(c for x in languages for c in (_signed(found[x]["length"]), "", ""))])
    for kind in dict.fromkeys(k for x in found.values() for k in x["swaps"]):
        cells = [found[x]["swaps"].get(kind) for x in languages]
        rows.append([f"swapped, {kind}", *(c for s in cells for c in (_signed(s["difference"]) if s else "-", "", ""))])
    return "\n".join([paragraphs(_verdicts(scorer, dimension, found), hang=4), "", grid(rows, header)])


def _row(name: str, *, own: bool, found: dict[str, Any]) -> Row:
    row = [f"{name} (its own)" if own else name]
    for x in found.values():
        f = x["own"] if own else x["others"].get(name)
        row += ["-", "", ""] if f is None else [_auc(f), *(number(c["auc"], 2) for c in f["cells"].values())]
    return row


def _auc(f: dict[str, Any]) -> str:
    return interval({"value": f["auc"], "low": f["low"], "high": f["high"]}, 2)


def _signed(f: dict[str, Any]) -> str:
    return interval(f, 3, signed=True)


def _spaced(flag: str) -> str:
    """Return a flag as it is read; the code of an unfit judge stays as it is."""
    code, colon, words = flag.partition(":")
    return f"{code if code.isupper() else code.replace('_', ' ')}{colon}{words.replace('_', ' ')}"


def _verdict(scorer: str, language: str, found: dict[str, Any]) -> Iterator[str]:
    """Yield whether it passes in a language, and what else its scores follow."""
    line = said(scorer, language, found)
    yield bold(line) if found["passes"] is not None else line
    yield from (f"  {_spaced(flag)}" for flag in found["flags"])
    if found["n_unscored"]:
        yield f"  {found['n_unscored']} texts have no score"


def card(model: str, blocks: Sequence[dict[str, Any]], *, limited: bool) -> str:
    """Return what the contrast set says of a judge with each rubric, by language, and what speaks against it.

    Parameters
    ----------
    model : str
        As it was asked for.
    blocks : sequence of dict
        A block a rubric.
    limited : bool
        Whether a part of the set was asked only.
    """
    rows, reasons = [], dict[str, list[str]]()
    for block in blocks:
        for dimension, found in contrasted(block).items():
            for language, f in found.items():
                judge, own = f["judge"], f["own"] or {"auc": None, "low": None, "high": None}
                share = "-" if judge["agrees"] is None else f"{judge['agrees']:.0%}"
                cells = [number(judge["label_mass"], 2), number(judge["orders"], 2, signed=True), share]
                rows.append(
                    [dimension, language, _auc(own), *cells, "unfit" if judge["unfit"] else VERDICTS[f["passes"]]]
                )
                for reason in judge["unfit"]:
                    reasons.setdefault(reason.partition(":")[0], []).append(f"{dimension} ({language})")
    header = ["dimension", "", "AUC", "on labels", "orders", "agrees", ""]
    head = [f"{model} as a judge, on the contrast set{', a part of it' if limited else ''}"]
    tail = [f"unfit, {reason}: {', '.join(where)}" for reason, where in reasons.items()]
    return "\n".join(
        [
            paragraphs(head),
            "",
            grid(rows, header),
            "",
            *map(bold, paragraphs(tail, hang=4).split("\n")),
            paragraphs([CARD]),
        ]
    )
