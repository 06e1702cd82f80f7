"""``lm-plural data``: the data sets behind the tasks: which there are, where they are, what they hold."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.data import export, importing
from lm_plural.harness.cli.options import add_include_path
from lm_plural.harness.errors import PluralError, UsageError, did_you_mean

if TYPE_CHECKING:
    from lm_plural.harness.data.recipe import Recipe

HELP = """Data sets of people's ratings: list, fetch, look into, bring your own.

  lm-plural data ls
  lm-plural data fetch measuring_hate_speech
  lm-plural data show popquorn
  lm-plural data import ratings.csv --direction lower     # your own file becomes a recipe and a task

Files are looked for beside the recipe, in --mirror (or $LM_PLURAL_DATA_MIRROR), then in the cache."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs below this one."""
    below = parser.add_subparsers(dest="what", required=True, metavar="ls|fetch|path|show|import|export")
    for name, (text, add) in BELOW.items():
        one = below.add_parser(
            name, help=text, description=text, formatter_class=parser.formatter_class, allow_abbrev=False
        )
        add(one)


def execute(args: argparse.Namespace) -> int:
    """Run."""
    code: int = DO[args.what](args)
    return code


def _add_ls(parser: argparse.ArgumentParser) -> None:
    add_include_path(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="DATASET", help="names of data sets")
    add_include_path(parser)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    _add_names(parser)
    most = "refuse files above this size (default 8)"
    parser.add_argument("--most", type=float, default=8.0, metavar="GIB", help=most)
    private = "let a recipe name a server in a private network, or on this machine"
    parser.add_argument("--private", action="store_true", help=private)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs=1, metavar="DATASET", help="name of the data set")
    add_include_path(parser)
    export.add_arguments(parser)


def _add_show(parser: argparse.ArgumentParser) -> None:
    _add_names(parser)
    parser.add_argument("--dimension", metavar="NAME", help="one rated dimension (default: all)")
    parser.add_argument("--filter", action="append", default=[], metavar="NAME", help="switch a quality filter on")
    parser.add_argument("--json", action="store_true", help="as JSON")


def recipes(args: argparse.Namespace) -> list[tuple[Recipe, Path]]:
    """Return the recipes asked for by name and their folders.

    Raises
    ------
    UsageError
        If there is no such data set (with a suggestion).
    """
    from lm_plural.harness.data.recipe import load_recipe
    from lm_plural.harness.task.index import Index

    known = Index(args.include_path).recipes()
    for name in args.names:
        if name not in known:
            raise UsageError(f"unknown data set {name!r}{did_you_mean(name, known)} (lm-plural data ls)")
    return [(load_recipe(known[name]), known[name].parent) for name in dict.fromkeys(args.names)]


def _ls(args: argparse.Namespace) -> int:
    from lm_plural.harness.cli.looking.ls import show
    from lm_plural.harness.data.find import at_hand
    from lm_plural.harness.data.recipe import load_recipe
    from lm_plural.harness.task.index import Index

    rows = []
    for path in Index(args.include_path).recipes().values():
        try:
            recipe = load_recipe(path)
        except PluralError as e:
            print(f"lm-plural data: warning: {e}", file=sys.stderr)
            continue
        there = at_hand(recipe.dataset, recipe.addresses, path.parent)
        rows.append({"dataset": recipe.dataset, "at hand": there, "licence": recipe.licence, "title": recipe.title})
    show(rows, as_json=args.json)
    return 0


def _path(args: argparse.Namespace) -> int:
    from lm_plural.harness.data.find import find_file

    for recipe, folder in recipes(args):
        for name in recipe.files:
            print(find_file(recipe, name, folder))
    return 0


def _fetch(args: argparse.Namespace) -> int:
    from lm_plural.harness.data.find import fetched_folder

    if not 0 < args.most < float("inf"):
        raise UsageError(f"--most {args.most:g}: expected a size in GiB above 0")
    failed = False
    for recipe, folder in recipes(args):
        print(f"{recipe.dataset}: licence {recipe.licence}; {recipe.citation}")
        if recipe.warning:
            print(f"content note: {recipe.warning}")
        for name in recipe.files:
            try:
                _fetch_one(recipe, name, folder, fetched_folder(recipe.dataset), args)
            except PluralError as e:  # the others may come
                print(f"lm-plural data: error: {e}", file=sys.stderr)
                failed = True
    return int(failed)


def _fetch_one(recipe: Recipe, name: str, folder: Path, target: Path, args: argparse.Namespace) -> None:
    """Fetch a file that is not at hand, or of which another version was fetched; one in a mirror is left as it is."""
    from lm_plural.harness.data.fetch.fetch import fetch, within
    from lm_plural.harness.data.find import MIRROR, find_file, places, sha256_of
    from lm_plural.harness.files import is_file, writable_cache

    spec, path = recipe.files[name], within(target, recipe.files[name].path)
    there = next((p for p in places(recipe.dataset, spec.path, folder) if is_file(p)), None)
    stale = there == path and spec.url and spec.sha256 and sha256_of(path) != spec.sha256
    if there and not stale:
        print(f"  {spec.path}: at hand, {find_file(recipe, name, folder)}")
        return
    if not spec.url:
        how = spec.how or f"no address is known; set {MIRROR} to a folder that has it"
        raise PluralError(f"{recipe.dataset}: {spec.path} cannot be fetched: {how}")
    writable_cache()
    with _bar(spec.path) as progress:
        limits: Any = {"size": spec.size, "most": int(args.most * 2**30), "private": args.private}
        found = fetch(spec.url, path, sha256=spec.sha256, progress=progress, **limits)
    checked = "checked" if spec.sha256 else f"no checksum is known; sha256 {found}"
    print(f"  {spec.path}: fetched into {path} ({checked})")


class _bar:  # noqa: N801 (used like a function)
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> Callable[[int, int | None], None]:
        from tqdm import tqdm

        self.bar: Any = tqdm(desc=self.name, unit="B", unit_scale=True, disable=None, leave=False)
        return self._to

    def _to(self, done: int, total: int | None) -> None:
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def _show(args: argparse.Namespace) -> int:
    from lm_plural.harness.cli.data.show import show

    return show(recipes(args), args.dimension, args.filter, as_json=args.json)


def _export(args: argparse.Namespace) -> int:
    from lm_plural.harness.data.dataset import Dataset

    ((recipe, folder),) = recipes(args)
    dataset, path = Dataset(recipe, folder), args.output_path
    return export.export(dataset, args.dimension, path, private=args.private, guard=args.guard)


BELOW: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "ls": ("which data sets there are, and whether their files are at hand", _add_ls),
    "fetch": ("download the files of data sets, checked; the same command goes on where it stopped", _add_fetch),
    "path": ("print where the files of data sets are", _add_names),
    "show": ("raters, ratings and agreement of every group, and the licence", _add_show),
    "import": ("make a recipe and a task of your own file of ratings", importing.add_arguments),
    "export": ("write a data set as one long table, where its licence lets it be passed on", _add_export),
}
DO: dict[str, Callable[[argparse.Namespace], int]] = {
    "ls": _ls,
    "fetch": _fetch,
    "path": _path,
    "show": _show,
    "import": importing.execute,
    "export": _export,
}
