"""Groups, intersections and scales of a rating table."""

from __future__ import annotations

import pytest

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import axis_name
from tests.ratings.build import FIVE, table

RATERS = {
    "r1": {"gender": ["woman"], "race": ["black", "asian"]},
    "r2": {"gender": ["man"], "race": ["asian"]},
    "r3": {"gender": ["undeclared"], "race": ["undeclared"]},
}
ROWS = [("a", "r1", "1"), ("a", "r2", "2"), ("b", "r3", "3")]


def test_a_rater_with_two_levels_is_in_both_groups_and_undeclared_is_a_level():
    t = table(*ROWS, raters=RATERS)
    assert t.axes == ("gender", "race")
    assert t.group_sizes("race") == {"asian": 2, "black": 1, "undeclared": 1}
    assert sorted(t.groups("race").iter_rows()) == [
        ("r1", "asian"),
        ("r1", "black"),
        ("r2", "asian"),
        ("r3", "undeclared"),
    ]


def test_cells_hold_every_combination_of_a_raters_levels():
    sizes = table(*ROWS, raters=RATERS).group_sizes(("gender", "race"))
    assert sizes == {"man & asian": 1, "undeclared & undeclared": 1, "woman & asian": 1, "woman & black": 1}
    assert axis_name(("gender", "race")) == "gender & race"
    assert axis_name("race") == "race"


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("gendre", "no axis 'gendre'; did you mean 'gender'\\?; there are gender, race"),
        (("race", "age"), "no axis 'age'"),
        (("race", "race"), "axis 'race & race' names one axis twice"),
    ],
)
def test_an_axis_that_is_not_there_is_refused(axis, message):
    with pytest.raises(UsageError, match=message):
        table(*ROWS, raters=RATERS).groups(axis)


def test_select_keeps_the_ratings_of_the_named_items():
    t = table(*ROWS, raters=RATERS).select(["b", "zz"])
    assert t.ratings["item_id"].to_list() == ["b"]
    with pytest.raises(PluralError, match="the selected items have no ratings"):
        _ = t.select(["zz"]).scale


def test_a_scale_that_changed_inside_the_collection_is_refused_with_its_counts():
    scales = {"five": FIVE, "three": Scale(tuple("123"))}
    t = table(("a", "r1", "5"), ("b", "r1", "3", "three"), ("c", "r1", "1", "three"), scales=scales)
    with pytest.raises(UsageError, match=r"2 scales \(\{'five': 1, 'three': 2\}\)"):
        _ = t.scale
    assert t.select(["b", "c"]).scale == scales["three"]
