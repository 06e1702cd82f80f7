"""Differences between groups: common support, signs, rests, ratios and families."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, count_levels
from lm_plural.harness.statistics.groups.contrasts import families
from lm_plural.harness.statistics.groups.family import Family, Kind, Sides, choose, support
from lm_plural.harness.statistics.groups.few_raters import few_rater_tests
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.measures.effects import cliffs_delta
from lm_plural.harness.statistics.uncertainty.draws import generator
from tests.statistics.by_hand import Case, belong, cases, crossed, quick
from tests.statistics.groups.test_groups import FIVE, panel, statistics


def contrasts(
    coded: Coded, members: Membership, q=None, kind: Kind = "pairs", least: int = 2, **more
) -> dict[str, Family]:
    sides = Sides.of(coded, members, count_levels(coded, members))
    a, b = choose(kind, np.arange(members.n_groups), members.n_groups)
    how = Inferring(generator(0, "test"), draws=2_000, least=least)
    return families(coded, sides, Scaling.plain(coded.positions), q, a, b, how, **more)


def test_on_a_crossed_design_contrasts_are_differences_of_the_groups_values_and_their_covariance():
    grid, q = panel()
    coded, members = crossed(grid, FIVE), belong([(j, j % 3) for j in range(24)])
    groups = statistics(coded, q, members)
    found = contrasts(coded, members, q)
    for name in ("item_mean", "bias", "divergence", "disagreement", "rps"):
        f = found[name]
        value = groups.estimates[name].value
        np.testing.assert_allclose(f.estimates.value, value[f.a] - value[f.b], atol=1e-12)
        rows = groups.loadings(groups.gradient(name))
        variance, df = groups.covariance.variance(rows[f.a] - rows[f.b], "items+raters")
        np.testing.assert_allclose(f.estimates.se**2, variance, rtol=1e-9)
        np.testing.assert_allclose(f.estimates.df, df, rtol=1e-9)
        assert (f.share == 1).all()


def test_with_two_groups_the_rest_of_one_is_the_other():
    grid, q = panel()
    coded, members = crossed(grid, FIVE), belong([(j, j % 2) for j in range(24)])
    pairs, rest = contrasts(coded, members, q), contrasts(coded, members, q, "rest")
    for name, f in pairs.items():
        np.testing.assert_allclose(rest[name].estimates.value, f.estimates.value[0] * np.array([1, -1]), atol=1e-12)
        np.testing.assert_allclose(rest[name].estimates.se, f.estimates.se[0], rtol=1e-9)


def test_only_items_of_both_sides_count():
    # Group 1 never rated the harsh items, which would make group 0 look harsh.
    grid = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 1], [4, 4, -1, -1], [4, 3, -1, -1]])
    f = contrasts(crossed(grid, FIVE), belong([(0, 0), (1, 0), (2, 1), (3, 1)]))["item_mean"]
    assert f.estimates.value[0] == pytest.approx(0)
    assert (f.n_items[0], f.share[0]) == (3, pytest.approx(3 / 5))


def test_a_side_s_only_rater_counts_for_means_not_for_pairs():
    grid = np.array([[0, 1, 2, 2], [1, 1, 3, -1], [0, -1, 2, 1]])
    found = contrasts(crossed(grid, FIVE), belong([(0, 0), (1, 0), (2, 1), (3, 1)]))
    assert found["item_mean"].n_items[0] == found["cliff"].n_items[0] == 3
    assert found["disagreement"].n_items[0] == 1


def moved(x: np.ndarray, side: np.ndarray, j: int, gaps: np.ndarray) -> float:
    """What deleting rater j changes, by hand, NaN for not rated: an item that leaves takes w (d - T) with it."""
    both, total = ~np.isnan(gaps), 0.0
    for i in np.flatnonzero(both & ~np.isnan(x[:, j])):
        fewer = np.where(np.arange(len(side)) == j, np.nan, x[i])
        left = fewer[side == side[j]]
        lost = np.isnan(left).all()
        total += gaps[i] - (np.nanmean(gaps) if lost else gap(fewer, side))
    return total / both.sum()


def gap(row: np.ndarray, side: np.ndarray) -> float:
    a, b = row[side == 0], row[side == 1]
    return float("nan") if np.isnan(a).all() or np.isnan(b).all() else float(np.nanmean(a) - np.nanmean(b))


@quick
@given(cases())
def test_what_a_rater_adds_to_a_gap_in_means_is_what_deleting_the_rater_changes(case: Case):
    raters = case.grid.shape[1]
    side = np.arange(raters) % 2
    x = np.where(case.grid >= 0, case.positions[case.grid], np.nan)
    gaps = np.array([gap(row, side) for row in x])
    f = contrasts(case.coded, belong(enumerate(side.tolist())))["item_mean"]
    if np.isnan(gaps).all():
        assert np.isnan(f.estimates.value[0])
        return
    assert f.estimates.value[0] == pytest.approx(np.nanmean(gaps))
    for s in (0, 1):
        there = [j for j in np.flatnonzero(side == s) if (~np.isnan(x[:, j]) & ~np.isnan(gaps)).any()]
        expected = (len(there) - 1) / len(there) * sum(moved(x, side, j, gaps) ** 2 for j in there)
        assert f.covariance.n_raters[s] == len(there)
        assert f.covariance.raters[s, s] == pytest.approx(expected, abs=1e-12)


def test_cliffs_delta_is_the_mean_over_common_items_and_its_error_that_of_a_difference_when_binary():
    rng = np.random.default_rng(5)
    grid = (rng.random((60, 20)) < 0.4).astype(int)
    found = contrasts(crossed(grid, [0.0, 1.0]), belong([(j, j % 2) for j in range(20)]))
    c = np.stack([[np.bincount(row[s::2], minlength=2) for s in (0, 1)] for row in grid])
    assert found["cliff"].estimates.value[0] == pytest.approx(cliffs_delta(c[:, 0], c[:, 1]).mean())
    np.testing.assert_allclose(found["cliff"].estimates.value, found["item_mean"].estimates.value, atol=1e-12)
    np.testing.assert_allclose(found["cliff"].estimates.se, found["item_mean"].estimates.se, rtol=1e-9)


def test_contrasts_with_too_few_raters_have_a_value_and_leave_the_family():
    grid, _ = panel()
    members = belong([(j, 0 if j < 10 else 1 if j < 20 else 2) for j in range(24)])
    f = contrasts(crossed(grid, FIVE), members, least=5)["item_mean"]
    assert np.isfinite(f.estimates.value).all()
    assert np.isfinite(f.p_adjusted).tolist() == [True, False, False]
    alone = contrasts(crossed(grid[:, :20], FIVE), belong([(j, j // 10) for j in range(20)]))["item_mean"]
    assert f.critical == pytest.approx(alone.critical, rel=0.05)


def test_simultaneous_intervals_are_wider_and_adjusted_p_larger():
    grid, q = panel()
    for f in contrasts(crossed(grid, FIVE), belong([(j, j % 4) for j in range(24)]), q).values():
        assert (f.low < f.estimates.low).all()
        assert (f.high > f.estimates.high).all()
        assert (f.p_adjusted >= f.estimates.p - 0.03).all()


def test_a_ratio_needs_both_sides_clear_of_zero():
    grid, q = panel(seed=2, raters=40)
    q = 0.5 * q + 0.5 * np.eye(5)[4]
    members = belong([(j, j % 2) for j in range(40)])
    f = contrasts(crossed(grid, FIVE), members, q)["divergence"]
    value = statistics(crossed(grid, FIVE), q, members).estimates["divergence"].value
    assert f.ratio is not None
    assert f.ratio.value[0] == pytest.approx(value[0] / value[1])
    assert f.ratio.low[0] < f.ratio.value[0] < f.ratio.high[0]
    near = np.stack([np.bincount(row, minlength=5) for row in grid]) / 40
    perfect = contrasts(crossed(grid, FIVE), members, near)["divergence"].ratio
    assert perfect is not None
    assert np.isnan(perfect.value[0])


def test_a_rater_of_no_group_is_in_no_rest_and_one_of_two_groups_in_neither_s():
    coded = crossed(np.array([[0, 1, 1, 0], [1, 1, 0, 0]]), [0.0, 1.0])
    members = belong([(0, 0), (1, 0), (1, 1), (2, 1)])
    sides = Sides.of(coded, members, count_levels(coded, members))
    assert sides.member[:, 2].tolist() == [False, False, True, False]
    assert sides.member[:, 3].tolist() == [True, False, False, False]
    assert sides.counts[:, 2].sum(axis=1).tolist() == [1, 1]


def test_support_weights_by_pairs_and_by_the_user():
    n = np.array([[2.0, 2.0], [4.0, 3.0], [5.0, 1.0]])
    a, b = np.array([0]), np.array([1])
    equal, share = support(n, a, b, "items", None, 2)
    assert equal[:, 0].tolist() == [0.5, 0.5, 0.0]
    assert share[0] == pytest.approx(2 / 3)
    pairs, _ = support(n, a, b, "pairs", None, 2)
    assert pairs[:, 0] == pytest.approx(np.array([2, 8, 0]) / 10)
    mine, _ = support(n, a, b, "items", np.array([0.0, 2.0, 1.0]), 1)
    assert mine[:, 0] == pytest.approx([0, 2 / 3, 1 / 3])


def test_few_raters_get_a_permutation_p_that_finds_a_large_gap():
    grid, q = panel(raters=16)
    shifted = np.clip(grid + 2 * (np.arange(16) < 6), 0, 4)
    members = belong([(j, int(j >= 6)) for j in range(16)])
    a, b = choose("pairs", np.arange(2), 2)

    def p(g):
        coded = crossed(g, FIVE)
        sides = Sides.of(coded, members, count_levels(coded, members))
        found = few_rater_tests(coded, sides, Scaling.plain(FIVE), q, a, b, rng=generator(0, "p"), permutations=499)
        return {name: v[0] for name, v in found.items()}

    assert p(shifted)["bias"] < 0.01
    assert p(grid)["bias"] > 0.05
    assert set(p(grid)) == {"item_mean", "disagreement", "bias", "divergence", "rps"}


def test_many_raters_need_no_permutation():
    grid, q = panel(raters=32)
    coded, members = crossed(grid, FIVE), belong([(j, j % 2) for j in range(32)])
    sides = Sides.of(coded, members, count_levels(coded, members))
    assert (
        few_rater_tests(coded, sides, Scaling.plain(FIVE), q, *choose("pairs", np.arange(2), 2), rng=generator(0)) == {}
    )
