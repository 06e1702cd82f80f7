"""Fewer levels, for ratings and predictions alike (O9)."""

from __future__ import annotations

import numpy as np
import pytest

from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.coarsen import to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.counts import Scaling, Sums

FIVE = Scale(tuple("12345"), "lower", ("none", "slight", "some", "much", "very"))
P_H, P_G = np.array([0.5, 0.2, 0.1, 0.1, 0.1]), np.array([0.3, 0.2, 0.2, 0.2, 0.1])


def cliff(g: np.ndarray, h: np.ndarray) -> float:
    return float(np.tril(np.outer(g, h), -1).sum() - np.triu(np.outer(g, h), 1).sum())


def test_pooled_means_and_coarse_differences_of_the_oracle():
    assert (P_H @ FIVE.positions, P_G @ FIVE.positions) == (pytest.approx(2.1), pytest.approx(2.6))
    assert cliff(P_G, P_H) == pytest.approx(0.22)
    for coarse, expected in ((to_three(FIVE), 0.19), (to_two(FIVE, "up"), 0.20), (to_two(FIVE, "down"), 0.10)):
        assert cliff(coarse.distribution(P_G), coarse.distribution(P_H)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("neutral", "expected"),
    [("up", [0.7, 0.3]), ("down", [0.8, 0.2]), ("drop", [7 / 9, 2 / 9]), ("split", [0.75, 0.25])],
)
def test_the_neutral_rule_says_where_the_middle_goes(neutral, expected):
    np.testing.assert_allclose(to_two(FIVE, neutral).distribution(P_H), expected)


@pytest.mark.parametrize("neutral", ["up", "down", "drop", "split"])
def test_ratings_and_predictions_are_coarsened_alike(neutral):
    coarse = to_two(FIVE, neutral)
    counts = P_H * 10
    sums = Sums.of(counts[None, None], Scaling(np.array(coarse.scale.positions), coarse.matrix))
    assert sums.cdf[0, 0, 0] == pytest.approx(coarse.distribution(P_H)[0])


def test_three_levels_are_below_middle_and_above():
    coarse = to_three(FIVE)
    np.testing.assert_allclose(coarse.distribution(P_H), [0.7, 0.1, 0.2])
    assert coarse.scale.labels == ("none", "some", "very")
    assert (coarse.scale.levels, coarse.scale.direction) == (("1", "2", "3"), "lower")


@pytest.mark.parametrize("neutral", ["up", "down", "drop", "split"])
def test_an_even_scale_has_no_middle_so_the_rule_does_not_matter(neutral):
    np.testing.assert_array_equal(to_two(Scale(tuple("1234")), neutral).matrix, [[1, 0], [1, 0], [0, 1], [0, 1]])
    np.testing.assert_array_equal(to_two(Scale(("0", "1")), neutral).matrix, np.eye(2))


def test_direction_and_end_labels_stay():
    coarse = to_two(Scale(tuple("abc"), "higher", ("bad", "so", "good")), "split")
    assert (coarse.scale.direction, coarse.scale.labels) == ("higher", ("bad", "good"))


@pytest.mark.parametrize("levels", ["12", "1234"])
def test_an_even_scale_cannot_become_three(levels):
    with pytest.raises(UsageError, match="has no middle level"):
        to_three(Scale(tuple(levels)))


def test_three_stay_three_and_eleven_become_three():
    np.testing.assert_array_equal(to_three(Scale(tuple("123"))).matrix, np.eye(3))
    np.testing.assert_array_equal(to_three(Scale(tuple(range(11)))).matrix.sum(axis=0), [5, 1, 5])


def test_a_neutral_rule_must_be_one_of_the_four():
    with pytest.raises(UsageError, match="neutral='sideways'; expected one of up, down, drop, split"):
        to_two(FIVE, "sideways")  # type: ignore[arg-type]


def test_a_prediction_wholly_on_a_dropped_level_is_no_distribution():
    assert np.isnan(to_two(FIVE, "drop").distribution([0, 0, 1, 0, 0])).all()
