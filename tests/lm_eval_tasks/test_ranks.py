"""Docs spread over ranks: numbers are made of all payloads, in whatever order and from wherever they come."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lm_plural.harness.lm_eval_tasks.gathered import Payload, result
from lm_plural.harness.lm_eval_tasks.numbers import numbers
from lm_plural.harness.lm_eval_tasks.task import PluralTask
from tests.conftest import ROOT
from tests.lm_eval_tasks.conftest import Theirs
from tests.suite import Suite, quick

TASKS = ("asked_rate", "asked_respond")


@pytest.fixture(scope="module")
def tasks(asked: Path) -> dict[str, PluralTask]:
    return {name: PluralTask({"task": name, "include_path": [str(asked)]}) for name in TASKS}


def payloads_of(theirs: Theirs, task: str) -> list[Payload]:
    return [sample["plural_docs"] for sample in theirs.samples(task)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[PluralTask, list[Payload]]:
    """A task of eight items with invented answers."""
    suite = Suite(tmp_path_factory.mktemp("small"))
    suite.items = [{"item_id": f"i{n}", "prompt_id": "p", "text": f"text {n}", "lang": "en"} for n in range(8)]
    lines = [f"i{i},r{r},{(i * r) % 5 + 1}\n" for i in range(8) for r in range(1, 5)]
    suite.ratings = "item_id,rater_id,harm\n" + "".join(lines)
    suite.write()
    task, rng = PluralTask({"task": "tiny_rate", "include_path": [str(suite.root)]}), np.random.default_rng(0)
    answers = {i: [(rng.random(5) - 3).tolist() for _ in requests] for i, requests in task.plan.items()}
    return task, [{"id": i, "answers": a} for i, a in answers.items()]


@hypothesis.settings(quick, max_examples=12)
@hypothesis.given(data=st.data())
def test_order_and_ranks_change_nothing(data: st.DataObject, small: tuple[PluralTask, list[Payload]]) -> None:
    task, payloads = small
    shuffled = data.draw(st.permutations(payloads))
    cut = data.draw(st.integers(0, len(payloads)))
    ranks = [pickle.loads(pickle.dumps(part)) for part in (shuffled[:cut], shuffled[cut:])]
    assert result(task.loaded, task.plan, [*ranks[1], *ranks[0]]) == result(task.loaded, task.plan, payloads)


@pytest.mark.parametrize("name", TASKS)
def test_a_rank_alone_would_say_something_else(name: str, tasks: dict[str, PluralTask], theirs: Theirs) -> None:
    payloads, task = payloads_of(theirs, name), tasks[name]
    part, whole = (numbers(result(task.loaded, task.plan, p)) for p in (payloads[:3], payloads))
    assert part.keys() == whole.keys()
    assert part != whole


def test_a_doc_that_comes_twice_counts_once(tasks: dict[str, PluralTask], theirs: Theirs) -> None:
    payloads, task = payloads_of(theirs, "asked_rate"), tasks["asked_rate"]
    assert result(task.loaded, task.plan, [*payloads, payloads[0]]) == result(task.loaded, task.plan, payloads)


def test_two_ranks_of_lm_eval_give_the_numbers_of_one(
    tiny_model: Path, include_path: Path, theirs: Theirs, tasks: dict[str, PluralTask], tmp_path: Path
) -> None:
    out = tmp_path / "results.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.lm_eval_tasks.rank", *map(str, (tiny_model, include_path, out))]
    ranks = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for rank in "01"
    ]
    errors = [rank.communicate(timeout=300)[1] for rank in ranks]
    assert [r.returncode for r in ranks] == [0, 0], errors[0][-2000:] + errors[1][-2000:]
    content: dict[str, Any] = json.loads(out.read_text())
    for name in TASKS:
        assert content["seen"][name] == [0, 2, 1]  # the first rank's docs, then the second's
        task = tasks[name]
        wanted = numbers(result(task.loaded, task.plan, payloads_of(theirs, name)[:3]))
        found = {k.removesuffix(",none"): v for k, v in content["results"][name].items() if isinstance(v, float)}
        assert len(found) > 50
        assert found == pytest.approx({k: wanted[k] for k in found}, abs=1e-6, rel=0)
