"""HS-Brexit on INVENTED rows in the published schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from tests.tasks.invented import INVENTED, edited_json, excluded, findings, invented, levels_of, with_invented

NAME = "lewidi_hs_brexit"
HIDDEN = "labels hidden (counted once a tweet)"
SIX = [f"Ann{n}" for n in range(1, 7)]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return invented(NAME, INVENTED / NAME)


def test_numbers_that_come_again_in_another_split_are_other_tweets(dataset: Dataset) -> None:
    items = dict(dataset.items.select("item_id", "text").iter_rows())
    assert (items["train-1"], items["dev-1"]) == ("INVENTED tweet 1", "INVENTED tweet 4")
    assert list(items) == ["train-1", "train-2", "train-3", "dev-1", "test-9"]


def test_annotations_belong_to_the_annotator_at_the_same_place(dataset: Dataset) -> None:
    """The third tweet lists its annotators from the last to the first, the fourth has blanks after the commas."""
    said = {"Ann1": "0", "Ann2": "1", "Ann3": "1", "Ann4": "0", "Ann5": "0", "Ann6": "1"}
    assert levels_of(dataset.table("hate"), "train-3") == said
    assert [levels_of(dataset.table("hate"), "dev-1")[f"Ann{n}"] for n in range(1, 7)] == ["1", "0", "1", "0", "1", "0"]
    aggressive = levels_of(dataset.table("aggressiveness"), "train-3")
    assert {rater for rater, level in aggressive.items() if level == "1"} == {"Ann1", "Ann2", "Ann3"}


def test_two_groups_of_three(dataset: Dataset) -> None:
    groups = dataset.table("hate").groups("group")
    assert {g: sorted(r["rater_id"]) for (g,), r in groups.group_by("group")} == {
        "target": ["Ann1", "Ann2", "Ann3"],
        "control": ["Ann4", "Ann5", "Ann6"],
    }


def test_hidden_labels_are_counted(dataset: Dataset) -> None:
    for dimension in dataset.recipe.ratings.dimensions:
        assert excluded(dataset.table(dimension)) == {HIDDEN: 1}


def test_no_is_an_answer_and_means_0(dataset: Dataset) -> None:
    """Three of the published answers on offensiveness are a word."""
    assert levels_of(dataset.table("offensiveness"), "train-2") == dict(zip(SIX, "000001", strict=True))


def test_a_split_without_any_label_leaves_the_others_readable(tmp_path: Path) -> None:
    folder = edited_json(
        NAME, tmp_path, "HS-Brexit_train.json", lambda tweets: [t.pop("annotations") for t in tweets.values()]
    )
    table = invented(NAME, folder).table("hate")
    assert excluded(table) == {HIDDEN: 4}
    assert table.ratings["item_id"].unique().to_list() == ["dev-1"]


def test_less_abuse_is_better(dataset: Dataset) -> None:
    for dimension in dataset.recipe.ratings.dimensions:
        scale = dataset.table(dimension).scale
        assert (scale.levels, scale.direction) == (("0", "1"), "lower")
        assert scale.labels[0].startswith("not ")


def other(**keys: str) -> Callable[[Any], None]:
    return lambda records: records["2"].update(keys)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            other(annotations="0,0,0,0,0,2"),
            "row 2: rating '2' of hate in column 'annotations' is not on its scale; expected one of 0, 1",
        ),
        (other(annotations="0,0"), "row 2: lists of different lengths: annotators 6, group 6, annotations 2,"),
        (
            lambda records: records["2"]["other_info"].update(
                {"annotators group": "group1,group1,group3,group2,group2,g"}
            ),
            "row 2: unknown level 'group3' of group; expected one of group1, group2",
        ),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, edit: Callable[[Any], Any], expected: str) -> None:
    folder = edited_json(NAME, tmp_path, "HS-Brexit_train.json", edit)
    with pytest.raises(PluralError) as e:
        invented(NAME, folder).table("hate")
    assert f"HS-Brexit_train.json: {expected}" in str(e.value)
    assert "\n" not in str(e.value)


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    tasks = ["hate", "offensiveness", "aggressiveness", "hate_steer_group"]
    assert findings(with_invented(NAME, INVENTED / NAME, tmp_path)) == {f"{NAME}_{t}": [] for t in tasks}
