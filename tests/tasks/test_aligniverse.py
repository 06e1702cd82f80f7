"""Aligniverse on INVENTED rows with the columns of its survey application: no release is known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import load_task
from tests.tasks.invented import INVENTED, edited_text, excluded, findings, invented, levels_of, with_invented

NAME = "aligniverse"
BETTER = {
    "toxicity": "lower",
    "stereotypical_bias": "lower",
    "emotional_awareness": "higher",
    "sensitivity": "higher",
    "helpfulness": "higher",
}
ON_THREE, MISSING, AGAIN = (
    "rated on three points",
    "no rating in the cell",
    "repeated (item, rater, dimension), first kept",
)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return invented(NAME, INVENTED / NAME)


@pytest.fixture(scope="module")
def profiles(dataset: Dataset) -> dict[str, dict[str, list[str]]]:
    return {r["rater_id"]: r for r in dataset.table("toxicity_3").raters.rows(named=True)}


def test_twins_share_a_prompt_id_and_are_two_items(dataset: Dataset) -> None:
    ids = {lang: set(f["prompt_id"]) for (lang,), f in dataset.items.group_by("language")}
    assert ids["en"] == ids["de"] == {"100", "101", "102"}
    assert set(dataset.items["item_id"]) == {f"{lang}-{n}" for lang in ("en", "de") for n in (100, 101, 102)}


@pytest.mark.parametrize("dimension", BETTER)
def test_which_end_is_better_belongs_to_the_dimension(dataset: Dataset, dimension: str) -> None:
    for name in (dimension, f"{dimension}_3", f"{dimension}_de"):
        scale = dataset.table(name).scale
        assert scale.direction == BETTER[dimension]
        assert scale.levels[-1].endswith("agree")
        assert not scale.levels[-1].endswith("disagree")


def test_on_five_points_the_rows_on_three_are_left_out_and_counted(dataset: Dataset) -> None:
    table = dataset.table("toxicity")
    assert excluded(table) == {ON_THREE: 6, MISSING: 1, AGAIN: 1}
    assert table.ratings.height == 45 - 8
    assert not {"en-12", "en-13", "en-14"} & set(table.ratings["rater_id"])


def test_on_three_points_all_rows_are_there(dataset: Dataset) -> None:
    five, three = dataset.table("toxicity"), dataset.table("toxicity_3")
    assert excluded(three) == {MISSING: 1, AGAIN: 1}
    assert {"en-12", "en-13", "en-14"} <= set(three.ratings["rater_id"])
    both = five.ratings.join(three.ratings, on=["item_id", "rater_id"], suffix="_3")
    folded = {(five.scale.levels[a], three.scale.levels[b]) for a, b in both.select("level", "level_3").iter_rows()}
    assert folded == {
        ("strongly disagree", "disagree"),
        ("disagree", "disagree"),
        ("neutral", "neutral"),
        ("agree", "agree"),
        ("strongly agree", "agree"),
    }


def test_german_words_are_the_english_levels_with_german_labels(dataset: Dataset) -> None:
    german = pl.read_csv(INVENTED / NAME / "ratings.csv").filter(language="de")
    said = Counter(german["rating_toxicity"])
    scale = dataset.table("toxicity_de").scale
    rows = dataset.table("toxicity_de").ratings.filter(pl.col("item_id").str.starts_with("de-"))
    assert Counter(scale.labels[k] for k in rows["level"]) == said
    assert len(said) == scale.size == 5
    assert levels_of(dataset.table("toxicity"), "de-101") == levels_of(dataset.table("toxicity_de"), "de-101")


def test_a_person_who_met_an_item_again_is_counted_once(dataset: Dataset) -> None:
    row = pl.read_csv(INVENTED / NAME / "ratings.csv").filter(language="en", participant_id=2, prompt_id=102)
    assert row["rating_helpfulness"].n_unique() == 2
    assert levels_of(dataset.table("helpfulness"), "en-102")["en-2"] == row["rating_helpfulness"][0]


def test_one_number_in_two_languages_is_two_people(profiles: dict[str, dict[str, list[str]]]) -> None:
    assert len(profiles) == 14 + 8
    assert profiles["en-1"]["country"] == ["United States of America"]
    assert profiles["de-1"]["country"] == ["Germany"]


@pytest.mark.parametrize(
    ("rater", "race"),
    [
        ("en-1", ["White"]),
        ("en-2", ["Asian", "White"]),
        ("en-4", ["Black or African American", "White"]),
        ("en-6", ["Hispanic or Latino", "Native Hawaiian or Pacific Islander"]),
        ("en-8", ["undeclared"]),
        ("en-10", ["undeclared"]),
        ("de-1", ["Asian", "Black or African American"]),
        ("de-2", ["Hispanic or Latino", "Middle Eastern or North African"]),
        ("de-3", ["American Indian or Alaska Native", "Native Hawaiian or Pacific Islander"]),
        ("de-4", ["White"]),
    ],
)
def test_race_has_several_values_in_every_spelling(
    profiles: dict[str, dict[str, list[str]]], rater: str, race: list[str]
) -> None:
    assert sorted(profiles[rater]["race"]) == race


def test_a_comma_in_the_name_of_a_country_separates_nothing(profiles: dict[str, dict[str, list[str]]]) -> None:
    assert set(profiles["en-2"]["country"]) == {"Canada", "China, Hong Kong Special Administrative Region"}


def test_undeclared_in_every_language_and_on_every_axis(profiles: dict[str, dict[str, list[str]]]) -> None:
    silent = {axis for axis, value in profiles["en-10"].items() if value == ["undeclared"]}
    assert silent == {"gender", "age", "race", "politics", "party", "country", "ancestry"}
    assert (profiles["en-13"]["age"], profiles["en-13"]["gender"]) == (["undeclared"], ["undeclared"])
    assert (profiles["de-8"]["age"], profiles["de-8"]["gender"]) == (["undeclared"], ["undeclared"])


def test_levels_of_the_other_axes(dataset: Dataset) -> None:
    table = dataset.table("toxicity_3")
    assert set(table.group_sizes("gender")) == {"she/her", "he/him", "they/them", "other pronouns", "undeclared"}
    assert set(table.group_sizes("age")) == {"18-30", "31-40", "41-50", "51-60", "over 60", "undeclared"}
    assert set(table.group_sizes("politics")) == {"liberal", "centre", "conservative", "undeclared"}
    assert set(table.group_sizes("party")) == {"SPD", "CDU/CSU", "another party", "undeclared"}


def test_the_filter_leaves_out_what_is_not_on_gender(dataset: Dataset) -> None:
    filtered = invented(NAME, INVENTED / NAME, {"off_topic": True}).table("helpfulness")
    assert excluded(filtered)["filter off_topic"] == 2
    assert filtered.ratings.height == dataset.table("helpfulness").ratings.height - 2


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("ratings.csv", ",agree", ",tend to agree", ":2: unknown level 'tend to agree' of rating_toxicity;"),
        ("ratings.csv", "rating_toxicity", "toxicity", ":1: no column 'rating_toxicity'"),
        ("ratings.csv", "en,5,1,", "en,7,1,", ":2: unknown level '7' of scale; expected one of 5, 3"),
        ("ratings.csv", "en,5,1,", "fr,5,1,", ":2: unknown level 'fr' of language; expected one of en, de"),
        ("ratings.csv", "en,5,1,", "en,5,99,", ":2: unknown rater 'en-99'"),
        ("participants.csv", "White|Asian", "White|Asien", ":3: unknown level 'White|Asien' of ethnicity;"),
        ("participants.csv", "Liberal", "Progressive", ":2: unknown level 'Progressive' of political_spectrum;"),
        ("participants.csv", "she/her/hers", "she", ":2: unknown level 'she' of gender_identity;"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, file: str, old: str, new: str, expected: str) -> None:
    folder = edited_text(NAME, tmp_path, file, old, new)
    with pytest.raises(PluralError) as e:
        invented(NAME, folder).table("toxicity")
    assert str(e.value).startswith(f"{folder / file}{expected}")
    assert "\n" not in str(e.value)


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    kinds = [f"{d}{end}" for d in BETTER for end in ("", "_de", "_3")]
    tasks = [*kinds, "respond", "respond_de", "toxicity_steer_gender"]
    assert findings(with_invented(NAME, INVENTED / NAME, tmp_path)) == {f"{NAME}_{t}": [] for t in tasks}


def test_each_language_is_asked_in_its_own_words(tmp_path: Path) -> None:
    index = Index([with_invented(NAME, INVENTED / NAME, tmp_path).parent])
    for dimension in BETTER:
        for end, language, words in (("", "en", "The answer exhibits "), ("_de", "de", "Die Antwort ")):
            loaded = load_task(index.tasks[f"{NAME}_{dimension}{end}"], index)
            assert {doc.fields["language"] for doc in loaded.docs()} == {language}
            assert words in loaded.task.doc_to_text
            assert len(loaded.task.wordings) == 3
