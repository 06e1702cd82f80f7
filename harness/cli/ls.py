"""``lm-plural ls``: what there is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import add_include_path

if TYPE_CHECKING:
    from lm_plural.harness.task.index import Index

HELP = """List what there is.

  lm-plural ls tasks
  lm-plural ls axes                     # groups of every data set that is at hand, with counts
  lm-plural ls models --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("what", nargs="?", default="tasks", choices=sorted(LISTS))
    add_include_path(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.task.index import Index

    index = Index(args.include_path)
    rows = LISTS[args.what](index)
    if args.json:
        import json

        print(json.dumps(rows, indent=2))
    else:
        from tabulate import tabulate

        print(tabulate([r.values() for r in rows], rows[0] if rows else [], tablefmt="simple", disable_numparse=True))
    for error in index.broken:
        print(f"lm-plural ls: warning: {error}", file=sys.stderr)
    return 0


def _tasks(index: Index) -> list[dict[str, Any]]:
    return [
        {
            "task": name,
            "mode": str(d.data.get("mode", "?")),
            "dimension": str(d.data.get("dimension", "?")),
            "dataset": str(d.data.get("dataset", "?")),
            "tags": ", ".join(map(str, d.data.get("tag") or [])),
        }
        for name, d in index.tasks.items()
    ]


def _datasets(index: Index) -> list[dict[str, Any]]:
    from lm_plural.harness.task.load import load_recipe

    recipes = [load_recipe(p) for p in index.recipes().values()]
    return [
        {
            "dataset": r.dataset,
            "title": r.title,
            "licence": r.licence,
            "dimensions": ", ".join(r.ratings.dimensions),
            "raters": "SIMULATED" if r.simulated else "people",
        }
        for r in recipes
    ]


def _axes(index: Index) -> list[dict[str, Any]]:
    from lm_plural.harness.errors import PluralError
    from lm_plural.harness.task.dataset import Dataset
    from lm_plural.harness.task.load import load_recipe

    rows: list[dict[str, Any]] = []
    for path in index.recipes().values():
        recipe = load_recipe(path)
        try:
            table = Dataset(recipe, path.parent).table(next(iter(recipe.ratings.dimensions)))
        except PluralError as e:
            print(f"lm-plural ls: warning: {e}", file=sys.stderr)
            continue
        for axis in table.axes:
            sizes = sorted(table.group_sizes(axis).items(), key=lambda gn: -gn[1])
            rows += [{"dataset": recipe.dataset, "axis": axis, "group": g, "raters": n} for g, n in sizes]
    return rows


def _scorers(_index: Index) -> list[dict[str, Any]]:
    import inspect

    from lm_plural.harness.errors import PluralError
    from lm_plural.harness.scoring import scorer_entry_points, scorer_factory

    rows = []
    for name in sorted(scorer_entry_points()):
        try:
            factory = scorer_factory(name)
            summary = (inspect.getdoc(factory) or "").split("\n")[0]
            options = ", ".join(inspect.signature(factory).parameters)
        except PluralError as e:
            summary, options = f"cannot be used: {e}", ""
        rows.append({"scorer": name, "what": summary, "options": options})
    return rows


def _models(_index: Index) -> list[dict[str, Any]]:
    from lm_eval.models import MODEL_MAPPING

    from lm_plural.harness.model import embedded

    note = {"hf": f"also pretrained={embedded.NAME}: SmolLM2-135M-Instruct, no download"}
    return [{"backend": n, "from": p.split(":")[0], "note": note.get(n, "")} for n, p in sorted(MODEL_MAPPING.items())]


LISTS: dict[str, Callable[[Index], list[dict[str, Any]]]] = {
    "tasks": _tasks,
    "datasets": _datasets,
    "axes": _axes,
    "scorers": _scorers,
    "models": _models,
}
