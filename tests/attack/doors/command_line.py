"""Doors of config files and of the command line's words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.attack import mutate
from tests.attack.breaks import HOW_MANY
from tests.attack.door import Door, Runner, differ
from tests.attack.doors.documents import FEW, written_yaml
from tests.suite import Suite

# --- config files


def _config(root: Path, rng: Random) -> dict[str, Any]:
    """Return a valid config file."""
    options: dict[str, Any] = {
        "limit": rng.choice([1, 2, 0.5]),
        "seed": rng.randrange(10**6),
        "batch_size": rng.choice([1, "auto", 7]),
        "gen_kwargs": rng.choice([{"max_gen_toks": 8, "temperature": 0.5, "do_sample": True}, "max_gen_toks=8"]),
        "system_instruction": 'Be kind: always, # and "ever"',
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
    raw, valid, doomed = written_yaml(rng, config)
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
    ratings.write_text(
        f"{head.replace('harm', 'rating')},gender\n" + "".join(f"{r},{'mw'[int(r[4]) % 2]}\n" for r in rows)
    )
    include = ["--include_path", str(suite.root)]
    few = ["--inference", "none", "--draws", "100"]
    of_file = ["--ratings", str(ratings), "--scale", "1,2,3,4,5", "--axes", "gender"]
    components = ["--rater_sd", "0.5", "--residual_sd", "1", "--item_sd", "0.3", "--items", "50", "--raters", "20"]
    return [
        [
            "run",
            "--model",
            "dummy",
            "--tasks",
            "tiny_rate",
            *include,
            "--limit",
            "1",
            "--predict_only",
            "-o",
            "out",
            "--seed",
            "3",
        ],
        [
            "run",
            "-M",
            "dummy",
            "-t",
            "tiny_rate",
            *include,
            "--samples",
            '{"tiny_rate": [0]}',
            "-o",
            "out",
            *few,
            "--axes",
            "gender",
        ],
        [
            "disaggregate",
            *of_file,
            "--min_raters",
            "1",
            *few,
            "-o",
            "out.json",
            "--columns",
            "item_id=item_id",
            "rater_id=rater_id",
            "--seed",
            "0",
        ],
        ["disaggregate", *of_file, "--coarsen", "2:up", "--weights", "pairs", "--reference", "majority", *few],
        ["plan", "--gap", "0.25", "--power", "0.8", *components],
        ["validate", "tiny_rate", *include],
        ["ls", "axes", *include],
        ["ls", "scorers", "--json"],
        ["data", "show", "tiny", *include, "--dimension", "harm", "--json"],
        ["data", "path", "tiny", *include],
        ["data", "export", "tiny", *include, "-o", "out.csv", "--private"],
        [
            "data",
            "import",
            str(ratings),
            "--to",
            "to",
            "--columns",
            "text=item_id",
            "--direction",
            "lower",
            "--axes",
            "gender",
            "--dataset",
            "mine",
        ],
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
        argv = _broken(rng, argv, options) if argv else argv
    argv = [w for w in argv if not _leaves(w)]
    return run(*argv, valid=not many, findings=argv[:1] == ["validate"]).code == 0


def _broken(rng: Random, argv: list[str], options: list[str]) -> list[str]:
    n = rng.randrange(len(argv))
    before, word, after = argv[:n], argv[n], argv[n + 1 :]
    hostile = rng.choice([w for w in mutate.WORDS if w not in OFF_LIMITS] + mutate.ODD[1:])
    odd = ["--help", "-h", "--version", "--", "-", "---", "--axes", "--x=y", "@file", "{}"]
    ways: list[Callable[[], list[str]]] = [
        lambda: before + after,
        lambda: [*before, hostile, *after],
        lambda: [*before, hostile, *after],
        lambda: [*before, str(mutate.value(rng)), *after],
        lambda: [*before, word + hostile, *after],
        lambda: [*before, word, word, *after],
        lambda: [*before, rng.choice(argv), *after],
        lambda: [*before, rng.choice(options), word, *after],
        lambda: [*before, rng.choice(odd), word, *after],
        lambda: [*before, "=".join([word, *after[:1]]), *after[1:]],
        lambda: [*before, word[:-1], *after],
        lambda: rng.sample(argv, len(argv)),
    ]
    return rng.choice(ways)()


def _leaves(word: str) -> bool:
    """Return whether a broken word would name a place outside; whole paths of the door's own are no such words."""
    return word in OFF_LIMITS or ".." in word or (word.startswith("/") and not _exists(word)) or "hub" in word


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        return False


DOORS = [Door("config", 50, configs, _config_suite), Door("words", 40, words, _words_suite)]
