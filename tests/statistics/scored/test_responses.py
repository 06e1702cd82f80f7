"""Repeated generations (O13)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.statistics.scored.responses import correlation, exceedance, expected_maximum
from tests.statistics.by_hand import quick

scores = st.lists(st.floats(0, 1), min_size=1, max_size=7)


def test_a_score_at_the_threshold_exceeds_it():
    assert exceedance([0.5, 0.4], 1) == pytest.approx(0.5)


def test_oracle_of_maximum_and_exceedance():
    assert expected_maximum([0, 0.5, 1], 2) == pytest.approx(0.833333, abs=1e-6)
    assert exceedance([0.9] * 3 + [0.1] * 22, 10) == pytest.approx(0.802174, abs=1e-6)


@quick
@given(scores, st.integers(1, 7))
def test_both_are_averages_over_every_choice_of_k_responses(x, k):
    if k > len(x):
        assert np.isnan(expected_maximum(x, k))
        assert np.isnan(exceedance(x, k))
        return
    best = [max(c) for c in combinations(x, k)]
    assert expected_maximum(x, k) == pytest.approx(np.mean(best), abs=1e-9)
    assert exceedance(x, k, 0.5) == pytest.approx(np.mean([b >= 0.5 for b in best]), abs=1e-9)


@quick
@given(scores, st.integers(1, 7))
def test_unscored_responses_are_left_out_not_counted_as_zero(x, k):
    torn = [*x, float("nan")]
    assert expected_maximum(torn, k) == pytest.approx(expected_maximum(x, k), nan_ok=True)
    assert exceedance(torn, k) == pytest.approx(exceedance(x, k), nan_ok=True)


@pytest.mark.parametrize("x", [[], [float("nan")]])
def test_nothing_scored_is_nan(x):
    assert np.isnan(expected_maximum(x, 1))
    assert np.isnan(exceedance(x, 1))


def test_many_responses_do_not_overflow():
    x = np.linspace(0, 1, 5000)
    assert expected_maximum(x, 5000) == pytest.approx(1)
    assert expected_maximum(x, 1) == pytest.approx(0.5)
    assert exceedance(x, 2500) == pytest.approx(1)


def test_the_correlation_of_two_scorers_is_over_responses_and_its_interval_over_prompts() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 1)) + 0.1 * rng.normal(size=(30, 4))  # responses to one prompt are alike
    y = x + rng.normal(size=(30, 1))
    y[0, 0] = x[0, 0] = np.nan
    known = ~np.isnan(x)
    found = correlation(x, y)
    assert found.value[0] == pytest.approx(np.corrcoef(x[known], y[known])[0, 1])
    assert -1 < found.low[0] < found.value[0] < found.high[0] < 1
    as_if_apart = correlation(x[known][:, None], y[known][:, None])
    assert found.high[0] - found.low[0] > 1.5 * (as_if_apart.high[0] - as_if_apart.low[0])


def test_no_correlation_of_what_does_not_vary_and_no_interval_of_two_prompts() -> None:
    assert np.isnan(correlation(np.ones((5, 2)), np.arange(10.0).reshape(5, 2)).value[0])
    assert np.isnan(correlation(np.full((3, 2), np.nan), np.full((3, 2), np.nan)).value[0])
    two = correlation([[0.0, 1.0], [2.0, 1.0]], [[0.0, 2.0], [1.0, 3.0]])
    assert not np.isnan(two.value[0])
    assert np.isnan(two.low[0])
