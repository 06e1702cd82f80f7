"""Stock lm-eval on our tasks: the same numbers as ``lm-plural run``, in lm-eval's own files and table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.lm_eval_tasks.numbers import numbers
from lm_plural.harness.lm_eval_tasks.task import PluralTask
from tests.lm_eval_tasks.conftest import LIMIT, Theirs
from tests.suite import Suite

TASKS = ("asked_rate", "asked_respond")


def given(results: dict[str, Any], task: str) -> dict[str, Any]:
    """Return lm-eval's numbers by name: what ends in ,none, less what it adds to each of them itself."""
    found = {k.removesuffix(",none"): v for k, v in results["results"][task].items() if k.endswith(",none")}
    return {k: v for k, v in found.items() if not k.endswith("_stderr_stderr") and not k.startswith("plural_docs")}


@pytest.mark.parametrize("task", TASKS)
def test_every_number_is_that_of_lm_plural_run(task: str, ours: dict[str, Any], theirs: Theirs) -> None:
    block = ours["disaggregated"][task]
    wanted, found = numbers(block), given(theirs.results, task)
    assert {k: v for k, v in found.items() if v == "N/A"} == {
        k: v for k, v in wanted.items() if k in found and v == "N/A"
    }
    known = {k: v for k, v in found.items() if v != "N/A"}
    assert len(known) > 50
    assert known == pytest.approx({k: wanted[k] for k in known}, abs=1e-6, rel=0)


@pytest.mark.parametrize("task", TASKS)
def test_no_number_of_a_group_is_left_out_that_could_be_given(task: str, ours: dict[str, Any], theirs: Theirs) -> None:
    block = ours["disaggregated"][task]
    people = {"item_mean"} | {n for n in numbers(block) if n.startswith("item_mean")}
    left_out = {n for n, v in numbers(block).items() if v != "N/A"} - given(theirs.results, task).keys() - people
    assert left_out == set()


def test_a_table_row_shows_the_group_and_our_standard_error(ours: dict[str, Any], theirs: Theirs) -> None:
    number = ours["disaggregated"]["asked_rate"]["axes"]["gender"]["groups"]["woman"]["divergence"]
    (row,) = [line for line in theirs.table.splitlines() if "|divergence:gender=woman " in line]
    assert [cell.strip() for cell in row.split("|")[5:-1]] == [
        "divergence:gender=woman",
        "↓",
        f"{number['value']:.4f}",
        "±",
        f"{number['se']:.4f}",
    ]
    assert "asked_rate (SIMULATED RATERS)" in theirs.table


def test_what_is_refused_says_why_in_the_results(theirs: Theirs) -> None:
    flags = theirs.results["configs"]["asked_rate"]["metadata"]["flags"]
    lost = [k for k, v in given(theirs.results, "asked_rate").items() if v == "N/A" and not k.endswith("_stderr")]
    assert lost
    assert all(flags[name.partition(":")[2] or "all"] for name in lost)


@pytest.mark.parametrize("task", TASKS)
def test_the_results_say_what_was_run_on_what(task: str, theirs: Theirs) -> None:
    assert theirs.results["configs"][task]["metadata"]["simulated_raters"] is True
    assert theirs.results["versions"][task] == 2.0
    assert (
        theirs.results["n-samples"][task]["effective"] == theirs.results["results"][task]["plural_docs,none"] == LIMIT
    )


def test_samples_hold_prompts_answers_and_payloads(theirs: Theirs) -> None:
    rate, respond = (theirs.samples(t) for t in TASKS)
    assert len(rate) == len(respond) == LIMIT
    first = rate[0]["arguments"]["gen_args_0"]
    assert first["arg_0"].startswith("A survey.\n\n")
    assert first["arg_0"].endswith("(E) strongly agree\nAnswer: (")
    assert first["arg_1"] == "A"
    answers = rate[0]["plural_docs"]["answers"]
    assert [len(a) for a in answers] == [5] * 8  # two wordings in two orders, plain and as a woman
    assert respond[0]["plural_docs"]["answers"] == respond[0]["resps"][0]
    assert {s["part"] for s in respond[0]["plural_docs"]["scores"]} == {"0", "reference"}


def test_responses_do_not_end_at_an_empty_line_that_the_task_does_not_name(theirs: Theirs) -> None:
    assert theirs.samples("asked_respond")[0]["arguments"]["gen_args_0"]["arg_1"] == {"max_gen_toks": 6}


def test_prompts_go_through_the_chat_template_if_lm_eval_says_so(asked: Path) -> None:
    task = PluralTask({"task": "asked_rate", "include_path": [str(asked)]})
    doc = task.docs[0]
    contexts = task.fewshot_context(
        doc, 0, system_instruction="Be brief.", apply_chat_template=True, chat_template=lambda m: f"{m}<assistant>"
    )
    assert len(contexts) == len(task.plan[doc["id"]])
    text = task.doc_to_text(doc).strip()
    messages = [{"role": "system", "content": "Be brief.\n\nA survey."}, {"role": "user", "content": text}]
    assert contexts[0] == f"{messages}<assistant>Answer: ("


def test_a_task_without_its_data_is_one_line(suite: Suite) -> None:
    suite.recipe["files"]["ratings.csv"] = {"path": "gone.csv", "sha256": "0" * 64}
    suite.write()
    with pytest.raises(Exception, match=r"dataset.yaml:\d+: data set 'tiny': no file gone.csv") as caught:
        PluralTask({"task": "tiny_rate", "include_path": [str(suite.root)]})
    assert "\n" not in str(caught.value)


def test_a_task_that_is_not_valid_is_one_line(suite: Suite) -> None:
    suite.task["doc_to_text"] = "{{ txet }}"
    suite.write()
    with pytest.raises(Exception, match=r"rate.yaml:\d+: template: no field 'txet'; did you mean 'text'"):
        PluralTask({"task": "tiny_rate", "include_path": [str(suite.root)]})


def test_an_unknown_task_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unknown task 'tiny_rat'"):
        PluralTask({"task": "tiny_rat", "include_path": [str(tmp_path)]})
