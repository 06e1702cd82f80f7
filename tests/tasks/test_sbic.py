"""SBIC on INVENTED rows in the described schema."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.table import RatingTable
from tests.tasks.invented import findings, invented, with_invented

ROWS = Path(__file__).parent / "invented" / "sbic"
FIRST = "-5870881806826799680"
AGAIN = "repeated (item, rater, dimension), first kept"


def packed(folder: Path, old: str = "", new: str = "") -> Path:
    """Write SBIC.v2.tgz as it is published, the first `old` in each file replaced by `new`."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "SBIC.v2.tgz", "w:gz") as tar:
        for split in ("trn", "dev", "tst"):
            path = folder / f"SBIC.v2.{split}.csv"
            text = (ROWS / path.name).read_text()
            path.write_text(text.replace(old, new, 1) if old else text)
            tar.add(path, f"SBIC.v2/{path.name}")
            path.unlink()
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(tmp_path_factory.mktemp("sbic"))


@pytest.fixture(scope="module")
def table(folder: Path) -> RatingTable:
    return invented("sbic", folder).table("offensiveness")


def excluded(table: RatingTable) -> dict[str, int]:
    return {e.rule: e.rows for e in table.exclusions}


def levels(table: RatingTable, axis: str) -> dict[str, int]:
    return {g: n for g, n in table.group_sizes(axis).items() if n}


def test_the_three_files_are_one(folder: Path) -> None:
    items = invented("sbic", folder).items
    assert [p.split(",")[0].split("\n")[0] for p in items["post"]] == [f"INVENTED post {n}" for n in (1, 2, 3)]


def test_a_judgement_counts_once(table: RatingTable) -> None:
    assert excluded(table) == {
        "a further stereotype in the same judgement": 1,
        "another answer in the same judgement (the first counts)": 1,
        "no rating in the cell": 1,
        AGAIN: 1,
    }
    assert table.ratings.height == 25


def test_a_question_without_an_answer_is_left_out_alone(folder: Path) -> None:
    dataset = invented("sbic", folder)
    assert excluded(dataset.table("intent"))["no rating in the cell"] == 6
    assert "no rating in the cell" not in excluded(dataset.table("sexual"))


def test_worker_ids_are_text(table: RatingTable) -> None:
    ids = table.raters["rater_id"].to_list()
    assert {FIRST, FIRST[:-1] + "1"} <= {*ids}, "they differ where a floating point number ends"


def test_a_higher_level_is_worse(folder: Path) -> None:
    dataset = invented("sbic", folder)
    for dimension, k in (("offensiveness", 3), ("intent", 4), ("sexual", 3)):
        scale = dataset.table(dimension).scale
        assert (scale.direction, scale.labels[0], scale.labels[-1], scale.size) == ("lower", "no", "yes", k)
    first = dataset.table("intent").ratings.filter(rater_id=FIRST)
    assert first["level"].to_list()[:1] == [3], "1.0 is yes, the highest of four"


def test_every_level_of_every_axis(table: RatingTable) -> None:
    assert levels(table, "gender") == {"woman": 8, "man": 2, "non-binary": 1, "trans man": 1}
    race = {"White": 6, "Black": 1, "Asian": 1, "Hispanic": 1, "native": 1, "other": 1, "undeclared": 1}
    assert levels(table, "race") == race
    assert Counter(levels(table, "politics")) == Counter(
        {
            "liberal": 6,
            "moderately liberal": 1,
            "moderately conservative": 1,
            "conservative": 1,
            "libertarian": 1,
            "other": 1,
            "undeclared": 1,
        }
    )


def test_two_profiles(table: RatingTable) -> None:
    """One worker says na and woman; another is 24, then 26."""
    profiles = {r["rater_id"]: r for r in table.raters.iter_rows(named=True)}
    assert profiles["7000000000000000005"]["gender"] == ["woman"]
    assert profiles["7000000000000000006"]["age"] == ["undeclared"]
    assert levels(table, "age") == {"35-44": 5, "under 25": 1, "25-34": 1, "45-54": 2, "55 or over": 1, "undeclared": 2}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (",offensiveYN,", ",offensive,", "SBIC.v2.trn.csv:1: no column 'offensiveYN'"),
        ("woman,none,,,-587", "womyn,none,,,-587", ":2: unknown level 'womyn' of annotatorGender"),
        (",,1.0,woman", ",,0.7,woman", ":2: rating '0.7' of offensiveness in column 'offensiveYN' is not on its scale"),
        ("35.0", "thirty", ":2: annotatorAge 'thirty' is no number"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    with pytest.raises(PluralError) as e:
        invented("sbic", packed(tmp_path, old, new)).table("offensiveness")
    assert expected in str(e.value)
    assert "\n" not in str(e.value)


def test_another_archive_is_one_clear_line(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "SBIC.v2.tgz", "w:gz") as tar:
        tar.add(ROWS / "SBIC.v2.dev.csv", "SBIC.v2.agg.dev.csv")
    with pytest.raises(PluralError, match=r"0 files called 'SBIC.v2.trn.csv'; expected one; there are SBIC.v2.agg"):
        _ = invented("sbic", tmp_path).items


def test_the_tasks_are_valid(folder: Path, tmp_path: Path) -> None:
    found = findings(with_invented("sbic", folder, tmp_path))
    names = ["sbic_intent", "sbic_offensiveness", "sbic_offensiveness_steer_politics", "sbic_sexual"]
    assert found == {name: [] for name in names}
