"""ArMIS on INVENTED rows in the published schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from tests.tasks.invented import (
    INVENTED,
    edited_json,
    edited_text,
    excluded,
    findings,
    invented,
    levels_of,
    with_invented,
)

NAME = "lewidi_armis"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return invented(NAME, INVENTED / NAME)


def test_the_same_number_in_three_splits_is_three_tweets(dataset: Dataset) -> None:
    assert dataset.items["item_id"].to_list() == ["train-1", "train-2", "train-3", "dev-1", "test-1"]


def test_a_group_is_one_person_named_in_every_tweet(dataset: Dataset) -> None:
    groups = dict(dataset.table("misogyny").groups("group").iter_rows())
    assert groups == {"Ann1": "moderate woman", "Ann2": "liberal woman", "Ann3": "conservative man"}


def test_annotations_are_in_the_order_of_the_annotators(dataset: Dataset) -> None:
    assert levels_of(dataset.table("misogyny"), "train-2") == {"Ann1": "0", "Ann2": "1", "Ann3": "0"}


def test_a_tweet_with_empty_labels_is_counted(dataset: Dataset) -> None:
    table = dataset.table("misogyny")
    assert excluded(table) == {"labels hidden (counted once a tweet)": 1}
    assert table.ratings.height == 12


def test_one_is_misogynistic_and_less_of_it_is_better(dataset: Dataset) -> None:
    scale = dataset.table("misogyny").scale
    assert (scale.labels[scale.index(1)], scale.direction) == ("misogynistic or sexist", "lower")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '"1,1,0"',
            '"1,1,-1"',
            "row 1: rating '-1' of misogyny in column 'annotations' is not on its scale; expected one of 0, 1",
        ),
        (
            "ve_Male",
            "ve_Man",
            "row 1: unknown level 'Conservative_Man' of other_info.values; expected one of Moderate_Female,",
        ),
        ('"1,1,0"', '"1,1,0,1"', "row 1: lists of different lengths: annotators 3, annotations 4"),
        ('"1": {', '"1": 5, "9": {', "expected a list or mapping of records"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    folder = edited_text(NAME, tmp_path, "ArMIS_train.json", old, new)
    with pytest.raises(PluralError) as e:
        invented(NAME, folder).table("misogyny")
    assert f"ArMIS_train.json: {expected}" in str(e.value)
    assert "\n" not in str(e.value)


def test_the_form_that_the_description_promises_is_another_file(tmp_path: Path) -> None:
    """The organisers' page speaks of a list of groups; their files have none."""
    folder = edited_json(
        NAME,
        tmp_path,
        "ArMIS_train.json",
        lambda tweets: tweets["2"].update(other_info={"Annotators group": "Mod_Female , Lib_Female , Cons_Male"}),
    )
    with pytest.raises(PluralError, match=r"ArMIS_train.json: row 2: unknown level 'Mod_Female , Lib_Female"):
        invented(NAME, folder).table("misogyny")


def test_a_person_whose_description_changes_is_one_clear_line(tmp_path: Path) -> None:
    folder = edited_json(
        NAME, tmp_path, "ArMIS_dev.json", lambda tweets: tweets["1"]["other_info"].update(Ann3="Liberal_Female")
    )
    with pytest.raises(PluralError, match=r"rater 'Ann3' has two profiles"):
        invented(NAME, folder).table("misogyny")


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    found = findings(with_invented(NAME, INVENTED / NAME, tmp_path))
    assert found == {f"{NAME}_misogyny": [], f"{NAME}_misogyny_steer_group": []}
