"""What a file of ratings tells by itself, and where only a person knows."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.data.importing.guess import guess, levels_of, no_answer
from tests.suite import quick


def sample(n_items: int = 6, n_raters: int = 8, **columns: list[str | None]) -> pl.DataFrame:
    """Every rater rates every item; `columns` are given per rater."""
    pairs = [(i, r) for i in range(n_items) for r in range(n_raters)]
    frame = {
        "item_id": [f"i{i}" for i, _ in pairs],
        "rater_id": [f"r{r}" for _, r in pairs],
        "rating": [str((i * r) % 5 + 1) for i, r in pairs],
        "text": [f"This is the text number {i} of all" for i, _ in pairs],
    }
    frame |= {name: [cells[r] for _, r in pairs] for name, cells in columns.items()}
    return pl.DataFrame(frame, schema=dict.fromkeys(frame, pl.String))


GENDER: list[str | None] = ["woman", "man"] * 4


def test_a_plain_file_tells_everything() -> None:
    found = guess(sample(gender=GENDER), {})
    assert found.columns == {"item_id": "item_id", "rater_id": "rater_id", "rating": "rating"}
    assert (found.text, found.axes, found.separator, found.nothing) == ("text", ("gender",), None, ())


@pytest.mark.parametrize(
    ("item", "rater", "rating"),
    [
        ("Item ID", " worker-id", "SCORE"),
        ("commentId", "AnnotatorID", "Label"),
        ("id", "user", "toxicity"),
        ("post_id", "participant_id", "value"),
    ],
)
def test_columns_are_known_by_their_names_however_they_are_written(item: str, rater: str, rating: str) -> None:
    named = {"item_id": item, "rater_id": rater, "rating": rating}
    assert guess(sample(gender=GENDER).rename(named), {}).columns == named


def test_what_the_user_says_wins_and_is_not_guessed_again() -> None:
    frame = sample(gender=GENDER).with_columns(score=pl.col("rating"), label=pl.col("rating"))
    assert guess(frame, {"rating": "score"}).columns["rating"] == "score"
    assert guess(frame, {"item_id": "rating"}).columns["rating"] == "score"
    assert guess(frame, {"text": "item_id"}).text == guess(frame, {"text": "item_id"}).columns["item_id"] == "item_id"
    assert guess(frame.rename({"item_id": "thing"}), {}).columns["item_id"] is None


def test_the_text_is_the_longest_column_that_is_the_same_for_an_item() -> None:
    frame = sample(notes=[f"a long and different note of rater {r}, much longer than the text" for r in range(8)])
    assert guess(frame, {}).text == "text"
    assert guess(frame.with_columns(pl.col("text").str.head(5)), {}).text is None, "too short to be a text"
    assert guess(frame.drop("text", "notes"), {}).text is None
    assert guess(frame, {"item_id": "rater_id"}).text == "notes"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([f"g{r}" for r in range(8)], "another one for each rater"),
        (["x"] * 8, "one for all"),
        ([None] * 8, "nothing"),
        (["a", "b", "c", "d", "e", "a", "b", "c"], "hardly two raters in a group"),
    ],
)
def test_what_does_not_group_raters_is_no_axis(cells: list[str | None], why: str) -> None:
    assert guess(sample(gender=GENDER, other=cells), {}).axes == ("gender",), why


def test_what_changes_inside_a_rater_is_no_axis() -> None:
    frame = sample(gender=GENDER).with_columns(mood=pl.Series(["good", "bad", "so"] * 16))
    assert guess(frame, {}).axes == ("gender",)
    assert guess(frame.drop("gender"), {}).axes == ()
    assert guess(frame.drop("rater_id"), {}).axes == ()


def test_one_rater_has_no_axes() -> None:
    assert guess(sample(n_raters=1, gender=["woman"]), {}).axes == ()


def test_cells_of_several_values_and_of_none() -> None:
    race: list[str | None] = ["white", "black|white", "NA", None, "white", "black|white", "n/a", "none"]
    found = guess(sample(race=race, gender=GENDER), {}, ["race"])
    assert (found.axes, found.separator, found.nothing) == (("race",), "|", ("NA", "n/a"))
    assert guess(sample(race=race, gender=GENDER), {}, ["gender"]).separator is None


@pytest.mark.parametrize("name", ["", "  ", "gender_duplicated_0"])
def test_columns_without_a_name_of_their_own_are_not_guessed(name: str) -> None:
    assert guess(sample(gender=GENDER).with_columns(pl.col("gender").alias(name)), {}).axes == ("gender",)


def test_an_empty_file_tells_nothing_and_does_not_fail() -> None:
    found = guess(sample(gender=GENDER).head(0), {})
    assert (found.text, found.axes) == (None, ())
    assert guess(pl.DataFrame(), {}).columns == {"item_id": None, "rater_id": None, "rating": None}


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (["3", "1", "2", "2.0", None], ["1", "2", "3"]),
        (["10", "9", "8"], ["8", "9", "10"]),
        (["0", "1"], ["0", "1"]),
        (["-1", "0", "1"], ["-1", "0", "1"]),
        (["0", "0.5", "1.0"], ["0", "0.5", "1"]),
        (["0", "0.33", "0.66", "1"], ["0", "0.33", "0.66", "1"]),
        (["0", "25", "50", "75", "100"], ["0", "25", "50", "75", "100"]),
        (["1", "2", "NA", "nan", "n/a", "NULL"], ["1", "2"]),
        ([str(n) for n in range(11)], [str(n) for n in range(11)]),
        (["1", "2", "4", "5"], []),
        (["1", "2.5", "3"], []),
        (["yes", "no"], []),
        (["1", "2", "x"], []),
        (["1", "inf"], []),
        (["1", "9" * 400], []),
        (["3"], []),
        (["1", "3"], []),
        ([], []),
        ([str(n) for n in range(12)], []),
    ],
)
def test_levels_are_numbers_in_equal_steps(values: list[str | None], levels: list[str]) -> None:
    assert levels_of(values) == levels


@quick
@given(st.lists(st.none() | st.text() | st.floats().map(str) | st.integers().map(str)))
def test_levels_are_some_of_the_values_or_none_at_all(values: list[str | None]) -> None:
    levels = levels_of(values)
    assert levels == sorted(set(levels), key=float)
    assert 0 <= len(levels) <= 11
    assert len(levels) != 1
    assert set(no_answer(values)) <= {v for v in values if v}
