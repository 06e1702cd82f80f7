"""Agreement of a model with a group: oracles O1 and O8 of the methods note, and the properties of O15."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm

from lm_plural.harness.ratings.coarsen import to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.counts import Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.measures import agreement
from tests.statistics.by_hand import Case, Estimates, belong, brute_force, cases, code, crossed, estimate, quick

FIVE = np.arange(1.0, 6.0)
O1_Q = np.array([[0.1, 0.3, 0.3, 0.2, 0.1]])
LINEAR = ("bias", "divergence", "disagreement", "rps")


def same(a: Estimates, b: Estimates, names: tuple[str, ...] = Estimates._fields, atol: float = 1e-12) -> None:
    for name in names:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-9, atol=atol, err_msg=name)


def o1() -> np.ndarray:
    return np.array([[0, 1, 1, 3]])


def test_one_item_by_hand_gives_the_oracle_values():
    e = estimate(crossed(o1(), FIVE), O1_Q)
    assert e.divergence[0] == pytest.approx(-0.03 / 4)
    assert e.disagreement[0] == pytest.approx(0.75 / 4)
    assert e.rps[0] == pytest.approx(0.72 / 4)
    assert e.bias[0] == pytest.approx(0.65)
    assert np.isnan(e.equivalent_raters[0])  # C < 0: no upper limit seen


def test_plug_in_divergence_is_not_corrected_for_few_raters():
    reference = np.array([[[0.25, 0.5, 0.0, 0.25, 0.0]]])
    value = agreement.plug_in_divergence(Scaling.plain(FIVE), reference, O1_Q)
    assert value[0, 0] == pytest.approx(0.1575 / 4)


@quick
@given(cases())
def test_every_statistic_equals_its_definition_over_distinct_raters_and_items(case: Case):
    coded, scaling = case.coded, Scaling.plain(case.positions)
    same(estimate(coded, case.q), brute_force(coded, case.q, set(range(coded.n_raters)), scaling))


@quick
@given(cases(missing=False))
def test_signal_of_a_crossed_table_is_the_formula_of_the_methods_note(case: Case):
    z = (case.grid[..., None] <= np.arange(len(case.positions) - 1)).astype(float)
    (items, n), total = case.grid.shape, case.grid.size
    c, r = z.sum(axis=1), z.sum(axis=0)
    within = ((c**2 - c) / (n * (n - 1))).mean(axis=0)
    above = z.sum(axis=(0, 1)) ** 2 - (c**2).sum(axis=0) - (r**2).sum(axis=0) + z.sum(axis=(0, 1))
    across = above / (total**2 - items * n**2 - n * items**2 + total)
    by_formula = (within - across) @ Scaling.plain(case.positions).spacing
    assert estimate(case.coded, case.q).signal[0] == pytest.approx(by_formula, abs=1e-12)


@quick
@given(
    cases(levels=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), unique=True, min_size=1),
    st.sampled_from(["3", "up", "down", "drop", "split"]),
)
def test_definitions_hold_for_coarsened_ratings_and_raters_in_several_groups(case, pairs, neutral):
    scale = Scale(tuple("12345"))
    coarse = to_three(scale) if neutral == "3" else to_two(scale, neutral)
    scaling = Scaling(np.array(coarse.scale.positions), coarse.matrix)
    q = coarse.distribution(case.q + 0.01)
    coded = crossed(case.grid, FIVE)
    pairs = [(r, g) for r, g in pairs if r < coded.n_raters]
    assume(pairs)
    members = belong(pairs)
    found = estimate(coded, q, members, scaling)
    kept = scaling.kept[coded.level] > 0
    for g in range(members.n_groups):
        raters = {r for r, h in pairs if h == g}
        n = np.bincount(coded.item[np.isin(coded.rater, list(raters)) & kept], minlength=coded.n_items)
        one = Estimates(*(x[g : g + 1] for x in found))
        if n.max() < 2:
            assert all(np.isnan(x).all() for x in one[1:])
            assert np.isnan(one.bias).all() == (n.max() == 0)
        else:
            same(one, brute_force(coded, q, raters, scaling))


@quick
@given(cases())
def test_rps_is_divergence_plus_disagreement(case: Case):
    e = estimate(case.coded, case.q)
    np.testing.assert_allclose(e.rps, e.divergence + e.disagreement, atol=1e-14)


@quick
@given(cases())
def test_twice_divergence_is_the_unbiased_energy_distance(case: Case):
    coded, s = case.coded, case.positions
    gap = np.abs(s[:, None] - s) / (s[-1] - s[0])
    distances = []
    for i in range(coded.n_items):
        y = coded.level[coded.item == i]
        if len(y) < 2:
            continue
        distinct = gap[np.ix_(y, y)].sum() / (len(y) * (len(y) - 1))
        distances.append(2 * (gap[y] @ case.q[i]).mean() - distinct - case.q[i] @ gap @ case.q[i])
    assert 2 * estimate(coded, case.q).divergence[0] == pytest.approx(np.mean(distances), abs=1e-12)


@quick
@given(cases(missing=False))
def test_mean_rps_splits_into_plug_in_distance_and_plug_in_spread(case: Case):
    coded = case.coded
    scaling = Scaling.plain(case.positions)
    sums = Sums.of(count_levels(coded, Membership.everyone(coded.n_raters)), scaling)
    f, cdf = sums.cdf[:, 0], agreement.cumulative(case.q)
    whole = ((f - cdf) ** 2 + f * (1 - f)) @ scaling.spacing
    np.testing.assert_allclose(agreement.per_item(sums, case.q).rps[:, 0], whole, atol=1e-14)


@quick
@given(cases(missing=False, levels=2))
def test_two_levels_reduce_to_the_binary_formula(case: Case):
    n = case.grid.shape[1]
    p = (case.grid == 0).mean(axis=1)
    by_hand = (p - case.q[:, 0]) ** 2 - p * (1 - p) / (n - 1)
    assert estimate(case.coded, case.q).divergence[0] == pytest.approx(by_hand.mean(), abs=1e-13)


@quick
@given(cases(), st.randoms(use_true_random=False))
def test_order_of_raters_items_and_rows_does_not_matter(case: Case, random):
    items, raters = list(range(case.grid.shape[0])), list(range(case.grid.shape[1]))
    random.shuffle(items)
    random.shuffle(raters)
    shuffled = crossed(case.grid[np.ix_(items, raters)], case.positions)
    rows = list(range(len(shuffled.item)))
    random.shuffle(rows)
    again = code(np.stack([shuffled.item, shuffled.rater, shuffled.level], axis=1)[rows], case.positions)
    q = case.q[items]
    same(estimate(case.coded, case.q), estimate(shuffled, q))
    same(estimate(shuffled, q), estimate(again, q[: again.n_items]))


@quick
@given(cases(), st.permutations([0, 1, 2]))
def test_renaming_groups_only_moves_the_values(case: Case, order):
    raters = range(case.grid.shape[1])
    plain = estimate(case.coded, case.q, Membership(np.array(raters), np.array(raters) % 3, 3))
    renamed = estimate(case.coded, case.q, Membership(np.array(raters), np.array(order)[np.array(raters) % 3], 3))
    same(plain, Estimates(*(x[list(order)] for x in renamed)))


@quick
@given(cases())
def test_reversing_the_scale_flips_the_bias_and_nothing_else(case: Case):
    k = len(case.positions)
    grid = np.where(case.grid >= 0, k - 1 - case.grid, -1)
    plain = estimate(case.coded, case.q)
    turned = estimate(crossed(grid, -case.positions[::-1]), case.q[:, ::-1])
    same(plain, turned._replace(bias=-turned.bias))


@quick
@given(cases())
def test_asking_every_item_twice_changes_nothing(case: Case):
    twice = crossed(np.concatenate([case.grid, case.grid]), case.positions)
    same(estimate(case.coded, case.q), estimate(twice, np.concatenate([case.q, case.q])), LINEAR)


@quick
@given(cases())
def test_a_prediction_in_single_precision_gives_the_same_within_rounding(case: Case):
    same(estimate(case.coded, case.q), estimate(case.coded, case.q.astype(np.float32)), LINEAR, atol=1e-5)


@quick
@given(cases())
def test_a_rater_in_two_groups_counts_in_each_as_if_alone(case: Case):
    n = case.grid.shape[1]
    both = estimate(case.coded, case.q, belong([(0, 0), (0, 1), *((r, 0) for r in range(1, n)), (1, 1)]))
    for g, raters in enumerate([range(n), (0, 1)]):
        alone = estimate(case.coded, case.q, Membership(np.array(raters), np.zeros(len(raters), dtype=int), 1))
        same(Estimates(*(x[g : g + 1] for x in both)), alone)


@quick
@given(cases(), st.integers(0, 1))
def test_an_item_rated_once_tells_of_bias_only(case: Case, level: int):
    lone = np.full((1, case.grid.shape[1]), -1)
    lone[0, 0] = level
    wide = crossed(np.concatenate([case.grid, lone]), case.positions)
    less, more = estimate(case.coded, case.q), estimate(wide, np.concatenate([case.q, case.q[:1]]))
    same(less, more, Estimates._fields[1:])
    rated = int((case.grid >= 0).any(axis=1).sum())
    own = case.q[0] @ case.positions - case.positions[level]
    assert more.bias[0] == pytest.approx((rated * less.bias[0] + own) / (rated + 1))


def test_a_group_of_one_rater_has_a_bias_only_and_the_others_keep_theirs():
    grid = np.array([[0, 1, 2, 3], [1, 1, 0, 4], [4, 3, 2, 2]])
    q = np.repeat(O1_Q, 3, axis=0)
    with_loner = estimate(crossed(grid, FIVE), q, belong([(0, 0), (1, 0), (2, 0), (3, 1)]))
    assert all(np.isnan(x[1]) for x in with_loner[1:])
    assert with_loner.bias[1] == pytest.approx(np.mean(O1_Q @ FIVE - grid[:, 3] - 1))
    three = estimate(crossed(grid[:, :3], FIVE), q)
    same(Estimates(*(x[:1] for x in with_loner)), three)


def test_each_group_can_have_its_own_prediction():
    grid = np.array([[0, 1, 2, 3], [1, 1, 0, 4]])
    per_group = np.stack([np.repeat(O1_Q, 2, axis=0), np.full((2, 5), 0.2)], axis=1)
    members = belong([(0, 0), (1, 0), (2, 1), (3, 1)])
    both = estimate(crossed(grid, FIVE), per_group, members)
    for g in (0, 1):
        alone = estimate(crossed(grid, FIVE), per_group[:, g], members)
        assert both.divergence[g] == pytest.approx(alone.divergence[g])
        assert both.bias[g] == pytest.approx(alone.bias[g])


def test_weights_favour_the_average_item_or_the_average_pair():
    # Item 0: 2 raters at level 0. Item 1: 3 raters at level 1. The model says level 0 of both: C is 0 and 1.
    coded = code([(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (1, 2, 1), (2, 0, 1)], [0.0, 1.0])
    q = np.tile([1.0, 0.0], (3, 1))
    assert estimate(coded, q).divergence[0] == pytest.approx(1 / 2)
    assert estimate(coded, q, weights="pairs").divergence[0] == pytest.approx(6 / 8)
    sums = Sums.of(count_levels(coded, Membership.everyone(3)), Scaling.plain([0.0, 1.0]))
    np.testing.assert_allclose(agreement.item_weights(sums)[:, 0], [1 / 2, 1 / 2, 0])
    np.testing.assert_allclose(agreement.item_weights(sums, "pairs")[:, 0], [2 / 8, 6 / 8, 0])


@pytest.mark.parametrize("items", [7, 49, 93])
def test_equal_ratings_carry_no_signal_whatever_rounding_leaves(items: int):
    e = estimate(crossed(np.full((items, 4), 2), FIVE), np.repeat(O1_Q, items, axis=0))
    assert e.signal[0] == pytest.approx(0, abs=1e-12)
    assert np.isnan(e.skill[0])
    assert e.disagreement[0] == 0
    assert e.divergence[0] == pytest.approx(e.rps[0])


def test_divergence_that_cancels_to_rounding_is_no_number_of_raters():
    # C is -1/4 where the two disagree and 1/4 where they agree.
    grid = np.array([[0, 1], [0, 0]] * 49)
    q = np.full((98, 2), 0.5)
    e = estimate(crossed(grid, [0.0, 1.0]), q)
    assert abs(e.divergence[0]) < 1e-12
    assert np.isnan(agreement.equivalent_raters(np.array([1e-17]), np.array([0.2]))[0])
    assert np.isnan(agreement.skill(np.array([0.1]), np.array([1e-17]))[0])


def test_a_prediction_that_is_always_right_has_no_divergence():
    grid = np.repeat(np.array([[0], [4], [2]]), 6, axis=1)
    e = estimate(crossed(grid, FIVE), np.eye(5)[[0, 4, 2]])
    assert (e.bias[0], e.divergence[0], e.disagreement[0]) == (0, 0, 0)
    assert e.skill[0] == 1


def test_the_constant_prediction_of_the_marginal_has_no_skill():
    # Many items and raters, so that the group's own marginal is known: rho = 0 up to chance.
    rng = np.random.default_rng(11)
    p = rng.dirichlet(np.ones(5), size=4000)
    grid = (rng.random((4000, 6, 1)) > p.cumsum(axis=1)[:, None, :-1]).sum(axis=-1)
    marginal = np.bincount(grid.ravel(), minlength=5) / grid.size
    assert estimate(crossed(grid, FIVE), np.tile(marginal, (4000, 1))).skill[0] == pytest.approx(0, abs=0.03)
    assert estimate(crossed(grid, FIVE), p).skill[0] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("n", [2, 3, 6, 9, 25])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_divergence_and_disagreement_are_unbiased_for_any_number_of_raters(n: int, shift: float):
    rng = np.random.default_rng(n)
    cuts, items = np.array([-1.2, -0.4, 0.4, 1.2]), 8000
    beta = rng.normal(size=items)
    f = norm.cdf(cuts - beta[:, None])
    cdf = norm.cdf(cuts - beta[:, None] - shift)
    q = np.diff(np.hstack([np.zeros((items, 1)), cdf, np.ones((items, 1))]), axis=1)
    grid = (rng.random((items, n, 1)) > f[:, None, :]).sum(axis=-1)
    sums = Sums.of(count_levels(crossed(grid, FIVE), Membership.everyone(n)), Scaling.plain(FIVE))
    base = agreement.per_item(sums, q)
    for found, truth in (
        (base.divergence[:, 0], ((f - cdf) ** 2).mean(axis=1)),
        (base.disagreement[:, 0], (f * (1 - f)).mean(axis=1)),
    ):
        error = found - truth
        assert abs(error.mean()) < 3 * error.std() / np.sqrt(items)


@pytest.mark.parametrize("more_raters_for_the_worse", [False, True])
def test_signal_is_unbiased_although_raters_are_shared_and_items_have_unequal_numbers(more_raters_for_the_worse: bool):
    rng = np.random.default_rng(5)
    cuts, sd, reps = np.array([-1.2, -0.4, 0.4, 1.2]), 0.6, 400
    found = []
    for _ in range(reps):
        item = rng.normal(size=(25, 1))
        latent = item + sd * rng.normal(size=(1, 12)) + rng.normal(size=(25, 12))
        rated = rng.random((25, 12)) < np.where(more_raters_for_the_worse & (item > 0), 1, 0.4)
        rated[:, :2] = True
        coded = crossed(np.where(rated, (latent[:, :, None] > cuts).sum(axis=-1), -1), FIVE)
        members = Membership.everyone(12)
        sums = Sums.of(count_levels(coded, members), Scaling.plain(FIVE))
        found.append(agreement.signal(coded, members, sums, agreement.item_weights(sums))[0])
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    f = norm.cdf((cuts - nodes[:, None]) / np.sqrt(1 + sd**2))
    truth = (weights @ f**2 - (weights @ f) ** 2).mean()
    assert abs(np.mean(found) - truth) < 3 * np.std(found) / np.sqrt(reps)


@pytest.mark.parametrize("m", [1, 3, 8])
def test_a_predictor_made_of_m_raters_is_worth_m_raters(m: int):
    # One draw of 3000 items leaves about 3 % of chance in m_eff = 8; the mean of thirty does not.
    rng = np.random.default_rng(8)
    found = []
    for _ in range(30):
        p = rng.dirichlet(np.full(5, 0.7), size=3000)
        grid = (rng.random((3000, 20 + m, 1)) > p.cumsum(axis=1)[:, None, :-1]).sum(axis=-1)
        q = np.eye(5)[grid[:, 20:]].mean(axis=1)
        found.append(estimate(crossed(grid[:, :20], FIVE), q).equivalent_raters[0])
    assert np.mean(found) == pytest.approx(m, rel=0.02)
