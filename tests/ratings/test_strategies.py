"""Disagreement strategies: from counts to one reference per item."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.strategies import STRATEGIES, reference

quick = settings(deadline=None, derandomize=True, max_examples=60, database=None)
one_item = arrays(np.int64, st.integers(2, 6), elements=st.integers(0, 5)).filter(lambda c: c.sum() > 0)
ODD = [4, 0, 1, 0, 2]


@pytest.mark.parametrize(
    ("strategy", "counts", "expected"),
    [
        ("all", [1, 2, 0, 1, 0], [0.25, 0.5, 0, 0.25, 0]),
        ("weighted", [0.5, 1.5, 0, 0, 0], [0.25, 0.75, 0, 0, 0]),
        ("mean", [1, 2, 0, 1, 0], [0, 0.75, 0.25, 0, 0]),  # levels 0..4: the mean is 1.25
        ("mean", [0, 0, 0, 0, 3], [0, 0, 0, 0, 1]),
        ("mean", [1, 0, 1, 0, 0], [0, 1, 0, 0, 0]),
        ("median", ODD, [1, 0, 0, 0, 0]),
        ("median", [2, 0, 1, 0, 1], [0.5, 0, 0.5, 0, 0]),
        ("majority", ODD, [1, 0, 0, 0, 0]),
        ("majority", [2, 0, 2, 0, 1], [0.5, 0, 0.5, 0, 0]),
        ("majority", [1, 1, 1, 1, 1], [0.2] * 5),
        ("consensus", [7, 3, 0, 0, 0], [1, 0, 0, 0, 0]),
        ("consensus", [69, 31, 0, 0, 0], [np.nan] * 5),
        ("any_flag", ODD, [0, 0, 0, 0, 1]),
        ("any_flag", [9, 1, 0, 0, 0], [0, 1, 0, 0, 0]),
        ("group_balanced", [[9, 1, 0], [0, 0, 1]], [0.45, 0.05, 0.5]),
        ("group_balanced", [[9, 1, 0], [0, 0, 0]], [0.9, 0.1, 0]),
        ("dictator", [0, 3, 0], [0, 1, 0]),
    ],
)
def test_reference_by_hand(strategy, counts, expected):
    np.testing.assert_allclose(reference(counts, strategy), expected, atol=1e-12)


def test_the_flag_is_at_the_bottom_where_low_is_harmful():
    np.testing.assert_array_equal(reference([0, 1, 3, 0, 9], "any_flag", harm="lower"), [0, 1, 0, 0, 0])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_item_without_ratings_has_no_reference_and_disturbs_no_other(strategy):
    counts = np.array([[0, 0, 0], [0, 8, 0]])
    counts = counts[:, None] if strategy == "group_balanced" else counts
    out = reference(counts, strategy)
    assert np.isnan(out[0]).all()
    np.testing.assert_allclose(out[1], [0, 1, 0])


@quick
@given(one_item, st.sampled_from(STRATEGIES))
def test_a_reference_is_a_distribution_or_nothing(counts, strategy):
    out = reference(counts[None] if strategy == "group_balanced" else counts, strategy)
    if strategy == "consensus" and counts.max() / counts.sum() < 0.7:
        assert np.isnan(out).all()
    else:
        assert out.min() >= 0
        assert out.sum() == pytest.approx(1)


@quick
@given(one_item, st.sampled_from(["all", "mean", "weighted", "group_balanced"]))
def test_linear_strategies_keep_the_mean(counts, strategy):
    levels = np.arange(len(counts))
    out = reference(counts[None] if strategy == "group_balanced" else counts, strategy)
    assert out @ levels == pytest.approx(counts @ levels / counts.sum())


@quick
@given(arrays(np.int64, (3, 4), elements=st.integers(0, 5)).filter(lambda c: (c.sum(axis=1) > 0).all()))
def test_group_balanced_keeps_the_mean_of_the_groups_means(counts):
    levels = np.arange(4)
    means = counts @ levels / counts.sum(axis=1)
    assert reference(counts, "group_balanced") @ levels == pytest.approx(means.mean())


def test_random_dictators_keep_the_mean_on_average_and_repeat_with_their_seed():
    counts = np.tile([5, 1, 2, 1, 1], (400, 1))
    out = reference(counts, "dictator", seed=3)
    levels, p = np.arange(5), counts[0] / 10
    sd = np.sqrt(p @ levels**2 - (p @ levels) ** 2)
    assert abs((out @ levels).mean() - p @ levels) < 3 * sd / np.sqrt(400 * 100)
    np.testing.assert_array_equal(out, reference(counts, "dictator", seed=3))
    assert (out != reference(counts, "dictator", seed=4)).any()


@pytest.mark.parametrize(("n", "expected"), [(11, 0.246502), (101, 0.020897)])
def test_majority_multiplies_a_minority_view_away(n, expected):
    flagged = np.arange(n + 1)
    chance = np.array([comb(n, c) * 0.4**c * 0.6 ** (n - c) for c in flagged])
    majority = reference(np.stack([n - flagged, flagged], axis=1), "majority")[:, 1]
    assert chance @ majority == pytest.approx(expected, abs=1e-6)
    assert chance @ reference(np.stack([n - flagged, flagged], axis=1), "all")[:, 1] == pytest.approx(0.4)


def test_strategies_work_on_whole_tables_of_groups():
    counts = np.array([[[2, 1], [0, 3]], [[1, 1], [0, 0]]])
    np.testing.assert_allclose(reference(counts, "majority"), [[[1, 0], [0, 1]], [[0.5, 0.5], [np.nan, np.nan]]])


def test_an_unknown_strategy_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="reference 'best'; expected one of all, mean, median"):
        reference([1, 2], "best")  # type: ignore[arg-type]
