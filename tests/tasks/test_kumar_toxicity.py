"""Toxicity perspectives on INVENTED rows: the file with worker ids, and the one without that stands in for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import load_task
from tests.tasks.invented import findings, invented, with_invented

ROWS = Path(__file__).parent / "invented" / "kumar_toxicity"
LINKED, UNLINKED = "classified_data_final_w_worker_hash.jsonl", "toxicity_ratings.jsonl"


@pytest.fixture(scope="module")
def table() -> RatingTable:
    return invented("kumar_toxicity", ROWS).table("toxicity")


@pytest.fixture(scope="module")
def unlinked() -> RatingTable:
    return invented("kumar_toxicity_unlinked", ROWS).table("toxicity")


def only(file: str, folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(ROWS / file, folder)
    return folder


def test_nested_ratings_are_read_past_nan(table: RatingTable) -> None:
    assert "NaN" in (ROWS / LINKED).read_text()
    assert {e.rule: e.rows for e in table.exclusions} == {
        "no rating in the cell": 1,
        "repeated (item, rater, dimension), first kept": 1,
    }
    assert table.ratings.height == 25
    first = table.ratings.filter(item_id="c1").sort("rater_id")
    assert first["level"].to_list()[:3] == [2, 1, 3], "of workers 1, 10 and 2"


def test_a_comment_is_its_id_not_its_text() -> None:
    items = invented("kumar_toxicity", ROWS).items
    assert items["item_id"].to_list() == ["c1", "c2", "c3", "c4"]
    assert items["comment"][2] == items["comment"][3]


def test_a_higher_score_is_more_toxic(table: RatingTable) -> None:
    assert (table.scale.direction, table.scale.labels[-1]) == ("lower", "extremely toxic")


def test_levels(table: RatingTable) -> None:
    assert table.group_sizes("gender") == {"woman": 7, "man": 1, "non-binary": 1, "INVENTED level": 1}
    race = {"White": 5, "Black or African American": 1, "Asian": 1, "Hispanic": 1, "undeclared": 3}
    assert table.group_sizes("race") == race
    assert table.group_sizes("politics") == {"Liberal": 7, "Conservative": 1, "Independent": 1, "undeclared": 1}
    assert table.group_sizes("education")["Professional degree"] == 1, "not cut at the comma of (JD, MD)"


def test_a_worker_with_two_sets_of_answers_is_undeclared_where_they_differ(table: RatingTable) -> None:
    (third,) = table.raters.filter(rater_id="INVENTED3").rows(named=True)
    assert (third["race"], third["gender"]) == (["undeclared"], ["woman"])


def test_without_worker_ids_each_rating_has_an_id_of_its_own(unlinked: RatingTable) -> None:
    assert unlinked.ratings.height == unlinked.raters.height == 26
    assert unlinked.raters["rater_id"].sort().to_list()[:2] == ["c1#0", "c1#1"]
    assert sorted(unlinked.ratings.filter(item_id="c2")["level"]) == [0, 1, 3, 3, 4, 4]


def test_the_file_without_ids_stands_in_and_says_so(tmp_path: Path) -> None:
    with_invented("kumar_toxicity", only(UNLINKED, tmp_path / "files"), tmp_path / "tasks")
    with_invented("kumar_toxicity_unlinked", tmp_path / "files", tmp_path / "tasks")
    index = Index([tmp_path / "tasks"])
    loaded = load_task(index.select(["kumar_toxicity_toxicity"])[0], index)
    assert any("stands in for 'kumar_toxicity'" in note for note in loaded.notes)
    assert any("raters cannot be counted" in note for note in loaded.notes)
    assert loaded.table.ratings.height == 26


def test_no_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(PluralError, match=f"no file {LINKED}.*ask Deepak Kumar"):
        _ = invented("kumar_toxicity", tmp_path).items


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '"toxic_score": 4',
            '"toxic_score": 5',
            ":1: rating '5' of toxicity in column 'ratings.toxic_score' is not on its scale",
        ),
        ("toxic_score", "toxicity", ":1: no column 'ratings.toxic_score'"),
        ("worker_id", "worker", ":1: no column 'ratings.worker_id'"),
        ("comment_id", "id", ":1: no column 'comment_id'"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    (tmp_path / LINKED).write_text((ROWS / LINKED).read_text().replace(old, new))
    with pytest.raises(PluralError) as e:
        invented("kumar_toxicity", tmp_path).table("toxicity")
    assert f"{LINKED}{expected}" in str(e.value)
    assert "\n" not in str(e.value)


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    found = findings(with_invented("kumar_toxicity", ROWS, tmp_path))
    assert found == {"kumar_toxicity_toxicity": [], "kumar_toxicity_toxicity_steer_race": []}
