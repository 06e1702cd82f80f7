"""Permutations of whole raters, and the test of methods 3.6 against enumeration and SciPy."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest, permutation_test, ttest_ind

from lm_plural.harness.statistics.uncertainty import permutation
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.permutation import p_value, score_test, shuffles
from tests.statistics.by_hand import quick


def sides(n_a: int, n_b: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.arange(n_a + n_b) < n_a
    return a, ~a


@quick
@given(st.lists(st.sampled_from([-7, 0, 3, 10**12]), min_size=1, max_size=8), st.integers(1, 5))
def test_raters_change_places_within_their_stratum_only(strata, n):
    found = shuffles(strata, n, generator(1))
    assert (np.sort(found, axis=1) == np.arange(len(strata))).all()
    assert (np.array(strata)[found] == strata).all()


def test_every_permutation_is_as_likely():
    found = shuffles([0, 1, 0, 1, 0], 12_000, generator(2)) @ 10 ** np.arange(5)
    _, times = np.unique(found, return_counts=True)
    assert len(times) == 12
    assert chisquare(times).pvalue > 0.01


def test_permutations_in_parts_are_the_same_permutations():
    one, two = generator(3), generator(3)
    whole = shuffles([0, 0, 1, 1, 1], 7, one)
    np.testing.assert_array_equal(whole, np.vstack([shuffles([0, 0, 1, 1, 1], n, two) for n in (3, 4)]))


def test_p_counts_ties_and_the_observed_value_itself():
    null = [1.0, 2.0, 2.0, 3.0]
    assert p_value(2, null, "greater") == pytest.approx(4 / 5)
    assert p_value(3, null, "greater") == pytest.approx(2 / 5)
    assert p_value(1.5, null, "less") == pytest.approx(2 / 5)
    assert p_value(9, null) == pytest.approx(2 / 5)
    assert p_value(2, null) == 1


def test_p_takes_values_that_only_rounding_has_parted_for_ties():
    assert p_value(0.1 + 0.2, [0.3, 0.3, 0.3], "greater") == 1
    assert p_value(0.3, [0.1 + 0.2], "less") == 1


def test_p_leaves_undefined_draws_out_and_has_no_value_for_an_undefined_statistic():
    null = np.array([[1, 1], [np.nan, 2], [3, np.inf]], dtype=float)
    np.testing.assert_allclose(p_value([2, np.nan], null, "greater"), [2 / 3, np.nan])
    np.testing.assert_allclose(p_value([np.inf, np.inf], null, "greater"), [1 / 3, 2 / 4])
    assert p_value(1, [np.nan]) == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_score_test_agrees_with_scipy_over_all_splits(seed):
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=9) + 1.2 * (np.arange(9) < 4), 1)
    a, b = sides(4, 5)
    exact = permutation_test(
        (x[a], x[b]), lambda u, v, axis: ttest_ind(u, v, axis=axis, equal_var=False).statistic, n_resamples=np.inf
    ).pvalue
    assert score_test(x, a, b, generator(seed))[0] == pytest.approx(exact, abs=0.015)


def test_raters_on_both_sides_are_permuted_with_both_memberships():
    x = np.array([0.3, 1.1, 2.0, 4.1, 5.2])
    a, b = np.array([0, 0, 1, 1, 1], dtype=bool), np.array([1, 1, 1, 0, 0], dtype=bool)

    def welch(order: tuple[int, ...]) -> float:
        order = np.array(order)
        return ttest_ind(x[a[order]], x[b[order]], equal_var=False).statistic

    null = [welch(order) for order in permutations(range(5))]
    extreme = np.mean([t >= welch(range(5)) - 1e-9 for t in null])
    assert score_test(x, a, b, generator(0))[0] == pytest.approx(2 * extreme, abs=0.015)


def test_score_test_leaves_others_and_missing_scores_out():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(12, 1))
    a, b = sides(5, 7)
    alone = score_test(x, a, b, generator(0))
    more = np.vstack([x, rng.normal(size=(3, 1)) + 50])
    assert score_test(more, np.append(a, [False] * 3), np.append(b, [False] * 3), generator(0)) == alone
    some = np.hstack([np.where(np.arange(12)[:, None] == 11, np.nan, x), x])
    missing = score_test(some, a, b, generator(0))
    assert missing[1] == alone[0]
    assert missing[0] == pytest.approx(score_test(x[:11], a[:11], b[:11], generator(1))[0], abs=0.03)


@pytest.mark.parametrize(("scores", "p"), [([1, 1, 1, 0, 0, 0], 0.1), ([7, 7, 7, 7, 7, 7], 1.0)])
def test_scores_without_spread_are_as_far_apart_as_can_be_or_not_at_all(scores, p):
    assert score_test(scores, *sides(3, 3), generator(0))[0] == pytest.approx(p, abs=0.02)


def test_a_side_of_one_rater_is_refused():
    assert np.isnan(score_test([1.0, 2.0, 3.0], *sides(1, 2), generator(0))).all()
    assert np.isnan(score_test([np.nan, 2.0, 3.0, 4.0], *sides(2, 2), generator(0))).all()


def test_memory_of_the_machine_does_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(6)
    x, (a, b) = rng.normal(size=(20, 3)), sides(8, 12)
    whole = score_test(x, a, b, generator(0), n_permutations=500)
    monkeypatch.setattr(permutation, "CHUNK", 1000)
    np.testing.assert_array_equal(score_test(x, a, b, generator(0), n_permutations=500), whole)


def test_p_is_uniform_when_sides_of_four_and_twelve_do_not_differ():
    rng = np.random.default_rng(7)
    a, b = sides(4, 12)
    p = score_test(rng.exponential(size=(16, 400)), a, b, generator(7), n_permutations=499)
    assert kstest(p, "uniform").pvalue > 0.01


def test_a_difference_of_the_strata_is_not_one_of_the_axis():
    # The other axis shifts scores by 3, and side a is mostly in its first cell.
    rng = np.random.default_rng(8)
    a, b = sides(20, 20)
    cell = np.where(a, np.arange(40) % 5 == 0, np.arange(40) % 5 != 0).astype(int)
    x = rng.normal(size=(40, 200)) + 3 * cell[:, None]
    plain = score_test(x, a, b, generator(8), n_permutations=199)
    within = score_test(x, a, b, generator(8), strata=cell, n_permutations=199)
    assert (plain < 0.05).mean() > 0.9
    assert kstest(within, "uniform").pvalue > 0.01
