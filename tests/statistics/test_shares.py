"""Likeness of shares: against scipy, and what must hold of any shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import t as student
from scipy.stats import ttest_1samp, wasserstein_distance

from lm_plural.harness.statistics.shares import (
    against_rest,
    js_similarity,
    over_items,
    total_variation,
    w1_alignment,
)
from tests.suite import quick

Pair = tuple[np.ndarray, np.ndarray]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Return two distributions over 2 to 6 options, zeros included."""
    k = draw(st.integers(2, 6))
    raw = [np.array(draw(st.lists(st.integers(0, 20), min_size=k, max_size=k)), dtype=float) for _ in range(2)]
    assume(all(x.sum() > 0 for x in raw))
    p, q = (x / x.sum() for x in raw)
    return p, q


def one(function, p: np.ndarray, q: np.ndarray, *more: np.ndarray) -> float:
    return float(function(p[None, None], q[None], *(m[None] for m in more))[0, 0])


@quick
@given(pairs())
def test_js_is_one_minus_scipys_distance_in_base_2(pair: Pair) -> None:
    assert one(js_similarity, *pair) == pytest.approx(1 - jensenshannon(*pair, base=2), abs=1e-7)
    natural = 1 - np.sqrt(np.log(2)) * (1 - one(js_similarity, *pair))
    assert natural == pytest.approx(1 - jensenshannon(*pair), abs=1e-7)


@quick
@given(pairs(), st.data())
def test_w1_is_one_minus_scipys_over_the_longest_way_wherever_the_options_stand(
    pair: Pair, data: st.DataObject
) -> None:
    at = np.array(
        data.draw(st.lists(st.sampled_from([1.0, 1.5, 2.0, 3.0, 7.0]), min_size=len(pair[0]), max_size=len(pair[0])))
    )
    assume(np.ptp(at) > 0)
    expected = 1 - wasserstein_distance(at, at, *pair) / np.ptp(at)
    assert one(w1_alignment, *pair, at) == pytest.approx(expected, abs=1e-12)


@quick
@given(pairs())
def test_w1_with_options_at_1_to_k_is_opinionqas_formula(pair: Pair) -> None:
    at = np.arange(1.0, len(pair[0]) + 1)
    assert one(w1_alignment, *pair, at) == pytest.approx(1 - wasserstein_distance(at, at, *pair) / (len(at) - 1))


@quick
@given(pairs())
def test_all_stay_in_0_to_1_are_symmetric_and_tell_equal_shares(pair: Pair) -> None:
    p, q = pair
    at = np.arange(float(len(p)))
    for function, more, best in ((js_similarity, (), 1.0), (total_variation, (), 0.0), (w1_alignment, (at,), 1.0)):
        value = one(function, p, q, *more)
        assert -1e-12 <= value <= 1 + 1e-12
        assert value == pytest.approx(one(function, q, p, *more))
        assert one(function, p, p, *more) == best
        if np.abs(p - q).max() > 1e-6:
            assert value != pytest.approx(best, abs=1e-6)


@quick
@given(pairs(), st.randoms(use_true_random=False))
def test_without_order_the_order_of_options_does_not_matter(pair: Pair, random) -> None:
    order = list(range(len(pair[0])))
    random.shuffle(order)
    moved = [x[order] for x in pair]
    assert one(js_similarity, *moved) == pytest.approx(one(js_similarity, *pair))
    assert one(total_variation, *moved) == pytest.approx(one(total_variation, *pair))


@quick
@given(pairs(), st.integers(1, 4))
def test_zeros_after_a_shorter_list_of_options_change_nothing(pair: Pair, more: int) -> None:
    at = np.arange(float(len(pair[0])))
    padded = [np.pad(x, (0, more)) for x in pair]
    nowhere = np.pad(at, (0, more), constant_values=np.nan)
    assert one(js_similarity, *padded) == pytest.approx(one(js_similarity, *pair))
    assert one(total_variation, *padded) == pytest.approx(one(total_variation, *pair))
    assert one(w1_alignment, *padded, nowhere) == pytest.approx(one(w1_alignment, *pair, at))


def test_nothing_in_common_is_0() -> None:
    p, q, at = np.array([1.0, 0, 0]), np.array([0, 0, 1.0]), np.arange(3.0)
    assert (one(js_similarity, p, q), one(w1_alignment, p, q, at), one(total_variation, p, q)) == (0, 0, 1)


def test_what_is_missing_or_has_no_order_is_nan() -> None:
    p = np.array([[[0.5, 0.5], [np.nan, np.nan]]])
    q = np.array([[0.4, 0.6]])
    for value in (js_similarity(p, q), total_variation(p, q), w1_alignment(p, q, [[1, 2]])):
        assert np.isnan(value).tolist() == [[False, True]]
    for nowhere in ([[np.nan, np.nan]], [[1.0, 1.0]]):
        assert np.isnan(w1_alignment(p, q, nowhere)).all()
    assert np.isnan(js_similarity(p, [[np.nan, np.nan]])).all()


def test_a_mean_over_items_has_the_t_interval_of_its_own_items() -> None:
    rng = np.random.default_rng(0)
    h = rng.uniform(size=(30, 3))
    h[:10, 1] = np.nan
    h[1:, 2] = np.nan
    found = over_items(h).estimates
    for m, column in ((0, h[:, 0]), (1, h[10:, 1])):
        expected = ttest_1samp(column, 0).confidence_interval(0.95)
        assert (found.value[m], found.low[m], found.high[m]) == pytest.approx((column.mean(), *expected))
        assert found.df[m] == len(column) - 1
    assert found.value[2] == h[0, 2]
    assert np.isnan([found.se[2], found.df[2], found.low[2]]).all()
    assert over_items(h).n_items.tolist() == [30, 20, 1]


def test_the_standard_error_is_the_jackknifes() -> None:
    x = np.random.default_rng(1).uniform(size=12)
    without = np.array([np.delete(x, i).mean() for i in range(12)])
    jackknife = np.sqrt(11 / 12 * ((without - without.mean()) ** 2).sum())
    assert over_items(x[:, None]).estimates.se[0] == pytest.approx(jackknife)


def test_means_correlate_by_the_items_they_share() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(size=40)
    h = np.stack(
        [x, 2 * x, -x, np.where(np.arange(40) < 20, x, np.nan), np.where(np.arange(40) < 20, np.nan, x)], axis=1
    )
    r = over_items(h).correlation
    assert r[0, 1] == pytest.approx(1)
    assert r[0, 2] == pytest.approx(-1)
    assert r[3, 4] == 0
    assert 0 < r[0, 3] < 1
    assert np.diagonal(r) == pytest.approx(1)


def test_values_that_are_all_alike_have_no_interval() -> None:
    assert np.isnan(over_items(np.full((5, 1), 0.7)).estimates.se).all()


def test_against_the_rest_every_other_group_counts_the_same() -> None:
    h = np.array([[1.0, 2, 6], [1, np.nan, 4], [np.nan, np.nan, 3]])
    expected = [[1 - 4, 2 - 3.5, 6 - 1.5], [1 - 4, np.nan, 4 - 1], [np.nan, np.nan, np.nan]]
    assert against_rest(h) == pytest.approx(np.array(expected), nan_ok=True)


@pytest.mark.parametrize("items", [10, 40])
def test_intervals_cover_the_mean_of_other_items(items: int) -> None:
    rng = np.random.default_rng(3)
    h = rng.beta(6, 2, size=(items, 4000))
    found = over_items(h).estimates
    covered = (found.low <= 0.75) & (found.high >= 0.75)
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    assert found.high[0] - found.value[0] == pytest.approx(student.ppf(0.975, items - 1) * found.se[0])
