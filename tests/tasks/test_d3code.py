"""D3CODE: real items and raters where they are at hand, INVENTED ratings, because the real ones are not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from tests.tasks.figures import changed, reference, shipped
from tests.tasks.invented import findings, invented, with_invented

INVENTED = Path(__file__).parent / "invented" / "d3code"
ITEMS, RATERS, RATINGS = (f"d3-{what}.csv" for what in ("items", "raters", "ratings"))
FOUNDATIONS = ["care", "equality", "proportionality", "authority", "loyalty", "purity"]


@pytest.fixture
def dataset() -> Dataset:
    return invented("d3code", INVENTED)


@pytest.mark.usefixtures("real")
def test_the_real_items_and_raters_give_the_independent_figures(mirror: Path, tmp_path: Path) -> None:
    """Everybody gives one INVENTED rating, so that everybody counts."""
    known = reference(mirror, "d3code")
    dataset = changed("d3code", tmp_path, dict)
    raters = pl.read_csv(dataset.path("raters"), infer_schema=False)["rater_id"]
    item = pl.read_csv(dataset.path("items"), infer_schema=False)["item_id"][0]
    rows = [f"{item},{rater},{n % 5},{int(n % 5 >= 2)}\n" for n, rater in enumerate(raters)]
    (dataset.folder / RATINGS).write_text("item_id,rater_id,rating_raw,rating_binary\n" + "".join(rows))
    assert len(dataset.items) == known["n_items"]
    table = dataset.table("offensiveness")
    assert len(table.raters) == known["n_raters"]
    for axis in ("Age", "Gender", "Region", "Country"):
        assert table.group_sizes(axis.lower()) == known["raters_by"][axis]
    ses = {int(level): n for level, n in known["raters_by"]["SES"].items()}
    bands = {"1 to 4": range(1, 5), "5 to 6": range(5, 7), "7 to 10": range(7, 11)}
    assert table.group_sizes("ses") == {band: sum(ses[k] for k in levels) for band, levels in bands.items()}
    for axis in FOUNDATIONS:
        shares = [n / known["n_raters"] for n in table.group_sizes(axis).values()]
        assert len(shares) == 3
        assert all(0.29 < share < 0.38 for share in shares), f"{axis} is not in thirds: {shares}"


def test_a_comment_of_two_categories_is_one_item(dataset: Dataset) -> None:
    assert dataset.items["item_id"].to_list() == ["10", "11", "12"]
    assert dataset.items["text"][2] == "INVENTED comment 12\nwith a line break"


def test_not_understood_is_left_out_and_counted(dataset: Dataset) -> None:
    table = dataset.table("offensiveness")
    assert [(e.rule, e.rows) for e in table.exclusions] == [("did not understand the comment", 3)]
    assert len(table.ratings) == 36 - 3
    assert set(table.ratings["level"]) == set(range(5))
    assert (table.scale.positions, table.scale.direction) == ((0, 1, 2, 3, 4), "lower")


def test_a_score_on_an_edge_falls_where_the_card_says(dataset: Dataset) -> None:
    people = pl.read_csv(INVENTED / RATERS, infer_schema=False)
    found = dataset.table("offensiveness").raters.join(people, on="rater_id", suffix="_score")
    care = dict(found.select("care_score", pl.col("care").list.first()).iter_rows())
    assert care == {"3.666666667": "low", "3.833333333": "middle", "4.666666667": "high"}
    ses = {int(k): v for k, v in found.select("SES", pl.col("ses").list.first()).iter_rows()}
    assert [ses[k] for k in (4, 5, 6, 7, 10)] == ["1 to 4", "5 to 6", "5 to 6", "7 to 10", "7 to 10"]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (RATERS, "rater_id,Age", "Age_,Age", f"{RATERS}:1: no column 'rater_id'"),
        (RATINGS, "rating_raw", "raw", f"{RATINGS}:1: no column 'rating_raw'"),
        (RATINGS, "R_INVENTED0,0,0", "R_INVENTED0,5,1", f"{RATINGS}:2: rating '5' of offensiveness in column 'rating_"),
        (RATINGS, "R_INVENTED0", "R_NOBODY", f"{RATINGS}:2: unknown rater 'R_NOBODY'; expected an id of the raters"),
        (RATINGS, "R_INVENTED1", "R_INVENTED0", f"{RATINGS}:3: a second rating of item '10' by rater 'R_INVENTED0'"),
        (RATERS, "3.666666667", "much", f"{RATERS}:2: care 'much' is no number"),
        (ITEMS, "INVENTED comment 11,moral", "another,moral", f"{ITEMS}:4: item '11' stands twice with different"),
    ],
)  # fmt: skip
def test_another_file_is_one_clear_line(tmp_path: Path, file: str, old: str, new: str, expected: str) -> None:
    for name in (ITEMS, RATERS, RATINGS):
        text = (INVENTED / name).read_text()
        assert name != file or old in text
        (tmp_path / name).write_text(text.replace(old, new, 1) if name == file else text)
    with pytest.raises(PluralError) as e:
        invented("d3code", tmp_path).table("offensiveness")
    assert expected in str(e.value)
    assert "\n" not in str(e.value)


def test_without_ratings_the_line_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", str(tmp_path))
    with pytest.raises(PluralError, match=f"no file {RATINGS}: lm-plural data fetch d3code .*; looked for "):
        shipped("d3code").path("ratings")


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    found = findings(with_invented("d3code", INVENTED, tmp_path))
    assert found == {"d3code_offensiveness": [], "d3code_offensiveness_steer_region": []}
