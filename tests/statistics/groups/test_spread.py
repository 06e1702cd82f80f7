"""Spread, range and the set of groups that may be the worst: O10, simulation S4, and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.statistics.groups.spread import not_distinguishable_from_worst, range_interval, spread
from lm_plural.harness.statistics.uncertainty.draws import generator
from tests.simulations.spread import six_groups
from tests.statistics.by_hand import quick

VALUES, VARIANCES = np.array([0.1, 0.2, 0.3, 0.6]), np.array([0.01, 0.01, 0.01, 0.04])


def test_spread_of_four_groups_by_hand():
    assert spread(VALUES, np.zeros((4, 4))) == pytest.approx(0.0466667, abs=1e-7)
    assert spread(VALUES, np.diag(VARIANCES)) == pytest.approx(0.0291667, abs=1e-7)


def test_spread_may_be_negative():
    assert spread([1.0, 1.0, 1.0], np.eye(3)) == -1


@quick
@given(st.integers(2, 6), st.floats(0, 5), st.floats(-9, 9), st.integers(0, 2**32 - 1), st.randoms())
def test_spread_ignores_what_all_groups_share_their_order_and_missing_groups(groups, common, shift, seed, random):
    rng = np.random.default_rng(seed)
    x, a, order = rng.normal(size=groups), rng.normal(size=(groups, groups)), list(range(groups))
    random.shuffle(order)
    plain = spread(x, a @ a.T)
    assert spread(x + shift, a @ a.T + common) == pytest.approx(plain, abs=1e-9)
    assert spread(x[order], (a @ a.T)[np.ix_(order, order)]) == pytest.approx(plain, abs=1e-9)
    wide = np.full((groups + 1, groups + 1), np.nan)
    wide[1:, 1:] = a @ a.T
    assert spread([np.nan, *x], wide) == pytest.approx(plain, abs=1e-12)


def test_one_group_has_no_spread():
    assert np.isnan(spread([1.0, np.nan], np.eye(2)))


def test_range_interval_by_hand():
    assert range_interval([0.5, -1.0, np.nan], [0.1, 0.2, 0.1], 2.0) == pytest.approx((0.6, 1.4))
    assert range_interval([0.1, -0.2], [0.1, 0.2], 2.0) == pytest.approx((0.0, 0.6))
    assert np.isnan(range_interval([np.nan], [1.0], 2.0)).all()


def test_groups_that_may_be_the_worst():
    pairs = [(0, 1), (2, 0), (3, 0), (1, 2), (1, 3), (2, 3)]
    x, p = [5.0, 4.5, 1.0, np.nan], [0.4, 0.01, np.nan, 0.02, np.nan, np.nan]
    np.testing.assert_array_equal(not_distinguishable_from_worst(x, pairs, p), [True, True, False, False])
    # The smallest is the worst: both others differ from it.
    lowest = not_distinguishable_from_worst(x, pairs, p, larger_is_worse=False)
    np.testing.assert_array_equal(lowest, [False, False, True, False])
    strict = not_distinguishable_from_worst(x, pairs, p, level=0.995)
    np.testing.assert_array_equal(strict, [True, True, True, False])


def test_without_a_comparison_every_group_may_be_the_worst_and_without_a_value_none():
    np.testing.assert_array_equal(not_distinguishable_from_worst([1.0, 2.0, np.nan], [], []), [True, True, False])
    assert not not_distinguishable_from_worst([np.nan, np.nan], [(0, 1)], [np.nan]).any()


def test_six_equal_groups_have_no_spread_and_the_promised_coverage():
    found = six_groups(800, generator(4, "S4"))
    assert abs(found.tau2.mean()) < 3 * found.tau2.std() / np.sqrt(800)
    assert found.raw_range.mean() > 0.13  # what the raw range makes of equal groups
    slack = 3 * np.sqrt(0.05 * 0.95 / 800)
    assert found.range_covered.mean() > 0.95 - slack
    assert abs(found.none_significant.mean() - 0.95) < slack


def test_six_different_groups_have_their_spread_and_the_promised_coverage():
    truth = np.array([0.0, 0.05, 0.1, 0.15, 0.3, 0.4])
    found = six_groups(300, generator(5, "S4"), truth)
    assert abs(found.tau2.mean() - truth.var(ddof=1)) < 3 * found.tau2.std() / np.sqrt(300)
    assert found.range_covered.mean() > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)
