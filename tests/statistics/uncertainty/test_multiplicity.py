"""Corrections for many comparisons against statsmodels, the t and the studentised range distribution, and O11."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.multiplicity import benjamini_hochberg, holm, max_t
from tests.simulations.spread import CONTRASTS, OWN
from tests.statistics.by_hand import quick

DRAWS = 40_000


def pairwise(variances: np.ndarray) -> np.ndarray:
    v = CONTRASTS @ np.diag(variances) @ CONTRASTS.T
    se = np.sqrt(np.diag(v))
    return v / np.outer(se, se)


def tolerance(p):
    return 4 * np.sqrt(np.asarray(p) * (1 - np.asarray(p)) / DRAWS) + 1 / DRAWS


@pytest.mark.parametrize("df", [3, 12, np.inf])
@pytest.mark.parametrize("t", [0.0, 0.7, -2.1, 4.0])
def test_one_comparison_has_the_p_of_the_t_distribution(df, t):
    critical, p = max_t([t], [[1.0]], df, generator(1, "t", str(df)), DRAWS)
    raw = 2 * stats.t(df).sf(abs(t))
    assert abs(p[0] - raw) <= tolerance(raw)
    assert abs(2 * stats.t(df).sf(critical) - 0.05) <= tolerance(0.05)


@pytest.mark.parametrize("df", [5, 20, np.inf])
def test_all_pairs_of_equal_groups_are_the_studentised_range(df):
    critical, p = max_t([2.0, *np.zeros(13), -3.5], pairwise(np.ones(6)), df, generator(2, "q", str(df)), DRAWS)
    exact = stats.studentized_range(6, df).sf(np.sqrt(2) * np.array([2.0, 3.5, critical]))
    np.testing.assert_array_less(np.abs(np.array([p[0], p[-1], 0.05]) - exact), tolerance(exact))


def test_critical_value_of_six_groups_with_the_standard_errors_of_the_methods_note():
    assert max_t(np.zeros(15), pairwise(OWN**2), np.inf, generator(3, "c"), DRAWS)[0] == pytest.approx(2.82, abs=0.03)


@quick
@given(st.floats(-4, 4), st.floats(-4, 4), st.sampled_from([0.5, 0.9, 0.95]), st.integers(19, 200))
def test_a_difference_is_outside_the_critical_value_exactly_if_its_p_is_small(a, b, level, draws):
    critical, p = max_t([a, b], [[1, 0.3], [0.3, 1]], 8, generator(4, "dual"), draws, level)
    np.testing.assert_array_equal(np.abs([a, b]) > critical, p <= 1 - level + 1e-12)


def test_undefined_differences_are_not_in_the_family():
    r = np.full((3, 3), np.nan)
    r[np.ix_([0, 2], [0, 2])] = [[1.0, 0.5], [0.5, 1.0]]
    critical, p = max_t([1.0, np.nan, -2.5], r, 10, generator(5, "nan"))
    alone, p_alone = max_t([1.0, -2.5], [[1.0, 0.5], [0.5, 1.0]], 10, generator(5, "nan"))
    assert critical == alone
    np.testing.assert_array_equal(p, [p_alone[0], np.nan, p_alone[1]])
    nothing, p = max_t([np.nan], [[np.nan]], 10, generator(5, "nan"))
    assert np.isnan([nothing, *p]).all()


def test_copies_of_one_comparison_cost_nothing_and_a_wrong_scale_of_the_correlation_neither():
    copied = max_t(np.full(5, 2.0), 3 * np.ones((5, 5)), 9, generator(6, "same"), DRAWS)[1]
    raw = 2 * stats.t(9).sf(2)
    np.testing.assert_array_less(np.abs(copied - raw), tolerance(raw))


def test_too_few_draws_reject_nothing():
    critical, p = max_t([100.0], [[1.0]], 9, generator(7, "few"), draws=10)
    assert critical == np.inf
    assert p[0] == 1 / 11


def test_holm_and_benjamini_hochberg_by_hand():
    p = [0.001, 0.012, 0.03, 0.04, 0.2]
    np.testing.assert_allclose(holm(p), [0.005, 0.048, 0.09, 0.09, 0.2])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.005, 0.03, 0.05, 0.05, 0.2])
    np.testing.assert_array_equal(holm([0.7, np.nan, 0.6]), [1.0, np.nan, 1.0])


@settings(quick, max_examples=12)  # each call of theirs collects garbage, which is slow
@given(st.lists(st.one_of(st.floats(0, 1), st.just(np.nan), st.just(0.03)), min_size=1, max_size=12))
def test_corrections_equal_statsmodels_on_what_is_defined(p):
    p = np.array(p)
    known = ~np.isnan(p)
    for ours, method in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        adjusted = ours(p)
        assert np.isnan(adjusted[~known]).all()
        if known.any():
            np.testing.assert_allclose(adjusted[known], multipletests(p[known], method=method)[1], atol=1e-15)
