"""Intervals on the logit scale of a range."""

from __future__ import annotations

import numpy as np
import pytest

from lm_plural.harness.statistics.uncertainty.intervals import Estimates, bounded, quantile, raw


def of(value: float, se: float = 0.1, df: float = 20.0) -> Estimates:
    return raw(np.array([value]), np.array([se**2]), np.array([df]))


def test_it_stays_inside_and_is_the_raw_one_where_that_is_far_from_the_ends():
    e = bounded(of(0.05))
    assert 0 < e.low[0] < 0.05 < e.high[0] < 1
    narrow = bounded(of(0.5, se=0.001))
    assert [narrow.low[0], narrow.high[0]] == pytest.approx(
        [0.5 - 0.001 * quantile(np.array(20.0)), 0.5 + 0.001 * quantile(np.array(20.0))], abs=1e-7
    )


def test_between_minus_one_and_one_it_is_fishers_z():
    e, half = bounded(of(0.6), -1, 1), float(quantile(np.array(20.0))) * 0.1 / (1 - 0.36)
    assert [e.low[0], e.high[0]] == pytest.approx(np.tanh(np.arctanh(0.6) + np.array([-half, half])))


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_a_value_at_an_end_or_without_has_no_interval(value: float):
    e = bounded(of(value))
    np.testing.assert_equal(e.value[0], value)
    assert np.isnan([e.se[0], e.df[0], e.low[0], e.high[0]]).all()


def test_wide_ones_do_not_overflow():
    e = bounded(of(1e-6, se=10.0))
    assert (e.low[0], e.high[0]) == pytest.approx((0.0, 1.0))
