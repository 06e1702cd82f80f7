"""The two-way jackknife: oracles O3 and O4, deleting one rater by hand, and both ways of computing it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.measures.agreement import model_cdf
from lm_plural.harness.statistics.uncertainty.jackknife import Columns, Covariance, covariance, disjoint_covariance
from lm_plural.harness.statistics.uncertainty.leave_one_out import (
    Contribution,
    between,
    bias,
    disagreement,
    divergence,
    generic,
    item_mean,
)
from tests.statistics.by_hand import Case, belong, cases, crossed, quick

FIVE = np.arange(1.0, 6.0)


def unit(scaling: Scaling) -> float:
    """Oracles are in unit spacing; the product's widths sum to 1."""
    return float(1 / scaling.spacing[0])


def columns_of(parts: list[Contribution], weights: np.ndarray, members: Membership, n: np.ndarray) -> Columns:
    s, g = len(parts), members.n_groups
    return Columns(
        np.concatenate([p.value for p in parts], axis=1),
        np.concatenate([np.moveaxis(p.table, 1, 2) for p in parts], axis=2),
        np.tile(weights, s),
        np.tile(np.arange(g), s),
        np.tile(n, s),
    )


def general(coded: Coded, columns: Columns, members: Membership) -> Covariance:
    """Return the covariance the way that serves any membership."""
    member = np.zeros((coded.n_raters, members.n_groups), dtype=bool)
    member[members.rater, members.group] = True
    return covariance(coded, columns, np.tile(member, columns.weights.shape[1] // members.n_groups))


def test_o3_linear_mean():
    coded = crossed(np.array([[1, 2, 3], [2, 4, 6]]) - 1)
    everyone = Membership.everyone(3)
    sums = Sums.of(count_levels(coded, everyone), Scaling.plain(coded.positions))
    v = agreement.item_weights(sums)
    found = general(coded, columns_of([item_mean(sums, v)], v, everyone, sums.n), everyone)
    one = np.eye(1)
    assert (found.items[0, 0], found.raters[0, 0]) == pytest.approx((1, 0.75))
    assert found.same[0, 0] == pytest.approx(0.416667, abs=1e-6)
    variance, _ = found.variance(one, "items+raters")
    assert variance[0] == pytest.approx(4 / 3)
    assert found.variance(one, "items")[0][0] == pytest.approx(1)
    assert found.variance(one, "raters")[0][0] == pytest.approx(0.75)


def test_o4_divergence_with_leave_one_out():
    coded = crossed(np.array([[1, 1, 3, 5], [2, 2, 2, 3], [1, 4, 5, 5]]) - 1, FIVE)
    cdf = np.array([[0.2, 0.4, 0.6, 0.8], [0.1, 0.5, 0.9, 1], [0, 0.1, 0.3, 0.6]])
    everyone = Membership.everyone(4)
    sums = Sums.of(count_levels(coded, everyone), Scaling.plain(FIVE))
    part, k = divergence(sums, cdf[:, None], agreement.item_weights(sums)), unit(sums.scaling)
    np.testing.assert_allclose(part.value[:, 0] * k, [-1 / 6, 0.02, -0.52 / 3], atol=1e-6)
    psi = [[0.233333, 0.233333, -0.033333, -0.433333], [0.083333, 0.083333, 0.083333, -0.25], [-0.233333, 0.033333]]
    for i, (row, ratings) in enumerate(zip(psi, [[0, 0, 2, 4], [1, 1, 1, 2], [0, 3]], strict=True)):
        np.testing.assert_allclose(part.table[i, 0, ratings] * k, row, atol=1e-6)
    columns = columns_of([part], agreement.item_weights(sums), everyone, sums.n)
    found = general(coded, columns, everyone)
    assert columns.total[0] * k == pytest.approx(-0.106667, abs=1e-6)
    got = [m[0, 0] * k**2 for m in (found.items, found.raters, found.same)]
    assert got == pytest.approx([0.00401481, 0.04101852, 0.03805556], abs=1e-8)


def without(case: Case, rater: int) -> Sums:
    grid = case.grid.copy()
    grid[:, rater] = -1
    coded = Coded(*np.nonzero(grid >= 0), grid[grid >= 0], *grid.shape, case.positions)
    return Sums.of(count_levels(coded, Membership.everyone(grid.shape[1])), Scaling.plain(case.positions))


@quick
@given(cases(), st.data())
def test_tables_are_what_deleting_one_rater_changes(case: Case, data: st.DataObject):
    rater = data.draw(st.integers(0, case.grid.shape[1] - 1))
    sums = Sums.of(count_levels(case.coded, Membership.everyone(case.grid.shape[1])), Scaling.plain(case.positions))
    v = agreement.item_weights(sums, least=1)
    less, cdf = without(case, rater), model_cdf(case.q)
    for part, fewer in (
        (item_mean(sums, v), agreement.item_mean(less)),
        (bias(sums, case.q, v), agreement.per_item(less, case.q).bias),
        (divergence(sums, cdf, v), agreement.divergence(less, cdf)),
        (disagreement(sums, v), agreement.disagreement(less)),
    ):
        for i in np.flatnonzero((case.grid[:, rater] >= 0) & (less.n[:, 0] >= 2)):
            expected = part.value[i, 0] - fewer[i, 0]
            assert part.table[i, 0, case.grid[i, rater]] == pytest.approx(expected, abs=1e-12)


@quick
@given(cases())
def test_the_generic_way_equals_the_closed_forms(case: Case):
    counts = count_levels(case.coded, Membership.everyone(case.grid.shape[1]))
    scaling = Scaling.plain(case.positions)
    sums, cdf = Sums.of(counts, scaling), model_cdf(case.q)
    many, v = sums.n >= 3, agreement.item_weights(sums)
    for part, statistic, least in (
        (divergence(sums, cdf, v), lambda s: agreement.divergence(s, cdf), 2),
        (disagreement(sums, v), agreement.disagreement, 2),
        (item_mean(sums, v), agreement.item_mean, 1),
    ):
        found = generic(counts, scaling, statistic, v, least=least)
        np.testing.assert_array_equal(found.value, part.value)
        chosen = many[..., None] & (counts > 0)
        np.testing.assert_allclose(found.table[chosen], part.table[chosen], atol=1e-12)


@quick
@given(cases())
def test_contributions_of_an_item_to_a_linear_statistic_cancel(case: Case):
    counts = count_levels(case.coded, Membership.everyone(case.grid.shape[1]))
    sums, cdf = Sums.of(counts, Scaling.plain(case.positions)), model_cdf(case.q)
    pair = agreement.item_weights(sums)
    score = divergence(sums, cdf, pair) + disagreement(sums, pair)
    v = agreement.item_weights(sums, least=1)
    for part in (item_mean(sums, v), bias(sums, case.q, v), score):
        added = (part.table * counts).sum(axis=-1)
        np.testing.assert_allclose(added[sums.n >= 3], 0, atol=1e-10)


def test_an_item_leaves_with_one_of_its_two_raters():
    """Deleting either rater of the second item leaves the first alone: T moves by w (h - T), exactly so by T - h_1."""
    coded = crossed(np.array([[0, 1, 2, 4], [4, 0, -1, -1]]), FIVE)
    everyone = Membership.everyone(4)
    sums = Sums.of(count_levels(coded, everyone), Scaling.plain(FIVE))
    v = agreement.item_weights(sums)
    u = disagreement(sums, v)
    assert u.table[1, 0, [0, 4]] == pytest.approx(u.value[1, 0] - u.value.mean())
    assert v[1, 0] * u.table[1, 0, 0] == pytest.approx((u.value.mean() - u.value[0, 0]) / 2)


def grouped(case: Case, pairs: list[tuple[int, int]]) -> tuple[Columns, Membership, np.ndarray]:
    members = Membership(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T, 2)
    counts = count_levels(case.coded, members)
    sums, cdf = Sums.of(counts, Scaling.plain(case.positions)), model_cdf(case.q)
    v = agreement.item_weights(sums)
    parts = [item_mean(sums, v), divergence(sums, cdf, v), disagreement(sums, v), between(sums, v)]
    return columns_of(parts, v, members, sums.n), members, counts


@quick
@given(cases(), st.data())
def test_the_fast_way_for_disjoint_groups_is_the_same(case: Case, data: st.DataObject):
    group = data.draw(st.lists(st.integers(-1, 1), min_size=case.grid.shape[1], max_size=case.grid.shape[1]))
    columns, members, counts = grouped(case, [(j, g) for j, g in enumerate(group) if g >= 0])
    a, b = general(case.coded, columns, members), disjoint_covariance(case.coded, members, columns, counts)
    for name in ("items", "raters", "same", "n_items", "n_raters", "own"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-14, err_msg=name)


@quick
@given(cases(), st.randoms())
def test_neither_the_order_of_rows_nor_the_size_of_blocks_matters(case: Case, random):
    columns, members, _ = grouped(case, [(j, j % 2) for j in range(case.grid.shape[1])] + [(0, 1)])
    whole, order = general(case.coded, columns, members), list(range(len(case.coded.item)))
    random.shuffle(order)
    c = case.coded
    mixed = Coded(c.item[order], c.rater[order], c.level[order], c.n_items, c.n_raters, c.positions)
    with pytest.MonkeyPatch.context() as m:
        m.setattr("lm_plural.harness.statistics.uncertainty.jackknife.BLOCK", 1)
        again = general(mixed, columns, members)
    for name in ("items", "raters", "same", "n_raters", "own"):
        np.testing.assert_allclose(getattr(whole, name), getattr(again, name), atol=1e-14, err_msg=name)


def test_a_rater_on_two_sides_makes_them_covary():
    coded = crossed(np.array([[0, 1, 1], [0, 0, 1], [0, 0, 1]]), [0.0, 1.0])
    members = belong([(0, 0), (1, 0), (1, 1), (2, 1)])
    sums = Sums.of(count_levels(coded, members), Scaling.plain(coded.positions))
    v = agreement.item_weights(sums)
    found = general(coded, columns_of([item_mean(sums, v)], v, members, sums.n), members)
    r = np.array([[-1 / 6, 1 / 6, 0], [0, -1 / 3, 1 / 3]])  # mean over items of (x - mean) / (n - 1)
    np.testing.assert_allclose(found.raters, r @ r.T / 2, atol=1e-12)
    gap = np.array([[1.0, -1.0]])
    assert found.variance(gap, "raters")[0][0] == pytest.approx(((gap @ r) ** 2).sum() / 2)


def test_degrees_of_freedom_are_those_of_the_scarcer_factor():
    v = Covariance(
        np.eye(1), np.eye(1) * 4, np.eye(1), np.zeros(1, dtype=int), np.array([11.0]), np.array([4.0]), np.eye(1)
    )
    variance, df = v.variance(np.eye(1), "items+raters")
    assert variance[0] == 4
    assert df[0] == pytest.approx(16 / (1 / 10 + 9 / 3))
    assert v.variance(np.eye(1), "items")[1][0] == pytest.approx(10)
    assert v.variance(np.eye(1), "raters")[1][0] == pytest.approx(3)


def test_without_ratings_alike_nothing_varies():
    coded = crossed(np.zeros((3, 4), dtype=int), [0.0, 1.0])
    everyone = Membership.everyone(4)
    sums = Sums.of(count_levels(coded, everyone), Scaling.plain(coded.positions))
    v = agreement.item_weights(sums)
    found = general(coded, columns_of([item_mean(sums, v)], v, everyone, sums.n), everyone)
    variance, df = found.variance(np.eye(1), "items+raters")
    assert variance[0] == 0
    assert df[0] == np.inf


def test_with_two_raters_an_item_raters_alone_vary_a_mean_as_much_as_they_do():
    """No rater effects, no item differences: the variance of a mean of 2 x 400 ratings is s^2 / 800, not s^2 / 400."""
    rng = np.random.default_rng(0)
    item = np.repeat(np.arange(400), 2)
    rater = np.concatenate([rng.choice(60, 2, replace=False) for _ in range(400)])
    coded = Coded(item, rater, rng.integers(0, 5, 800), 400, 60, FIVE)
    everyone = Membership.everyone(60)
    sums = Sums.of(count_levels(coded, everyone), Scaling.plain(FIVE))
    v = agreement.item_weights(sums)
    found = general(coded, columns_of([item_mean(sums, v)], v, everyone, sums.n), everyone)
    assert found.own[0, 0] == pytest.approx(2 / 800, rel=0.15)
    assert found.same[0, 0] == pytest.approx(4 / 800, rel=0.15)
    assert found.variance(np.eye(1), "raters")[0][0] < 1.4 * found.variance(np.eye(1), "items")[0][0]


@pytest.mark.filterwarnings("ignore")  # pyfixest's own
def test_on_item_centred_ratings_the_cross_part_is_two_way_cluster_robust():
    """V_cross = n/(n-1) (V_raters - V_ratings) of Cameron, Gelbach and Miller, here by pyfixest."""
    import pandas as pd
    import pyfixest as pf

    rng = np.random.default_rng(0)
    grid = (rng.integers(0, 3, size=(40, 12)) + rng.integers(0, 3, size=12)).astype(int)
    coded, everyone = crossed(grid, FIVE), Membership.everyone(12)
    sums = Sums.of(count_levels(coded, everyone), Scaling.plain(FIVE))
    v = agreement.item_weights(sums)
    found = general(coded, columns_of([item_mean(sums, v)], v, everyone, sums.n), everyone)
    y = (grid - grid.mean(axis=1, keepdims=True))[coded.item, coded.rater]
    data = pd.DataFrame({"y": y, "item": coded.item, "rater": coded.rater})
    plain = pf.ssc(k_adj=False, G_adj=False)

    def variance(vcov) -> float:
        return float(pf.feols("y ~ 1", data, vcov=vcov, ssc=plain).se().iloc[0] ** 2)

    two_way = variance({"CRV1": "item + rater"})  # items add nothing: their sums are 0
    assert (found.raters - found.same)[0, 0] == pytest.approx(12 / 11 * two_way, rel=1e-6)
