"""lm-eval's dummy model, whose answers are random, on every task whose data are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from lm_plural.harness.lm_eval_tasks.folder import folder
from lm_plural.harness.task.check import check_task
from lm_plural.harness.task.index import Index
from tests.conftest import ROOT
from tests.suite import Suite
from tests.tasks.invented import with_invented

#: Data sets without tasks of their own.
STAND_INS = {"dices_350_overall", "dices_990_overall"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "cache"))


def dummy(index: Index, *tasks: str, **more: Any) -> dict[str, Any]:
    manager = TaskManager(include_path=str(folder(index, lambda e: pytest.fail(str(e)))), include_defaults=False)
    found: dict[str, Any] = simple_evaluate("dummy", tasks=list(tasks), task_manager=manager, **more)
    return found


def at_hand(index: Index) -> list[str]:
    return [name for name, document in index.tasks.items() if not check_task(document, index).data_missing]


def test_every_task_at_hand_gives_numbers() -> None:
    index = Index()
    names = at_hand(index)
    assert {"plural_demo_toxicity", "plural_demo_respond"} <= set(names)
    results = dummy(index, *names, limit=3)
    for name in names:
        values = [v for k, v in results["results"][name].items() if k.endswith(",none") and "_stderr" not in k]
        some = sum(isinstance(v, float) for v in values) > 3
        assert some != (name == "plural_demo_respond_de"), name  # its scorer covers English alone: no number is made up
    assert "plural_demo_toxicity (SIMULATED RATERS)" in make_table(results)


def test_every_task_of_the_suite_gives_numbers_on_invented_rows(tmp_path: Path) -> None:
    """All data sets whose invented files lie ready (those of three are made by their own tests)."""
    here = ROOT / "tests" / "tasks" / "invented"
    for files in sorted(p for p in here.iterdir() if p.is_dir()):
        with_invented(files.name, files, tmp_path / "suite")
    index = Index([tmp_path / "suite"])
    names = [n for n in at_hand(index) if index.tasks[n].path.is_relative_to(tmp_path)]
    used = {str(index.tasks[n].data["dataset"]) for n in names}
    ready = {p.name for p in here.iterdir() if p.is_dir()}
    assert used == ready - {"measuring_hate_speech", "opinion_qa", "sbic"} - STAND_INS
    results = dummy(index, *names, limit=2)
    for name in names:
        assert results["results"][name]["plural_docs,none"] == 2, name


def test_lm_eval_chooses_samples(suite: Suite) -> None:
    suite.write()
    results = dummy(Index([suite.root]), "tiny_rate", samples={"tiny_rate": [1, 3]})
    assert [s["plural_docs"]["id"] for s in results["samples"]["tiny_rate"]] == ["i2", "i4"]
    assert results["results"]["tiny_rate"]["plural_docs,none"] == 2


def test_predictions_only_are_stored_without_numbers(suite: Suite) -> None:
    suite.write()
    results = dummy(Index([suite.root]), "tiny_rate", predict_only=True)
    assert len(results["samples"]["tiny_rate"]) == 4
    assert not [k for k in results["results"]["tiny_rate"] if "divergence" in k]


def test_repeats_are_lm_evals_and_all_of_them_count(suite: Suite) -> None:
    suite.respond(repeats=3, generation_kwargs={"do_sample": True, "temperature": 1.0}).write()
    results = dummy(Index([suite.root]), "tiny_rate")
    payload = results["samples"]["tiny_rate"][0]["plural_docs"]
    assert payload["answers"] == ["lol"] * 3
    assert {s["part"] for s in payload["scores"]} == {"0", "1", "2"}


def test_repeats_without_sampling_are_refused(suite: Suite) -> None:
    suite.respond(repeats=3, generation_kwargs={"do_sample": True, "temperature": 1.0}).write()
    with pytest.raises(Exception, match="3 repeats without sampling would be copies"):
        dummy(Index([suite.root]), "tiny_rate", gen_kwargs={"do_sample": False, "temperature": 0.0})


def test_a_comma_in_the_name_of_a_group_does_not_end_the_name_of_a_number(suite: Suite) -> None:
    suite.raters = suite.raters.replace("r1,woman,black", 'r1,woman,"black, African"')
    suite.write()
    results = dummy(Index([suite.root]), "tiny_rate")
    assert isinstance(results["results"]["tiny_rate"]["bias:race=black; African,none"], float)
    assert "bias:race=black; African " in make_table(results)


def test_few_examples_asked_for_are_not_shown(suite: Suite) -> None:
    suite.write()
    results = dummy(Index([suite.root]), "tiny_rate", num_fewshot=2)
    assert results["n-shot"]["tiny_rate"] == 0
