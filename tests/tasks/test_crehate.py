"""CREHate: the independent figures, the authors' share of agreement, and the traps of its two files."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.table import RatingTable
from tests.tasks.figures import described, equal, reference, shipped, truncated, whole, without_last_line
from tests.tasks.invented import findings, invented, with_invented

INVENTED = Path(__file__).parent / "invented" / "crehate"
RAW = "CREHate_raw_annotations.csv"
#: Axes here and in the figures.
BY_ROW = {"gender": "gender", "ethnicity": "eth", "age": "age_bin"}
AGAIN, UNSURE = "a further row of the same annotator and post", "do not know"


def excluded(table: RatingTable) -> dict[str, int]:
    return {e.rule: e.rows for e in table.exclusions}


def test_the_independent_figures_of_all_and_of_every_country(real: Path) -> None:
    known = reference(real, "crehate")
    table = shipped("crehate").table("hate")
    assert excluded(table) == {UNSURE: 3060, AGAIN: 19}
    block = described(table, ["nationality"])
    equal(block["overall"], whole(known), ">=1")
    assert block["axes"]["nationality"]["groups"].keys() == known["groups"]["nationality"].keys()
    for name, figures in known["groups"]["nationality"].items():
        equal(block["axes"]["nationality"]["groups"][name], figures, ">=1")


def test_the_independent_figures_of_rows_that_have_a_profile(real: Path) -> None:
    known = reference(real, "crehate")["groups"]
    table = shipped("crehate", no_profile=True).table("hate")
    assert excluded(table)["filter no_profile"] == 39467 - len(table.ratings)
    block = described(table, list(BY_ROW))
    for axis, called in BY_ROW.items():
        assert block["axes"][axis]["groups"].keys() == known[called].keys()
        for name, figures in known[called].items():
            equal(block["axes"][axis]["groups"][name], figures, ">=1")


def share_of_one_label(labels: pl.DataFrame) -> float:
    """Return the share of posts whose label is the same in all countries, one column each."""
    return float(labels.select((pl.concat_list(pl.all()).list.n_unique() == 1).mean()).item())


def test_all_countries_agree_on_56_percent_by_the_final_labels(real: Path) -> None:
    known = reference(real, "crehate")
    labels = shipped("crehate").items.select(pl.col("^.*_Hate$").cast(pl.Float64))
    assert share_of_one_label(labels) == pytest.approx(0.562025, abs=1e-6)
    assert known["share_of_posts_with_same_final_label_in_all_5_countries"] == 0.562025
    for country, rate in known["final_label_hate_rate_by_country"].items():
        assert labels[f"{country}_Hate"].mean() == pytest.approx(rate, abs=1e-6)


@pytest.mark.usefixtures("real")
def test_the_final_labels_are_the_majorities_of_the_ratings() -> None:
    """Two posts have a tie in Singapore; on all others, the label and the agreement follow from the ratings."""
    dataset = shipped("crehate")
    table = dataset.table("hate")
    rows = table.ratings.join(table.groups("nationality"), on="rater_id")
    share = rows.group_by("item_id", "group").agg(pl.col("level").mean())
    ties = share.filter(level=0.5)
    assert ties["group"].to_list() == ["Singapore", "Singapore"]
    wide = share.with_columns(level=(pl.col("level") > 0.5).cast(pl.Float64)).pivot("group", index="item_id")
    clear = dataset.items.join(wide, on="item_id").join(ties, on="item_id", how="anti")
    assert len(clear) == 1578
    countries = table.group_sizes("nationality")
    for country in countries:
        final = clear[f"{country.replace(' ', '_')}_Hate"].cast(pl.Float64)
        assert final.equals(clear[country], check_names=False)
    agreed = share_of_one_label(clear.select(list(countries))) * 1578
    assert agreed / 1580 == pytest.approx(0.562025, abs=1e-6), "the two posts with a tie are none of those agreed on"


@pytest.mark.usefixtures("real")
def test_a_truncated_file_is_refused_by_the_published_total(tmp_path: Path) -> None:
    cut = truncated("crehate", "ratings", tmp_path, without_last_line)
    expected = f"{RAW}: 42545 ratings; expected the 42546 that were published"
    with pytest.raises(PluralError, match=f"^[^\n]*{re.escape(expected)}$"):
        cut.table("hate")


@pytest.fixture
def dataset() -> Dataset:
    return invented("crehate", INVENTED)


def test_duplicates_and_answers_that_are_no_rating_are_counted(dataset: Dataset) -> None:
    table = dataset.table("hate")
    assert excluded(table) == {UNSURE: 2, AGAIN: 1}
    assert len(table.ratings) == 3 * 14 - 2
    first = table.ratings.filter(item_id="SBIC-0", rater_id="931")
    assert first["level"].to_list() == [1], "the first row counts, the further one says 0"


def test_one_profile_counts_for_all_rows_of_its_rater(dataset: Dataset) -> None:
    people = {r["rater_id"]: r for r in dataset.table("hate").raters.iter_rows(named=True)}
    assert (people["647"]["gender"], people["647"]["age"]) == (["male"], ["<=24"])
    assert (people["855"]["gender"], people["855"]["nationality"]) == (["undeclared"], ["Singapore"])


def test_the_filter_leaves_out_rows_without_a_profile() -> None:
    table = invented("crehate", INVENTED, {"no_profile": True}).table("hate")
    assert excluded(table)["filter no_profile"] == 1 + 3
    assert table.ratings.filter(rater_id="647").height == 2
    assert "855" not in table.ratings["rater_id"]


def test_free_text_is_folded(dataset: Dataset) -> None:
    table = dataset.table("hate")
    assert table.group_sizes("ethnicity") == {"Asian": 3, "Black": 1, "Other": 4, "White": 5, "undeclared": 1}
    assert table.group_sizes("politics") == {
        "independent": 9,
        "liberal or progressive": 1,
        "moderate conservative": 1,
        "other": 1,
        "undeclared": 2,
    }
    assert table.group_sizes("religion") == {
        "Buddhism": 1,
        "Hinduism": 1,
        "irreligion": 1,
        "none": 8,
        "other": 2,
        "undeclared": 1,
    }
    assert table.group_sizes("education") == {"level 1": 1, "level 2": 1, "level 4": 11, "undeclared": 1}
    assert table.group_sizes("age") == {"25-34": 7, "55+": 2, "<=24": 4, "undeclared": 1}


def test_orientation_has_several_values(dataset: Dataset) -> None:
    people = {r["rater_id"]: set(r["orientation"]) for r in dataset.table("hate").raters.iter_rows(named=True)}
    assert people["4"] == {"bisexual", "transgender"}
    assert people["7"] == {"bisexual", "other"}
    assert people["9"] == {"transgender", "other"}
    assert people["6"] == {"asexual"}
    assert people["5"] == people["8"] == people["855"] == {"undeclared"}, "not_answer, 'normal', and no profile"


def test_texts_may_hold_lines(dataset: Dataset) -> None:
    assert dataset.items["Text"][0] == "INVENTED post 0,\n\nwith lines"
    assert dataset.table("hate").scale.direction == "lower"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (",politic,", ",politics,", ":1: no column 'politic'; did you mean 'politics'?"),
        (
            "heterosexual,1\n",
            "heterosexual,3\n",
            ":2: rating '3' of hate in column 'annotation' is not on its scale; expected one of 0, 1",
        ),
        (
            "SBIC-0,1,United Kingdom,30.0,4.0",
            "SBIC-0,1,United Kingdom,30.0,7.0",
            ":2: unknown level '7.0' of education",
        ),
        ("SBIC-0,1,United Kingdom,30.0", "SBIC-0,1,United Kingdom,thirty", ":2: age 'thirty' is no number"),
        ("SBIC-0,1,", "SBIC-9,1,", ":2: unknown item 'SBIC-9' in column 'ID'; expected an id of the items file"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    for path in INVENTED.iterdir():
        text = path.read_text()
        assert path.name != RAW or old in text
        (tmp_path / path.name).write_text(text.replace(old, new, 1) if path.name == RAW else text)
    with pytest.raises(PluralError) as e:
        invented("crehate", tmp_path).table("hate")
    assert f"{RAW}{expected}" in str(e.value)
    assert "\n" not in str(e.value)


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    found = findings(with_invented("crehate", INVENTED, tmp_path))
    assert found == {"crehate_hate": [], "crehate_hate_steer_nationality": []}
