"""Make docs/measures.md from the catalogue of measures.

python docs/make_measures.py            # writes docs/measures.md
python docs/make_measures.py --check    # exit code 1 if it is not up to date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lm_plural.harness.statistics.catalogue import BETTER, MEASURES, PLACES, About, Measure

PAGE = Path(__file__).parent / "measures.md"
HEAD = """# Measures

Written by `python docs/make_measures.py` from the catalogue in `harness/statistics/catalogue.py`, which tables,
pictures, families of contrasts and exports read; `lm-plural ls measures` prints it. A new measure is one entry
there, and its formula.

Of each: what it says, then its numbers. *Range*: what an estimate cannot leave. *Digits*: of a number in a table.
*Signed*: a table shows the sign of a number above 0, too. *Raters*: how many of the group (of
either group, where two are compared) an item must have to count. *Linear*: a mean over single ratings. In formulas,
as in [method.md](method.md): *s* position of a rating, *p* share of ratings on a level, *q* the model's probability
of it, *F* and *Q* the same of a level and those below, *z* that of one rating, *D* widths of steps, *n* raters of
an item, *K* levels, *A* what there is to know of a group, *x* score, *r* concern.
"""
SECTIONS: dict[About, str] = {
    "model": "Of a model against a group",
    "group": "Of a group alone",
    "between": "Between groups",
    "responses": "Of responses",
    "scorers": "Of scorers",
}


def page() -> str:
    """Return the whole page."""
    sections = [_section(title, [m for m in MEASURES if m.about == about]) for about, title in SECTIONS.items()]
    return "\n".join([HEAD, *sections])


def _section(title: str, measures: list[Measure]) -> str:
    words = [f"* `{m.name}`. {m.sentence}{_few(m)}" for m in measures]
    columns = (
        "name",
        "heading",
        "unit",
        "range",
        "better",
        "digits",
        "signed",
        "raters",
        "linear",
        "formula",
        "from",
        "stands in",
    )
    head = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([f"## {title}", "", *words, "", *head, *map(_row, measures), ""])


def _few(m: Measure) -> str:
    return f" Few raters: {m.few_raters}." if m.few_raters else ""


def _row(m: Measure) -> str:
    places = [PLACES[p] for p in m.shown] + (["pictures"] if m.picture else [])
    shown = BETTER[m.better], str(m.digits), "yes" if m.signed else ""
    numbers = m.heading, m.unit, m.range, *shown, str(m.least), "yes" if m.linear else ""
    cells = *numbers, f"`{m.formula}`", m.source, "; ".join(places)
    return "| " + " | ".join([f"`{m.name}`", *(c.replace("|", "\\|") for c in cells)]) + " |"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE}: not up to date; run python docs/make_measures.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
