"""Correlations and reliabilities against scipy, definitions and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from lm_plural.harness.statistics.measures import correlation, reliability
from tests.statistics.by_hand import quick

FIVE = np.arange(1.0, 6.0)
COLUMNS = arrays(np.float64, (9, 3), elements=st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.9, np.nan]))
PAIRS = [
    (correlation.pearson, stats.pearsonr),
    (correlation.spearman, stats.spearmanr),
    (correlation.kendall, stats.kendalltau),
]


def one_hot(levels, k=5) -> np.ndarray:
    return np.eye(k)[np.asarray(levels)]


def latent(rng, items, n, rater_sd=0.0):
    """Ratings 0..4 of all raters by all, and the mean each item would have with raters without number."""
    item, rater = rng.normal(size=(items, 1)), rater_sd * rng.normal(size=(1, n))
    cuts = np.array([-1.2, -0.4, 0.4, 1.2])
    scores = (item + rater + rng.normal(size=(items, n)))[..., None] > cuts
    return scores.sum(axis=-1), stats.norm.sf(cuts - item).sum(axis=1)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@quick
@given(x=COLUMNS, y=COLUMNS)
def test_columns_are_correlated_as_by_scipy_over_rows_with_both_values(ours, theirs, x, y):
    found = ours(x, y)
    for g, r in enumerate(found):
        a, b = x[:, g], y[:, g]
        used = ~np.isnan(a) & ~np.isnan(b)
        if len(set(a[used])) > 1 and len(set(b[used])) > 1:
            assert r == pytest.approx(theirs(a[used], b[used]).statistic, abs=1e-12)
        else:
            assert np.isnan(r)


@pytest.mark.parametrize("values", [[0.1] * 7, [0.3] * 11, [1e6 + 0.1] * 13])
def test_a_constant_is_correlated_with_nothing_whatever_rounding_leaves(values):
    x, y = np.array(values)[:, None], np.arange(len(values))[:, None]
    for ours, _ in PAIRS:
        assert np.isnan(ours(x, y)).all()
        assert np.isnan(ours(y, x)).all()


def test_item_means_are_those_of_items_with_two_raters_and_a_prediction():
    counts = np.array([[[1, 0, 1], [0, 2, 0]], [[0, 0, 1], [0, 1, 3]], [[2, 2, 0], [1, 1, 1]]])
    q = np.array([[0.5, 0.5, 0], [0, 0, 1], [np.nan] * 3])
    nan = np.nan
    model, group = correlation.item_means(counts, q, [-1, 0, 3])
    np.testing.assert_allclose(model, [[0.125, 0.125], [nan, 1], [nan, nan]])
    np.testing.assert_allclose(group, [[0.5, 0.25], [nan, 0.8125], [nan, nan]])


def test_each_group_can_have_its_own_prediction():
    counts = np.repeat(one_hot([0, 1, 2, 4])[:, None] * 3, 2, axis=1)
    q = np.stack([one_hot([0, 1, 2, 4]), one_hot([4, 2, 1, 0])], axis=1)
    r = correlation.pearson(*correlation.item_means(counts, q, FIVE))
    assert r[0] == pytest.approx(1)
    assert r[1] < -0.9
    kappa = correlation.quadratic_kappa(counts, q, FIVE)
    assert kappa[0] == pytest.approx(1)
    assert kappa[1] < 0


def test_equal_means_of_different_ratings_are_tied():
    # Both are 1.4 / 9 of the way; in binary they differ in the last digit.
    counts, positions = np.array([[[3, 1, 2, 3]], [[3, 0, 4, 2]]]), [0.0, 0.1, 0.2, 0.3]
    _, group = correlation.item_means(counts, np.full((2, 4), 0.25), positions)
    assert group[0, 0] == group[1, 0]
    unrounded = counts[:, 0] / 9 @ correlation.unit(positions)
    assert unrounded[0] != unrounded[1]


def test_kappa_of_point_ratings_is_the_oracle_value():
    said, predicted = np.array([1, 2, 2, 3, 5, 4]) - 1, np.array([1, 3, 2, 3, 4, 4]) - 1
    kappa = correlation.quadratic_kappa(one_hot(said)[:, None] * 2, one_hot(predicted), FIVE)
    assert kappa.item() == pytest.approx(0.886792, abs=5e-7)
    a, b = said, predicted
    assert kappa.item() == pytest.approx(
        2 * np.cov(a, b, ddof=0)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    )


@quick
@given(
    arrays(np.int64, (4, 3), elements=st.integers(0, 3)),
    arrays(np.int64, (4, 3), elements=st.integers(0, 5)),
)
def test_kappa_compares_draws_of_one_item_with_draws_of_any_two(counts, share):
    q = (share + 1) / (share + 1).sum(axis=1, keepdims=True)
    positions, used = np.array([0.0, 1.0, 3.0]), counts.sum(axis=1) >= 2
    found = correlation.quadratic_kappa(counts[:, None], q, positions).item()
    p, q = counts[used] / counts[used].sum(axis=1, keepdims=True), q[used]
    apart = np.subtract.outer(positions, positions) ** 2
    if not used.any():
        assert np.isnan(found)
    else:
        observed = np.mean([a @ apart @ b for a, b in zip(p, q, strict=True)])
        assert found == pytest.approx(1 - observed / (p.mean(axis=0) @ apart @ q.mean(axis=0)))


def test_kappa_where_nothing_ever_varies_is_not_defined():
    same = one_hot([2, 2, 2])
    assert np.isnan(correlation.quadratic_kappa(same[:, None] * 3, same, FIVE)).all()
    assert correlation.quadratic_kappa(same[:, None] * 3, one_hot([1, 1, 1]), FIVE).item() == pytest.approx(0)


def test_reliability_is_one_less_the_share_of_noise_in_item_means():
    ratings = [[1, 2, 2], [5, 5], [3, 4, 4, 5], [2]]
    counts = np.array([[np.bincount(np.array(r) - 1, minlength=5)] for r in ratings])
    kept = ratings[:3]
    noise = np.mean([np.var(r, ddof=1) / len(r) for r in kept])
    found = reliability.reliability(counts, FIVE).item()
    assert found == pytest.approx(1 - noise / np.var([np.mean(r) for r in kept], ddof=1))
    assert reliability.reliability(counts, 3 * FIVE - 8).item() == pytest.approx(found)


def test_reliability_is_refused_where_it_cannot_be_told():
    counts = np.zeros((3, 3, 2))
    counts[0, 0] = [1, 2]  # one item
    counts[:, 1] = [2, 2]  # equal means
    counts[:, 2] = [[3, 0], [0, 3], [3, 0]]
    np.testing.assert_array_equal(np.isnan(reliability.reliability(counts, [0, 1])), [True, True, False])
    assert reliability.reliability(counts, [0, 1])[2] == 1
    assert np.isnan(reliability.reliability(counts / 2, [0, 1])).all()


def test_crossed_reliability_is_that_of_shrout_and_fleiss():
    # Six targets by four judges, Shrout and Fleiss 1979, table 4: ICC(3,k) = .91.
    scores = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert reliability.crossed_reliability(scores) == pytest.approx(0.9093, abs=5e-5)


@pytest.mark.parametrize("scores", [[[1, 2]], [[1], [2]], [[1, 2], [np.nan, 3]], [[2, 3], [3, 2], [2, 3]]])
def test_crossed_reliability_is_refused_where_it_cannot_be_told(scores):
    assert np.isnan(reliability.crossed_reliability(scores))


def test_crossed_reliability_is_that_of_stepped_up_random_halves_and_of_the_truth():
    rng = np.random.default_rng(20)
    y, truth = latent(rng, 1500, 12, rater_sd=0.6)
    found = reliability.crossed_reliability(y)
    halves = []
    for _ in range(200):
        order = rng.permutation(12)
        r = np.corrcoef(y[:, order[:6]].mean(axis=1), y[:, order[6:]].mean(axis=1))[0, 1]
        halves.append(2 * r / (1 + r))
    assert found == pytest.approx(np.mean(halves), abs=0.003)
    assert found == pytest.approx(np.corrcoef(y.mean(axis=1), truth)[0, 1] ** 2, abs=0.02)


def test_both_reliabilities_agree_where_no_rater_is_more_severe_than_another():
    y, _ = latent(np.random.default_rng(21), 1500, 10)
    counts = one_hot(y).sum(axis=1)[:, None]
    assert reliability.reliability(counts, FIVE).item() == pytest.approx(reliability.crossed_reliability(y), abs=0.003)


def test_disattenuated_correlation_is_the_one_with_noise_free_means():
    rng = np.random.default_rng(22)
    items, n = 4000, np.array([2, 3, 4, 6])
    y, truth = latent(rng, items, 6)
    rated = np.arange(6) < rng.choice(n, size=(items, 1))
    counts = (one_hot(y) * rated[..., None]).sum(axis=1)[:, None]
    model = truth + 0.9 * rng.normal(size=items)
    _, means = correlation.item_means(counts, np.full((items, 5), 0.2), FIVE)
    r = correlation.pearson(model[:, None], means)
    target = np.corrcoef(model, truth)[0, 1]
    assert r.item() < target - 0.05
    assert reliability.disattenuate(r, reliability.reliability(counts, FIVE)).item() == pytest.approx(target, abs=0.02)


def test_disattenuation_is_refused_below_the_least_reliability_and_not_capped():
    found = reliability.disattenuate([0.5, 0.5, 0.9, 0.5, -0.5], [0.39, 0.4, 0.5, np.nan, 1.0])
    np.testing.assert_allclose(found, [np.nan, 0.5 / np.sqrt(0.4), 0.9 / np.sqrt(0.5), np.nan, -0.5])
    assert found[2] > 1
