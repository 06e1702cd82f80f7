from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.data.find import at_hand
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import load_task
from tests.suite import Suite

Capture = pytest.CaptureFixture[str]


def listed(capsys: Capture, *words: object) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows as JSON and what was said on stderr."""
    assert main(["ls", *map(str, words), "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err.splitlines()


def of(rows: list[dict[str, Any]], column: str) -> list[Any]:
    return [row[column] for row in rows]


TINY = {
    "task": "tiny_rate",
    "at hand": "yes",
    "mode": "rate",
    "dimension": "harm",
    "dataset": "tiny",
    "tags": "tiny_tag",
}


def test_tasks_are_listed_by_name_with_the_built_in_ones_those_at_hand_first(suite: Suite, capsys: Capture) -> None:
    suite.write()
    rows, err = listed(capsys, "tasks", "--include_path", suite.root)
    order = ["yes", "stand-in", "fetch", "by hand"]
    assert [(row["at hand"], row["task"]) for row in rows] == sorted(
        ((row["at hand"], row["task"]) for row in rows), key=lambda pair: (order.index(pair[0]), pair[1])
    )
    assert TINY in rows
    assert "plural_demo_respond" in of(rows, "task")
    assert err == []


def state(suite: Suite, capsys: Capture, *words: object) -> str:
    """Return what is said of the tiny task's data."""
    suite.write()
    rows, _ = listed(capsys, "tasks", "--include_path", suite.root, *words)
    (row,) = [r for r in rows if r["task"] == "tiny_rate"]
    return str(row["at hand"])


def test_a_task_says_how_its_data_can_be_had(suite: Suite, capsys: Capture, tmp_path: Path) -> None:
    suite.recipe["files"]["ratings.csv"] = far = {"path": "far.csv", "sha256": "0" * 64}
    assert state(suite, capsys) == "by hand"
    far["url"] = "https://example.org/far.csv"
    assert state(suite, capsys) == "fetch"
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    (tmp_path / "mirror" / "tiny" / "far.csv").write_text("")
    assert state(suite, capsys, "--mirror", tmp_path / "mirror") == "yes"


def test_one_file_that_only_a_person_can_bring_is_enough_for_by_hand(suite: Suite, capsys: Capture) -> None:
    suite.recipe["files"] |= {
        "far.csv": {"path": "far.csv", "sha256": "0" * 64, "url": "https://example.org/far.csv"},
        "gone.csv": {"path": "gone.csv", "sha256": "0" * 64},
    }
    assert state(suite, capsys) == "by hand"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "stand-in"),
        ({"dimension": "unkind"}, "by hand"),
        ({"steer": "age"}, "by hand"),
        ({"steer": "gender"}, "stand-in"),
    ],
)
def test_another_copy_stands_in_for_data_that_are_not_at_hand_if_it_has_what_the_task_needs(
    suite: Suite, capsys: Capture, keys: dict[str, Any], expected: str
) -> None:
    copy = Suite(suite.root)
    copy.recipe["dataset"] = "copy"
    copy.write()
    copy.task_path.unlink()
    copy.folder.rename(suite.root / "copy")
    suite.recipe |= {"stand_in": "copy"}
    suite.recipe["files"]["ratings.csv"] = {"path": "gone.csv", "sha256": "0" * 64}
    suite.task |= keys
    assert state(suite, capsys) == expected


@pytest.mark.parametrize(
    "recipe", ["files: [\n", "files: [a]\n", "files: {a: {path: 5}}\n", "files: {a: {}}\n", "a: b\n"]
)
def test_a_task_whose_recipe_cannot_be_read_is_listed_last(suite: Suite, capsys: Capture, recipe: str) -> None:
    suite.write()
    suite.recipe_path.write_text(recipe)
    rows, _ = listed(capsys, "tasks", "--include_path", suite.root)
    assert rows[-1] == TINY | {"at hand": "?"}


def test_what_is_listed_as_at_hand_is_what_a_run_takes(capsys: Capture) -> None:
    index = Index()
    for row in (r for r in listed(capsys, "tasks")[0] if r["mode"] != "contrast"):
        dataset = load_task(index.tasks[row["task"]], index).dataset
        there = at_hand(dataset.recipe.dataset, dataset.recipe.addresses, dataset.folder)
        assert (row["at hand"] in ("yes", "stand-in")) == (there == "yes")
        assert (row["at hand"] == "stand-in") == (dataset.recipe.dataset != row["dataset"])


def test_tasks_are_what_is_listed_without_a_word(capsys: Capture) -> None:
    assert listed(capsys)[0] == listed(capsys, "tasks")[0]


def test_the_table_holds_the_same_as_the_json(capsys: Capture) -> None:
    rows, _ = listed(capsys, "tasks")
    assert main(["ls", "tasks"]) == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert re.split("  +", head) == list(rows[0])
    assert [line.split()[0] for line in lines] == of(rows, "task")


@pytest.mark.parametrize("tag", ["word", 5, {"a": 1}, None])
def test_a_task_that_is_not_valid_is_still_listed(suite: Suite, capsys: Capture, tag: Any) -> None:
    suite.task |= {"tag": tag, "mode": None, "dimension": ["x"]}
    suite.write()
    rows, _ = listed(capsys, "tasks", "--include_path", suite.root)
    (row,) = [r for r in rows if r["task"] == "tiny_rate"]
    assert row["tags"] in ("word", "5", "{'a': 1}", "")


def test_a_broken_file_is_a_warning_and_the_rest_is_listed(suite: Suite, capsys: Capture) -> None:
    suite.write()
    (suite.folder / "broken.yaml").write_text("a: [\n")
    rows, err = listed(capsys, "tasks", "--include_path", suite.root)
    assert "tiny_rate" in of(rows, "task")
    assert len(err) == 1
    assert err[0].startswith(f"lm-plural ls: warning: {suite.folder}/broken.yaml:1: not valid YAML")


def test_many_yaml_files_that_are_no_tasks_are_counted(suite: Suite, capsys: Capture) -> None:
    suite.write()
    for n in range(9):
        (suite.folder / f"other{n}.yaml").write_text("services: []\n")
    _, err = listed(capsys, "tasks", "--include_path", suite.root)
    assert len(err) == 6
    assert "4 more YAML files are no tasks" in err[-1]


def test_datasets_are_listed_and_a_broken_recipe_is_a_warning(suite: Suite, capsys: Capture) -> None:
    suite.write()
    (suite.root / "other").mkdir()
    (suite.root / "other" / "dataset.yaml").write_text("dataset: other\n")
    rows, err = listed(capsys, "datasets", "--include_path", suite.root)
    by_name = {row["dataset"]: row for row in rows}
    assert by_name["tiny"] == {
        "dataset": "tiny",
        "title": "Tiny",
        "licence": "Apache-2.0",
        "dimensions": "harm",
        "raters": "people",
    }
    assert by_name["plural_demo"]["raters"] == "SIMULATED"
    assert "other" not in by_name
    assert len(err) == 1
    assert f"{suite.root}/other/dataset.yaml" in err[0]


def test_axes_are_listed_with_their_groups_and_raters(suite: Suite, capsys: Capture) -> None:
    suite.write()
    rows, _ = listed(capsys, "axes", "--include_path", suite.root)
    tiny = {(r["axis"], r["group"]): r["raters"] for r in rows if r["dataset"] == "tiny"}
    assert tiny == {
        ("gender", "woman"): 2,
        ("gender", "man"): 2,
        ("gender", "non_binary"): 1,
        ("race", "black"): 2,
        ("race", "white"): 1,
        ("race", "asian"): 1,
        ("race", "undeclared"): 1,
    }


def test_a_data_set_whose_files_are_not_at_hand_is_a_warning(suite: Suite, capsys: Capture) -> None:
    suite.recipe["files"]["ratings.csv"] = {"path": "gone.csv", "sha256": "0" * 64}
    suite.write()
    rows, err = listed(capsys, "axes", "--include_path", suite.root)
    assert "tiny" not in of(rows, "dataset")
    assert "plural_demo" in of(rows, "dataset")
    assert any("not at hand" in line and "tiny" in line for line in err)


def test_scorers_are_listed_with_their_options(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    rows, _ = listed(capsys, "scorers")
    by_name = {row["scorer"]: row for row in rows}
    assert {"detoxify", "evaluate", "hf_classifier", "profanity"} <= by_name.keys()
    assert "variant" in by_name["detoxify"]["options"]
    guard = by_name["preset:guard-qwen3-0.6b"]
    assert (guard["dimensions"], guard["languages"], guard["licence"]) == ("harm", "en, de, zh", "Apache-2.0")
    assert (guard["at hand"], by_name["preset:guard-llama"]["at hand"]) == ("pin, fetch", "by hand")
    cached = tmp_path / "models--Qwen--Qwen3Guard-Gen-0.6B" / "snapshots" / ("a" * 40)
    cached.mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    again = {row["scorer"]: row["at hand"] for row in listed(capsys, "scorers")[0]}
    wanted = ["preset:guard-qwen3-0.6b", "preset:guard-qwen3-4b", "profanity"]
    assert [again[name] for name in wanted] == ["yes", "pin, fetch", "yes"]
    assert all(row["what"] for row in rows)


def test_backends_are_listed_with_the_embedded_model(capsys: Capture) -> None:
    rows, _ = listed(capsys, "models")
    by_name = {row["backend"]: row for row in rows}
    assert {"hf", "vllm", "local-completions"} <= by_name.keys()
    assert "smollm2-demo" in by_name["hf"]["note"]


def test_measures_are_listed_in_words(capsys: Capture) -> None:
    rows, _ = listed(capsys, "measures")
    by_name = {row["measure"]: row for row in rows}
    assert by_name["equivalent_raters"] == {
        "measure": "equivalent_raters",
        "heading": "worth",
        "unit": "raters",
        "range": "from 0",
        "better": "higher",
        "raters": 2,
        "what": "The model tells as much about the group as this many of its members do.",
    }
    assert (by_name["divergence"]["range"], by_name["divergence"]["better"]) == ("-0.25 to 1", "lower")
    assert (by_name["bias"]["range"], by_name["bias"]["better"], by_name["bias"]["raters"]) == ("", "", 1)
    assert by_name["reliability"]["range"] == "up to 1"
    assert main(["ls", "measures"]) == 0
    _, _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == of(rows, "measure")


def test_an_include_path_that_is_not_there_is_a_usage_error(tmp_path, capsys: Capture) -> None:
    assert main(["ls", "tasks", "--include_path", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"lm-plural ls: error: --include_path {tmp_path}/none: no such folder\n"
