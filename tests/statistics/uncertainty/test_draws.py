"""Joint draws of estimates from their covariance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lm_plural.harness.statistics.uncertainty.draws import (
    generator,
    joint_draws,
    percentile_interval,
    positive_root,
    probability_worst,
)
from tests.statistics.by_hand import quick

N = 20_000
COVARIANCE = np.array([[4.0, 1.0, 0.0], [1.0, 1.0, -0.5], [0.0, -0.5, 9.0]])


def test_draws_have_the_values_as_mean_and_the_covariance():
    draws = joint_draws([1.0, -2.0, 30.0], COVARIANCE, N, generator(1, "draws"))
    se = np.sqrt(np.diag(COVARIANCE) / N)
    np.testing.assert_array_less(np.abs(draws.mean(axis=0) - [1, -2, 30]), 4 * se)
    size = np.sqrt((np.outer(np.diag(COVARIANCE), np.diag(COVARIANCE)) + COVARIANCE**2) / N)
    np.testing.assert_array_less(np.abs(np.cov(draws.T) - COVARIANCE), 4 * size)


def test_t_draws_have_the_t_distribution_and_share_their_scale():
    draws = joint_draws(np.zeros(2), np.diag([4.0, 1.0]), N, generator(2, "draws"), df=5)
    assert stats.kstest(draws[:, 0] / 2, stats.t(5).cdf).pvalue > 0.01
    # Uncorrelated but not independent: large ones come together, as in the multivariate t.
    assert np.corrcoef(np.abs(draws).T)[0, 1] > 0.1


@quick
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_root_of_a_covariance_is_exact_and_negative_eigenvalues_are_cut(size: int, seed: int):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(size, size))
    np.testing.assert_allclose(positive_root(a @ a.T) @ positive_root(a @ a.T), a @ a.T, atol=1e-9)
    symmetric = a + a.T
    values, vectors = np.linalg.eigh(symmetric)
    cut = (vectors * np.maximum(values, 0)) @ vectors.T
    np.testing.assert_allclose(positive_root(symmetric) @ positive_root(symmetric), cut, atol=1e-9)


@quick
@given(st.permutations(range(4)), st.integers(0, 2**32 - 1))
def test_root_moves_with_the_order_of_the_estimates(order, seed):
    a = np.random.default_rng(seed).normal(size=(4, 4))
    moved = positive_root((a @ a.T)[np.ix_(order, order)])
    np.testing.assert_allclose(moved, positive_root(a @ a.T)[np.ix_(order, order)], atol=1e-6)


def test_shifting_the_values_shifts_the_draws():
    one, other = (joint_draws(x, COVARIANCE, 50, generator(3, "draws")) for x in (np.zeros(3), np.full(3, 7.0)))
    np.testing.assert_allclose(other - one, 7.0)


def test_an_estimate_without_value_or_variance_is_nan_and_leaves_the_others():
    covariance = np.full((4, 4), np.nan)
    covariance[np.ix_([0, 2], [0, 2])] = [[1.0, 0.9], [0.9, 1.0]]
    covariance[1, 1] = 1.0
    draws = joint_draws([1.0, np.nan, 2.0, 3.0], covariance, 5000, generator(4, "draws"))
    assert np.isnan(draws[:, [1, 3]]).all()
    assert np.corrcoef(draws[:, [0, 2]].T)[0, 1] == pytest.approx(0.9, abs=0.02)
    assert np.isnan(joint_draws([np.nan], [[np.nan]], 3, generator(4, "draws"))).all()


def test_percentile_interval_takes_draws_and_rounds_outwards():
    low, high = percentile_interval(np.arange(101.0)[:, None] * [1.0, -1.0], 0.5)
    np.testing.assert_array_equal(low, [25, -75])
    np.testing.assert_array_equal(high, [75, -25])
    assert percentile_interval(np.arange(10.0), 0.5) == (2.0, 7.0)


def test_percentile_interval_allows_infinite_draws_and_refuses_undefined_ones():
    draws = np.column_stack([np.arange(1000.0), np.arange(1000.0), np.arange(1000.0)])
    draws[-100:, 1], draws[0, 2] = np.inf, np.nan
    low, high = percentile_interval(draws)
    assert high[1] == np.inf
    assert np.isfinite([low[0], high[0], low[1]]).all()
    assert np.isnan([low[2], high[2]]).all()


def test_probability_of_being_the_worst():
    draws = np.array([[3.0, 1.0, np.nan], [3.0, 4.0, 9.0], [2.0, 2.0, 9.0], [5.0, 0.0, 9.0]])
    np.testing.assert_array_equal(probability_worst(draws), [2.5 / 4, 1.5 / 4, np.nan])
    np.testing.assert_array_equal(probability_worst(draws, larger_is_worse=False), [1.5 / 4, 2.5 / 4, np.nan])
    assert np.isnan(probability_worst(np.full((3, 2), np.nan))).all()
