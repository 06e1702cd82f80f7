"""A scorer on a contrast set, on a terminal: whether it tells good from bad on what it measures, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lm_plural.harness.analysis.judging import Alike, called
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
is true of. Between dimensions scores should hardly correlate: the texts differ on one each."""


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


def card(
    model: str,
    blocks: Sequence[dict[str, Any]],
    together: Mapping[str, Alike],
    *,
    limited: bool,
    tables: bool = False,
) -> str:
    """Return what the contrast set says of a judge with each rubric, by language, and what speaks against it.

    Parameters
    ----------
    model : str
        As it was asked for.
    blocks : sequence of dict
        A block a rubric.
    together : mapping
        By language, how far the scores of the dimensions go together.
    limited : bool
        Whether a part of the set was asked only.
    tables : bool
        Whether all correlations are shown.
    """
    rows, reasons = [], dict[str, list[str]]()
    for block in blocks:
        for dimension, found in contrasted(block).items():
            for language, f in found.items():
                judge, own = f["judge"], f["own"] or {"auc": None, "low": None, "high": None}
                share = "-" if judge["agrees"] is None else f"{judge['agrees']:.0%}"
                cells = [number(judge["label_mass"], 2), number(judge["orders"], 2, signed=True), share]
                unfit = [*judge["unfit"], *together[language].unfit] if language in together else judge["unfit"]
                rows.append([dimension, language, _auc(own), *cells, "unfit" if unfit else VERDICTS[f["passes"]]])
                for reason in judge["unfit"]:
                    reasons.setdefault(reason.partition(":")[0], []).append(f"{dimension} ({language})")
    for language, found in together.items():
        for reason in found.unfit:
            reasons.setdefault(reason.partition(":")[0], []).append(f"all dimensions ({language})")
    header = ["dimension", "", "AUC", "on labels", "orders", "agrees", ""]
    head = [f"{model} as a judge, on the contrast set{', a part of it' if limited else ''}"]
    tail = [f"unfit, {reason}: {', '.join(where)}" for reason, where in reasons.items()]
    parts = [
        paragraphs(head),
        "",
        grid(rows, header),
        *(paragraphs([line]) for line in _correlations(together) if len(blocks) > 1),
        *(["", *(_matrix(x, f) for x, f in together.items() if f.pairs)] if tables else []),
        "",
        *map(bold, paragraphs(tail, hang=4).split("\n")),
        paragraphs([CARD]),
    ]
    return "\n".join(parts)


def _correlations(together: Mapping[str, Alike]) -> Iterator[str]:
    """Yield a line a language: how far the scores of different dimensions correlate."""
    for language, found in together.items():
        if not found.pairs:
            yield f"between dimensions ({language}): too few scores to correlate"
        else:
            (a, b), most = max(found.pairs.items(), key=lambda pair: abs(pair[1]))
            told = f"between dimensions ({language}): |r| {number(found.mean, 2)} on average"
            yield f"{told}, most {number(most, 2, signed=True)} ({a}, {b})" if len(found.pairs) > 1 else told


def _matrix(language: str, found: Alike) -> str:
    names = list(dict.fromkeys(n for pair in found.pairs for n in pair))
    r = found.pairs | {(b, a): v for (a, b), v in found.pairs.items()}
    rows = [[f"{k} {a}", *(number(r.get((a, b)), 2, signed=True) for b in names[:k])] for k, a in enumerate(names)]
    return grid(rows, [f"r between dimensions, {language}", *map(str, range(len(names) - 1))])
