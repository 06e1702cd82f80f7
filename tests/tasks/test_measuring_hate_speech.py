"""Measuring Hate Speech: INVENTED rows in the described schema, and the real file where the mirror has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.table import RatingTable
from tests.conftest import ROOT
from tests.tasks.invented import findings, invented, with_invented

NAME, FILE = "measuring_hate_speech", "measuring-hate-speech.parquet"
ROWS = Path(__file__).parent / "invented" / NAME / "measuring-hate-speech.csv"
RATED = ["sentiment", "respect", "insult", "humiliate", "status", "dehumanize", "violence", "genocide", "attack_defend"]


def published(folder: Path, **new: pl.Expr) -> Path:
    """Write the rows as the Parquet file with its types: numbers and truth values."""
    table = pl.read_csv(ROWS).with_columns(pl.col(*RATED, "hatespeech").cast(pl.Float64)).with_columns(**new)
    folder.mkdir(exist_ok=True)
    table.write_parquet(folder / FILE)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp(NAME))


@pytest.fixture(scope="module")
def table(folder: Path) -> RatingTable:
    return invented(NAME, folder).table("hatespeech")


def correlation_with_score(dataset: Dataset, path: Path, dimension: str) -> float:
    """Return how the comments' mean ratings go with the published score, of which higher is more hateful."""
    score = pl.read_parquet(path, columns=["comment_id", "hate_speech_score"]).unique("comment_id")
    mean = dataset.table(dimension).ratings.group_by(pl.col("item_id").cast(pl.Int64)).agg(pl.col("level").mean())
    both = mean.join(score, left_on="item_id", right_on="comment_id")
    return float(np.corrcoef(both["level"], both["hate_speech_score"])[0, 1])


def levels(table: RatingTable, axis: str) -> set[str]:
    return {g for g, n in table.group_sizes(axis).items() if n}


@pytest.mark.parametrize("dimension", [*RATED, "hatespeech"])
def test_higher_is_more_hateful(folder: Path, dimension: str) -> None:
    """The trap: raters saw sentiment, respect and status the other way round, but the file does not hold it so."""
    dataset = invented(NAME, folder)
    worst = dataset.table(dimension).scale.labels[-1]
    assert dataset.table(dimension).scale.direction == "lower"
    assert correlation_with_score(dataset, folder / FILE, dimension) > 0.5
    said = {
        "sentiment": "strongly negative",
        "respect": "strongly disrespectful",
        "status": "strongly inferior",
        "attack_defend": "strongly attacking",
        "hatespeech": "yes",
    }
    assert worst == said.get(dimension, "strongly agree")


def test_a_skipped_question_is_left_out_alone(folder: Path) -> None:
    dataset = invented(NAME, folder)
    assert [str(e) for e in dataset.table("status").exclusions] == ["1 ratings left out: no rating in the cell"]
    assert dataset.table("insult").exclusions == ()


def test_several_answers_are_several_groups(table: RatingTable) -> None:
    profiles = {r["rater_id"]: r for r in table.raters.iter_rows(named=True)}
    assert profiles["10006"]["race"] == ["Black", "White"]
    assert profiles["10006"]["religion"] == ["Christian", "other"]


def test_no_answer_is_undeclared(table: RatingTable) -> None:
    profiles = {r["rater_id"]: r for r in table.raters.iter_rows(named=True)}
    assert profiles["10009"]["gender"] == ["undeclared"], "prefer not to say"
    assert profiles["10008"]["transgender"] == ["undeclared"], "prefer not to say"
    assert profiles["10012"]["age"] == ["undeclared"]
    assert profiles["10010"]["sexuality"] == ["undeclared"]


def test_every_level_of_every_axis(table: RatingTable) -> None:
    assert levels(table, "gender") == {"woman", "man", "non-binary", "self-described", "undeclared"}
    assert len(levels(table, "race")) == 8
    assert len(levels(table, "religion")) == 9
    assert {"extremely liberal", "extremely conservative"} < levels(table, "ideology"), "extremeley in the file"
    assert len(levels(table, "ideology")) == len(levels(table, "education")) == 8
    assert {"under 10k", "over 200k"} < levels(table, "income")
    assert levels(table, "age") == {"under 25", "25-34", "35-44", "45-54", "55 or over", "undeclared"}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({"insult": pl.lit(5.0)}, "row 1: rating '5' of insult is not on its scale; expected one of 0, 1, 2, 3, 4"),
        ({"annotator_age": pl.lit("old")}, "row 1: annotator_age 'old' is no number"),
    ],
)
def test_another_cell_is_one_clear_line(tmp_path: Path, new: dict[str, pl.Expr], expected: str) -> None:
    with pytest.raises(PluralError) as e:
        invented(NAME, published(tmp_path, **new)).table("insult")
    assert str(e.value) == f"{tmp_path / FILE}: {expected}"


def test_another_header_is_one_clear_line(tmp_path: Path) -> None:
    old, new = "annotator_ideology_extremeley_liberal", "annotator_ideology_extremely_liberal"
    pl.read_parquet(published(tmp_path) / FILE).rename({old: new}).write_parquet(tmp_path / FILE)
    with pytest.raises(PluralError, match=f"{FILE}:1: no column '{old}'"):
        invented(NAME, tmp_path).table("insult")


def test_the_tasks_are_valid(folder: Path, tmp_path: Path) -> None:
    found = findings(with_invented(NAME, folder, tmp_path))
    names = [*(f"{NAME}_{d}" for d in [*RATED, "hatespeech"]), f"{NAME}_hatespeech_steer_race"]
    assert found == {name: [] for name in sorted(names)}


def test_the_real_file(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (path := mirror / NAME / FILE).is_file():
        pytest.skip(f"the mirror has no {FILE}")
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", str(mirror))
    dataset = Dataset(load_recipe(ROOT / "tasks" / NAME / "dataset.yaml"), ROOT / "tasks" / NAME)
    assert dataset.items.height == 39_565
    for dimension in [*RATED, "hatespeech"]:
        assert correlation_with_score(dataset, path, dimension) > 0.3
