"""Paraphrases and steering that do not fit are findings at their lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.run.asked import apart
from tests.suite import Suite


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return apart(Suite(tmp_path / "tasks"))


def test_a_task_with_both_is_valid(suite: Suite) -> None:
    steer = {
        "axis": "gender",
        "text": "As {{ group }} ({{ axis }}):",
        "names": {"man": "a man"},
        "groups": ["man", "woman"],
    }
    suite.task |= {"paraphrases": ["{{ text }}? {{ options }}"], "steer": steer}
    assert suite.findings() == []
    suite.task["steer"] = "gender"
    assert suite.findings() == []


@pytest.mark.parametrize(
    ("steer", "start", "message"),
    [
        ("gendr", "steer", "no axis 'gendr'; did you mean 'gender'?; there are gender, race"),
        ({"axis": "gendr"}, "axis", "no axis 'gendr'"),
        ({"axis": "gender", "groups": ["man", "womn"]}, "- womn", "no group 'womn' of 'gender'; did you mean 'woman'?"),
        ({"axis": "gender", "groups": ["other"]}, "- other", "group 'other' has fewer than 5 raters"),
        ({"axis": "gender", "groups": ["undeclared"]}, "- undeclared", "no group 'undeclared' of 'gender'"),
        ({"axis": "gender", "groups": ["man", "man"]}, "groups:", "steer.groups: man stands twice"),
        ({"axis": "gender", "names": {"men": "a man"}}, "men", "no group 'men' of 'gender'; did you mean"),
        ({"axis": "gender", "names": {"man": "x", "woman": "x"}}, "steer", "says the same of 'man' and 'woman'"),
        ({"axis": "gender", "text": "Be human."}, "text: Be", "says the same of 'man' and 'woman': 'Be human.'"),
        ({"axis": "gender", "text": "a\n{{ grp }}\n"}, "{{ grp }}", "template: no field 'grp'; did you mean 'group'?"),
        ({"axis": "gender", "text": " "}, "text: ' '", "steer.text: must say something"),
        ({"axis": "gender", "grups": []}, "grups", "unknown key 'steer.grups'; did you mean 'groups'?"),
        ({"names": {}}, "steer", "missing key 'steer.axis'"),
        (5, "steer", "steer: expected a mapping, found 5"),
    ],
)
def test_a_misfit_of_steer_is_one_finding_at_its_line(suite: Suite, steer: Any, start: str, message: str) -> None:
    suite.task |= {"groups": {"min_raters": 5, "axes": ["gender"]}, "steer": steer}
    (found,) = suite.findings()
    place, text = found.split(": ", 1)
    assert text.startswith(message)
    lines = suite.task_path.read_text().splitlines()
    after = next(n for n, line in enumerate(lines, 1) if line.startswith("steer:"))
    expected = next(n for n, line in enumerate(lines, 1) if n >= after and line.strip().startswith(start))
    assert place == f"rate.yaml:{expected}"


def test_an_axis_without_a_group_large_enough_is_found(suite: Suite) -> None:
    suite.task |= {"groups": {"axes": ["race"], "min_raters": 20}, "steer": "gender"}
    assert suite.findings() == [f"rate.yaml:{suite.line('steer')}: no group of 'gender' has 20 raters"]


def test_steering_is_held_against_all_ratings_only(suite: Suite) -> None:
    suite.task |= {"steer": "gender", "reference": "majority"}
    (found,) = suite.findings()
    assert "steer: compares with all ratings only; expected reference: all, not majority" in found


@pytest.mark.parametrize(
    ("paraphrases", "start", "message"),
    [
        (["Rate.\n{{text}}\n{{ options }}"], "- |", "paraphrases.0: the same as doc_to_text"),
        (["{{ text }}", "a {{ text }}", "{{text}}"], "- '{{text}}'", "paraphrases.2: the same as paraphrases.0"),
        (["{{ text }}", "b {{ txt }}"], "- b {{ txt }}", "template: no field 'txt'; did you mean 'text'?"),
        (["{{ text }}", " "], "- ' '", "paraphrases.1: must say something"),
        ("{{ text }}", "paraphrases", "paraphrases: expected a list"),
    ],
)
def test_a_misfit_of_a_wording_is_one_finding_at_its_line(
    suite: Suite, paraphrases: Any, start: str, message: str
) -> None:
    suite.task["paraphrases"] = paraphrases
    (found,) = suite.findings()
    place, text = found.split(": ", 1)
    assert text.startswith(message)
    assert place == f"rate.yaml:{suite.line(start)}"


def test_every_wording_is_tried_and_each_bad_one_is_told(suite: Suite) -> None:
    suite.task |= {"doc_to_text": "{{ a }}", "paraphrases": ["{{ text }}", "{{ b }}"]}
    assert [f.split("no field ")[1][:3] for f in suite.findings()] == ["'a'", "'b'"]


def test_a_respond_task_has_neither(suite: Suite) -> None:
    suite.task.pop("elicitation")
    findings = suite.respond(paraphrases=["{{ text }}!"], steer="gender").findings()
    assert [f.split(": ", 1)[1] for f in findings] == [
        "paraphrases: a key of rate tasks; this is a respond task",
        "steer: a key of rate tasks; this is a respond task",
    ]
