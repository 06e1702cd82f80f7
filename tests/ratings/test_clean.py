"""Every trouble in raw rows stops with file, line, value and what was expected, or is counted under its rule."""

from __future__ import annotations

import polars as pl
import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.clean import build_table
from lm_plural.harness.ratings.table import RatingTable
from tests.ratings.build import FIVE, raters_of, rows_of, table

GOOD = [("a", "r1", "1"), ("a", "r2", "5"), ("b", "r1", "3")]
TWO_PROFILES = [("r1", {"gender": ["woman"], "race": ["x"]}), ("r1", {"gender": ["man"], "race": ["x"]})]
TWO_PROFILES += [("r2", {"gender": ["man"], "race": ["y"]})]
KNOWN = {"r1": {"gender": ["woman"]}, "r2": {"gender": ["man"]}}


def said(t: RatingTable) -> list[tuple[str, str, int]]:
    return sorted(t.ratings.select("item_id", "rater_id", "level").iter_rows())


def test_clean_rows_become_levels_and_leave_nothing_out():
    t = table(*GOOD)
    assert said(t) == [("a", "r1", 0), ("a", "r2", 4), ("b", "r1", 2)]
    assert t.exclusions == ()
    assert t.scale == FIVE


def test_spellings_of_a_level_are_one():
    assert [level for *_, level in said(table(("a", "r", "3.0"), ("b", "r", " 3 "), ("c", "r", "3")))] == [2, 2, 2]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            [*GOOD, ("b", "r2", "6")],
            {},
            "r.csv:5: rating '6' of tox is not on its scale; expected one of 1, 2, 3, 4, 5",
        ),
        ([*GOOD, ("b", "r2", None)], {"missing": "error"}, "r.csv:5: no rating for tox; expected one of its levels"),
        ([*GOOD, ("a", "r1", "1")], {}, "r.csv:5: a second rating of item 'a' by rater 'r1' on tox; expected one"),
        (
            [*GOOD, ("z", "r1", "1")],
            {"items": ["a", "b"]},
            "r.csv:5: unknown item 'z'; expected an id of the items file",
        ),
        (
            [*GOOD, ("b", "r9", "1")],
            {"raters": KNOWN},
            "r.csv:5: unknown rater 'r9'; expected an id of the raters file",
        ),
        ([*GOOD, ("b", "r2", "1", "six")], {}, "r.csv:5: unknown scale 'six'; expected one of five"),
        ([*GOOD, ("b", "r2", "1", None)], {}, "r.csv:5: unknown scale None; expected one of five"),
        (GOOD, {"raters": TWO_PROFILES}, "rater 'r1' has two profiles (gender: woman and man); expected one"),
        ([("a", "r1", None)], {}, "r.csv:2: no ratings left: 1 ratings left out: no rating in the cell"),
        ([("a", "r1", "9")], {"off_scale": "drop"}, "r.csv:2: no ratings left: 1 ratings left out: not on the scale"),
    ],
)
def test_trouble_without_a_rule_names_line_value_and_what_was_expected(rows, options, message):
    with pytest.raises(PluralError) as e:
        table(*rows, **options)
    assert message in str(e.value)


def test_no_rows_at_all_is_an_error():
    with pytest.raises(PluralError, match="row 1: no ratings in the file"):
        build_table(rows_of(), raters_of(KNOWN), {"five": FIVE})


@pytest.mark.parametrize(
    ("rows", "options", "kept", "reason"),
    [
        ([*GOOD, ("b", "r2", "6"), ("c", "r2", "x")], {"off_scale": "drop"}, 3, "2: not on the scale ('6', 'x')"),
        ([*GOOD, ("b", "r2", None)], {}, 3, "1: no rating in the cell"),
        ([*GOOD, ("a", "r1", "2")], {"duplicates": "drop"}, 2, "2: repeated (item, rater, dimension), none kept"),
        ([*GOOD, ("a", "r1", "2")], {"duplicates": "first"}, 3, "1: repeated (item, rater, dimension), first kept"),
        ([*GOOD, ("z", "r1", "1")], {"items": ["a", "b"], "unknown_item": "drop"}, 3, "1: unknown item"),
        ([*GOOD, ("b", "r9", "1")], {"raters": KNOWN, "unknown_rater": "drop"}, 3, "1: unknown rater"),
        (GOOD, {"raters": TWO_PROFILES, "profiles": "drop"}, 1, "2: raters with two profiles (r1)"),
    ],
)
def test_rows_left_out_by_a_rule_are_counted_with_the_reason(rows, options, kept, reason):
    t = table(*rows, **options)
    assert len(t.ratings) == kept
    n, rule = reason.split(": ")
    assert list(map(str, t.exclusions)) == [f"{n} ratings left out: {rule}"]


def test_of_repeated_ratings_the_first_in_the_file_stays():
    assert said(table(("a", "r", "2"), ("b", "r", "1"), ("a", "r", "5"), duplicates="first"))[0] == ("a", "r", 1)


def test_a_skipped_question_beside_an_answer_is_no_repetition():
    assert said(table(("a", "r", None), ("a", "r", "4"))) == [("a", "r", 3)]


def test_the_profile_error_names_the_line_where_the_profiles_stand_in_the_ratings_file():
    raters = raters_of(TWO_PROFILES).with_columns(row=pl.Series([0, 1, 2]))
    with pytest.raises(PluralError, match=r"^r.csv:3: rater 'r1' has two profiles"):
        build_table(rows_of(*GOOD), raters, {"five": FIVE}, locate=lambda row: f"r.csv:{row + 2}")


def test_differing_axes_can_be_set_to_undeclared_and_the_others_stay():
    t = table(*GOOD, raters=TWO_PROFILES, profiles="undeclared")
    profiles = {r["rater_id"]: (r["gender"], r["race"]) for r in t.raters.iter_rows(named=True)}
    assert profiles == {"r1": (["undeclared"], ["x"]), "r2": (["man"], ["y"])}
    assert len(t.ratings) == 3


def test_an_unknown_rater_can_stay_as_undeclared():
    t = table(*GOOD, ("b", "r9", "1"), raters=KNOWN, unknown_rater="undeclared")
    assert t.group_sizes("gender") == {"woman": 1, "man": 1, "undeclared": 1}
    assert len(t.ratings) == 4


def test_the_same_profile_again_is_one_profile_whatever_the_order_of_its_levels():
    again = [("r1", {"race": ["x", "y"]}), ("r1", {"race": ["y", "x"]}), ("r2", {"race": ["z"]})]
    assert table(*GOOD, raters=again).group_sizes("race") == {"x": 1, "y": 1, "z": 1}


def test_a_level_named_twice_counts_its_rater_once():
    t = table(*GOOD, raters={"r1": {"race": ["x", "x"]}, "r2": {"race": ["x"]}})
    assert sorted(t.groups("race").iter_rows()) == [("r1", "x"), ("r2", "x")]


def test_raters_without_a_rating_are_not_kept():
    t = table(*GOOD, raters={**KNOWN, "r7": {"gender": ["man"]}})
    assert t.raters["rater_id"].to_list() == ["r1", "r2"]
