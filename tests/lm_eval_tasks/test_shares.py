"""Stock lm-eval on a task with shares of answers: the same numbers as ``lm-plural run``."""

from __future__ import annotations

from pathlib import Path

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from lm_plural.harness.lm_eval_tasks.folder import folder
from lm_plural.harness.lm_eval_tasks.numbers import numbers
from lm_plural.harness.task.index import Index
from tests.lm_eval_tasks.conftest import PRECISION
from tests.opinions import Opinions, results_in

NAME = "opinions_opinion"


def test_every_number_is_that_of_lm_plural_run(tiny_model: Path, tmp_path: Path) -> None:
    opinions = Opinions(tmp_path / "tasks")
    opinions.task["elicitation"]["max_off_scale"] = 1.0
    model = f"pretrained={tiny_model},{PRECISION}"
    assert opinions.run(tmp_path / "out", "--model_args", model, model="hf") == 0
    ours = numbers(results_in(tmp_path / "out")["disaggregated"][NAME])
    place = folder(Index([opinions.root]), lambda e: pytest.fail(str(e)))
    manager = TaskManager(include_path=str(place), include_defaults=False)
    theirs = simple_evaluate("hf", model_args=model, tasks=[NAME], task_manager=manager, device="cpu")
    found = {k.removesuffix(",none"): v for k, v in theirs["results"][NAME].items() if k.endswith(",none")}
    given = {k: v for k, v in found.items() if k in ours}
    assert given.keys() == ours.keys()
    assert {"js_similarity", "js_similarity:country=There", "w1_alignment:country=Here_stderr"} <= given.keys()
    assert given == pytest.approx(ours, abs=1e-6, rel=0)
    assert theirs["higher_is_better"][NAME]["tv:country=Here"] is False
    assert "no_raters: only the group's shares are known" in theirs["configs"][NAME]["metadata"]["flags"]["all"]
