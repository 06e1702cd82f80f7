"""Two models on the same ratings: against two models one by one, deletion by hand, t tests, and a simulation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from lm_plural.harness.ratings.coarsen import to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.family import Sides
from lm_plural.harness.statistics.groups.groups import Weighting, group_statistics
from lm_plural.harness.statistics.groups.paired import (
    STATISTICS,
    Changes,
    bias_change,
    divergence_change,
    gap_changes,
    group_changes,
)
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.measures.agreement import model_cdf
from lm_plural.harness.statistics.uncertainty import leave_one_out
from tests.statistics.by_hand import Case, belong, cases, crossed, quick

FIVE = np.arange(1.0, 6.0)
DRAWS = 200


def another(case: Case, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(case.q.shape[1]), len(case.q))


def sums_of(coded: Coded, members: Membership | None = None, scaling: Scaling | None = None) -> Sums:
    members = members or Membership.everyone(coded.n_raters)
    return Sums.of(count_levels(coded, members), scaling or Scaling.plain(coded.positions))


def changes(
    coded: Coded, q_a, q_b, members: Membership | None = None, draws: int = DRAWS, **options
) -> dict[str, Changes]:
    members, scaling = members or Membership.everyone(coded.n_raters), Scaling.plain(coded.positions)
    counts, rng = count_levels(coded, members), np.random.default_rng(0)
    weights = Weighting.of(Sums.of(counts, scaling))
    return group_changes(coded, members, counts, scaling, q_a, q_b, weights, Inferring(rng, draws=draws, **options))


def gaps(coded: Coded, q_a, q_b, members: Membership, **options) -> Changes:
    sides = Sides.of(coded, members, count_levels(coded, members))
    rng, (a, b) = np.random.default_rng(0), np.triu_indices(members.n_groups, 1)
    return gap_changes(
        coded, sides, Scaling.plain(coded.positions), q_a, q_b, a, b, Inferring(rng, draws=DRAWS, **options)
    )


@quick
@given(cases(levels=5), st.sampled_from([None, "drop", "split"]))
def test_the_change_is_the_difference_of_both_models_with_all_that_raters_add(case: Case, neutral):
    scaling, q_a, q_b = Scaling.plain(case.positions), case.q, another(case)
    if neutral:
        coarse = to_two(Scale(tuple("12345")), neutral)
        scaling = Scaling(np.array(coarse.scale.positions), coarse.matrix)
        q_a, q_b = (coarse.distribution(q) for q in (q_a + 0.01, q_b))
    sums = sums_of(case.coded, scaling=scaling)
    change = divergence_change(sums, q_a, q_b, agreement.item_weights(sums, least=1))
    of_a, of_b = (leave_one_out.divergence(sums, model_cdf(q), agreement.item_weights(sums)) for q in (q_a, q_b))
    pairs, more = sums.n >= 2, sums.n >= 3  # of two raters, one is enough for the change and not for a divergence
    np.testing.assert_allclose(change.value[pairs], (of_a.value - of_b.value)[pairs], atol=1e-12)
    np.testing.assert_allclose(change.table[more], (of_a.table - of_b.table)[more], atol=1e-12)


@quick
@given(cases())
def test_one_rater_is_enough_and_the_change_is_that_of_the_mean_rps(case: Case):
    q_b, sums = another(case), sums_of(case.coded)
    found = divergence_change(sums, case.q, q_b, agreement.item_weights(sums, least=1)).value[:, 0]
    z = (case.grid[..., None] <= np.arange(len(case.positions) - 1)).astype(float)
    score = [((z - model_cdf(q)) ** 2) @ sums.scaling.spacing for q in (case.q, q_b)]
    for i, row in enumerate(case.grid >= 0):
        expected = (score[0] - score[1])[i, row].mean() if row.any() else np.nan
        assert found[i] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@quick
@given(cases(), st.data())
def test_the_table_is_what_deleting_one_rating_does_to_the_mean(case: Case, data: st.DataObject):
    i, j = data.draw(st.sampled_from(np.argwhere(case.grid >= 0).tolist()))
    q_b, less = another(case), case.grid.copy()
    less[i, j] = -1

    def total(grid: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        sums = sums_of(Coded(*np.nonzero(grid >= 0), grid[grid >= 0], *grid.shape, case.positions))
        v = agreement.item_weights(sums, least=1)
        part = divergence_change(sums, case.q, q_b, v)
        return agreement.weighted_mean(part.value, v)[0], v[:, 0], part.table

    (before, v, table), (after, _, _) = total(case.grid), total(less)
    left = 1 - v[i] if (case.grid[i] >= 0).sum() == 1 else 1.0  # the item's weight goes to the others
    if left > 0:
        assert v[i] * table[i, 0, case.grid[i, j]] / left == pytest.approx(before - after, abs=1e-12)


def deleted(grid: np.ndarray, h: Callable[[Sums], np.ndarray], of: list[slice] | None = None) -> float:
    """Variance of mean_i h_i by deleting items, raters, and single ratings (methods 3.2).

    With two slices of raters, sides of as many raters, that of the difference of h.
    """

    def by_item(g: np.ndarray) -> np.ndarray:
        parts = [g[:, side] for side in of or [slice(None)]]
        found = [h(sums_of(Coded(*np.nonzero(p >= 0), p[p >= 0], *p.shape, FIVE)))[:, 0] for p in parts]
        return found[0] - found[1] if of else found[0]

    def total(g: np.ndarray) -> float:
        return float(by_item(g).mean())

    def without(where) -> float:
        less = grid.copy()
        less[where] = -1
        return (total(less) - total(grid)) ** 2

    items, raters = grid.shape
    n, each = grid[:, of[0] if of else slice(None)].shape[1], by_item(grid)
    variance = sum((np.delete(each, i).mean() - each.mean()) ** 2 for i in range(items)) * (items - 1) / items
    by_rater = sum(without((slice(None), j)) for j in range(raters))
    by_cell = sum(without((i, j)) for i in range(items) for j in range(raters))
    assert by_rater > by_cell
    return variance + (by_rater - by_cell) * (n - 1) / n


def latent(rng: np.random.Generator, items: int, raters: int, shift: npt.ArrayLike = 0.0):
    """Levels, items x raters, and what the items are like."""
    beta = rng.normal(size=items)
    y = beta[:, None] + 0.6 * rng.normal(size=raters) + rng.normal(size=(items, raters)) + np.asarray(shift)
    return (y[..., None] > CUTS).sum(axis=-1), beta


CUTS = np.array([-1.2, -0.4, 0.4, 1.2])


def predicted(beta: np.ndarray, slope: float, spread: float, shift: float = 0.0) -> np.ndarray:
    cdf = stats.norm.cdf((CUTS - shift - slope * beta[:, None]) / spread)
    return np.diff(cdf, axis=1, prepend=0, append=1)


def test_standard_errors_are_those_of_deleting_items_raters_and_ratings_by_hand():
    grid, beta = latent(np.random.default_rng(9), 12, 6, [-1, -1, 0, 0, 1, 1])
    q_a, q_b = predicted(beta, 0.3, 0.6, 3), predicted(beta, 0.2, 0.6, -3)
    coded = crossed(grid, FIVE)
    of_a, of_b = model_cdf(q_a), model_cdf(q_b)
    found = changes(coded, q_a, q_b)
    sums, everyone = sums_of(coded), Membership.everyone(6)
    v = agreement.item_weights(sums)
    a, b = (agreement.weighted_mean(agreement.divergence(sums, c), v)[0] for c in (of_a, of_b))
    signal, mean_cdf = agreement.signal(coded, everyone, sums, v)[0], sums.cdf.mean(axis=0)[None]

    def c(s: Sums, cdf: np.ndarray) -> np.ndarray:
        return agreement.divergence(s, cdf)

    linear = {
        "divergence": lambda s: c(s, of_a) - c(s, of_b),
        "skill": lambda s: (c(s, of_b) - c(s, of_a)) / signal + (a - b) / signal**2 * c(s, mean_cdf),
        "log_equivalent_raters": lambda s: c(s, of_b) / b - c(s, of_a) / a,
    }
    for name, h in linear.items():
        assert found[name].estimates.se[0] ** 2 == pytest.approx(deleted(grid, h), rel=1e-9), name
    assert found["rps"] is found["divergence"]


def test_with_raters_of_one_item_each_it_is_a_t_test_over_items():
    rng = np.random.default_rng(5)
    items, level = np.arange(20), rng.integers(0, 5, (2, 20))
    q_a, q_b = rng.dirichlet(np.ones(5), (2, 20))
    coded = Coded(np.tile(items, 2), np.arange(40), level.ravel(), 20, 40, FIVE)
    members = belong([(j, int(j >= 20)) for j in range(40)])
    sums = sums_of(coded, members)
    d = divergence_change(sums, q_a, q_b, agreement.item_weights(sums, least=1)).value
    found = changes(coded, q_a, q_b, members)
    b = bias_change(sums, q_a, q_b).value
    gap = gaps(coded, q_a, q_b, members)
    for got, g, h in (
        *((found["divergence"], g, d[:, g]) for g in (0, 1)),
        (found["bias"], 0, b[:, 0]),
        (gap, 0, d[:, 0] - d[:, 1]),
    ):
        test, e = stats.ttest_1samp(h, 0), got.estimates
        assert e.value[g] == pytest.approx(h.mean())
        assert (e.se[g], e.df[g], e.p[g]) == pytest.approx((stats.sem(h), 19, test.pvalue))
        assert (e.low[g], e.high[g]) == pytest.approx(tuple(test.confidence_interval()))
    assert np.isnan(found["skill"].estimates.value).all()  # no item has two raters


@pytest.mark.parametrize("seed", range(8))
def test_a_gap_on_one_item_has_a_value_only_unless_of_raters_alone(seed: int):
    grid, beta = latent(np.random.default_rng(seed), 20, 30)
    grid[1:, 15:] = -1
    models = predicted(beta, 0.5, 1.2), predicted(beta, 0.9, 1.2)
    members = belong([(j, int(j >= 15)) for j in range(30)])
    items, raters = (gaps(crossed(grid, FIVE), *models, members, inference=i) for i in ("items+raters", "raters"))
    assert (items.n_items[0], items.estimates.value[0]) == (1, raters.estimates.value[0])
    assert (np.isnan(items.estimates.se[0]), np.isnan(raters.estimates.se[0])) == (True, False)


def test_raters_alone_move_an_item_by_the_variance_of_its_mean():
    rng, n = np.random.default_rng(5), np.array([2, 3])
    level, group = rng.integers(0, 5, (20, 5)), np.repeat([0, 1], n)
    q_a, q_b = rng.dirichlet(np.ones(5), (2, 20))
    coded = Coded(np.repeat(np.arange(20), 5), np.arange(100), level.ravel(), 20, 100, FIVE)  # a rater rates one item
    members = belong(enumerate(np.tile(group, 20)))
    z = level[..., None] <= np.arange(4)
    score = ((z - model_cdf(q_a)) ** 2 - (z - model_cdf(q_b)) ** 2).mean(axis=-1)
    of_mean = np.array([score[:, group == g].var(axis=1, ddof=1).mean() for g in (0, 1)]) / n / 20
    found = changes(coded, q_a, q_b, members, inference="raters")["divergence"].estimates
    assert found.se**2 == pytest.approx(of_mean)
    assert gaps(coded, q_a, q_b, members, inference="raters").estimates.se ** 2 == pytest.approx([of_mean.sum()])


def test_an_only_rater_takes_the_items_along():
    """Two raters a side with four items each, other four on side b: every rating is its side's only one of an item."""
    rng, item = np.random.default_rng(2), np.arange(8)
    rater = np.array([[0, 0, 0, 0, 1, 1, 1, 1], [2, 2, 3, 3, 2, 2, 3, 3]])
    level = np.array([[0, 0, 1, 0, 4, 3, 4, 4], [2, 1, 2, 2, 3, 1, 2, 3]])
    q_a, q_b = predicted(np.zeros(8), 0, 1, 1), predicted(rng.normal(0, 0.1, 8), 1, 1)
    coded = Coded(np.tile(item, 2), rater.ravel(), level.ravel(), 8, 4, FIVE)
    members = belong([(0, 0), (1, 0), (2, 1), (3, 1)])
    sums = sums_of(coded, members)
    d = divergence_change(sums, q_a, q_b, agreement.item_weights(sums, least=1)).value

    def variance(h: np.ndarray, *sides: np.ndarray) -> float:
        psi = (h - h.mean()) / 8
        shared = [sum(psi[r == j].sum() ** 2 for j in set(r)) - (psi**2).sum() for r in sides]
        return h.var(ddof=1) / 8 + sum(max(x, 0) for x in shared) / 2

    alone, gap = changes(coded, q_a, q_b, members)["divergence"].estimates, gaps(coded, q_a, q_b, members).estimates
    assert alone.se**2 == pytest.approx([variance(d[:, g], rater[g]) for g in (0, 1)])
    assert gap.se[0] ** 2 == pytest.approx(variance(d[:, 0] - d[:, 1], *rater))
    assert gap.se[0] ** 2 > 1.5 * (d[:, 0] - d[:, 1]).var(ddof=1) / 8


@quick
@given(cases())
def test_values_are_the_differences_of_both_models_one_by_one(case: Case):
    coded, q_b = crossed(np.abs(case.grid), case.positions), another(case)
    everyone, scaling = Membership.everyone(coded.n_raters), Scaling.plain(case.positions)
    counts = count_levels(coded, everyone)
    weights = Weighting.of(Sums.of(counts, scaling))
    a, b = (group_statistics(coded, everyone, counts, scaling, q, weights).estimates for q in (case.q, q_b))
    found = changes(coded, case.q, q_b)
    for name in ("bias", "divergence", "rps", "skill"):
        expected = a[name].value - b[name].value
        np.testing.assert_allclose(found[name].estimates.value, expected, rtol=1e-7, atol=1e-9, err_msg=name)
    ratio, worth = found["log_equivalent_raters"].estimates.value, [x["equivalent_raters"].value for x in (a, b)]
    if not np.isnan(ratio[0]):
        np.testing.assert_allclose(np.exp(ratio) * worth[1], worth[0], rtol=1e-6, atol=1e-9)


@quick
@given(cases(), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), unique=True, min_size=2))
def test_the_other_way_round_everything_is_the_same_with_the_other_sign(case: Case, pairs):
    members = Membership(*np.array([(r % case.grid.shape[1], g) for r, g in pairs]).T, 2)
    members = Membership(*np.unique(np.array([members.rater, members.group]), axis=1), 2)
    q_b = another(case)
    there, back = (changes(case.coded, *qs, members) for qs in ((case.q, q_b), (q_b, case.q)))
    there["gap"], back["gap"] = (gaps(case.coded, *qs, members) for qs in ((case.q, q_b), (q_b, case.q)))
    for name in there:
        x, y = there[name], back[name]
        np.testing.assert_allclose(x.estimates.value, -y.estimates.value, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(x.estimates.low, -y.estimates.high, rtol=1e-5, atol=1e-8, err_msg=name)
        assert np.array_equal(x.n_items, y.n_items)


@quick
@given(cases())
def test_equal_models_differ_by_zero_and_nothing_is_said_of_spread(case: Case):
    members = Membership(np.arange(case.grid.shape[1]), np.arange(case.grid.shape[1]) % 2, 2)
    found = changes(case.coded, case.q, case.q.copy(), members)
    rated = count_levels(case.coded, members).sum(axis=(0, 2)) > 0
    for name in ("bias", "divergence", "rps"):
        assert (found[name].estimates.value[rated] == 0).all(), name
    for name, c in found.items():
        value = c.estimates.value
        assert (value[~np.isnan(value)] == 0).all(), name
        for nothing in (c.estimates.se, c.estimates.low, c.p_adjusted, np.array(c.critical_one_sided)):
            assert np.isnan(nothing).all(), name


def test_equal_models_that_can_be_compared_have_a_ratio_of_one():
    grid, beta = latent(np.random.default_rng(1), 40, 12)
    q = predicted(beta, -1, 1)
    found = changes(crossed(grid, FIVE), q, q)
    assert [found[name].estimates.value[0] for name in STATISTICS] == [0] * 5


def test_a_gap_is_of_items_with_a_rater_of_both():
    grid, beta = latent(np.random.default_rng(8), 6, 7)
    q_a, q_b = predicted(beta, 0.8, 1.3, 0.5), predicted(beta, 0.2, 0.8)
    members = belong([(j, int(j >= 3)) for j in range(7)])
    holes = np.vstack([grid, np.where(np.arange(7) < 3, 1, -1), np.full(7, -1)])
    more_a, more_b = (np.vstack([q, np.full((2, 5), 0.2)]) for q in (q_a, q_b))
    found = gaps(crossed(holes, FIVE), more_a, more_b, members)
    alone = changes(crossed(grid, FIVE), q_a, q_b, members)["divergence"].estimates.value
    assert found.estimates.value[0] == pytest.approx(alone[0] - alone[1])
    assert (found.n_items[0], found.share[0], *found.n_raters[:, 0]) == (6, 6 / 7, 3, 4)


@pytest.mark.parametrize("shared", [0, 2])
def test_the_error_of_a_gap_is_that_of_deletion_by_hand_also_with_raters_on_both_sides(shared: int):
    grid, beta = latent(np.random.default_rng(1), 12, 8 - shared, np.resize([-2, 0, 2], 8 - shared))
    q_a, q_b = predicted(beta, 0.5, 1.3, 1), predicted(beta, 0.5, 1.3)
    sides = [slice(0, 4), slice(4 - shared, 8 - shared)]
    members = belong([(j, g) for g, side in enumerate(sides) for j in range(side.start, side.stop)])

    def change(s: Sums) -> np.ndarray:
        return divergence_change(s, q_a, q_b, agreement.item_weights(s, least=1)).value

    found = gaps(crossed(grid, FIVE), q_a, q_b, members).estimates
    assert found.se[0] ** 2 == pytest.approx(deleted(grid, change, sides), rel=1e-9)


def test_a_rater_in_two_groups_counts_in_both():
    grid, beta = latent(np.random.default_rng(2), 10, 6)
    coded, q_a, q_b = crossed(grid, FIVE), predicted(beta, 1, 1.5), predicted(beta, 0, 1)
    pairs = {0: [0, 1, 2, 3], 1: [2, 3, 4, 5]}
    found = changes(coded, q_a, q_b, belong([(j, g) for g, raters in pairs.items() for j in raters]))
    for g, raters in pairs.items():
        one = changes(crossed(grid[:, raters], FIVE), q_a, q_b)
        for name in STATISTICS:
            for number in ("value", "se", "df", "low", "high"):
                got, alone = (getattr(x[name].estimates, number) for x in (found, one))
                assert got[g] == pytest.approx(alone[0], rel=1e-9, nan_ok=True), (name, number)


def test_a_small_change_is_seen_where_two_intervals_would_overlap():
    grid, beta = latent(np.random.default_rng(4), 60, 15)
    coded, everyone, scaling = crossed(grid, FIVE), Membership.everyone(15), Scaling.plain(FIVE)
    q_a, q_b = predicted(beta, 0.5, 1.2, 0.1), predicted(beta, 0.6, 1.2, 0.1)
    counts = count_levels(coded, everyone)
    weights = Weighting.of(Sums.of(counts, scaling))
    one = [group_statistics(coded, everyone, counts, scaling, q, weights).estimates for q in (q_a, q_b)]
    unpaired = np.hypot(*(e["divergence"].se[0] for e in one))
    paired = changes(coded, q_a, q_b)["divergence"].estimates
    assert paired.se[0] < unpaired / 4
    assert paired.low[0] > 0
    assert paired.value[0] < stats.norm.ppf(0.975) * unpaired


def test_bounds_hold_for_all_groups_at_once():
    grid, beta = latent(np.random.default_rng(6), 30, 24)
    coded, q_a, q_b = crossed(grid, FIVE), predicted(beta, 0.5, 1.2), predicted(beta, 0.9, 1.2)
    one = changes(coded, q_a, q_b)["divergence"]
    df = one.estimates.df[0]
    assert (one.critical_one_sided, one.critical) == pytest.approx((stats.t.ppf(0.95, df), stats.t.ppf(0.975, df)))
    assert one.p_adjusted[0] == one.estimates.p[0]
    four = changes(coded, q_a, q_b, belong([(j, j % 4) for j in range(24)]), 20_000)["divergence"]
    df = four.estimates.df.min()
    assert 1.05 * stats.t.ppf(0.95, df) < four.critical_one_sided < 1.02 * stats.t.ppf(1 - 0.05 / 4, df)
    assert four.critical_one_sided < four.critical
    assert (four.p_adjusted > four.estimates.p).all()


def test_groups_that_are_too_small_or_rated_one_item_have_values_only_and_are_in_no_family():
    grid, beta = latent(np.random.default_rng(7), 12, 9)
    grid[1:, 6:] = -1
    coded, q_a, q_b = crossed(grid, FIVE), predicted(beta, 0.5, 1.2), predicted(beta, 0.9, 1.2)
    groups = [0, 0, 0, 0, 1, 1, 2, 2, 2]
    found = changes(coded, q_a, q_b, belong(enumerate(groups)), least=3)["divergence"]
    assert not np.isnan(found.estimates.value).any()
    assert np.isnan(found.estimates.se).tolist() == [False, True, True]
    assert np.isnan(found.p_adjusted).tolist() == [False, True, True]
    first = changes(crossed(grid[:, :4], FIVE), q_a, q_b)["divergence"]
    assert found.critical == pytest.approx(first.critical)
    assert np.isnan(changes(coded, q_a, q_b, inference="none")["skill"].estimates.se).all()
    raters = changes(coded, q_a, q_b, belong(enumerate(groups)), least=3, inference="raters")["divergence"]
    assert np.isnan(raters.estimates.se).tolist() == [False, True, False]


@quick
@given(cases(levels=3), arrays(np.bool_, 5))
def test_items_that_are_not_counted_change_nothing(case: Case, left_out):
    keep = ~left_out[: len(case.grid)]
    keep[0] = True
    q_a, q_b = case.q.copy(), another(case)
    part = crossed(np.abs(case.grid[keep]), case.positions)
    expected = changes(part, q_a[keep], q_b[keep])
    q_a[~keep] = np.nan
    coded, everyone = crossed(np.abs(case.grid), case.positions), Membership.everyone(case.grid.shape[1])
    counts, scaling = count_levels(coded, everyone) * keep[:, None, None], Scaling.plain(case.positions)
    weights, rng = Weighting.of(Sums.of(counts, scaling)), np.random.default_rng(0)
    found = group_changes(coded, everyone, counts, scaling, q_a, q_b, weights, Inferring(rng, draws=DRAWS))
    for name in STATISTICS:
        for number in ("value", "se"):
            got, alone = (getattr(x[name].estimates, number) for x in (found, expected))
            np.testing.assert_allclose(got, alone, rtol=1e-6, atol=1e-9, err_msg=name)


SHIFTS, OWN = np.array([0.9, 0.1]), 0.5


def truth() -> np.ndarray:
    """Change of each group in the population: quadrature over items, the normal distribution of latent ratings."""
    beta, weight = np.polynomial.hermite_e.hermegauss(60)
    cdf_a, cdf_b = (q.cumsum(axis=1)[:, :-1] for q in (predicted(beta, 0.8, 1.3, 0.2), predicted(beta, 0.5, 1)))
    seen = stats.norm.cdf((CUTS - SHIFTS[:, None, None] - beta[:, None]) / np.sqrt(1 + OWN**2 + 0.36))
    return ((cdf_a - cdf_b) * (cdf_a + cdf_b - 2 * seen)).mean(axis=-1) @ (weight / weight.sum())


@pytest.mark.parametrize(("items", "sizes", "density"), [(50, (15, 25), 1.0), (150, (30, 40), 0.03)])
def test_intervals_cover_the_change_of_groups_and_of_their_gap(items, sizes, density):
    rng, repetitions = np.random.default_rng(11), 120
    group = np.repeat([0, 1], sizes)
    members, expected, covered = belong(enumerate(group)), truth(), np.zeros(3)
    for _ in range(repetitions):
        own = OWN * rng.normal(size=(items, 2))[:, group] + SHIFTS[group]
        grid, beta = latent(rng, items, len(group), own)
        coded = crossed(np.where(rng.random(grid.shape) < density, grid, -1), FIVE)
        models = predicted(beta, 0.8, 1.3, 0.2), predicted(beta, 0.5, 1)
        alone = changes(coded, *models, members)["divergence"].estimates
        gap = gaps(coded, *models, members).estimates
        covered[:2] += (alone.low <= expected) & (expected <= alone.high)
        covered[2] += gap.low[0] <= expected[0] - expected[1] <= gap.high[0]
    band = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    np.testing.assert_allclose(covered / repetitions, 0.95, atol=band)
