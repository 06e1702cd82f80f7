"""A tiny INVENTED data set of shares of answers, its recipe and a task, valid until a test breaks it in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lm_plural.harness.cli.main import main
from lm_plural.harness.documents import load_yaml
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.result.read import read_content
from lm_plural.harness.run.journal import Journal
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.plan import plan
from lm_plural.harness.task.check import check_task
from lm_plural.harness.task.elicit import Variant
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import Doc, LoadedTask, load_task

SPEC = ModelSpec("dummy", {})
#: Probabilities of an item's options.
Answer = Callable[[Doc, Variant], Sequence[float]]

ITEMS = "item,question\n" + "".join(f"q{n},INVENTED question {n}\n" for n in range(1, 5))
#: Two ordered questions, one of other places, one without order.
OPTIONS = """item,option,label,place
q1,a,yes,1
q1,b,maybe,2
q1,c,no,3
q2,a,yes,1
q2,b,no,2
q3,a,more,1
q3,b,less,2
q3,c,as much,1.5
q4,a,tea,
q4,b,coffee,
"""
SHARES = """item,axis,group,option,share
q1,country,Here,a,0.5
q1,country,Here,b,0.25
q1,country,Here,c,0.25
q1,country,There,a,0.1
q1,country,There,b,0.2
q1,country,There,c,0.7
q2,country,Here,a,0.8
q2,country,Here,b,0.2
q2,country,There,a,0.3
q2,country,There,b,0.7
q3,country,Here,a,0.2
q3,country,Here,b,0.3
q3,country,Here,c,0.5
q4,country,Here,a,1
q4,country,There,a,0.4
q4,country,There,b,0.6
"""


def default_recipe() -> dict[str, Any]:
    return {
        "dataset": "opinions",
        "title": "INVENTED opinions",
        "licence": "Apache-2.0",
        "citation": "Nobody (2026).",
        "files": {name: {"path": f"{name}.csv", "sha256": None} for name in ("items", "options", "shares")},
        "items": {"file": "items", "id": "item", "fields": ["question"]},
        "shares": {
            "options": {"file": "options", "item": "item", "option": "option", "label": "label", "position": "place"},
            "file": "shares",
            "item": "item",
            "axis": "axis",
            "group": "group",
            "option": "option",
            "share": "share",
        },
        "filters": {"no_maybe": {"about": "maybe", "where": {"label": "maybe"}}},
    }


def default_task() -> dict[str, Any]:
    return {
        "task": "opinions_opinion",
        "tag": ["opinions"],
        "dataset": "opinions",
        "mode": "rate",
        "dimension": "opinion",
        "doc_to_text": "{{ question }}\n{{ options }}\n",
        "elicitation": {"codings": ["letters"]},
        "gen_prefix": "Answer: (",
        "target_delimiter": "",
        "groups": {"axes": ["country"]},
        "metadata": {"version": 1.0},
    }


@dataclass
class Opinions:
    """What the files will hold; :meth:`write` writes them."""

    root: Path
    task: dict[str, Any] = field(default_factory=default_task)
    recipe: dict[str, Any] = field(default_factory=default_recipe)
    items: str = ITEMS
    options: str = OPTIONS
    shares: str = SHARES

    @property
    def folder(self) -> Path:
        return self.root / "opinions"

    def write(self) -> Opinions:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("items", "options", "shares"):
            (self.folder / f"{name}.csv").write_text(getattr(self, name))
        for name, data in (("opinion", self.task), ("dataset", self.recipe)):
            (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
        return self

    def findings(self) -> list[str]:
        """Write and return the findings, the folder's name cut off."""
        self.write()
        found = check_task(load_yaml(self.folder / "opinion.yaml"), Index([self.root]))
        return [f.replace(f"{self.folder}/", "") for f in found.findings]

    def recipe_lines(self) -> list[str]:
        return (self.folder / "dataset.yaml").read_text().splitlines()

    def line(self, text: str, name: str = "opinion") -> int:
        """Return the line of the task file, or another, that starts with `text`."""
        lines = (self.folder / f"{name}.yaml").read_text().splitlines()
        return 1 + next(n for n, line in enumerate(lines) if line.strip().startswith(text))

    def load(self) -> LoadedTask:
        self.write()
        return load_task(load_yaml(self.folder / "opinion.yaml"), Index([self.root]))

    def answered(self, answer: Answer) -> Work:
        """Return the task with every request answered by probabilities of the options."""
        loaded = self.load()
        requests = plan(loaded, SPEC)
        path = self.root / "samples.jsonl"
        path.unlink(missing_ok=True)
        book = Journal(path)
        book.append(
            {
                "key": r.key,
                "item_id": r.doc.id,
                "part": r.part,
                "doc": dict(r.doc.fields),
                "filtered_resps": [np.log(np.maximum(answer(r.doc, r.variant), 1e-9)).tolist()],
            }
            for r in requests
            if r.variant
        )
        book.close()
        return Work(loaded, requests, Journal(path))

    def run(self, out: Path, *words: object, model: str = "dummy") -> int:
        """Run the task as a user does."""
        self.write()
        given = ["--tasks", "opinions_opinion", "--include_path", self.root, "-o", out, *words]
        return main(["run", "--model", model, *map(str, given)])


def results_in(out: Path) -> dict[str, Any]:
    """Return the newest results below a folder."""
    return read_content(sorted(out.rglob("results_*.json"))[-1])
