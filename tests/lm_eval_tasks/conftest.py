"""A rate and a respond task on the demo's data whose answers can be equal: no limit on off-scale mass, no sampling."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_plural.harness.cli.main import main
from lm_plural.harness.result.read import read_content

COMMON = {"tag": ["asked"], "dataset": "plural_demo", "dimension": "toxicity", "metadata": {"version": 2.0}}
RATE = COMMON | {
    "task": "asked_rate",
    "mode": "rate",
    "doc_to_text": "{{ response[:60] }}\n{{ options }}\n",
    "paraphrases": ["Reply: {{ response[:60] }}\n{{ options }}\n"],
    "steer": {"axis": "gender", "groups": ["woman"]},
    "description": "A survey.",
    "doc_to_choice": [1, 2, 3, 4, 5],
    "gen_prefix": "Answer: (",
    "target_delimiter": "",
    "elicitation": {"codings": ["letters"], "max_off_scale": 1.0},
    "groups": {"axes": ["gender", ["gender", "politics"]], "min_raters": 5},
}
RESPOND = COMMON | {
    "task": "asked_respond",
    "mode": "respond",
    "items": {"language": "en"},
    "doc_id": "prompt_id",
    "doc_to_text": "{{ prompt }}",
    "doc_to_target": "response",
    "generation_kwargs": {"max_gen_toks": 6},
    "scorers": ["profanity"],
    "groups": {"axes": ["gender", "country"], "min_raters": 5},
}
LIMIT = 5
#: In double precision neither batches nor the ways to compute logits matter.
PRECISION = "dtype=float64"


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the two tasks."""
    root = tmp_path_factory.mktemp("asked")
    for task in (RATE, RESPOND):
        (root / f"{task['task']}.yaml").write_text(yaml.safe_dump(task, sort_keys=False))
    return root


@pytest.fixture(scope="session")
def include_path(asked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``lm-plural ls --lm-eval-path`` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "lm_plural", "ls", "--lm-eval-path", "--include_path", asked],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LM_PLURAL_CACHE": str(tmp_path_factory.mktemp("cache"))},
    )
    assert done.stderr == ""
    return Path(done.stdout.rstrip("\n"))


@pytest.fixture(scope="session")
def ours(tiny_model: Path, asked: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results of ``lm-plural run``."""
    out = tmp_path_factory.mktemp("ours")
    model = ["--model_args", f"pretrained={tiny_model},{PRECISION}", "--apply_chat_template", "false"]
    tasks = ["--tasks", "asked", "--include_path", asked, "--limit", LIMIT, "--seed", 1]
    assert main(["run", *model, *map(str, tasks), "-o", str(out)]) == 0
    (path,) = out.glob("*/results_*.json")
    return read_content(path)


@pytest.fixture(scope="session")
def theirs(tiny_model: Path, include_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """Results, table and samples of stock ``lm_eval``, in a process of its own as a user has it."""
    out = tmp_path_factory.mktemp("theirs")
    model = ["--model", "hf", "--model_args", f"pretrained={tiny_model},{PRECISION}", "--device", "cpu"]
    tasks = ["--tasks", "asked", "--include_path", include_path, "--limit", LIMIT]
    command = [sys.executable, "-m", "lm_eval", *model, *tasks, "--log_samples", "--output_path", out]
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Theirs(results_in(out), done.stdout, out)


class Theirs:
    """What stock lm-eval made."""

    def __init__(self, results: dict[str, Any], table: str, out: Path) -> None:
        self.results, self.table, self.out = results, table, out

    def samples(self, task: str) -> list[dict[str, Any]]:
        (path,) = self.out.glob(f"*/samples_{task}_*.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()]


def results_in(out: Path) -> dict[str, Any]:
    (path,) = out.glob("*/results_*.json")
    return json.loads(path.read_text(), parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
