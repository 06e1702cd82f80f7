"""What a person writes in YAML, broken; and the door of task files."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.attack import mutate
from tests.attack.breaks import HOW_MANY, break_yaml
from tests.attack.door import Door, FaultError, Runner
from tests.opinions import Opinions
from tests.suite import Suite, default_task

#: A JSON document is no file of lines: of what is at odds with it the row is said, or that it has none.
FINDING = re.compile(r"\S.*:\d+: \S|\S+\.json: (row \d+: \S|no '|expected a list|records have)")
#: A run of a handful of made-up answers, with as little arithmetic as can be.
FEW = ("--model", "dummy", "--inference", "none", "--draws", "100", "--permutations", "1")


class Dumper(yaml.SafeDumper):
    """Writes infinities, long numbers and odd characters as they are."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def dumped(content: Any) -> str:
    return yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000)


#: What goes into templates: mistakes, escapes, and things that take long or much.
TEMPLATES = [
    "{{ nowhere }}",
    "{{ text",
    "{% for x in y %}",
    "{{ text.__class__.__mro__ }}",
    "{{ text | nofilter }}",
    "{{ 1 / 0 }}",
]
TEMPLATES += [
    "{% for i in range(100000) %}x{% endfor %}",
    "{{ 'x' * 10000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ text[99] }}",
    "{{ options }}",
]
TEMPLATES += [
    "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "{{ 'x'.center(10000000) }}",
    "{{ lipsum(n=999) }}",
]
TEMPLATES += [
    "{% set x = namespace(a='ab') %}{% for i in range(40) %}{% set x.a = x.a ~ x.a %}{% endfor %}{{ x.a }}",
    "{{ self }}",
    "{{ loop }}",
]
TEMPLATES += [
    "{% include 'x' %}",
    "{% import 'os' as os %}",
    "{% raw %}",
    "{{ cycler }}",
    "{{ text | replace('', 'x' * 1000) }}",
    "{# ",
    "{{ '%999999999d' % 1 }}",
]


def broken(rng: Random, content: dict[str, Any], templates: list[tuple[Any, ...]]) -> tuple[dict[str, Any], str]:
    """Return a document that is broken in one place, and what is wrong for sure, if so."""
    if templates and rng.random() < 0.12:
        out = copy.deepcopy(content)
        for way in templates:
            if way[0] in out:
                out[way[0]] = rng.choice([str(out[way[0]]), ""]) + rng.choice(TEMPLATES)
        return out, ""
    out, how, way = mutate.tree(rng, content)
    free = {
        "metadata",
        "generation_kwargs",
        "items",
        "scorers",
        "filters",
        "axes",
        "levels",
        "gen_kwargs",
        "model_args",
        "files",
        "tables",
        "scales",
    }
    free |= {"dimensions", "columns", "where", "groups"}
    doomed = "an unknown key" if how == "unknown key" and not free & set(way[:-1]) else ""
    return out, doomed


def written_yaml(
    rng: Random, content: dict[str, Any], templates: list[tuple[Any, ...]] | None = None
) -> tuple[bytes, bool, str]:
    """Return a YAML file, whether nothing is wrong with it, and what is wrong for sure, if so."""
    many, reasons, odd = rng.choice(HOW_MANY), [], 0
    for _ in range(many):
        if rng.random() < 0.65 and isinstance(content, dict):
            content, doomed = broken(rng, content, templates or [])
            reasons.append(doomed)
        else:
            odd += 1
    text = dumped(content)
    for _ in range(odd):
        text = break_yaml(rng, text)
    raw = mutate.encoded(text)
    if many and rng.random() < 0.1:
        raw, odd = mutate.flipped(rng, raw), 1
    return raw, not many, reasons[0] if many == 1 and not odd and reasons else ""


def validated(run: Runner, *words: object, valid: bool, doomed: str) -> bool:
    """Run ``validate``: 0, or 2 with findings that say file and line."""
    answer = run("validate", *words, findings=True, valid=valid, doomed=doomed)
    *found, last = answer.out.splitlines() or [""]
    said = [line for line in answer.err.splitlines() if not line.startswith("lm-plural validate: note: ")]
    if answer.code == 0 and (found or said):
        raise FaultError("traceback", f"valid, and yet: {[*found, *said][0]}")
    if answer.code and not said and not found:
        raise FaultError("traceback", f"exit code {answer.code} without a finding")
    if answer.code == 1 or any(not line.startswith("lm-plural validate: error: ") for line in said):
        raise FaultError(
            "traceback", f"exit code {answer.code}; expected 2 with findings: {' | '.join([*said, *found])[:200]}"
        )
    if wrong := [line for line in found if not FINDING.match(line)]:
        raise FaultError("traceback", f"a finding without file and line: {wrong[0]}")
    if not said and not re.fullmatch(r"\d+ valid, \d+ invalid tasks, \d+ findings", last):
        raise FaultError("traceback", f"no count of findings: {last!r}")
    return answer.code == 0


# --- tasks


def _suites(folder: Path, run: Runner) -> list[tuple[Path, dict[str, Any]]]:
    """Write data sets, and return folders and valid tasks of all kinds."""
    rate = Suite(folder / "rate").write()
    respond = Suite(folder / "respond").respond(doc_id="prompt_id", generation_kwargs={"max_gen_toks": 8}).write()
    shares = Opinions(folder / "opinions").write()
    full = default_task() | {
        "paraphrases": ["How bad? {{ text }}\n{{ options }}\n"],
        "elicitation": {"codings": ["letters", "levels"], "orders": ["ascending"], "max_off_scale": 1.0},
        "items": {"lang": "en"},
        "gen_prefix": "Answer:",
        "description": "Be frank.",
        "steer": "gender",
        "coarsen": {"levels": 2, "neutral": "up"},
        "weights": "pairs",
    }
    found = [(rate.root, rate.task), (respond.root, respond.task), (shares.root, shares.task), (rate.root, full)]
    for suite in (rate, respond):  # imports take seconds
        run("run", *FEW, "--tasks", suite.task_path, "-o", folder / "out", valid=True)
    for root in {root for root, _ in found}:
        for path in [*root.rglob("rate.yaml"), *root.rglob("opinion.yaml")]:
            path.unlink()
    return found


def tasks(rng: Random, run: Runner, shared: list[tuple[Path, dict[str, Any]]]) -> bool:
    """Attack task files through ``validate``; some of those it takes are run, and must run."""
    root, task = rng.choice(shared)
    raw, valid, doomed = written_yaml(rng, task, [("doc_to_text",), ("description",), ("gen_prefix",)])
    Path("task.yaml").write_bytes(raw)
    taken = validated(run, "task.yaml", "--include_path", root, valid=valid, doomed=doomed)
    if taken and rng.random() < 0.25:
        answer = run("run", *FEW, "--tasks", "task.yaml", "--include_path", root, "-o", "out")
        if answer.code and not any(
            word in answer.err for word in ("off the scale", "off-scale", "generation argument", "copies")
        ):
            raise FaultError("difference", f"valid, but does not run: {answer.err}")
    return taken


DOORS = [Door("task", 110, tasks, _suites)]
