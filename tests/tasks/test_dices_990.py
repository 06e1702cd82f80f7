"""DICES-990 in its described schema, on INVENTED rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from lm_plural.harness.task.elicit import prompt, variants
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import load_task
from lm_plural.harness.task.template import render
from tests.tasks.figures import changed, unchecked
from tests.tasks.invented import findings, invented, with_invented

INVENTED = Path(__file__).parent / "invented" / "dices_990"
FILE = "diverse_safety_adversarial_dialog_990.csv"


@pytest.fixture
def dataset() -> Dataset:
    return invented("dices_990", INVENTED)


def test_both_spellings_of_india_are_one(dataset: Dataset) -> None:
    assert dataset.table("safety").group_sizes("locale") == {"India": 6, "United States": 5}


def test_every_profile(dataset: Dataset) -> None:
    table = dataset.table("safety")
    assert table.group_sizes("gender") == {"man": 3, "non-binary": 1, "self-described": 1, "woman": 6}
    race = {"Asian": 6, "Black": 1, "Latine": 1, "White": 1, "multiracial": 1, "other": 1}
    assert table.group_sizes("race") == race
    assert table.group_sizes("age") == {"gen x+": 3, "gen z": 6, "millennial": 2}
    education = {"college degree or higher": 7, "high school or below": 2, "other": 1, "undeclared": 1}
    assert table.group_sizes("education") == education


def test_raters_saw_a_part_of_the_items(dataset: Dataset) -> None:
    ratings = dataset.table("safety").ratings
    assert ratings.group_by("item_id").len().sort("item_id")["len"].to_list() == [11, 10, 10]


def test_the_columns_are_those_of_the_file_not_of_its_description(dataset: Dataset) -> None:
    bias = dataset.table("unfair_bias").ratings.filter(level=2).select("item_id", "rater_id")
    assert bias.rows() == [("0", "200000000000009")]
    assert set(dataset.table("misinformation").ratings["level"]) == {0}
    assert dataset.table("harmful_content").ratings["level"].to_list()[:3] == [0, 1, 2]


def test_the_scale_is_that_of_the_other_copies(dataset: Dataset) -> None:
    for other in ("dices_990_overall", "dices_350"):
        assert invented(other, INVENTED.parent / other).table("safety").scale == dataset.table("safety").scale


def test_the_published_total_is_asserted(tmp_path: Path) -> None:
    dataset = changed("dices_990", tmp_path, unchecked)
    shutil.copy(INVENTED / FILE, dataset.folder)
    with pytest.raises(PluralError, match=f"^[^\n]*{FILE}: 31 ratings; expected the 72103 that were published$"):
        dataset.table("safety")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Q3_unfair_bias_overall", "Q3_bias_overall", ":1: no column 'Q3_unfair_bias_overall'"),
        (",IN,", ",DE,", ":2: unknown level 'DE' of rater_locale; expected one of IN, India, US"),
        (
            "No,No,No,No\n",
            "No,no idea,No,No\n",
            ":2: rating 'no idea' of unfair_bias in column 'Q3_unfair_bias_overall' is not on its scale",
        ),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = (INVENTED / FILE).read_text()
    assert old in text
    (tmp_path / FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(PluralError) as e:
        invented("dices_990", tmp_path).table("unfair_bias")
    assert f"{FILE}{expected}" in str(e.value)
    assert "\n" not in str(e.value)


def test_turns_are_written_on_lines_of_their_own(tmp_path: Path) -> None:
    with_invented("dices_990", INVENTED, tmp_path)
    index = Index([tmp_path])
    rate, respond = (load_task(index.tasks[f"dices_990_{name}"], index) for name in ("safety", "respond"))
    turns = "A: INVENTED question 0\nB: INVENTED reply, 0\nA: INVENTED further question 0\nB:"
    fields = rate.docs(1)[0].fields
    assert "\\n" in fields["context"]
    for variant in variants(rate.task):
        assert f"{turns} INVENTED last reply 0\n" in prompt(rate.task, rate.scale, variant, fields)
    assert render(respond.task.doc_to_text, dict(fields)).endswith(f"\n\n{turns}")


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    found = findings(with_invented("dices_990", INVENTED, tmp_path))
    assert found == {"dices_990_respond": [], "dices_990_safety": [], "dices_990_safety_steer_locale": []}
