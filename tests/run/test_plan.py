"""What is asked, and which answers a changed task still has: other words ask again, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.hashing import digest
from lm_plural.harness.run.plan import Request, plan
from tests.run.asked import SPEC, apart
from tests.suite import Suite

OTHER, THIRD = "Say how bad.\n{{ text }}\n{{ options }}\n", "How bad?\n{{ text }}\n{{ options }}\n"


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return apart(Suite(tmp_path / "tasks"))


def requests(suite: Suite, **keys: Any) -> list[Request]:
    suite.task |= keys
    return plan(suite.load(), SPEC)


def keys(suite: Suite, **changed: Any) -> set[str]:
    found = requests(suite, **changed)
    assert len({r.key for r in found}) == len(found)
    return {r.key for r in found}


def test_a_plain_request_has_the_key_and_part_it_has_always_had(suite: Suite) -> None:
    loaded, first = suite.load(), requests(suite)[0]
    content = digest(dict(first.doc.fields))
    assert first.key == digest([SPEC.hash, loaded.ask_hash, "i0", content, "levels/ascending"])
    assert [r.part for r in requests(suite)[:2]] == ["levels/ascending", "levels/descending"]


def test_every_item_is_asked_in_every_wording_coding_and_order(suite: Suite) -> None:
    found = requests(suite, paraphrases=[OTHER, THIRD], elicitation={"codings": ["levels", "letters"]})
    assert len(found) == 20 * 3 * 4
    assert [r.part for r in found[:12]][::4] == ["levels/ascending", "levels/ascending/1", "levels/ascending/2"]
    assert [r.part for r in found[:12]][3] == "letters/descending"


def test_another_wording_leaves_the_keys_of_the_others_and_so_does_their_order(suite: Suite) -> None:
    one = keys(suite)
    two = keys(suite, paraphrases=[OTHER])
    three = keys(suite, paraphrases=[THIRD, OTHER])
    assert one < two < three
    assert (len(one), len(two), len(three)) == (40, 80, 120)
    assert keys(suite, doc_to_text=OTHER, paraphrases=[]) == two - one


def test_one_changed_wording_asks_that_wording_only(suite: Suite) -> None:
    before = keys(suite, paraphrases=[OTHER, THIRD])
    after = keys(suite, paraphrases=[OTHER + "!", THIRD])
    assert len(before - after) == len(after - before) == 40
    first = keys(suite, doc_to_text="Rate it: {{ text }} {{ options }}")
    assert len(after - first) == len(first - after) == 40


@pytest.mark.parametrize("key", ["gen_prefix", "description", "target_delimiter"])
def test_what_is_asked_with_every_wording_asks_all_again(suite: Suite, key: str) -> None:
    suite.task |= {"paraphrases": [OTHER], "steer": "gender"}
    assert not keys(suite) & keys(suite, **{key: "Answer: "})


def test_steering_asks_of_each_group_with_enough_raters_the_items_it_rated(suite: Suite) -> None:
    plain = keys(suite)
    steered = requests(suite, steer="gender")
    assert plain < {r.key for r in steered}
    assert len(steered) == 20 * 2 * (1 + 2)
    assert [r.part for r in steered[:6]][::2] == [
        "levels/ascending",
        "levels/ascending/as man",
        "levels/ascending/as woman",
    ]
    groups = suite.task["groups"] | {"min_raters": 1}
    assert list(suite.load().steered) == ["man", "woman"]
    with_one = requests(suite, groups=groups)
    assert {r.doc.id for r in with_one if r.variant and r.variant.group == "other"} == {"i0", "i1", "i2"}
    assert "undeclared" not in {r.variant.group for r in with_one if r.variant}


def test_wordings_and_groups_are_combined_and_a_limit_is_one_of_items(suite: Suite) -> None:
    suite.task |= {"paraphrases": [OTHER], "steer": {"axis": "gender", "groups": ["woman"]}}
    assert len(plan(suite.load(), SPEC, 3)) == 3 * 4 * 2
    assert {r.doc.index for r in plan(suite.load(), SPEC, [5, 7])} == {5, 7}


def test_words_for_one_group_ask_again_as_that_group_only(suite: Suite) -> None:
    before = keys(suite, steer="gender")
    after = keys(suite, steer={"axis": "gender", "names": {"man": "a man"}})
    assert len(before - after) == len(after - before) == 40
    assert keys(suite, steer={"axis": "gender", "groups": ["man"]}) < before
    other = keys(suite, steer={"axis": "gender", "text": "You are: {{ group }}."})
    assert len(before & other) == 40


@pytest.mark.parametrize(
    "change",
    [
        {"doc_to_text": OTHER},
        {"paraphrases": [OTHER]},
        {"steer": "gender"},
        {"steer": {"axis": "gender", "names": {"man": "a man"}}},
        {"metadata": {"version": 2.0}},
        {"description": "Be kind."},
        {"groups": {"axes": ["race"]}},
    ],
)
def test_any_change_of_a_task_changes_its_hash(suite: Suite, change: dict[str, Any]) -> None:
    before = suite.load().hash
    suite.task |= change
    assert suite.load().hash != before


def test_any_change_of_a_paraphrase_or_of_the_recipe_changes_the_hash(suite: Suite) -> None:
    suite.task["paraphrases"] = [OTHER]
    found = [suite.load().hash]
    suite.task["paraphrases"] = [OTHER + " "]
    found.append(suite.load().hash)
    suite.recipe["scales"]["bad"]["direction"] = "higher"
    found.append(suite.load().hash)
    suite.recipe["rules"] = {"missing": "error"}
    found.append(suite.load().hash)
    assert len(set(found)) == 4
