"""What is written for somebody's own file of ratings: a recipe, a task, a card to fill in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lm_plural.harness.files import sha256_file

#: What templates call something else.
RESERVED = ("options", "labels", "true", "false", "none")


@dataclass(frozen=True)
class Import:
    """What is known of a file of ratings, one row per rating.

    `nothing` and `skipped`: cells of the axes and of the rating that stand for no answer.
    """

    file: Path
    dataset: str
    item: str
    rater: str
    rating: str
    text: str
    axes: tuple[str, ...]
    separator: str | None
    nothing: tuple[str, ...]
    skipped: tuple[str, ...]
    dimension: str
    levels: tuple[str, ...]
    labels: tuple[str, ...]
    direction: str
    question: str
    licence: str
    citation: str
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """Name of the task."""
        return f"{self.dataset}_{self.dimension}"

    @property
    def field(self) -> str:
        """The items' text as templates call it."""
        plain = self.text.isidentifier() and self.text.isascii() and not iskeyword(self.text)
        return self.text if plain and self.text not in RESERVED else "item_text"


class _Dumper(yaml.SafeDumper):
    """Writes YAML as a person would: texts of several lines as blocks, lists of words in one line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    odd = re.search("[\r\x85\u2028\u2029]", text)  # ends a line, too, in YAML
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if odd else "|" if "\n" in text else None)


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    plain = all(isinstance(v, str) for v in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=plain)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def name_of(text: str) -> str:
    """Return a text as a name: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "data"


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """Write YAML."""
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    path.write_text(text, encoding="utf-8")


def recipe(made: Import) -> dict[str, Any]:
    """Return the recipe of the file, lying beside it."""
    scale = {"levels": list(made.levels), "direction": made.direction}
    if made.labels:
        scale["labels"] = list(made.labels)
    plain = made.field == made.text
    tables: dict[str, Any] = {}
    if not plain:  # no template can name it
        step: dict[str, Any] = {"concat": {"columns": [made.text], "into": made.field}}
        tables["items"] = {"file": "ratings", "steps": [step]}
    if made.skipped:
        step = {"recode": {"column": made.rating, "levels": dict.fromkeys(made.skipped), "other": "keep"}}
        tables["answered"] = {"file": "ratings", "steps": [step]}
    raters = {"file": "ratings", "id": made.rater, "axes": {a: a for a in made.axes}}
    return {
        "dataset": made.dataset,
        "title": made.dataset.replace("_", " "),
        "licence": made.licence,
        "citation": made.citation,
        "files": {"ratings": {"path": made.file.name, "sha256": sha256_file(made.file)}},
        "scales": {made.dimension: scale},
        **({"tables": tables} if tables else {}),
        "items": {"file": "ratings" if plain else "items", "id": made.item, "fields": [made.field]},
        "raters": raters
        | ({"separator": made.separator} if made.separator else {})
        | ({"undeclared": list(made.nothing)} if made.nothing else {}),
        "ratings": {
            "file": "answered" if made.skipped else "ratings",
            "item": made.item,
            "rater": made.rater,
            "dimensions": {made.dimension: {"column": made.rating, "scale": made.dimension}},
        },
        **({"rules": dict(made.rules)} if made.rules else {}),
    }


def task(made: Import, raters: pl.DataFrame) -> dict[str, Any]:
    """Return the task; an axis whose groups are all small lowers what a group needs.

    `raters` have one ``List[str]`` column per axis.
    """
    question = made.question.replace("{", "{{ '{' }}")
    largest = [max(raters[axis].explode().value_counts()["count"]) for axis in made.axes]
    begins = any(a != b and b.startswith(a) for a in made.levels for b in made.levels)
    return {
        "task": made.task,
        "tag": [made.dataset],
        "dataset": made.dataset,
        "mode": "rate",
        "dimension": made.dimension,
        "doc_to_text": f"Survey. {question}\n\nText: {{{{ {made.field} }}}}\n\n{{{{ options }}}}\n\n",
        "doc_to_choice": list(made.levels),
        **({"elicitation": {"codings": ["letters"]}} if begins else {}),
        "gen_prefix": "Answer: (",
        "target_delimiter": "",
        "groups": {"axes": list(made.axes), "min_raters": min(5, *largest)},
        "metadata": {"version": 1.0},
    }


def card(made: Import) -> str:
    """Return the data card."""
    heads = ("Origin", "Who rated, and how", "Licence and citation", "Known problems", "Must not be concluded")
    text = {"Licence and citation": f"{made.licence}; {made.citation}"}
    return "\n\n".join([f"# {made.dataset}", *(f"## {h}\n\n{text.get(h, 'Not filled in yet.')}" for h in heads)]) + "\n"
