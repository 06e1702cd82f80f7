"""Group association: the sums against alpha and xRR from counts, and its permutation test (simulation S8)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from lm_plural.harness.statistics.counts import Coded, Membership, count_levels
from lm_plural.harness.statistics.groups.cohesion import Association, cohesion_test
from lm_plural.harness.statistics.measures.across_groups import xrr
from lm_plural.harness.statistics.measures.alpha import krippendorff_alpha
from lm_plural.harness.statistics.uncertainty import permutation
from lm_plural.harness.statistics.uncertainty.draws import generator
from tests.simulations.cohesion import crowd, null_p_values
from tests.statistics.by_hand import Case, belong, cases, crossed, quick


def run(coded: Coded, members: Membership, n: int = 99, **options: np.ndarray) -> Association:
    return cohesion_test(coded, members, generator(0), n_permutations=n, **options)


def same(one: Association, two: Association) -> None:
    for name, value in vars(one).items():
        np.testing.assert_allclose(value, vars(two)[name], rtol=1e-9, atol=1e-12, err_msg=name)


def counts_of(coded: Coded, raters: set[int]) -> np.ndarray:
    members = Membership(np.array(sorted(raters), dtype=int), np.zeros(len(raters), dtype=int), 1)
    return count_levels(coded, members)[:, 0]


@quick
@given(cases(), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), unique=True, min_size=1))
def test_cohesion_is_alpha_within_and_xrr_with_all_other_raters_of_the_axis(case: Case, memberships):
    coded = case.coded
    memberships = [(r, g) for r, g in memberships if r < coded.n_raters] or [(0, 0)]
    members = belong(memberships)
    found = run(coded, members, 2)
    for g in range(members.n_groups):
        own = {r for r, h in memberships if h == g}
        rest = {r for r, _ in memberships} - own
        alpha = krippendorff_alpha(counts_of(coded, own), coded.positions)
        across = xrr(counts_of(coded, own), counts_of(coded, rest), coded.positions)
        ratio = alpha / across if across > 1e-12 else np.nan
        np.testing.assert_allclose(
            [found.alpha[g], found.xrr[g], found.difference[g], found.gai[g]],
            [alpha, across, alpha - across, ratio],
            rtol=1e-6,
            atol=1e-10,
        )
        np.testing.assert_array_equal(np.isnan([found.p[g], found.p_gai[g]]), np.isnan([alpha - across, ratio]))


def test_a_group_that_agrees_more_within_than_with_others_is_found():
    rng = np.random.default_rng(1)
    coded = crowd(rng, 60, 40)
    own = np.clip(np.round(3 + rng.normal(size=60)), 1, 5).astype(int) - 1
    level = np.where((coded.rater < 8) & (rng.random(len(coded.level)) < 0.7), own[coded.item], coded.level)
    coded = Coded(coded.item, coded.rater, level, 60, 40, coded.positions)
    found = run(coded, Membership(np.arange(40), (np.arange(40) >= 8).astype(int), 2), 199)
    assert found.difference[0] > 0.1
    assert found.p[0] <= 0.02
    assert found.p_gai[0] <= 0.02
    assert found.gai[0] > 1 > found.null_gai[0]
    assert found.null_difference[0] < 0


def test_raters_of_no_group_do_not_matter():
    coded = crowd(np.random.default_rng(2), 20, 12)
    members = Membership(np.arange(9), np.arange(9) % 2, 2)
    alone = Coded(*(x[coded.rater < 9] for x in (coded.item, coded.rater, coded.level)), 20, 9, coded.positions)
    same(run(coded, members), run(alone, members))


def test_the_scale_and_the_order_of_ratings_and_the_memory_at_hand_do_not_matter(monkeypatch):
    coded = crowd(np.random.default_rng(3), 20, 12)
    members = Membership(np.arange(12), np.arange(12) % 3, 3)
    order = np.random.default_rng(4).permutation(len(coded.item))
    moved = Coded(*(x[order] for x in (coded.item, coded.rater, coded.level)), 20, 12, 100 * coded.positions - 7)
    first = run(coded, members)
    same(first, run(moved, members))
    monkeypatch.setattr(permutation, "CHUNK", 1000)
    same(first, run(coded, members))


def test_strata_that_are_the_groups_leave_nothing_to_permute():
    coded, group = crowd(np.random.default_rng(5), 20, 12), np.arange(12) % 2
    found = run(coded, Membership(np.arange(12), group, 2), strata=group)
    assert np.isnan([found.p, found.p_gai]).all()
    np.testing.assert_allclose(found.null_difference, found.difference)


def test_a_group_without_pairs_or_without_variation_has_no_alpha_and_no_p():
    grid = np.array([[0, 1, 2, 2], [1, 1, 2, 2], [4, 3, 2, 2]])
    found = run(crossed(grid), belong([(0, 0), (1, 1), (2, 2), (3, 2)]))
    assert np.isnan(found.alpha).all()
    assert np.isnan(found.p).all()
    assert not np.isnan(found.xrr[:2]).any()


@pytest.mark.parametrize("n_group", [8, 30])
def test_p_is_uniform_when_the_group_is_drawn_at_random(n_group):
    p = null_p_values(n_group, 60, 99, items=100)
    for column in p.T:
        assert kstest(column, "uniform").pvalue > 0.01
