"""Levels, positions and labels of a scale."""

from __future__ import annotations

import pytest

from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.scale import Scale, canonical


@pytest.mark.parametrize(
    ("spellings", "level"),
    [
        ([3, 3.0, "3", "3.0", " 3 ", "3e0", "+3"], "3"),
        ([0.5, ".5", "0.50", "5e-1"], "0.5"),
        ([-0.0, "-0", 0], "0"),
        (["yes", " yes "], "yes"),
        (["inf", " inf"], "inf"),
        (["nan"], "nan"),
        (["1e400"], "1e400"),
        (["ですね", " ですね\u3000"], "ですね"),
    ],
)
def test_every_spelling_of_a_level_is_one(spellings, level):
    assert {canonical(s) for s in spellings} == {level}


def test_levels_are_found_however_they_are_spelled():
    scale = Scale((1, 2.0, "3.00"))
    assert scale.levels == ("1", "2", "3")
    assert [scale.index(v) for v in ("1.0", 2, " 3 ")] == [0, 1, 2]


def test_a_value_off_the_scale_is_refused_with_the_levels():
    with pytest.raises(UsageError, match="'6' is not on the scale 1, 2, 3"):
        Scale(tuple("123")).index("6")


@pytest.mark.parametrize(
    ("levels", "positions"),
    [
        (("0", "1", "5"), (0.0, 1.0, 5.0)),
        (("no", "unsure", "yes"), (1.0, 2.0, 3.0)),
        (("1", "2", "many"), (1.0, 2.0, 3.0)),
        (("-1", "0.5"), (-1.0, 0.5)),
    ],
)
def test_levels_stand_at_their_numbers_else_at_1_to_k(levels, positions):
    assert Scale(levels).positions == positions


def test_labels_default_to_the_levels_and_positions_can_be_given():
    scale = Scale(("a", "b"), "higher", ("bad", "good"), (0.0, 10.0))
    assert (scale.labels, scale.positions, scale.direction, scale.size) == (("bad", "good"), (0.0, 10.0), "higher", 2)
    assert Scale(("1", "2")).labels == ("1", "2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": ("1",)}, "at least two levels"),
        ({"levels": ()}, "at least two levels"),
        ({"levels": ("1", "1.0")}, "all different"),
        ({"levels": ("1", " ", "2")}, "none empty"),
        ({"levels": ("3", "2", "1")}, "must be finite and increase"),
        ({"levels": ("1", "2", "inf")}, "must be finite and increase"),
        ({"levels": ("nan", "1")}, "must be finite and increase"),
        ({"levels": ("a", "b"), "positions": (1.0, 1.0)}, "must be finite and increase"),
        ({"levels": ("a", "b"), "positions": (1.0,)}, "1 positions for 2 levels"),
        ({"levels": ("a", "b"), "labels": ("x", "y", "z")}, "3 labels for 2 levels"),
    ],
)
def test_a_scale_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        Scale(**arguments)
