"""PRISM on INVENTED people, prompts and replies in the described schema."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import LoadedTask, load_task
from tests.tasks.invented import findings, invented, with_invented

ROWS = Path(__file__).parent / "invented" / "prism"


@pytest.fixture(scope="module")
def table() -> RatingTable:
    return invented("prism", ROWS).table("score")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_invented("prism", ROWS, tmp_path_factory.mktemp("prism"))


def load(tasks: Path, name: str) -> LoadedTask:
    index = Index([tasks.parent])
    return load_task(index.select([name])[0], index)


def test_bands_of_twenty(table: RatingTable) -> None:
    """Scores 1, 20, 21, 40, ... stand at the edges."""
    first = table.ratings.filter(table.ratings["rater_id"] == "user0")
    level = dict(zip(first["item_id"], first["level"], strict=True))
    assert [level[f"ut{n}"] for n in (0, 1, 2, 3, 4, 6, 7)] == [0, 0, 1, 1, 2, 3, 3]
    assert (table.scale.direction, table.scale.positions) == ("higher", (10.5, 30.5, 50.5, 70.5, 90.5))


def test_an_empty_reply_is_left_out(table: RatingTable) -> None:
    assert [str(e) for e in table.exclusions] == ["1 ratings left out: the model's reply was empty"]
    assert "ut5" not in invented("prism", ROWS).items["item_id"].to_list()


def test_levels_of_the_survey(table: RatingTable) -> None:
    assert table.group_sizes("gender") == {"woman": 6, "man": 1, "non-binary": 1, "undeclared": 1}, "one never rated"
    assert table.group_sizes("ethnicity") == {"White": 7, "Black": 1, "undeclared": 1}
    assert table.group_sizes("religion") == {"No Affiliation": 6, "Christian": 1, "Muslim": 1, "undeclared": 1}
    assert table.group_sizes("region") == {"US": 6, "UK": 1, "Europe": 1, "undeclared": 1}
    assert table.group_sizes("birth_country")["Kenya"] == 1


def test_the_balanced_subset() -> None:
    table = invented("prism", ROWS, {"unbalanced": True}).table("score")
    assert {e.rule: e.rows for e in table.exclusions}["filter unbalanced"] == 44, "one of 45 was empty"
    assert table.ratings.height == 36


def test_tasks_take_the_first_turn_only(tasks: Path) -> None:
    docs = load(tasks, "prism_score").docs()
    assert len(docs) == 71
    assert not any("later" in d.fields["user_prompt"] for d in docs)


def test_a_prompt_has_all_its_replies(tasks: Path) -> None:
    docs = load(tasks, "prism_respond").docs()
    assert len(docs) == 18
    assert len(docs[0].item_ids) == 4


def test_an_item_has_one_rater(table: RatingTable) -> None:
    assert table.ratings.group_by("item_id").len()["len"].max() == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("utterances", '"score": 1,', '"score": 0,', "utterances.jsonl:1: score '0' is no number from 1 to 100"),
        ("utterances", '"score"', '"rating"', "utterances.jsonl:1: no column 'score'"),
        ("utterances", '"user0"', '"user77"', "utterances.jsonl:1: unknown rater 'user77'"),
        ("survey", '"simplified"', '"simple"', "survey.jsonl:1: no column 'ethnicity.simplified'"),
        ("survey", '"Male"', '"INVENTED level"', "survey.jsonl:7: unknown level 'INVENTED level' of gender"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, file: str, old: str, new: str, expected: str) -> None:
    shutil.copytree(ROWS, tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"{file}.jsonl"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(PluralError) as e:
        invented("prism", tmp_path).table("score")
    assert expected in str(e.value)
    assert "\n" not in str(e.value)


def test_the_tasks_are_valid(tasks: Path) -> None:
    assert findings(tasks) == {"prism_respond": [], "prism_score": [], "prism_score_steer_region": []}
