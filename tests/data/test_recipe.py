from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.documents import InvalidFileError, stays_inside
from tests.suite import Suite, quick


def change(data: dict[str, Any], place: str, value: Any) -> None:
    *parents, last = place.split("/")
    for part in parents:
        data = data[part]
    data[last] = value


ITEMS = "files/items.jsonl"
BAD = "scales/bad"


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("licence", "", "licence: must say something, found ''"),
        ("licence", " ", "licence: must say something, found ' '"),
        ("citation", "", "citation: must say something, found ''"),
        ("title", 5, "title: expected text, found 5 (text needs quotes)"),
        ("lisence", "x", "unknown key 'lisence'; did you mean 'licence'?"),
        (f"{ITEMS}/path", "../x.csv", "files.items.jsonl.path: must be a relative path that stays in its folder"),
        (f"{ITEMS}/path", "a/../../x.csv", "files.items.jsonl.path: must be a relative path that stays in its folder"),
        (f"{ITEMS}/path", "/etc/passwd", "files.items.jsonl.path: must be a relative path that stays in its folder"),
        (f"{ITEMS}/path", "..\\x.csv", "files.items.jsonl.path: must be a relative path that stays in its folder"),
        (f"{ITEMS}/path", "", "files.items.jsonl.path: must be a relative path that stays in its folder"),
        (f"{ITEMS}/sha256", "abc", "files.items.jsonl.sha256: String should match pattern"),
        (f"{ITEMS}/sha256", "A" * 64, "files.items.jsonl.sha256: String should match pattern"),
        (f"{ITEMS}/url", "http://x.org/a", "files.items.jsonl.url: String should match pattern '^https://'"),
        (f"{ITEMS}/sha", "abc", "unknown key 'files.items.jsonl.sha'; did you mean 'sha256'?"),
        (f"{BAD}/levels", [1], "scales.bad.levels: List should have at least 2 items"),
        (f"{BAD}/levels", [1, 1, 2, 3, 4], "scales.bad: scale ['1', '1', '2', '3', '4']: at least two levels"),
        (f"{BAD}/levels", [{}, 2, 3, 4, 5], "scales.bad.levels.0: expected text or integer or number, found a mapping"),
        (f"{BAD}/labels", ["a"], "scales.bad: scale ['1', '2', '3', '4', '5']: 1 labels for 5 levels"),
        (f"{BAD}/positions", [1, 2, 3, 3, 4], "scales.bad: scale ['1', '2', '3', '4', '5']: positions"),
        (f"{BAD}/positions", [1, 2, float("nan"), 3, 4], "scales.bad.positions.2: expected a finite number"),
        (f"{BAD}/direction", "up", "scales.bad.direction: expected 'higher' or 'lower', found 'up'"),
        (f"{BAD}/lables", [], "unknown key 'scales.bad.lables'; did you mean 'labels'"),
        ("items/file", "itms.jsonl", "items.file: no file 'itms.jsonl'; did you mean 'items.jsonl'?; there are"),
        ("raters/file", "none", "raters.file: no file 'none'; there are items.jsonl, raters.csv, ratings.csv"),
        ("ratings/file", "none", "ratings.file: no file 'none'"),
        ("ratings/dimensions/harm/scale", "bda", "ratings.dimensions.harm.scale: no scale 'bda'; did you mean 'bad'?"),
        ("items/fields", [], "items.fields: List should have at least 1 item"),
        ("items/fields", ["text", "text"], "items.fields: text stands twice"),
        ("raters/axes/rater_id", "gender", "raters.axes.rater_id: an axis needs another name"),
        ("raters/separator", "", "raters.separator: String should have at least 1 character"),
        ("rules", {"duplicate": "first"}, "unknown key 'rules.duplicate'; did you mean 'duplicates'?"),
        ("rules", {"duplicates": "second"}, "rules.duplicates: expected 'error', 'first' or 'drop', found 'second'"),
        ("rules", "drop", "rules: expected a mapping, found 'drop'"),
        ("dataset", "Tiny!", "dataset: String should match pattern"),
        ("dataset", "tony", "dataset: expected the name of its folder, 'tiny', found 'tony'"),
    ],
)
def test_a_wrong_value_is_one_finding_in_the_recipe(suite: Suite, place: str, value: Any, expected: str) -> None:
    change(suite.write().recipe, place, value)
    (found,) = suite.findings()
    where, message = found.split(": ", 1)
    assert message.startswith(expected)
    line = suite.recipe_path.read_text().splitlines()[int(where.removeprefix("dataset.yaml:")) - 1]
    last = place.split("/")[-1]
    assert line.strip().startswith((last, "bad", "-", "duplicate")), line


@pytest.mark.parametrize(
    "key", ["dataset", "title", "licence", "citation", "files", "scales", "items", "raters", "ratings"]
)
def test_a_missing_key_is_named(suite: Suite, key: str) -> None:
    suite.write()
    del suite.recipe[key]
    suite.recipe_path.write_text(yaml.safe_dump(suite.recipe))
    with pytest.raises(InvalidFileError) as caught:
        load_recipe(suite.recipe_path)
    assert caught.value.findings == [f"{suite.recipe_path}:1: missing key {key!r}"]


def test_a_recipe_includes_nothing_from_outside_its_folder(suite: Suite) -> None:
    suite.write()
    (suite.root / "keys.yaml").write_text("title: x\n")
    suite.recipe["include"] = "../keys.yaml"
    (found,) = suite.findings()
    assert found.startswith(f"dataset.yaml:{suite.line('include', suite.recipe_path)}: include: expected a file in the")


def test_a_file_without_a_checksum_is_refused(suite: Suite) -> None:
    suite.recipe["files"]["more"] = {"path": "more.csv"}
    assert suite.findings() == [
        f"dataset.yaml:{suite.line('more:', suite.recipe_path)}: missing key 'files.more.sha256'"
    ]


def test_several_wrong_names_are_told_at_once(suite: Suite) -> None:
    suite.recipe["items"]["file"] = "a"
    suite.recipe["ratings"]["dimensions"]["harm"]["scale"] = "b"
    assert len(suite.findings()) == 2


def test_yes_and_no_are_not_silently_the_levels_1_and_0(suite: Suite) -> None:
    suite.recipe["scales"]["bad"] = {"levels": [False, True], "direction": "lower"}
    assert len(suite.findings()) == 2


@quick
@given(st.lists(st.sampled_from(["..", ".", "a", "b.csv", "", "\\", "\0", "~"]), max_size=6).map("/".join))
def test_no_path_that_is_accepted_leaves_its_folder(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "here"
    if stays_inside(path):
        assert (folder / path).resolve().is_relative_to(folder.resolve())
        assert ".." not in path.split("/")
