"""Shrinkage: O10, statsmodels, textbook formulas, invariances, and coverage of drawn intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from lm_plural.harness.statistics.uncertainty.draws import generator, percentile_interval
from lm_plural.harness.statistics.uncertainty.shrinkage import shrink, shrunken_draws
from tests.statistics.by_hand import quick

VALUES, VARIANCES = np.array([0.1, 0.2, 0.3, 0.6]), np.array([0.01, 0.01, 0.01, 0.04])
CELLS = np.array([(a, b) for a in range(3) for b in range(4)])


def random_case(seed: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(groups, groups))
    return rng.normal(size=groups), a @ a.T / groups + 0.1 * np.eye(groups)


def by_gls(x: np.ndarray, v: np.ndarray, design: np.ndarray, tau2: float) -> tuple[np.ndarray, np.ndarray]:
    """Textbook: fit by GLS, then add the conditional mean of the random effects."""
    inverse = np.linalg.inv(v + tau2 * np.eye(len(x)))
    fitted = design @ np.linalg.pinv(design.T @ inverse @ design) @ design.T @ inverse @ x
    return fitted, fitted + tau2 * inverse @ (x - fitted)


def test_four_groups_by_hand():
    found = shrink(VALUES, VARIANCES)
    assert found.tau2 == pytest.approx(0.019288, abs=1e-6)
    np.testing.assert_allclose(found.values, [0.153453, 0.219309, 0.285166, 0.368287], atol=1e-6)


@quick
@given(st.integers(3, 8), st.integers(0, 2**32 - 1))
def test_variance_between_groups_equals_statsmodels(groups, seed):
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.2, 2.0, size=groups)
    x = rng.normal(size=groups) * 1.5
    iterated = combine_effects(x, v, method_re="iterated").tau2  # a stricter atol lets theirs fall to 0 by rounding
    assert shrink(x, v).tau2 == pytest.approx(iterated, rel=1e-4, abs=1e-4)


@quick
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_shrunken_values_are_the_best_linear_predictions_given_tau2(seed, additive):
    x, v = random_case(seed, 12)
    factors = CELLS if additive else None
    design = np.hstack([np.eye(3)[CELLS[:, 0]], np.eye(4)[CELLS[:, 1]]]) if additive else np.ones((12, 1))
    found = shrink(x, v, factors)
    fitted, shrunken = by_gls(x, v, design, found.tau2)
    np.testing.assert_allclose(found.values, shrunken, atol=1e-8)
    residual = x - fitted
    q = residual @ np.linalg.inv(v + found.tau2 * np.eye(12)) @ residual
    df = 12 - np.linalg.matrix_rank(design)
    assert q == pytest.approx(df, rel=1e-9) if found.tau2 > 0 else q <= df


@quick
@given(st.floats(0, 20), st.floats(-9, 9), st.integers(0, 2**32 - 1), st.permutations(range(6)))
def test_noise_that_all_groups_share_changes_nothing_and_shift_and_order_go_through(common, shift, seed, order):
    x, v = random_case(seed, 6)
    plain, moved = shrink(x, v), shrink((x + shift)[order], (v + common)[np.ix_(order, order)])
    assert moved.tau2 == pytest.approx(plain.tau2, abs=1e-7)
    np.testing.assert_allclose(moved.values, plain.values[order] + shift, atol=1e-7)


def test_cells_of_an_additive_pattern_are_left_as_they_are():
    x = np.array([0.0, 1.0, 3.0])[CELLS[:, 0]] + np.array([0.0, 2.0, 5.0, 6.0])[CELLS[:, 1]]
    found = shrink(x, np.full(12, 0.3), CELLS)
    assert found.tau2 == 0
    np.testing.assert_allclose(found.values, x, atol=1e-12)
    assert shrink(x, np.full(12, 0.3)).tau2 > 1


def test_intersections_have_their_variance_beyond_the_axes():
    rng = np.random.default_rng(3)
    main = np.array([0.0, 1.0, 3.0])[CELLS[:, 0]] + np.array([0.0, 2.0, 5.0, 6.0])[CELLS[:, 1]]
    v = rng.uniform(0.1, 0.4, size=12)
    x = main + rng.normal(size=(400, 12)) * np.sqrt(0.5 + v)
    found = np.array([shrink(row, v, CELLS).tau2 for row in x])
    assert abs(found.mean() - 0.5) < 3 * found.std() / np.sqrt(400) + 0.02  # truncation at 0


def test_a_group_without_noise_stays_and_equal_groups_without_noise_are_equal():
    found = shrink([0.0, 1.0, 5.0], [0.5, 0.0, 0.5])
    assert found.values[1] == pytest.approx(1.0)
    assert found.tau2 > 0
    exact = shrink([0.0, 1.0, 5.0], np.zeros(3))
    np.testing.assert_allclose(exact.values, [0.0, 1.0, 5.0], atol=1e-9)
    assert exact.tau2 == pytest.approx(7.0)  # the variance of the values
    equal = shrink(np.full(3, 0.25), np.zeros(3))
    np.testing.assert_allclose(equal.values, 0.25)
    assert equal.tau2 == pytest.approx(0)


def test_groups_without_value_are_left_out_and_one_group_is_not_shrunken():
    found = shrink([0.1, np.nan, 0.2, 0.3, 0.6], [0.01, 0.01, 0.01, 0.01, 0.04])
    np.testing.assert_allclose(found.values[[0, 2, 3, 4]], shrink(VALUES, VARIANCES).values)
    assert np.isnan(found.values[1])
    x, v = random_case(4, 12)
    with_hole = np.where(np.arange(12) == 0, np.nan, x)
    cells = shrink(x[1:], v[1:, 1:], CELLS[1:])
    np.testing.assert_allclose(shrink(with_hole, v, CELLS).values[1:], cells.values)
    for x, v, factors in (([1.0, np.nan], [1.0, 1.0], None), ([np.nan], [1.0], None), ([1.0, 2.0], [1, 1], [[0], [1]])):
        alone, (tau2, true) = shrink(x, v, factors), shrunken_draws(x, v, 5, generator(1, "x"), factors)
        assert np.isnan([*alone.values, alone.tau2, *tau2, *true.ravel()]).all()


@pytest.mark.parametrize("between", [0.0, 0.5, 2.0])
def test_drawn_intervals_cover_the_true_values_and_tau2(between):
    rng, reps = np.random.default_rng(7), 300
    v = np.diag([0.2, 0.3, 0.5, 0.8, 1.0, 0.2, 0.4, 0.6]) + 0.7
    cover, cover_tau2 = [], []
    for r in range(reps):
        true = 3 + np.sqrt(between) * rng.normal(size=8)
        common = np.sqrt(0.7) * rng.normal()
        x = true + common + np.sqrt(np.diag(v) - 0.7) * rng.normal(size=8)
        tau2, draws = shrunken_draws(x, v, 400, generator(r, "cover"))
        low, high = percentile_interval(draws)
        cover.append(((low <= true) & (true <= high)).mean())
        cover_tau2.append(np.quantile(tau2, 0.025) <= between <= np.quantile(tau2, 0.975))
    assert np.mean(cover) > 0.94
    assert np.mean(cover_tau2) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / reps)


def explicit_pull(v: np.ndarray, tau2: float) -> np.ndarray:
    """P by inverting the covariance."""
    inverse = np.linalg.inv(v + tau2 * np.eye(len(v)))
    rows = inverse.sum(axis=1)
    return inverse - np.outer(rows, rows) / rows.sum()


def test_draws_of_tau2_turn_q_into_chi2():
    x, v = random_case(11, 6)
    tau2, _ = shrunken_draws(x, v, 20_000, generator(2, "q"))
    for level in (0.0, *np.quantile(tau2, [0.5, 0.9])):
        above = stats.chi2(5).cdf(x @ explicit_pull(v, level) @ x)
        assert (tau2 > level).mean() == pytest.approx(above, abs=4 * np.sqrt(0.25 / 20_000))


def test_draws_of_true_values_have_the_mean_and_covariance_of_prediction_given_tau2():
    x, v = random_case(11, 6)
    tau2, draws = shrunken_draws(x, v, 20_000, generator(3, "theta"))
    # Given tau2 in a narrow band, as if it were known.
    near = np.abs(tau2 - 0.5) < 0.05
    pull, draws = explicit_pull(v, 0.5), draws[near]
    expected = v - v @ pull @ v
    size = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / near.sum())
    assert near.sum() > 500
    np.testing.assert_array_less(np.abs(np.cov(draws.T) - expected), 4.5 * size)
    mean_error = 4.5 * np.sqrt(np.diag(expected) / near.sum())
    np.testing.assert_array_less(np.abs(draws.mean(axis=0) - (x - v @ pull @ x)), mean_error)
