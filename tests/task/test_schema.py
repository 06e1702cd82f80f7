from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_plural.harness.cli.main import main
from lm_plural.harness.documents import RECIPE
from lm_plural.harness.task.index import builtin_tasks
from tests.suite import Suite
from tests.task.json_schema import errors

BUILT_IN = sorted(p for p in builtin_tasks().rglob("*.yaml") if not p.name.startswith("_"))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"mode": "rat"}, "mode: expected 'rate' or 'respond', found 'rat'"),
        ({"task": "a b"}, "task: String should match pattern '^[A-Za-z0-9_.-]+$', found 'a b'"),
        ({"tag": "one"}, "tag: expected a list, found 'one'"),
        ({"dataset": None}, "dataset: expected text, found None"),
        ({"doc_to_text": ["a"]}, "doc_to_text: expected text, found a list"),
        ({"num_fewshot": 3}, "num_fewshot: expected 0, found 3"),
        ({"repeats": 0}, "repeats: expected greater than or equal to 1, found 0"),
        ({"repeats": "two"}, "repeats: expected integer, unable to parse string as an integer, found 'two'"),
        ({"threshold": float("nan")}, "threshold: expected a finite number, found nan"),
        ({"reference": "mode"}, "reference: expected 'all', 'mean', 'median', 'majority'"),
        ({"weights": "raters"}, "weights: expected 'items' or 'pairs', found 'raters'"),
        ({"generation_kwargs": "a=1"}, "generation_kwargs: expected a mapping, found 'a=1'"),
        ({"items": {"lang": 5}}, "items.lang: expected text, found 5 (text needs quotes)"),
        ({"items": {"lang": False}}, "items.lang: expected text, found False (text needs quotes)"),
        ({"metadata": {}}, "metadata: version is missing"),
        ({"metadata": {"version": float("nan")}}, "metadata.version: expected text or a number, found nan"),
        ({"metadata": {"version": [1]}}, "metadata.version: expected text or a number, found [1]"),
        ({"metadata": None}, "metadata: expected a mapping, found None"),
        ({"k": 3}, "k: a key of respond tasks; this is a rate task"),
        ({"doc_to_choice": None}, "mode: a rate task needs doc_to_choice"),
        ({"groups": 3}, "groups: expected a mapping, found 3"),
        ({"coarsen": {"levels": 4}}, "coarsen.levels: expected 2 or 3, found 4"),
        ({"coarsen": {"levels": 2}}, "coarsen: neutral must be said: up, down, drop or split"),
        (
            {"coarsen": {"levels": 2, "neutral": "left"}},
            "coarsen.neutral: expected 'up', 'down', 'drop' or 'split', found 'left'",
        ),
        ({"elicitation": {"codings": []}}, "elicitation.codings: List should have at least 1 item"),
        ({"elicitation": {"codings": ["words", "words"]}}, "elicitation.codings: words stands twice"),
        ({"elicitation": {"max_off_scale": 2}}, "elicitation.max_off_scale: expected less than or equal to 1, found 2"),
        ({"doc_to_chioce": [1]}, "unknown key 'doc_to_chioce'; did you mean 'doc_to_choice'"),
        ({"elicitation": {"order": ["ascending"]}}, "unknown key 'elicitation.order'; did you mean 'orders'?"),
        ({"scorers": [5]}, "scorers.0: expected a mapping, found 5"),
        ({"scorers": [{"name": 5}]}, "scorers.0.name: expected text, found 5 (text needs quotes)"),
        ({"scorers": ["profanity", "profanity"]}, "scorers: name='profanity' options={} stands twice"),
    ],
)
def test_a_wrong_value_is_one_finding_at_its_key(suite: Suite, keys: dict[str, Any], expected: str) -> None:
    suite.task |= keys
    (found,) = suite.findings()
    place, message = found.split(": ", 1)
    assert message.startswith(expected)
    line = suite.task_path.read_text().splitlines()[int(place.removeprefix("rate.yaml:")) - 1]
    key = message.removeprefix("unknown key '").split(":")[0].split("'")[0].split(".")[-1]
    assert line.strip().startswith((f"{key}:", "-")), line


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ([5], "groups.axes.0: expected text or a list, found 5 (text needs quotes)"),
        ([["gender", 5]], "groups.axes.0.1: expected text, found 5 (text needs quotes)"),
        ([{"gender": 1}], "groups.axes.0: expected text or a list, found a mapping"),
        ([["gender"]], "groups.axes.0: an intersection needs two or more different axes"),
        ([["gender", "gender"]], "groups.axes.0: an intersection needs two or more different axes"),
        (["gender", "gender"], "groups.axes: gender stands twice"),
        ("gender", "groups.axes: expected a list, found 'gender'"),
        ([], "groups.axes: List should have at least 1 item after validation, not 0"),
    ],
)
def test_a_wrong_axis_is_one_readable_finding(suite: Suite, axes: Any, expected: str) -> None:
    suite.task["groups"]["axes"] = axes
    (found,) = suite.findings()
    assert found.split(": ", 1)[1] == expected


@pytest.mark.parametrize("labels", [[False, True], ["a", "b", True, "c", "d"]])
def test_yes_and_no_are_not_silently_the_labels_1_and_0(suite: Suite, labels: list[Any]) -> None:
    suite.task["doc_to_choice"] = labels
    assert all('write it in quotes, like "yes"' in f for f in suite.findings())
    assert len(suite.findings()) == sum(isinstance(x, bool) for x in labels)


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ("profanity", {}),
        ({"name": "profanity"}, {}),
        ({"name": "profanity", "options": {"a": 1}}, {"a": 1}),
        ({"name": "profanity", "a": 1}, {"a": 1}),
        ({"name": "profanity", "a": 1, "options": {"b": 2}}, {"a": 1, "options": {"b": 2}}),
    ],
)
def test_a_scorer_is_a_name_or_a_mapping_with_its_options(suite: Suite, written: Any, options: dict[str, Any]) -> None:
    (scorer,) = suite.respond(scorers=[written]).load().task.scorers
    assert (scorer.name, scorer.options) == ("profanity", options)


def test_a_scorer_without_a_name_says_so(suite: Suite) -> None:
    findings = suite.respond(scorers=[{"variant": "x"}]).findings()
    assert f"rate.yaml:{suite.line('- variant')}: missing key 'scorers.0.name'" in findings


def exported(what: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["schema", what]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("path", BUILT_IN, ids=[f"{p.parent.name}/{p.name}" for p in BUILT_IN])
def test_shipped_files_conform_to_the_schema_editors_get(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = "dataset" if path.name == RECIPE else "contrast" if path.parent.name == "contrast" else "task"
    top = exported(what, capsys)
    assert list(errors(yaml.safe_load(path.read_text()), top, top)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "rat"},
        {"typo": 1},
        {"groups": {"axes": [5]}},
        {"groups": {"axes": []}},
        {"doc_to_choice": [[1]]},
        {"scorers": [{"variant": "x"}]},
        {"repeats": 0},
        {"task": "a b"},
        {"paraphrases": "{{ text }}"},
        {"steer": 5},
        {"steer": {"names": {}}},
        {"steer": {"axis": "gender", "group": []}},
    ],
)
def test_the_schema_finds_what_validate_finds(
    suite: Suite, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    top = exported("task", capsys)
    assert not list(errors(suite.task, top, top))
    suite.task |= change
    assert suite.findings()
    assert list(errors(suite.task, top, top))


@pytest.mark.parametrize("steer", ["gender", {"axis": "gender", "names": {"man": "a man"}, "groups": ["man"]}, None])
def test_the_schema_knows_both_ways_to_steer(suite: Suite, steer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    top = exported("task", capsys)
    assert not list(errors(suite.task | {"steer": steer, "paraphrases": ["{{ text }}"]}, top, top))


def test_the_schema_wants_all_keys_unless_a_file_is_included(capsys: pytest.CaptureFixture[str]) -> None:
    top = exported("task", capsys)
    assert list(errors({"task": "a"}, top, top))
    assert not list(errors({"task": "a", "include": "_b.yaml"}, top, top))


@pytest.mark.parametrize("what", ["task", "dataset"])
def test_the_schema_is_a_json_schema(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    top = exported(what, capsys)
    assert top["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        list(errors({}, top, top))  # every keyword is known
    else:
        Draft202012Validator.check_schema(top)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"k": 3}, "k: 3 needs at least as many repeats, found 1"),
        ({"scorers": []}, "mode: a respond task needs scorers"),
        ({"reference": "majority"}, "reference: a key of rate tasks; this is a respond task"),
        ({"weights": "pairs"}, "weights: a key of rate tasks; this is a respond task"),
    ],
)
def test_a_respond_task_has_its_own_keys(suite: Suite, keys: dict[str, Any], words: str) -> None:
    assert any(words in f for f in suite.respond(**keys).findings())
