"""Doors for what a person writes in YAML (tasks, recipes, config files) and on the command line."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.attack import mutate
from tests.attack.door import Door, Fault, Runner, differ
from tests.attack.table import Truth, cell, groups_of, written_csv
from tests.opinions import Opinions
from tests.suite import Suite, default_task

FINDING = re.compile(r"\S.*:\d+: \S")
HOW_MANY = (0, 1, 1, 1, 2, 2, 3)
#: A run of a handful of made-up answers, with as little arithmetic as can be.
FEW = ("--model", "dummy", "--inference", "none", "--draws", "100", "--permutations", "1")


class Dumper(yaml.SafeDumper):
    """Writes infinities, long numbers and odd characters as they are."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def dumped(content: Any) -> str:
    return yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def break_yaml(rng: Random, text: str) -> str:
    """Return YAML text that is broken, or looks so."""
    lines = text.splitlines(keepends=True)
    n = rng.randrange(len(lines)) if lines else 0

    def in_line(change: Callable[[str], str]) -> str:
        return "".join([*lines[:n], change(lines[n]), *lines[n + 1 :]])

    tags = ["!!python/object/apply:os.system [echo]", "!!binary x", "!!timestamp 2024-13-45", "!!int x", "!!set {a, b}"]
    tags += ["*nowhere", "&a [*a]", "{{ x }}", "2024-13-45", "0x_", "1:99:99", "0o9", "~", "<<: 3", "? a", "| ", "> x"]
    ways: list[Callable[[], str]] = [
        lambda: mutate.inserted(rng, text, [*mutate.ODD, "\t", ":", "- ", "{", "[", "'", '"', "#", "&x ", "*x", "---\n", "%"]),
        lambda: in_line(lambda line: line + line),
        lambda: in_line(lambda _: ""),
        lambda: in_line(lambda line: rng.choice(["  ", " ", "\t"]) + line),
        lambda: in_line(lambda line: line.lstrip()),
        lambda: in_line(lambda line: line.partition(":")[0] + ": " + rng.choice(tags) + "\n"),
        lambda: text[: rng.randrange(len(text) + 1)],
        lambda: text.replace("\n", rng.choice(["\r", "\r\n", "\x85", "\u2028"])),
        lambda: text + rng.choice(["x: [*a, *a]\n", "include: rate.yaml\n", "include: nowhere.yaml\n", "include: 3\n", "...\n---\na: 1\n"]),
        lambda: text + "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(f"{b}: &{b} [{', '.join('*' + a for _ in range(9))}]\n" for a, b in ("ab", "bc", "cd", "de", "ef", "fg")),
        lambda: text + "deep: " + "[" * rng.choice([50, 200, 5000]),
        lambda: "".join(sorted(lines, key=lambda _: rng.random())),
    ]
    return rng.choice(ways)() if lines else text


#: What goes into templates: mistakes, escapes, and things that take long or much.
TEMPLATES = ["{{ nowhere }}", "{{ text", "{% for x in y %}", "{{ text.__class__.__mro__ }}", "{{ text | nofilter }}", "{{ 1 / 0 }}"]
TEMPLATES += ["{% for i in range(100000) %}x{% endfor %}", "{{ 'x' * 10000000 }}", "{{ 9 ** 9 ** 9 }}", "{{ text[99] }}", "{{ options }}"]
TEMPLATES += ["{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", "{{ 'x'.center(10000000) }}", "{{ lipsum(n=999) }}"]
TEMPLATES += ["{% set x = namespace(a='ab') %}{% for i in range(40) %}{% set x.a = x.a ~ x.a %}{% endfor %}{{ x.a }}", "{{ self }}", "{{ loop }}"]
TEMPLATES += ["{% include 'x' %}", "{% import 'os' as os %}", "{% raw %}", "{{ cycler }}", "{{ text | replace('', 'x' * 1000) }}", "{# ", "{{ '%999999999d' % 1 }}"]


def broken(rng: Random, content: dict[str, Any], templates: list[tuple[Any, ...]]) -> tuple[dict[str, Any], str]:
    """Return a document that is broken in one place, and what is wrong for sure, if so."""
    if templates and rng.random() < 0.12:
        out = copy.deepcopy(content)
        for way in templates:
            if way[0] in out:
                out[way[0]] = rng.choice([str(out[way[0]]), ""]) + rng.choice(TEMPLATES)
        return out, ""
    out, how, way = mutate.tree(rng, content)
    free = {"metadata", "generation_kwargs", "items", "scorers", "filters", "axes", "levels", "gen_kwargs", "model_args", "files", "tables", "scales"}
    free |= {"dimensions", "columns", "where", "groups"}
    doomed = "an unknown key" if how == "unknown key" and not free & set(way[:-1]) else ""
    return out, doomed


def _written(rng: Random, content: dict[str, Any], templates: list[tuple[Any, ...]] | None = None) -> tuple[bytes, bool, str]:
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


def _validate(run: Runner, *words: object, valid: bool, doomed: str) -> bool:
    """Run ``validate``: 0, or 2 with findings that say file and line."""
    answer = run("validate", *words, findings=True, valid=valid, doomed=doomed)
    *found, last = answer.out.splitlines() or [""]
    said = [line for line in answer.err.splitlines() if not line.startswith("lm-plural validate: note: ")]
    if answer.code == 0 and (found or said):
        raise Fault("traceback", f"valid, and yet: {[*found, *said][0]}")
    if answer.code and not said and not found:
        raise Fault("traceback", f"exit code {answer.code} without a finding")
    if answer.code == 1 or any(not line.startswith("lm-plural validate: error: ") for line in said):
        raise Fault("traceback", f"exit code {answer.code}; expected 2 with findings: {' | '.join([*said, *found])[:200]}")
    if wrong := [line for line in found if not FINDING.match(line)]:
        raise Fault("traceback", f"a finding without file and line: {wrong[0]}")
    if not said and not re.fullmatch(r"\d+ valid, \d+ invalid tasks, \d+ findings", last):
        raise Fault("traceback", f"no count of findings: {last!r}")
    return answer.code == 0


# --- tasks


def _suites(folder: Path, _run: Runner) -> list[tuple[Path, dict[str, Any]]]:
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
    for root in {root for root, _ in found}:
        for path in [*root.rglob("rate.yaml"), *root.rglob("opinion.yaml")]:
            path.unlink()
    return found


def tasks(rng: Random, run: Runner, shared: list[tuple[Path, dict[str, Any]]]) -> bool:
    """Attack task files through ``validate``; some of those it takes are run, and must run."""
    root, task = rng.choice(shared)
    raw, valid, doomed = _written(rng, task, [("doc_to_text",), ("description",), ("gen_prefix",)])
    Path("task.yaml").write_bytes(raw)
    taken = _validate(run, "task.yaml", "--include_path", root, valid=valid, doomed=doomed)
    if taken and rng.random() < 0.25:
        answer = run("run", *FEW, "--tasks", "task.yaml", "--include_path", root, "-o", "out")
        if answer.code and not any(word in answer.err for word in ("off the scale", "off-scale", "generation argument", "copies")):
            raise Fault("difference", f"valid, but does not run: {answer.err}")
    return taken


# --- recipes


WIDE = """id,split,body,marks,who,fast,best,one,two
1,test,INVENTED a,"1,2","r1,r2",no,x,INVENTED a,INVENTED b
2,test,INVENTED b,"3,3","r1,r3",no,y,INVENTED c,INVENTED d
3,train,INVENTED c,2,r2,yes,x,INVENTED e,INVENTED f
3,train,INVENTED c,2,r3,no,x,INVENTED e,INVENTED f
"""
PEOPLE = [
    {"worker": "r1", "about": {"gender": "F", "age": 20}, "black": True, "white": False, "said": "['x', 'y']"},
    {"worker": "r2", "about": {"gender": "m", "age": 40}, "black": False, "white": True, "said": "['x']"},
    {"worker": "r3", "about": {"gender": "?", "age": None}, "black": True, "white": True, "said": "[]"},
]


def _rich() -> dict[str, Any]:
    """Return a recipe that uses most steps."""
    return {
        "dataset": "rich",
        "title": "INVENTED",
        "licence": "Apache-2.0",
        "redistribution": "allowed",
        "citation": "Nobody (2026).",
        "notes": ["invented"],
        "files": {
            "wide": {"path": "wide.csv", "sha256": None},
            "people": {"path": "people.json", "sha256": None, "records": "people"},
        },
        "tables": {
            "posts": {
                "file": "wide",
                "steps": [
                    {"concat": {"columns": ["split", "id"], "separator": "-", "into": "post"}},
                    {"digest": {"columns": ["body"], "into": "short"}},
                    {"fill": {"into": "source", "value": "wide"}},
                ],
            },
            "marked": {
                "file": "posts",
                "steps": [
                    {"split": {"columns": ["marks", "who"], "separator": ","}},
                    {"explode": {"columns": ["marks", "who"], "position": "place"}},
                    {"drop": {"rule": "too fast", "where": {"fast": ["yes"]}}},
                    {"keep": {"rule": "no mark", "where": {"marks": [1, 2, 3]}}},
                    {"once": {"columns": ["post", "who"], "rule": "again"}},
                    {"join": {"table": "workers", "by": ["worker"], "columns": ["gender"]}},
                ],
            },
            "workers": {
                "file": "people",
                "steps": [
                    {"recode": {"column": "about.gender", "levels": {"F": "woman", "M": "man", "?": None}, "fold": False, "other": "keep", "into": "gender"}},
                    {"bin": {"column": "about.age", "edges": [30], "labels": ["young", "old"], "least": 1, "most": 99, "into": "age"}},
                    {"one_hot": {"columns": {"black": "Black", "white": "White"}, "into": "race"}},
                    {"literal": {"column": "said", "values": "words"}},
                ],
            },
        },
        "scales": {"bad": {"levels": [1, 2, 3], "labels": ["a", "b", "c"], "positions": [1, 2, 4], "direction": "lower"}},
        "items": {"file": "posts", "id": "post", "fields": ["body", "source"]},
        "raters": {"file": "workers", "id": "worker", "axes": {"gender": "gender", "age": "age", "race": "race"}, "separator": "|", "undeclared": ["-"]},
        "ratings": {"file": "marked", "item": "post", "rater": "who", "dimensions": {"harm": {"column": "marks", "scale": "bad"}}},
        "filters": {"first": {"about": "Only first.", "where": {"place": [1]}}},
        "rules": {"duplicates": "first", "unknown_rater": "drop"},
    }


def _ordered(recipe: dict[str, Any]) -> dict[str, Any]:
    """Put the table of workers above the one that joins it."""
    tables = recipe["tables"]
    for step in tables["marked"]["steps"]:
        if "join" in step:
            step["join"] |= {"by": ["who"]}
    tables["workers"]["steps"].append({"concat": {"columns": ["worker"], "into": "who"}})
    return recipe | {"tables": {name: tables[name] for name in ("posts", "workers", "marked")}}


def _pairs() -> dict[str, Any]:
    """Return a recipe of choices between two texts, and of a wide table."""
    rich = _rich()
    chosen = {"columns": {"x": "one", "y": "two"}, "chosen": "best", "first": "a", "second": "b", "preferred": "which", "rule": "none"}
    return rich | {
        "dataset": "rich",
        "tables": {
            "choices": {"file": "wide", "steps": [{"pairs": chosen}, {"digest": {"columns": ["a", "b"], "into": "pair"}}]},
            "long": {"file": "people", "steps": [{"unpivot": {"columns": ["black", "white"], "names": "asked", "values": "said_so"}}]},
        },
        "scales": {"better": {"levels": ["first", "second"], "direction": "lower"}},
        "items": {"file": "choices", "id": "pair", "fields": ["a", "b"]},
        "raters": {"file": "long", "id": "worker", "axes": {"gender": "about.gender"}},
        "ratings": {"file": "choices", "item": "pair", "rater": "who", "dimensions": {"choice": {"column": "which", "scale": "better"}}},
        "filters": {},
        "rules": {"unknown_rater": "undeclared", "duplicates": "first"},
    }


def _recipe_task(dimension: str, text: str, levels: list[Any]) -> dict[str, Any]:
    task = default_task() | {"task": "rich_rate", "dataset": "rich", "dimension": dimension, "doc_to_choice": levels}
    return task | {"doc_to_text": text, "groups": {"axes": ["gender"], "min_raters": 1}}


def recipes(rng: Random, run: Runner, _shared: Any) -> bool:
    """Attack recipes through ``validate``, or the files that they read through ``data show``."""
    if rng.random() < 0.4:
        return _data(rng, run)
    folder = Path("tasks/rich")
    folder.mkdir(parents=True)
    kind = rng.randrange(3)
    if kind == 2:
        shares = Opinions(Path("tasks"))
        raw, valid, doomed = _written(rng, shares.recipe)
        shares.write()
        folder, task = shares.folder, "opinion.yaml"
    else:
        recipe = _ordered(_rich()) if kind == 0 else _pairs()
        text, levels = ("{{ body }}", [1, 2, 3]) if kind == 0 else ("{{ a }} {{ b }}", ["A", "B"])
        raw, valid, doomed = _written(rng, recipe)
        (folder / "wide.csv").write_text(WIDE)
        (folder / "people.json").write_text(json.dumps({"people": PEOPLE}))
        task = "rate.yaml"
        (folder / task).write_text(dumped(_recipe_task("harm" if kind == 0 else "choice", text, levels)))
    (folder / "dataset.yaml").write_bytes(raw)
    return _validate(run, folder / task, "--include_path", "tasks", valid=valid, doomed=doomed)


def _data(rng: Random, run: Runner) -> bool:
    """Break one of the files that a simple recipe reads; counts are those of a second reader, or it is refused."""
    from tests.attack.ratings import break_csv, break_jsonl
    from tests.attack.table import BrokenError, csv_readings, jsonl_readings

    suite = Suite(Path("tasks"))
    for spec in suite.recipe["files"].values():
        spec["sha256"] = None
    ratings = [dict(zip(("item_id", "rater_id", "harm"), line.split(","), strict=True)) for line in suite.ratings.split()[1:]]
    some = rng.sample(ratings, rng.randint(1, len(ratings)))
    truth = Truth(some, "", (), ("item_id", "rater_id", "harm"))  # type: ignore[arg-type]
    texts = {"ratings.csv": written_csv(truth, rng), "raters.csv": suite.raters}
    texts["items.jsonl"] = "\n".join(json.dumps(i) for i in suite.items)
    many, which = rng.choice(HOW_MANY), rng.choice([*texts])
    for _ in range(many):
        text = texts[which]
        texts[which] = "\n".join(break_jsonl(rng, text.split("\n"))) if which == "items.jsonl" else break_csv(rng, text)
    suite.write()
    for name, text in texts.items():
        (suite.folder / name).write_bytes(mutate.encoded(text))
    answer = run("data", "show", "tiny", "--json", "--include_path", "tasks", names="tasks/tiny/" if many else "", valid=not many)
    if answer.code:
        return False
    overall = json.loads(answer.out)["tiny"]["dimensions"]["harm"]["overall"]
    raws = {name: mutate.encoded(text) for name, text in texts.items()}
    reasons = []
    for items in jsonl_readings(raws["items.jsonl"], ["item_id", "text", "prompt_id", "lang"]):
        for raters in csv_readings(raws["raters.csv"], ["rater_id", "gender", "race"]):
            for rated in csv_readings(raws["ratings.csv"], ["item_id", "rater_id", "harm"]):
                try:
                    for reading in (items, raters, rated):
                        if isinstance(reading, BrokenError):
                            raise reading
                    expected = _counted(items, raters, rated)  # type: ignore[arg-type]
                except BrokenError as e:
                    reasons.append(f"taken, in spite of: {e}")
                    continue
                found = {k: overall[k] for k in expected}
                if found == expected:
                    return True
                reasons.append(f"found {found}, expected {expected}")
    if reasons:
        raise Fault("difference", f"{which}: {reasons[0]}")
    return True


def _counted(items: list[dict[str, Any]], raters: list[dict[str, Any]], rated: list[dict[str, Any]]) -> dict[str, int]:
    """Count ratings of known items by known raters."""
    from tests.attack.table import BrokenError, level_of

    def cells(rows: list[dict[str, Any]]) -> list[dict[str, str | None]]:
        return [c for c in ({k: cell(v) for k, v in row.items()} for row in rows) if any(c.values())]

    fields = dict[str | None, Any]()
    for row in cells(items):
        if row["item_id"] is None or fields.setdefault(row["item_id"], row) != row:
            raise BrokenError("an item without id, or two with one id")
    profiles = dict[str | None, Any]()
    for row in cells(raters):
        profile = [groups_of(row[a]) for a in ("gender", "race")]
        if row["rater_id"] and profiles.setdefault(row["rater_id"], profile) != profile:
            raise BrokenError("a rater with two profiles")
    pairs = Counter[tuple[str | None, str | None]]()
    for row in cells(rated):
        item, rater, harm = row["item_id"], row["rater_id"], row["harm"]
        if item is None or rater is None:
            raise BrokenError("a row without item or rater")
        if harm is None:
            continue
        if item not in fields or rater not in profiles:
            raise BrokenError("an unknown item or rater")
        if level_of(harm, list("12345")) is None:
            raise BrokenError("a rating off the scale")
        pairs[item, rater] += 1
    if max(pairs.values(), default=2) > 1:
        raise BrokenError("no rating, or two of one item by one rater")
    return {"n_ratings": len(pairs), "n_items": len({i for i, _ in pairs}), "n_raters": len({r for _, r in pairs})}


# --- config files


def _config(root: Path, rng: Random) -> dict[str, Any]:
    """Return a valid config file."""
    options: dict[str, Any] = {
        "limit": rng.choice([1, 2, 0.5]),
        "seed": rng.randrange(10**6),
        "batch_size": rng.choice([1, "auto", 7]),
        "gen_kwargs": rng.choice([{"max_gen_toks": 8, "temperature": 0.5, "do_sample": True}, "max_gen_toks=8"]),
        "system_instruction": "Be kind: always, # and \"ever\"",
        "apply_chat_template": False,
        "log_samples": True,
        "axes": ["gender", "gender*race"],
        "draws": 200,
        "inference": "none",
        "min_raters_interval": 3,
        "include_path": [str(root)],
        "num_fewshot": 0,
    }
    chosen = {k: options[k] for k in rng.sample(sorted(options), rng.randint(1, len(options)))}
    return {"model": "dummy", "tasks": rng.choice(["tiny_rate", ["tiny_rate"]]), **chosen}


def _config_suite(folder: Path, run: Runner) -> Path:
    suite = Suite(folder).write()
    run("run", *FEW, "--tasks", suite.task_path, "-o", folder / "out")
    import lm_eval.models.huggingface  # noqa: F401  the default model, which takes seconds

    return suite.root


def configs(rng: Random, run: Runner, root: Path) -> bool:
    """Attack config files; what was understood stands in run.json."""
    config = _config(root, rng)
    raw, valid, doomed = _written(rng, config)
    Path("config.yaml").write_bytes(raw)
    words = ["run", "--config", "config.yaml", "--predict_only", "--include_path", root, "-o", "out"]
    answer = run(*words, valid=valid, doomed=doomed)
    if answer.code or not valid:
        return answer.code == 0
    (made,) = Path("out").glob("*/run.json")
    found = json.loads(made.read_text())
    kwargs = config.get("gen_kwargs", {})
    differ("seed", found["identity"]["seed"], config.get("seed", 1234))
    differ("limit", found["tasks"]["tiny_rate"]["limit"], config.get("limit"))
    differ("system_instruction", found["identity"]["system_instruction"], config.get("system_instruction"))
    differ("gen_kwargs", found["identity"]["gen_kwargs"], {"max_gen_toks": 8} if isinstance(kwargs, str) else kwargs)
    return True


# --- words


def _words_suite(folder: Path, run: Runner) -> list[list[str]]:
    """Write what commands need, and return commands that are right."""
    _config_suite(folder / "tasks", run)
    suite = Suite(folder / "tasks")
    ratings = folder / "ratings.csv"
    head, *rows = suite.ratings.split()
    ratings.write_text(f"{head.replace('harm', 'rating')},gender\n" + "".join(f"{r},{'mw'[int(r[4]) % 2]}\n" for r in rows))
    include = ["--include_path", str(suite.root)]
    few = ["--inference", "none", "--draws", "100"]
    of_file = ["--ratings", str(ratings), "--scale", "1,2,3,4,5", "--axes", "gender"]
    components = ["--rater_sd", "0.5", "--residual_sd", "1", "--item_sd", "0.3", "--items", "50", "--raters", "20"]
    return [
        ["run", "--model", "dummy", "--tasks", "tiny_rate", *include, "--limit", "1", "--predict_only", "-o", "out", "--seed", "3"],
        ["run", "-M", "dummy", "-t", "tiny_rate", *include, "--samples", '{"tiny_rate": [0]}', "-o", "out", *few, "--axes", "gender"],
        ["disaggregate", *of_file, "--min_raters", "1", *few, "-o", "out.json", "--columns", "item_id=item_id", "--seed", "0"],
        ["disaggregate", *of_file, "--coarsen", "2:up", "--weights", "pairs", "--reference", "majority", *few],
        ["plan", "--gap", "0.25", "--power", "0.8", *components],
        ["validate", "tiny_rate", *include],
        ["ls", "axes", *include],
        ["ls", "scorers", "--json"],
        ["data", "show", "tiny", *include, "--dimension", "harm", "--json"],
        ["data", "path", "tiny", *include],
        ["data", "export", "tiny", *include, "-o", "out.csv", "--private"],
        ["data", "import", str(ratings), "--to", "to", "--columns", "text=item_id", "--direction", "lower", "--axes", "gender", "--dataset", "mine"],
        ["schema", "task"],
        ["audit", "--scorer", "profanity", "--tasks", "tiny_rate", *include, "-o", "out", "--text", "text", *few],
    ]


#: Not among the words: what would reach over the network or out of the folder.
OFF_LIMITS = {"fetch", "../../x"}


def words(rng: Random, run: Runner, shared: list[list[str]]) -> bool:
    """Attack the command line: words lost, doubled, swapped, misspelt or replaced."""
    argv, many = list(rng.choice(shared)), rng.choice(HOW_MANY)
    options = [w for command in shared for w in command if w.startswith("-")]
    for _ in range(many):
        n = rng.randrange(len(argv)) if argv else 0
        hostile = rng.choice([w for w in mutate.WORDS if w not in OFF_LIMITS] + mutate.ODD[1:])
        ways: list[Callable[[], list[str]]] = [
            lambda n=n: [*argv[:n], *argv[n + 1 :]],
            lambda n=n: [*argv[:n], hostile, *argv[n + 1 :]],
            lambda n=n: [*argv[:n], hostile, *argv[n + 1 :]],
            lambda n=n: [*argv[:n], str(mutate.value(rng)), *argv[n + 1 :]],
            lambda n=n: [*argv[:n], argv[n] + hostile, *argv[n + 1 :]],
            lambda n=n: [*argv[: n + 1], *argv[n:]],
            lambda n=n: [*argv[:n], rng.choice(options), *argv[n:]],
            lambda n=n: [*argv[:n], rng.choice(["--help", "-h", "--version", "--", "-", "---", "--axes", "--x=y", "@file", "{}"]), *argv[n:]],
            lambda n=n: [*argv[:n], "=".join(argv[n : n + 2]), *argv[n + 2 :]],
            lambda n=n: [*argv[:n], argv[n][:-1], *argv[n + 1 :]],
            lambda: rng.sample(argv, len(argv)),
        ]
        argv = rng.choice(ways)() if argv else argv
    argv = [w for w in argv if not _leaves(w)]
    answer = run(*argv, valid=not many, findings=argv[:1] == ["validate"])
    return answer.code == 0


def _leaves(word: str) -> bool:
    """Return whether a broken word would name a place outside; whole paths of the door's own are no such words."""
    return word in OFF_LIMITS or ".." in word or (word.startswith("/") and not Path(word).exists()) or "hub" in word


DOORS = [
    Door("task", 110, tasks, _suites),
    Door("recipe", 80, recipes),
    Door("config", 50, configs, _config_suite),
    Door("words", 40, words, _words_suite),
]
