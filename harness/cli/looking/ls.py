"""``lm-plural ls``: what there is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import add_include_path
from lm_plural.harness.errors import PluralError

if TYPE_CHECKING:
    from lm_plural.harness.data.dataset import Dataset
    from lm_plural.harness.data.recipe import Recipe
    from lm_plural.harness.task.index import Index

#: YAML files that are no tasks and named one by one.
MOST_WARNED = 5
#: What no table has room for.
ONLY_JSON = {"options"}
HELP = """List what there is.

  lm-plural ls tasks                    # those whose data are at hand first
  lm-plural ls axes                     # groups of every data set that is at hand, with counts
  lm-plural ls scorers --json           # with the options of each
  lm-plural ls measures                 # what results hold, each in a sentence
  lm_eval --tasks plural_demo --include_path "$(lm-plural ls --lm-eval-path)" ..."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("what", nargs="?", default="tasks", choices=sorted(LISTS))
    add_include_path(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    path = "print a folder with the tasks for lm-eval's --include_path instead"
    parser.add_argument("--lm-eval-path", action="store_true", help=path)


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.task.index import Index

    index = Index(args.include_path)
    if args.lm_eval_path:
        from lm_plural.harness.lm_eval_tasks.folder import folder

        print(folder(index, _warn))
    else:
        show(LISTS[args.what](index), as_json=args.json)
    errors = list(index.broken.values())
    for error in errors[:MOST_WARNED]:
        _warn(error)
    if len(errors) > MOST_WARNED:
        _warn(PluralError(f"{len(errors) - MOST_WARNED:,} more YAML files are no tasks (lm-plural validate FILE)"))
    return 0


def show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, or as JSON, which has all of them."""
    if as_json:
        import json

        print(json.dumps(rows, indent=2))
    else:
        from lm_plural.harness.report.layout import listing

        if heads := [key for key in (rows[0] if rows else ()) if key not in ONLY_JSON]:
            print(listing([["" if row[h] is None else str(row[h]) for h in heads] for row in rows], heads))


def _warn(error: PluralError) -> None:
    print(f"lm-plural ls: warning: {error}", file=sys.stderr)


def _tasks(index: Index) -> list[dict[str, Any]]:
    from lm_plural.harness.task.index import tags_of

    rows = [
        {
            "task": name,
            "at hand": index.at_hand(d),
            "mode": str(d.data.get("mode", "?")),
            "dimension": str(d.data.get("dimension", "?")),
            "dataset": str(d.data.get("dataset", "?")),
            "tags": ", ".join(tags_of(d)),
        }
        for name, d in index.tasks.items()
    ]
    rows += [
        {
            "task": name,
            "at hand": "yes",
            "mode": "contrast",
            "dimension": ", ".join(map(str, d.data.get("dimensions", ()))),
            "dataset": "-",
            "tags": "",
        }
        for name, d in index.contrasts.items()
    ]
    order = ["yes", "stand-in", "fetch", "by hand", "?"]  # what can be run first
    return sorted(rows, key=lambda row: (order.index(row["at hand"]), row["task"]))


def _datasets(index: Index) -> list[dict[str, Any]]:
    return [
        {
            "dataset": r.dataset,
            "title": r.title,
            "licence": r.licence,
            "dimensions": ", ".join(r.dimensions),
            "raters": "SIMULATED" if r.simulated else "not known, shares only" if r.shares else "people",
        }
        for r, _ in _recipes(index)
    ]


def _recipes(index: Index) -> Iterator[tuple[Recipe, Path]]:
    """Yield the recipes that can be read and their folders."""
    from lm_plural.harness.data.recipe import load_recipe

    for path in index.recipes().values():
        try:
            yield load_recipe(path), path.parent
        except PluralError as e:
            _warn(e)


def _axes(index: Index) -> list[dict[str, Any]]:
    from lm_plural.harness.data.dataset import Dataset
    from lm_plural.harness.data.find import MissingFileError

    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    for recipe, folder in _recipes(index):
        try:
            found = _groups(Dataset(recipe, folder))
        except MissingFileError:
            missing.append(recipe.dataset)
            continue
        except PluralError as e:
            _warn(e)
            continue
        rows += [{"dataset": recipe.dataset, "axis": a, "group": g, "raters": n} for a, g, n in found]
    if missing:
        _warn(PluralError(f"not at hand (lm-plural data ls): {', '.join(missing)}"))
    return rows


def _groups(dataset: Dataset) -> list[tuple[str, str, int | None]]:
    """Return axis, group and raters, the largest group of an axis first; no raters where only shares are known."""
    if dataset.recipe.shares:
        return [(axis, group, None) for axis in dataset.shares.axes for group in dataset.shares.groups(axis)]
    table = dataset.table(dataset.recipe.dimensions[0])
    sizes = {axis: sorted(table.group_sizes(axis).items(), key=lambda gn: -gn[1]) for axis in table.axes}
    return [(axis, group, n) for axis, found in sizes.items() for group, n in found]


def _scorers(_index: Index) -> list[dict[str, Any]]:
    import inspect

    from lm_plural.harness.scoring import TRUST, UNDER_TEST, Listed, listed, scorer_entry_points, scorer_factory

    rows = []
    for name in sorted(scorer_entry_points()):
        try:
            found = listed(name)
            parameters = inspect.signature(scorer_factory(name)).parameters
            options = ", ".join(p for p in parameters if p not in (TRUST, UNDER_TEST))
        except PluralError as e:
            found, options = [Listed(name, f"cannot be used: {e}")], ""
        rows += [
            {
                "scorer": row.scorer,
                "dimensions": ", ".join(row.dimensions),
                "languages": ", ".join(row.languages),
                "licence": row.licence,
                "at hand": row.at_hand,
                "what": row.what,
                "options": "" if n else options,  # the same for all of one class
            }
            for n, row in enumerate(found)
        ]
    return rows


def _models(_index: Index) -> list[dict[str, Any]]:
    from lm_eval.models import MODEL_MAPPING

    from lm_plural.harness.model import embedded
    from lm_plural.harness.model.load import backends

    note = {"hf": f"also pretrained={embedded.NAME}: SmolLM2-135M-Instruct, no download"}
    homes = {name: MODEL_MAPPING.get(name, "lm_plural").split(":")[0] for name in backends()}
    return [{"backend": name, "from": home, "note": note.get(name, "")} for name, home in homes.items()]


def _measures(_index: Index) -> list[dict[str, Any]]:
    from lm_plural.harness.statistics.catalogue import BETTER, MEASURES

    return [
        {
            "measure": m.name,
            "heading": m.heading,
            "unit": m.unit,
            "range": m.range,
            "better": BETTER[m.better],
            "raters": m.least,
            "what": m.sentence,
        }
        for m in MEASURES
    ]


LISTS: dict[str, Callable[[Index], list[dict[str, Any]]]] = {
    "tasks": _tasks,
    "datasets": _datasets,
    "axes": _axes,
    "scorers": _scorers,
    "models": _models,
    "measures": _measures,
}
