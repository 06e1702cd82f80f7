"""CSC on INVENTED rows in the published schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.table import RatingTable
from tests.tasks.invented import INVENTED, edited_json, excluded, findings, invented, levels_of, with_invented

NAME = "lewidi_csc"


@pytest.fixture(scope="module")
def table() -> RatingTable:
    return invented(NAME, INVENTED / NAME).table("sarcasm")


def test_every_level_is_read(table: RatingTable) -> None:
    assert levels_of(table, "train-3944") == {f"Ann{n}": str(n + 1) for n in range(6)}
    assert levels_of(table, "train-1907") == {f"Ann{n}": str(12 - n) for n in range(6, 12)}


def test_people_without_a_profile_are_undeclared_not_lost(table: RatingTable) -> None:
    assert levels_of(table, "dev-5") == {"Ann844": "1", "Ann845": "1", "Ann846": "6"}
    profiles = {r["rater_id"]: (r["gender"], r["age"]) for r in table.raters.rows(named=True)}
    for rater in ("Ann844", "Ann845", "Ann846"):
        assert profiles[rater] == (["undeclared"], ["undeclared"])


def test_expired_revoked_and_nan_are_undeclared(table: RatingTable) -> None:
    assert table.group_sizes("gender") == {"Female": 6, "Male": 5, "undeclared": 3 + 3}
    assert table.group_sizes("age") == {"25-34": 9, "45-54": 2, "undeclared": 3 + 3}


def test_a_rating_of_zero_and_hidden_labels_are_counted(table: RatingTable) -> None:
    assert excluded(table) == {"rated 0": 1, "labels hidden (counted once a response)": 1}


def test_another_level_is_one_clear_line(tmp_path: Path) -> None:
    folder = edited_json(NAME, tmp_path, "CSC_dev.json", lambda r: r["6"]["annotations"].update(Ann12="7"))
    with pytest.raises(PluralError) as e:
        invented(NAME, folder).table("sarcasm")
    expected = "of sarcasm in column 'annotations.values' is not on its scale; expected one of 1, 2, 3, 4, 5, 6"
    assert str(e.value) == f"{folder / 'CSC_dev.json'}: row 2: rating '7' {expected}"


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    found = findings(with_invented(NAME, INVENTED / NAME, tmp_path))
    assert found == {f"{NAME}_sarcasm": [], f"{NAME}_sarcasm_steer_gender": []}
