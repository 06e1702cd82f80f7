"""Group statistics: derived values, their intervals, and what deleting an item or a rater says about them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.groups import Weighting, group_statistics
from lm_plural.harness.statistics.uncertainty.intervals import of_a_square, on_log_scale, raw
from tests.statistics.by_hand import Case, belong, cases, crossed, estimate, quick

FIVE = np.arange(1.0, 6.0)


def statistics(coded: Coded, q: np.ndarray | None, members: Membership, how="items", inference="items+raters"):
    counts, scaling = count_levels(coded, members), Scaling.plain(coded.positions)
    weights = Weighting.of(Sums.of(counts, scaling), how)
    return group_statistics(coded, members, counts, scaling, q, weights, inference)


def panel(seed: int = 0, items: int = 40, raters: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Ratings on five levels by raters who differ, and a model that knows the items."""
    rng = np.random.default_rng(seed)
    item, severity = rng.normal(size=(items, 1)), 0.6 * rng.normal(size=raters)
    grid = np.digitize(item + severity + rng.normal(size=(items, raters)), [-1.2, -0.4, 0.4, 1.2])
    weight = np.exp(-((np.arange(5) - 2 - item) ** 2))
    return grid, weight / weight.sum(axis=1, keepdims=True)


@quick
@given(cases(), st.sampled_from(["items", "pairs"]))
def test_values_are_those_of_the_point_estimates(case: Case, how):
    everyone = Membership.everyone(case.grid.shape[1])
    found = statistics(case.coded, case.q, everyone, how).estimates
    expected = estimate(case.coded, case.q, weights=how)
    for name in ("bias", "divergence", "disagreement", "rps", "skill", "equivalent_raters"):
        np.testing.assert_allclose(found[name].value, getattr(expected, name), atol=1e-12, err_msg=name)


@quick
@given(cases(missing=False, levels=4))
def test_reversing_the_scale_turns_bias_and_leaves_values_and_errors_of_the_rest(case: Case):
    everyone, top = Membership.everyone(case.grid.shape[1]), 3
    turned = crossed(top - case.grid, -case.positions[::-1])
    a = statistics(case.coded, case.q, everyone).estimates
    b = statistics(turned, case.q[:, ::-1], everyone).estimates
    for name, e in a.items():
        sign = -1 if name in ("bias", "item_mean") else 1
        np.testing.assert_allclose(e.value, sign * b[name].value, rtol=1e-6, atol=1e-10, err_msg=name)
        if name != "skill":  # a ratio: rounding may decide whether its denominator is 0
            np.testing.assert_allclose(e.se, b[name].se, rtol=1e-4, atol=1e-9, err_msg=name)


def test_permuting_raters_and_items_changes_nothing():
    grid, q = panel()
    members = belong([(j, j % 3) for j in range(24)])
    rng = np.random.default_rng(1)
    items, raters = rng.permutation(40), rng.permutation(24)
    a = statistics(crossed(grid, FIVE), q, members).estimates
    moved = Membership(np.argsort(raters)[members.rater], members.group, 3)
    b = statistics(crossed(grid[items][:, raters], FIVE), q[items], moved).estimates
    for name in a:
        for part in ("value", "se", "df", "low", "high"):
            np.testing.assert_allclose(getattr(a[name], part), getattr(b[name], part), rtol=1e-9, err_msg=name)


def test_all_items_twice_leave_the_values_and_halve_the_items_part():
    grid, q = panel()
    everyone = Membership.everyone(24)
    one, two = (statistics(crossed(np.vstack([grid] * k), FIVE), np.vstack([q] * k), everyone) for k in (1, 2))
    np.testing.assert_allclose(one.value[:-2], two.value[:-2], atol=1e-12)  # A is over distinct items
    ratio = np.diag(two.covariance.items) / np.diag(one.covariance.items)
    np.testing.assert_allclose(ratio, 0.5 * (39 / 40) / (79 / 80) * 1.0, rtol=0.03)


def brute_se(grid: np.ndarray, q: np.ndarray, name: str) -> float:
    """Two-way jackknife by deleting whole items and whole raters, without tables: V_I + V_R - what both count."""

    def value(g: np.ndarray, p: np.ndarray) -> float:
        return float(getattr(estimate(crossed(g, FIVE), p), name)[0])

    items, raters = grid.shape
    whole = value(grid, q)
    by_item = [whole - value(np.delete(grid, i, 0), np.delete(q, i, 0)) for i in range(items)]
    by_rater = [whole - value(np.delete(grid, j, 1), q) for j in range(raters)]
    v_items = (items - 1) / items * np.sum(np.square(by_item))
    v_raters = (raters - 1) / raters * np.sum(np.square(by_rater))
    return float(np.sqrt(v_items + v_raters))


@pytest.mark.parametrize("name", ["bias", "divergence", "disagreement", "skill", "equivalent_raters"])
def test_errors_are_near_those_of_deleting_items_and_raters_outright(name):
    # Counting the residual twice makes the brute form a little larger; at 24 raters x 40 items it hardly shows.
    grid, q = panel(seed=3)
    q = 0.7 * q + 0.3 * np.eye(5)[4]
    found = statistics(crossed(grid, FIVE), q, Membership.everyone(24)).estimates[name]
    assert 0.8 < found.se[0] / brute_se(grid, q, name) <= 1.03


def test_inference_says_what_varies():
    grid, q = panel()
    everyone = Membership.everyone(24)
    coded = crossed(grid, FIVE)

    def se(inference):
        return statistics(coded, q, everyone, inference=inference).estimates["bias"].se[0]

    assert se("items") < se("items+raters")
    v = statistics(crossed(grid, FIVE), q, everyone).covariance
    assert se("items+raters") ** 2 - se("items") ** 2 == pytest.approx((v.raters - v.same)[2, 2])
    assert se("raters") ** 2 == pytest.approx(v.raters[2, 2])


def test_several_axes_stand_side_by_side_in_one_covariance():
    grid, q = panel()
    coded = crossed(grid, FIVE)
    first, second = belong([(j, j % 2) for j in range(24)]), belong([(j, j // 12) for j in range(24)])
    both = Membership(np.concatenate([first.rater, second.rater]), np.concatenate([first.group, second.group + 2]), 4)
    together = statistics(coded, q, both)
    for k, alone in enumerate((statistics(coded, q, first), statistics(coded, q, second))):
        names = len(alone.names)
        at = np.concatenate([s * 4 + 2 * k + np.arange(2) for s in range(names)])
        for part in ("items", "raters", "same", "own"):
            whole, own = getattr(together.covariance, part), getattr(alone.covariance, part)
            np.testing.assert_allclose(whole[np.ix_(at, at)], own, atol=1e-14)
    cross = together.covariance.raters[0, 2]  # item means of the first groups of either axis share raters
    assert cross > 0


def test_a_model_that_may_be_perfect_is_worth_at_least_so_many_raters():
    grid, _ = panel(raters=400)
    q = np.stack([np.bincount(row[24:], minlength=5) for row in grid]) / 376
    e = statistics(crossed(grid[:, :24], FIVE), q, Membership.everyone(24)).estimates
    c, worth = e["divergence"], e["equivalent_raters"]
    assert c.low[0] < 0 < c.high[0]
    assert worth.low[0] == pytest.approx(e["disagreement"].value[0] / c.high[0])
    assert np.isnan(worth.high[0])


@pytest.mark.parametrize("k", [2, 11])
def test_two_and_eleven_levels_and_sure_predictions(k):
    rng = np.random.default_rng(k)
    grid = rng.integers(0, k, size=(12, 9))
    q = np.eye(k)[rng.integers(0, k, size=12)]
    e = statistics(crossed(grid, np.arange(float(k))), q, Membership.everyone(9)).estimates
    assert np.isfinite([x.value[0] for n, x in e.items() if n != "skill"]).all()
    if k == 2:
        p, n = (grid == 0).mean(axis=1), 9
        expected = ((p - q[:, 0]) ** 2 - p * (1 - p) / (n - 1)).mean()
        assert e["divergence"].value[0] == pytest.approx(expected)


def test_float32_predictions_agree():
    grid, q = panel()
    a, b = (statistics(crossed(grid, FIVE), x, Membership.everyone(24)).estimates for x in (q, q.astype(np.float32)))
    for name in a:
        np.testing.assert_allclose(a[name].value, b[name].value, rtol=1e-5)


def test_raw_intervals_are_students():
    e = raw(np.array([2.0]), np.array([0.25]), np.array([7.0]))
    assert (e.low[0], e.high[0]) == pytest.approx(student.interval(0.95, 7, 2.0, 0.5))
    assert e.p[0] == pytest.approx(2 * student.sf(4.0, 7))


def test_no_variance_means_no_interval_and_no_p():
    e = raw(np.array([2.0]), np.array([0.0]), np.array([7.0]))
    assert e.value[0] == 2
    assert np.isnan([e.se[0], e.df[0], e.low[0], e.high[0], e.p[0]]).all()


def test_intervals_of_ratios_stay_positive():
    e = on_log_scale(raw(np.array([1.0, 0.1]), np.array([0.25, 0.25]), np.array([9.0, 9.0])))
    half = student.ppf(0.975, 9) * 0.5
    assert (e.low[0], e.high[0]) == pytest.approx((np.exp(-half), np.exp(half)))
    assert 0 < e.low[1] < 0.1 < e.high[1]


def test_intervals_of_what_cannot_be_negative_are_the_wider_of_raw_and_log():
    e = of_a_square(raw(np.array([1.0, 0.1, -0.2]), np.array([0.25, 0.25, 0.25]), np.array([9.0, 9.0, 9.0])))
    half = student.ppf(0.975, 9) * 0.5
    assert e.low == pytest.approx([1 - half, 0.1 - half, -0.2 - half])
    assert e.high == pytest.approx([np.exp(half), 0.1 + half, half])
