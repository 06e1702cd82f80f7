"""Detectable gaps and the size of designs: the formula and figures of methods 3.9, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from lm_plural.harness.statistics import power
from tests.statistics.by_hand import quick

positive = st.floats(0.01, 4)


def test_detectable_gap_in_standard_errors():
    assert power.minimum_detectable(1.0) == pytest.approx(2.80, abs=0.005)
    assert power.minimum_detectable(1.0, critical=2.82) == pytest.approx(3.66, abs=0.005)
    np.testing.assert_allclose(power.minimum_detectable([0.184, 0.119]), [0.51, 0.33], atol=0.01)


def test_detectable_gap_is_detected_with_the_stated_power():
    gap = power.minimum_detectable(0.3, power=0.9, level=0.99)
    significant = norm.sf(norm.ppf(0.995) - gap / 0.3) + norm.cdf(-norm.ppf(0.995) - gap / 0.3)
    assert significant == pytest.approx(0.9, abs=1e-6)


@quick
@given(positive, st.floats(0, 1), st.tuples(positive, positive), st.integers(2, 90), st.integers(2, 90))
def test_extrapolation_is_the_formula_of_the_methods_note(v_items, f, v_cross, more_items, more_raters):
    # One ratio of raters for both groups, in which case the note's single f is enough.
    i, n = 50, np.array([9, 30])
    parts = power.parts_of_fit(v_items, f * v_items * np.array([0.7, 0.3]), v_cross, i, n)
    now = power.gap_variance(parts, i, n)
    assert now == pytest.approx(v_items + sum(v_cross))
    a, b = more_items / i, more_raters / 10
    by_note = v_items / a * ((1 - f) + f / b) + sum(v_cross) / b
    assert power.gap_variance(parts, more_items, n * b) == pytest.approx(by_note)


def test_raters_of_one_group_only_touch_its_own_part():
    parts = power.parts_of_fit(0.5, [0.1, 0.2], [1.0, 2.0], 50, [9, 30])
    assert power.gap_variance(parts, 50, [18, 30]) == pytest.approx(0.5 + 3.0 - (0.1 + 1.0) / 2)


def test_rating_noise_beyond_all_variance_of_items_is_cut():
    parts = power.parts_of_fit(0.3, [0.2, 0.4], [0.0, 0.0], 10, [5, 5])
    assert parts.item == pytest.approx(0, abs=1e-15)
    assert power.gap_variance(parts, 10, [5, 5]) == pytest.approx(0.3)


@quick
@given(positive, positive, positive, st.floats(0.05, 3), st.integers(2, 2000))
def test_numbers_needed_are_the_smallest_that_reach_the_gap(sd_item, sd_rater, sd_residual, gap, given_number):
    parts = power.parts_of_sd(sd_item, sd_rater, sd_residual)

    def detectable(items, raters):
        return power.minimum_detectable(np.sqrt(power.gap_variance(parts, items, raters)))

    raters = float(power.raters_needed(gap, parts, given_number))
    items = float(power.items_needed(gap, parts, given_number))
    if np.isnan(raters):
        assert detectable(given_number, 1e12) >= gap * (1 - 1e-8)
    else:
        assert detectable(given_number, raters) <= gap * (1 + 1e-8)
        assert raters == 1 or detectable(given_number, raters - 1) >= gap * (1 - 1e-8)
    if np.isnan(items):
        assert detectable(1e12, given_number) >= gap * (1 - 1e-8)
    else:
        assert detectable(items, given_number) <= gap * (1 + 1e-8)
        assert items == 1 or detectable(items - 1, given_number) >= gap * (1 - 1e-8)


def test_a_design_that_just_reaches_the_gap_needs_no_one_more():
    parts = power.parts_of_sd(0.4, 0.5, 1.0)
    for n in range(2, 200):
        gap = float(power.minimum_detectable(np.sqrt(power.gap_variance(parts, 50 + n, n))))
        assert power.raters_needed(gap, parts, 50 + n) == n
        assert power.items_needed(gap, parts, n) == 50 + n


def test_items_cannot_replace_raters_below_a_floor():
    parts = power.parts_of_sd(0.4, 0.5, 1.0)
    floor = 2 * 0.25 / (0.3 / power.minimum_detectable(1.0)) ** 2
    items = power.items_needed(0.3, parts, [floor * 0.99, floor * 1.05, floor * 2])
    assert np.isnan(items[0])
    assert items[1] > items[2] > 0
    assert np.isnan(power.raters_needed(0.01, parts, 10))  # nor raters items


@pytest.mark.parametrize("ratings_per_rater", [None, 6])
def test_variance_from_standard_deviations_is_that_of_simulated_gaps(ratings_per_rater):
    rng, items, n, reps = np.random.default_rng(5), 24, (8, 20), 3000
    per_rater = ratings_per_rater or items
    means = []
    for raters in n:
        shared = 0.4 * rng.normal(size=(reps, items))
        # Everyone rates the same number of items and every item has the same number of ratings.
        item = (np.arange(raters)[:, None] * per_rater + np.arange(per_rater)) % items
        noise = 0.5 * rng.normal(size=(reps, raters, 1)) + 0.9 * rng.normal(size=(reps, raters, per_rater))
        means.append((shared[:, item] + noise).mean(axis=(1, 2)))
    expected = power.gap_variance(power.parts_of_sd(0.4, 0.5, 0.9, ratings_per_rater), items, n)
    assert np.var(means[0] - means[1]) == pytest.approx(expected, rel=4 * np.sqrt(2 / reps))


def test_figures_of_the_methods_note_follow_from_its_generator():
    # DGM-1, means .9 and .1: item 1, item by group .5, rater .6, residual 1, cuts at +-.4 and +-1.2 (variances below).
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    cuts, total = np.array([-1.2, -0.4, 0.4, 1.2]), 1 + 0.25 + 0.36 + 1

    def rating(mean, known):
        """Expected rating given a part of the latent value of variance `known`, at the nodes."""
        x = mean + np.sqrt(known) * nodes[:, None]
        return 1 + norm.sf((cuts - x) / np.sqrt(total - known)).sum(axis=1)

    def variance(x):
        return weights @ x**2 - (weights @ x) ** 2

    by_item = [rating(m, 1.0) for m in (0.9, 0.1)]
    cross = weights @ (by_item[0] * by_item[1]) - (weights @ by_item[0]) * (weights @ by_item[1])
    item = sum(variance(rating(m, 1.25)) for m in (0.9, 0.1)) - 2 * cross
    rater = np.array([variance(rating(m, 0.36)) for m in (0.9, 0.1)])
    above = [norm.sf((cuts - m) / np.sqrt(total)) for m in (0.9, 0.1)]
    whole = np.array([(2 * np.arange(1, 5) - 1) @ p - p.sum() ** 2 for p in above])
    within = whole - rater - [variance(rating(m, 1.25)) for m in (0.9, 0.1)]
    parts = power.Parts(float(item), within, rater)
    assert np.sqrt(power.gap_variance(parts, 350, [9, 30])) == pytest.approx(0.184, rel=0.03)
    assert np.sqrt(power.gap_variance(parts, 350, [25, 60])) == pytest.approx(0.119, rel=0.03)
