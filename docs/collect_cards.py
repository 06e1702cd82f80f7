"""Collect the cards of all data sets into docs/benchmarks.md.

python docs/collect_cards.py            # writes docs/benchmarks.md
python docs/collect_cards.py --check    # exit code 1 if it is not up to date
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from lm_plural.harness.data.recipe import Recipe, load_recipe
from lm_plural.harness.task.index import Index, builtin_tasks

PAGE = Path(__file__).parent / "benchmarks.md"
HEAD = """# The benchmark suite

Written by `python docs/collect_cards.py` from the recipes and cards in `tasks/`. None of the people's data is part of
lm-plural: `lm-plural data fetch NAME` gets what may be fetched, `lm-plural data show NAME` prints who rated and how far
they agree. Cite the data sets you ran; their citations stand in every results file.

"""
#: The sections every card must have, in this order.
SECTIONS = ("Origin", "Who rated, and how", "Licence and citation", "Getting the files", "Known problems")
SECTIONS = (*SECTIONS, "Must not be concluded")


def page() -> str:
    """Return the whole page."""
    index = Index()
    tasks: dict[str, list[str]] = {}
    for name, document in index.tasks.items():
        tasks.setdefault(str(document.data.get("dataset")), []).append(name)
    recipes = {name: load_recipe(path) for name, path in index.recipes().items()}
    table = [_row(recipe, tasks.get(name, [])) for name, recipe in recipes.items()]
    head = "| data set | what | licence | tasks |\n|---|---|---|---|\n"
    cards = [_card(name, tasks.get(name, [])) for name in recipes]
    return HEAD + head + "\n".join(table) + "\n\n" + "\n".join(cards)


def _row(recipe: Recipe, tasks: list[str]) -> str:
    note = " (**content warning**)" if recipe.warning else ""
    return f"| [{recipe.dataset}](#{recipe.dataset}) | {recipe.title}{note} | {recipe.licence} | {len(tasks)} |"


def _card(name: str, tasks: list[str]) -> str:
    """Return a card one level further down, folded sections kept, its links pointing from docs/."""
    path = builtin_tasks() / name / "README.md"
    text = path.read_text(encoding="utf-8")
    if missing := [s for s in SECTIONS if f"\n## {s}\n" not in text]:
        raise SystemExit(f"{path}: no section {missing[0]!r}")
    text = re.sub(r"^(#+ )", r"#\1", text, flags=re.MULTILINE)
    return f"{text.rstrip()}\n\nTasks: {', '.join(f'`{t}`' for t in tasks) or 'none'}\n"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE}: not up to date; run python docs/collect_cards.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
