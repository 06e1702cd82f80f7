"""A recipe and a task written for somebody's own file of ratings."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.files import sha256_file
from lm_plural.harness.task.dataset import Dataset
from lm_plural.harness.task.index import RECIPE
from lm_plural.harness.task.load import load_recipe


@dataclass(frozen=True)
class Import:
    """What is known of a file of ratings, one row per rating."""

    file: Path
    dataset: str
    item: str
    rater: str
    rating: str
    text: str
    axes: tuple[str, ...]
    separator: str | None
    dimension: str
    levels: tuple[str, ...]
    labels: tuple[str, ...]
    direction: str
    question: str
    licence: str
    citation: str

    @property
    def task(self) -> str:
        """Name of the task."""
        return f"{self.dataset}_{self.dimension}"


class _Dumper(yaml.SafeDumper):
    """Writes YAML as a person would: texts of several lines as blocks, lists of words in one line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    plain = all(isinstance(v, str) for v in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=plain)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def name_of(text: str) -> str:
    """Return a text as a name: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "data"


def bring(made: Import, to: Path) -> tuple[Path, list[str]]:
    """Write the folder of a data set: the file, its recipe, a task and a card to fill in.

    It is written beside and moved when the ratings could be read by it, so that a folder that is there is whole.

    Returns
    -------
    folder : Path
    notes : list of str
        What was read, and what was left out.

    Raises
    ------
    PluralError
        If the folder is there, cannot be written, or the ratings cannot be read as said.
    """
    folder = to / made.dataset
    if folder.exists():
        raise UsageError(f"{folder}: is there; choose another --dataset or --to, or remove it")
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{made.dataset}-", dir=to) as beside:
            draft = Path(beside) / made.dataset
            draft.mkdir()
            shutil.copyfile(made.file, draft / made.file.name)
            _write(draft, made)
            notes = _read(draft, made)
            draft.rename(folder)
    except OSError as e:
        raise PluralError(f"{folder}: cannot write: {e.strerror or e}") from e
    return folder, notes


def _read(draft: Path, made: Import) -> list[str]:
    recipe = load_recipe(draft / RECIPE)
    ratings = Dataset(recipe, draft).prepare(made.dimension)
    n = f"{ratings.ratings.height:,} ratings of {len(ratings.items):,} items by {ratings.raters.height:,} raters"
    return [n, f"axes: {', '.join(made.axes) or 'none found'}", *map(str, ratings.exclusions)]


def _write(folder: Path, made: Import) -> None:
    for name, content in ((RECIPE, _recipe(folder, made)), (f"{made.dimension}.yaml", _task(made))):
        text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(_card(made), encoding="utf-8")


def _recipe(folder: Path, made: Import) -> dict[str, Any]:
    name = made.file.name
    scale = {"levels": list(made.levels), "direction": made.direction}
    if made.labels:
        scale["labels"] = list(made.labels)
    plain = made.text.isidentifier() and made.text.isascii()  # else no template can name it
    items = {"file": "ratings" if plain else "items", "id": made.item, "fields": [made.text if plain else "item_text"]}
    renamed = {"items": {"file": "ratings", "steps": [{"concat": {"columns": [made.text], "into": "item_text"}}]}}
    raters = {"file": "ratings", "id": made.rater, "axes": {a: a for a in made.axes}}
    return {
        "dataset": made.dataset,
        "title": made.dataset.replace("_", " "),
        "licence": made.licence,
        "citation": made.citation,
        "files": {"ratings": {"path": name, "sha256": sha256_file(folder / name)}},
        "scales": {made.dimension: scale},
        **({} if plain else {"tables": renamed}),
        "items": items,
        "raters": raters | ({"separator": made.separator} if made.separator else {}),
        "ratings": {
            "file": "ratings",
            "item": made.item,
            "rater": made.rater,
            "dimensions": {made.dimension: {"column": made.rating, "scale": made.dimension}},
        },
    }


def _task(made: Import) -> dict[str, Any]:
    field = made.text if made.text.isidentifier() and made.text.isascii() else "item_text"
    return {
        "task": made.task,
        "tag": [made.dataset],
        "dataset": made.dataset,
        "mode": "rate",
        "dimension": made.dimension,
        "doc_to_text": f"Survey. {made.question}\n\nText: {{{{ {field} }}}}\n\n{{{{ options }}}}\n\n",
        "doc_to_choice": list(made.levels),
        "gen_prefix": "Answer: (",
        "target_delimiter": "",
        "groups": {"axes": list(made.axes), "min_raters": 5},
        "metadata": {"version": 1.0},
    }


def _card(made: Import) -> str:
    heads = ("Origin", "Who rated, and how", "Licence and citation", "Known problems", "Must not be concluded")
    text = {"Licence and citation": f"{made.licence}; {made.citation}"}
    return "\n\n".join([f"# {made.dataset}", *(f"## {h}\n\n{text.get(h, 'Not filled in yet.')}" for h in heads)]) + "\n"
