"""Standardised gaps: by hand, exact identities, the variance they imply, and simulation S9."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.statistics.groups.standardise import standard_errors, standardise
from lm_plural.harness.statistics.uncertainty.draws import generator
from tests.simulations.spread import confounded_axes
from tests.statistics.by_hand import quick


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    c = draw(st.integers(1, 5))
    n = np.array(draw(st.lists(st.integers(0, 20), min_size=2 * c, max_size=2 * c))).reshape(2, c)
    n[:, 0] += 5
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(2, c)), n


def test_two_cells_by_hand():
    # The group difference is 1 in each cell; 30 of 40 against 10 of 40 raters are in the cell that is 2 higher.
    found = standardise([[1.0, 3.0], [0.0, 2.0]], [[10, 30], [30, 10]])
    assert (found.first, found.second, found.gap) == pytest.approx((2.0, 1.0, 1.0))
    assert (found.composition, found.within) == pytest.approx((1.0, 1.0))
    assert found.composition + found.within == pytest.approx((1 + 3 * 3) / 4 - 2 / 4)
    assert found.covered == 1


def test_reference_shares_are_the_users_in_any_unit():
    found = standardise([[1.0, 3.0], [0.0, 1.0]], [[10, 30], [30, 10]], [1, 9])
    assert (found.first, found.second) == pytest.approx((2.8, 0.9))


def test_thin_and_empty_cells_are_dropped_and_the_covered_share_says_so():
    cells, n = [[1.0, 3.0, 50.0, np.nan], [0.0, 2.0, -50.0, 1.0]], [[10, 30, 4, 5], [30, 10, 20, 15]]
    found = standardise(cells, n)
    assert found[:5] == pytest.approx(standardise([[1.0, 3.0], [0.0, 2.0]], [[10, 30], [30, 10]])[:5])
    assert found.covered == pytest.approx(80 / 124)
    assert standardise(cells, n, [2, 2, 1, 5]).covered == pytest.approx(0.4)
    assert standardise(cells, n, fewest=4).covered == pytest.approx(104 / 124)


def test_groups_that_share_no_cell_cannot_be_compared():
    found = standardise([[1.0, np.nan], [np.nan, 1.0]], [[20, 0], [0, 20]])
    assert np.isnan(found[:5]).all()
    assert found.covered == 0
    assert np.isnan(standard_errors(found.weights, np.full((4, 4), np.nan))).all()


@quick
@given(tables())
def test_composition_and_within_sum_to_the_marginal_gap_on_covered_cells(table):
    cells, n = table
    found, kept = standardise(cells, n), (n >= 5).all(axis=0)
    marginal = [np.average(x[kept], weights=w[kept]) for x, w in zip(cells, n, strict=True)]
    assert found.composition + found.within == pytest.approx(marginal[0] - marginal[1], abs=1e-12)
    assert found.gap == pytest.approx(found.first - found.second, abs=1e-12)


@quick
@given(tables(), st.floats(-9, 9), st.randoms())
def test_shift_order_and_swap(table, shift, random):
    cells, n = table
    order = list(range(cells.shape[1]))
    random.shuffle(order)
    plain, moved = standardise(cells, n), standardise(cells[:, order] + shift, n[:, order])
    assert moved[2:6] == pytest.approx(plain[2:6], abs=1e-9)
    assert moved.first == pytest.approx(plain.first + shift, abs=1e-9)
    swapped = standardise(cells[::-1], n[::-1])
    assert swapped[2:5] == pytest.approx([-x for x in plain[2:5]], abs=1e-12)


@quick
@given(tables())
def test_groups_with_the_same_composition_differ_within_cells_only(table):
    cells, n = table
    found = standardise(cells, np.stack([n[0], 2 * n[0]]) + 5)
    same = standardise(cells, np.stack([n[0] + 5, 2 * n[0] + 10]))
    assert same.composition == pytest.approx(0, abs=1e-12)
    assert same.within == pytest.approx(same.gap, abs=1e-12)
    assert found.covered == same.covered == 1


@quick
@given(tables())
def test_weights_times_cells_are_the_values_and_give_their_variance(table):
    cells, n = table
    found, kept = standardise(cells, n), (n >= 5).all(axis=0)
    np.testing.assert_allclose((found.weights * cells).sum(axis=(1, 2)), found[:5], atol=1e-12)
    v = np.where(np.tile(kept, 2), 1 / np.maximum(n, 1).ravel(), np.nan)
    pi = np.where(kept, n.sum(axis=0), 0) / n.sum(axis=0)[kept].sum()
    se = standard_errors(found.weights, np.where(np.eye(len(v), dtype=bool), v[:, None], 0.0))
    assert se[2] ** 2 == pytest.approx((pi[kept] ** 2 / n[:, kept]).sum(), abs=1e-12)


def test_noise_that_both_groups_share_in_a_cell_cancels_in_the_gap():
    found = standardise([[1.0, 3.0], [0.0, 2.0]], [[10, 30], [30, 10]])
    se = standard_errors(found.weights, np.tile(np.eye(2), (2, 2)))
    np.testing.assert_allclose(se, np.sqrt([0.5, 0.5, 0.0, 0.5, 0.0]), atol=1e-12)


def test_standardised_gap_is_unbiased_when_axes_are_confounded_and_the_marginal_gap_is_not():
    found = confounded_axes(250, generator(9, "S9"))
    assert abs(found.standardised.mean()) < 3 * found.standardised.std() / np.sqrt(250)
    assert found.marginal.mean() < -20 * found.marginal.std() / np.sqrt(250)
