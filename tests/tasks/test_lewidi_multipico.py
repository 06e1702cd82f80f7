"""MultiPICo on INVENTED rows in the published schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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

NAME = "lewidi_multipico"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return invented(NAME, INVENTED / NAME)


def test_post_and_reply_come_out_of_the_text(dataset: Dataset) -> None:
    first, second = dataset.items.rows(named=True)[:2]
    assert (first["item_id"], first["post"], first["reply"]) == ("train-10", "INVENTED post 10", "INVENTED reply 10")
    assert (second["lang"], second["variety"], second["source"], second["split"]) == ("nl", "nl", "reddit", "train")


def test_annotations_are_an_object_not_a_column_a_person(dataset: Dataset) -> None:
    table = dataset.table("irony")
    assert levels_of(table, "dev-11") == {"Ann12": "0", "Ann5": "1", "Ann0": "1", "Ann3": "1", "Ann8": "0"}
    assert table.ratings.height == 7 + 7 + 5


def test_levels_written_with_a_point_are_the_same_levels(dataset: Dataset) -> None:
    """The train file may say 0.0 where the others say 0."""
    assert set(levels_of(dataset.table("irony"), "train-12").values()) == {"0", "1"}


def test_profiles_are_found_though_their_ids_lack_ann(dataset: Dataset) -> None:
    raters = {r["rater_id"]: r for r in dataset.table("irony").raters.rows(named=True)}
    assert set(raters) == {f"Ann{n}" for n in range(13)}
    assert (raters["Ann1"]["gender"], raters["Ann8"]["residence"]) == (["Male"], ["Netherlands"])


def test_expired_data_and_what_nobody_said_are_undeclared_on_every_axis(dataset: Dataset) -> None:
    table = dataset.table("irony")
    assert table.group_sizes("gender") == {"Female": 6, "Male": 6, "undeclared": 1}
    assert table.group_sizes("age") == {"25-34": 12, "undeclared": 1}
    assert table.group_sizes("ethnicity") == {"Asian": 2, "White": 10, "undeclared": 1}
    assert table.group_sizes("employment") == {"Full-Time": 5, "Not in paid work": 4, "undeclared": 4}


def test_hidden_labels_are_counted(dataset: Dataset) -> None:
    assert excluded(dataset.table("irony")) == {"labels hidden (counted once a reply)": 1}


def put(value: object) -> Callable[[Any], None]:
    return lambda records: records["11"].update(annotations=value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"Ann0": "2"},
            "row 1: rating '2' of irony in column 'annotations.values' is not on its scale; expected one of 0, 1",
        ),
        (
            {"Ann0": "1", "Ann99": "1"},
            "row 1: unknown rater 'Ann99' in column 'annotations.keys'; expected an id of the raters file",
        ),
        ("1,0,1", "row 1: annotations is '1,0,1'; expected names with values"),
    ],
)
def test_other_annotations_are_one_clear_line(tmp_path: Path, value: object, expected: str) -> None:
    folder = edited_json(NAME, tmp_path, "MP_dev.json", put(value))
    with pytest.raises(PluralError) as e:
        invented(NAME, folder).table("irony")
    assert str(e.value) == f"{folder / 'MP_dev.json'}: {expected}"


def test_a_trailing_comma_as_in_other_sets_is_one_clear_line(tmp_path: Path) -> None:
    folder = edited_text(NAME, tmp_path, "MP_annotators_meta.json", '"Full-Time"\n', '"Full-Time",\n')
    with pytest.raises(PluralError, match=r"MP_annotators_meta.json:11: cannot read: "):
        invented(NAME, folder).table("irony")


def test_an_age_that_is_no_number_is_one_clear_line(tmp_path: Path) -> None:
    folder = edited_json(NAME, tmp_path, "MP_annotators_meta.json", lambda people: people["4"].update(Age="old"))
    with pytest.raises(PluralError, match=r"MP_annotators_meta.json: row 5: Age 'old' is no number$"):
        invented(NAME, folder).table("irony")


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    found = findings(with_invented(NAME, INVENTED / NAME, tmp_path))
    assert found == {f"{NAME}_irony": [], f"{NAME}_irony_steer_gender": []}
