"""A tiny data set with its recipe and two tasks, valid until a test breaks it in one way."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hypothesis import settings

from lm_plural.harness.cli.main import main
from lm_plural.harness.documents import load_yaml
from lm_plural.harness.files import is_file
from lm_plural.harness.task.check import check_task
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import LoadedTask, load_task

#: The same few examples every time, in no hurry.
quick = settings(deadline=None, derandomize=True, max_examples=60, database=None)

LEVELS = [1, 2, 3, 4, 5]
RATERS = """rater_id,gender,race
r1,woman,black
r2,woman|non_binary,white
r3,man,black|asian
r4,man,
"""
RATINGS = "item_id,rater_id,harm\n" + "".join(
    f"i{i},r{r},{(i * r) % 5 + 1}\n" for i in range(1, 5) for r in range(1, 5)
)


def default_items() -> list[dict[str, Any]]:
    return [{"item_id": f"i{n}", "prompt_id": f"p{n % 2}", "text": f"text {n}", "lang": "en"} for n in range(1, 5)]


def default_recipe() -> dict[str, Any]:
    return {
        "dataset": "tiny",
        "title": "Tiny",
        "licence": "Apache-2.0",
        "citation": "Nobody (2026).",
        "files": {name: {"path": name} for name in ("items.jsonl", "raters.csv", "ratings.csv")},
        "scales": {"bad": {"levels": LEVELS, "labels": list("abcde"), "direction": "lower"}},
        "items": {"file": "items.jsonl", "id": "item_id", "fields": ["prompt_id", "text", "lang"]},
        "raters": {
            "file": "raters.csv",
            "id": "rater_id",
            "axes": {"gender": "gender", "race": "race"},
            "separator": "|",
        },
        "ratings": {
            "file": "ratings.csv",
            "item": "item_id",
            "rater": "rater_id",
            "dimensions": {"harm": {"column": "harm", "scale": "bad"}},
        },
    }


def default_task() -> dict[str, Any]:
    return {
        "task": "tiny_rate",
        "tag": ["tiny_tag"],
        "dataset": "tiny",
        "mode": "rate",
        "dimension": "harm",
        "doc_to_text": "Rate.\n{{ text }}\n{{ options }}\n",
        "doc_to_choice": LEVELS,
        "groups": {"axes": ["gender", "race", ["gender", "race"]], "min_raters": 1},
        "metadata": {"version": 1.0},
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


@dataclass
class Suite:
    """What the files will hold; :meth:`write` writes them, with the right checksums unless one is set."""

    root: Path
    task: dict[str, Any] = field(default_factory=default_task)
    recipe: dict[str, Any] = field(default_factory=default_recipe)
    items: list[dict[str, Any]] = field(default_factory=default_items)
    raters: str = RATERS
    ratings: str = RATINGS

    @property
    def folder(self) -> Path:
        return self.root / "tiny"

    @property
    def task_path(self) -> Path:
        return self.folder / "rate.yaml"

    @property
    def recipe_path(self) -> Path:
        return self.folder / "dataset.yaml"

    def write(self) -> Suite:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "items.jsonl").write_text("".join(json.dumps(i) + "\n" for i in self.items))
        (self.folder / "raters.csv").write_text(self.raters)
        (self.folder / "ratings.csv").write_text(self.ratings)
        for spec in self.recipe["files"].values():
            path = self.folder / str(spec.get("path"))
            if is_file(path):
                spec.setdefault("sha256", hashlib.sha256(path.read_bytes()).hexdigest())
        for path, data in ((self.task_path, self.task), (self.recipe_path, self.recipe)):
            path.write_text(yaml.dump(data, Dumper=_Dumper, sort_keys=False))
        return self

    def line(self, text: str, path: Path | None = None) -> int:
        """Return the line of the task file (or `path`) that starts with `text`."""
        lines = (path or self.task_path).read_text().splitlines()
        return 1 + next(n for n, line in enumerate(lines) if line.strip().startswith(text))

    def respond(self, **keys: Any) -> Suite:
        """Make the task a respond task."""
        self.task |= {"mode": "respond", "doc_to_text": "{{ text }}", "scorers": ["profanity"]} | keys
        self.task.pop("doc_to_choice")
        return self

    def findings(self) -> list[str]:
        """Write and return the findings, the folder's name cut off."""
        self.write()
        found = check_task(load_yaml(self.task_path), Index([self.root]))
        return [f.replace(f"{self.folder}/", "") for f in found.findings]

    def load(self) -> LoadedTask:
        self.write()
        return load_task(load_yaml(self.task_path), Index([self.root]))

    def validate(self, *words: str) -> int:
        """Run the command on the suite; an empty `words` means its task."""
        return main(["validate", *(words or ("tiny_rate",)), "--include_path", str(self.root)])
