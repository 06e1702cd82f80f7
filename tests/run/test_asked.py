"""Wordings and steering on a tiny real model: journal, resume, what is asked again, the table."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lm_plural.harness.cli.main import main
from tests.jobs.test_evaluate import folder_of, lines_of, results_of, run

BASE = Path(__file__).parents[2] / "tasks" / "plural_demo" / "toxicity.yaml"
PLAIN = f"include: {BASE}\ntask: asked\nelicitation: {{codings: [levels], orders: [ascending], max_off_scale: 1.0}}\n"
PLAIN += "groups: {axes: [gender]}\n"
WORDS = 'paraphrases: ["Is it toxic? {{ response }} {{ options }} "]\n'
NO_WORDS = "paraphrases: []\n"
STEER = "steer: {axis: gender, names: {non_binary: non-binary}}\n"
JOURNAL = "samples_asked.jsonl"
#: Items asked; non-binary raters rated some of them only.
LIMIT = 9


def ask(model: Path, out: Path, text: str, *more: object) -> list[str]:
    """Run a task of that text and return the lines of its journal."""
    task = out.parent / "asked.yaml"
    task.write_text(text)
    assert run(model, out, "--tasks", task, "--limit", LIMIT, *more) == 0
    return (folder_of(out) / JOURNAL).read_text().splitlines()


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    ask(tiny_model, out, PLAIN + WORDS + STEER)
    return out


def test_every_part_is_asked_and_journaled(whole: Path) -> None:
    lines = lines_of(folder_of(whole) / JOURNAL)
    parts = {line["part"] for line in lines}
    assert {
        "levels/ascending",
        "levels/ascending/1",
        "levels/ascending/as man",
        "levels/ascending/1/as non_binary",
    } < parts
    prompts = {line["part"]: line["arguments"][0][0] for line in lines if line["item_id"] == lines[0]["item_id"]}
    said = "Answer as a person would who describes their gender as: man.\n\n"
    assert prompts["levels/ascending/1/as man"] == said + prompts["levels/ascending/1"]
    few = [line for line in lines if line["part"] == "levels/ascending/as non_binary"]
    assert 0 < len(few) < LIMIT == len({line["item_id"] for line in lines})
    assert "as: non-binary." in few[0]["arguments"][0][0]


def test_results_hold_both_blocks_and_the_table_says_them(
    whole: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    block = results_of(whole)["disaggregated"]["asked"]
    assert block["paraphrases"]["n_wordings"] == 2
    assert set(block["steered"]["groups"]) == {"man", "non_binary", "woman"}
    ask(tiny_model, whole, PLAIN + WORDS + STEER, "--tables")
    out = capsys.readouterr().out
    assert "nothing new" in out
    assert "over 2 wordings of the question: divergence" in out
    assert "[gender] asked to answer as a member of a group, the model gets\n  as " in out
    assert max(map(len, out.splitlines()[:-1])) <= 100


def test_wordings_and_groups_added_one_by_one_ask_nothing_again_and_give_the_same_answers(
    whole: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out, grown = tmp_path / "out", [[""]]
    for text in (PLAIN + NO_WORDS, PLAIN + WORDS, PLAIN + WORDS + STEER):
        grown.append(ask(tiny_model, out, text))
        assert grown[-1][: len(grown[-2])] == grown[-2] or len(grown) == 2
    assert [len(lines) for lines in grown[1:3]] == [LIMIT, 2 * LIMIT]
    assert sorted(grown[-1]) == sorted((folder_of(whole) / JOURNAL).read_text().splitlines())
    assert results_of(out)["disaggregated"] == results_of(whole)["disaggregated"]


def test_an_interrupted_run_goes_on_to_the_same_end(whole: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    journal = folder_of(out) / JOURNAL
    raw = journal.read_bytes()
    journal.write_bytes(raw[: len(raw) * 2 // 3])
    ask(tiny_model, out, PLAIN + WORDS + STEER)
    assert journal.read_bytes() == raw


def test_the_unsteered_result_is_that_of_a_task_without_steering(whole: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    before = (folder_of(out) / JOURNAL).read_bytes()
    ask(tiny_model, out, PLAIN + WORDS)
    assert (folder_of(out) / JOURNAL).read_bytes() == before
    block = results_of(out)["disaggregated"]["asked"]
    steered = results_of(whole)["disaggregated"]["asked"]
    assert block == {k: v for k, v in steered.items() if k != "steered"}


def test_score_needs_no_model_and_says_the_same(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    (whole.parent / "asked.yaml").write_text(PLAIN + WORDS + STEER)
    for path in folder_of(copy).glob("results_*"):
        path.unlink()
    assert main(["score", str(folder_of(copy))]) == 0
    assert results_of(copy)["disaggregated"] == results_of(whole)["disaggregated"]


def test_answers_to_the_last_wording_are_missed_by_score(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    task = whole.parent / "asked.yaml"
    task.write_text(PLAIN + WORDS.replace("toxic", "rude") + STEER)
    assert main(["score", str(folder_of(copy))]) == 1
    n = sum(line["part"].startswith("levels/ascending/1") for line in lines_of(folder_of(copy) / JOURNAL))
    assert f"{n} of {2 * n} answers are missing" in capsys.readouterr().err
