"""GlobalOpinionQA on INVENTED rows in the described schema: Python text with countries and their shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.shares import ShareTable
from tests.tasks.invented import INVENTED, edited_text, findings, invented, with_invented

NAME, FILE = "global_opinion_qa", "global_opinions.csv"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return invented(NAME, INVENTED / NAME)


@pytest.fixture(scope="module")
def table(dataset: Dataset) -> ShareTable:
    return dataset.shares


def by_question(dataset: Dataset) -> dict[str, dict[str, list[float]]]:
    """Return shares by number of the question, then country."""
    words = dict(dataset.items.select("item_id", "question").iter_rows())
    found: dict[str, dict[str, list[float]]] = {}
    for item, group, shares in dataset.shares.cells.select("item_id", "group", "shares").iter_rows():
        number = words[item].split(":")[0].removeprefix("INVENTED question ")
        found.setdefault(number, {})[group] = [round(v, 6) for v in shares]
    return found


def labels(dataset: Dataset) -> list[list[str]]:
    return dataset.shares.options["labels"].to_list()


def test_countries_and_shares_are_read_out_of_the_python_text(dataset: Dataset) -> None:
    found = by_question(dataset)
    assert list(found) == ["1", "2", "3", "4", "6"]
    assert found["1"]["United States"] == [0.62, 0.2, 0.1, 0.08]
    assert found["2"]["Turkey"] == [0.7, 0.1, 0.1, 0.1]
    assert found["4"] == {"United States": [0.9, 0.1], "Japan": [0.5, 0.5]}
    assert dataset.shares.axes == ["country"]


def test_options_that_are_numbers_or_hold_commas_and_bars_stay_whole(dataset: Dataset) -> None:
    assert labels(dataset)[1] == ["Never", "2", "3.0", "Always"]
    assert labels(dataset)[2] == ["Tea, with milk or not", "Coffee | espresso", "Neither"]


def test_countries_under_two_names_and_samples_that_are_not_national_stay_apart(table: ShareTable) -> None:
    assert {"Britain", "Great Britain", "China (Non-national sample)"} <= set(table.groups("country"))


def test_shares_that_do_not_sum_to_1_exactly_are_made_to(dataset: Dataset) -> None:
    assert by_question(dataset)["1"]["Brazil"] == [round(v / 0.99, 6) for v in (0.5, 0.3, 0.12, 0.07)]


def test_every_trap_is_counted(table: ShareTable) -> None:
    assert table.notes == (
        "1 item left out: a question that stands twice",
        "1 item left out: a question without text",
        "1 item left out: more than 26 options, which letters cannot name",
        "2 (item, group) pairs left out: of an item that is not asked",
        "1 (item, group) pair left out: a country without shares",
        "1 (item, group) pair left out: as many shares as options are needed",
        "2 (item, group) pairs left out: shares that do not sum to 0.95 to 1.05",
    )


def test_countries_whose_shares_are_of_no_use_are_left_out(dataset: Dataset) -> None:
    assert set(by_question(dataset)["3"]) == {"United States", "Turkey", "Japan"}


def test_nothing_says_that_options_have_an_order(table: ShareTable) -> None:
    assert all(place is None for places in table.options["positions"] for place in places)


def test_refusals_are_options_unless_the_filter_leaves_them_out(dataset: Dataset) -> None:
    assert labels(dataset)[0] == ["Very good", "Somewhat good", "Bad", "DK/Refused"]
    filtered = invented(NAME, INVENTED / NAME, {"no_refusals": True})
    assert labels(filtered)[0] == ["Very good", "Somewhat good", "Bad"]
    found = by_question(filtered)
    assert found["1"]["Russia"] == pytest.approx([0.25 / 0.9, 0.25 / 0.9, 0.4 / 0.9], abs=1e-6)
    assert "4" not in found, "one option is no question"
    assert "2 options left out: filter no_refusals" in filtered.shares.notes


def test_the_filter_knows_other_spellings(tmp_path: Path) -> None:
    here = edited_text(NAME, tmp_path, FILE, "DK/Refused", "dk / refused")
    assert labels(invented(NAME, here, {"no_refusals": True}))[0] == ["Very good", "Somewhat good", "Bad"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("question,selections,", "question,selection,", ":1: no column 'selections'; did you mean 'selection'?"),
        (
            "['Very good', ",
            "__import__('os').system('true') or ['Very good', ",
            ":2: options is no Python list or dict",
        ),
        ("defaultdict(<class 'list'>, {'United", "defaultdict(<class 'list'>, 'United", ":2: selections is no Python"),
        ("[0.62, 0.2", "['much', 0.2", ":2: share 'much' in column 'cell'; expected a number from 0 on"),
        ("[0.62, 0.2", "[-0.62, 0.2", ":2: share '-0.62' in column 'cell'; expected a number from 0 on"),
    ],
)
def test_a_changed_file_is_one_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    here = edited_text(NAME, tmp_path, FILE, old, new)
    with pytest.raises(PluralError) as caught:
        _ = invented(NAME, here).shares
    assert str(caught.value).startswith(f"{here / FILE}{expected}")


def test_every_task_is_valid(tmp_path: Path) -> None:
    found = findings(with_invented(NAME, INVENTED / NAME, tmp_path))
    assert found == {f"{NAME}_opinion": [], f"{NAME}_opinion_answers": [], f"{NAME}_opinion_steer_country": []}
