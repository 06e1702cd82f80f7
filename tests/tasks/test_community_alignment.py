"""Community Alignment on INVENTED prompts, replies and picks in the described schema."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.task.elicit import prompt, variants
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import LoadedTask, load_task
from tests.tasks.invented import findings, invented, with_invented

NAME, FILE = "community_alignment", "community_alignment.csv"
ROWS = Path(__file__).parent / "invented" / NAME


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return invented(NAME, ROWS)


@pytest.fixture(scope="module")
def table(dataset: Dataset) -> RatingTable:
    return dataset.table("preference")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_invented(NAME, ROWS, tmp_path_factory.mktemp(NAME))


def load(tasks: Path, name: str) -> LoadedTask:
    index = Index([tasks.parent])
    return load_task(index.select([name])[0], index)


def preferred(dataset: Dataset) -> list[tuple[str, str, str, str]]:
    """Return (rater, prompt, preferred reply, other reply)."""
    rows = dataset.table("preference").ratings.join(dataset.items, on="item_id")
    one, two = pl.col("response_1"), pl.col("response_2")
    first = pl.col("level") == 0
    better, worse = pl.when(first).then(one).otherwise(two), pl.when(first).then(two).otherwise(one)
    return rows.select("rater_id", "first_turn_prompt", better, worse.alias("worse")).rows()


def expected() -> set[tuple[str, str, str, str]]:
    """Work the same out row by row; of a rater's two picks on one pair the first counts."""
    found: dict[tuple[str, str, str, frozenset[str]], tuple[str, str]] = {}
    with (ROWS / FILE).open(newline="") as f:
        for row in csv.DictReader(f):
            if not (best := row["first_turn_preferred_response"]):
                continue
            chosen = row[f"first_turn_{best}"]
            for slot in "abcd":
                if (other := row[f"first_turn_response_{slot}"]) != chosen:
                    pair = frozenset((chosen, other))
                    key = (row["annotator_id"], row["assigned_lang"], row["first_turn_prompt"], pair)
                    found.setdefault(key, (chosen, other))
    return {(who, text, better, worse) for (who, _, text, _), (better, worse) in found.items()}


def test_a_pick_is_preferred_to_each_other_reply(dataset: Dataset) -> None:
    found = preferred(dataset)
    assert len(found) == 36
    assert set(found) == expected()


def test_what_is_left_out_is_counted(table: RatingTable) -> None:
    assert {e.rule: e.rows for e in table.exclusions} == {
        "no reply preferred to another in the first turn": 1,
        "repeated (item, rater, dimension), first kept": 3,
    }


def test_replies_are_one_item_wherever_they_stood_but_not_in_another_language(dataset: Dataset) -> None:
    """Rater 7 saw the four in reverse order; rater 5 twice, in other slots."""
    items = dataset.items.filter(first_turn_prompt="INVENTED prompt 1")
    assert items.group_by("assigned_lang").len().sort("len").rows() == [("pt", 3), ("en", 6)]
    pairs = {lang: set(g.select("response_1", "response_2").rows()) for (lang,), g in items.group_by("assigned_lang")}
    assert pairs["pt"] < pairs["en"], "and in the same order"


def test_the_order_of_a_pair_is_not_that_of_preference(table: RatingTable) -> None:
    assert table.ratings["level"].n_unique() == 2
    assert table.scale.labels == ("response 1 is better", "response 2 is better")


def test_ethnicity_is_of_a_country(table: RatingTable) -> None:
    assert table.group_sizes("ethnicity") == {
        "United States: White": 5,
        "India: Indo-Aryan": 1,
        "Brazil: White": 1,
        "France: Immigrant": 1,
        "undeclared": 1,
    }
    assert table.group_sizes("politics")["undeclared"] == 1
    assert table.group_sizes("gender") == {"female": 7, "male": 1, "undeclared": 1}


def test_tasks_leave_out_own_prompts(tasks: Path) -> None:
    loaded = load(tasks, "community_alignment_preference")
    assert {d.fields["first_turn_prompt"] for d in loaded.docs()} == {"INVENTED prompt 1", "INVENTED prompt 2"}
    assert loaded.table.ratings.height == 33
    english = load(tasks, "community_alignment_preference_en")
    assert {d.fields["assigned_lang"] for d in english.docs()} == {"en"}


def test_a_model_sees_both_replies_in_either_order_and_no_end_mark(tasks: Path) -> None:
    loaded = load(tasks, "community_alignment_preference")
    (doc, *_) = [d for d in loaded.docs() if "<|end_of_text|>" in d.fields["response_1"] + d.fields["response_2"]]
    shown = {v.wording: prompt(loaded.task, loaded.scale, v, doc.fields) for v in variants(loaded.task)}
    assert not any("end_of_text" in text for text in shown.values())
    swapped = [text.index("esponse 1:") > text.index("esponse 2:") for text in shown.values()]
    assert swapped == [False, True, False]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (",response_a,", ",response_e,", f"{FILE}:2: unknown choice 'response_e' of first_turn_preferred_response"),
        ("first_turn_response_d", "response_d", f"{FILE}:1: no column 'first_turn_response_d'"),
        ("assigned_lang", "lang", f"{FILE}:1: no column 'assigned_lang'"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    (tmp_path / FILE).write_text((ROWS / FILE).read_text().replace(old, new, 1))
    with pytest.raises(PluralError) as e:
        invented(NAME, tmp_path).table("preference")
    assert expected in str(e.value)
    assert "\n" not in str(e.value)


def test_the_tasks_are_valid(tasks: Path) -> None:
    names = ["", "_en", "_en_steer_country"]
    assert findings(tasks) == {f"community_alignment_preference{n}": [] for n in names}
