"""Effect sizes between groups: oracle O9, SciPy's Mann-Whitney U, and leaving single ratings out by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import mannwhitneyu

from lm_plural.harness.ratings.coarsen import to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.counts import Scaling
from lm_plural.harness.statistics.measures.agreement import disagreement_kept
from lm_plural.harness.statistics.measures.effects import (
    cliff_tables,
    cliffs_delta,
    exceedance_percent,
    mean_percent,
    odds_ratio_percent,
    pomp,
    rater_sd_difference,
    superiority,
)
from tests.statistics.by_hand import quick

FIVE = np.arange(1.0, 6.0)
H, G = np.array([0.5, 0.2, 0.1, 0.1, 0.1]), np.array([0.3, 0.2, 0.2, 0.2, 0.1])


def scaling(coarse) -> Scaling:
    return Scaling(np.array(coarse.scale.positions), coarse.matrix)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    return tuple(draw(arrays(np.int64, shape, elements=st.integers(0, 3))) for _ in range(2))


def test_cliffs_delta_of_the_oracle_and_of_its_coarsenings():
    scale = Scale(tuple("12345"))
    assert cliffs_delta(G, H) == pytest.approx(0.22)
    assert superiority(cliffs_delta(G, H)) == pytest.approx(0.61)
    for coarse, value in ((to_three(scale), 0.19), (to_two(scale, "up"), 0.20), (to_two(scale, "down"), 0.10)):
        assert cliffs_delta(G @ coarse.matrix, H @ coarse.matrix) == pytest.approx(value)


def test_percent_differences_of_the_oracle():
    np.testing.assert_allclose(odds_ratio_percent(G, H), [133.333333, 133.333333, 71.428571, 0], atol=1e-6)
    assert mean_percent(G, H, FIVE, 0.0) == pytest.approx(23.81, abs=0.005)
    assert mean_percent(G, H, FIVE, 1.0) == pytest.approx(45.45, abs=0.005)
    assert pomp(G, H, FIVE) == pytest.approx(12.5)
    np.testing.assert_allclose(exceedance_percent(G, H), [40, 5 / 3 * 100 - 100, 50, 0], atol=1e-9)


@quick
@given(pairs())
def test_cliffs_delta_is_scipys_mann_whitney_u(counts):
    for c1, c2, found in zip(*counts, cliffs_delta(*counts), strict=True):
        x, y = (np.repeat(np.arange(len(c)), c) for c in (c1, c2))
        if not len(x) or not len(y):
            assert np.isnan(found)
        else:
            u = mannwhitneyu(x, y, method="asymptotic").statistic if len({*x, *y}) > 1 else len(x) * len(y) / 2
            assert found == pytest.approx(2 * u / (len(x) * len(y)) - 1, abs=1e-12)


@quick
@given(pairs())
def test_tables_are_what_leaving_one_rating_out_changes(counts):
    delta, *tables = cliff_tables(*counts)
    np.testing.assert_array_equal(delta, cliffs_delta(*counts))
    for side, table in enumerate(tables):
        for i, y in np.ndindex(table.shape):
            fewer = [c.copy() for c in counts]
            fewer[side][i, y] -= 1
            enough = counts[side][i].sum() >= 2 and counts[1 - side][i].sum() >= 1 and counts[side][i, y] > 0
            expected = delta[i] - cliffs_delta(fewer[0][i], fewer[1][i]) if enough else 0
            assert table[i, y] == pytest.approx(expected, abs=1e-12)


def test_tables_of_many_pairs_of_groups_are_those_of_each():
    rng = np.random.default_rng(0)
    c1, c2 = rng.integers(0, 3, size=(6, 1, 4)), rng.integers(0, 3, size=(6, 3, 4))
    together = cliff_tables(c1, c2)
    for p in range(3):
        for whole, one in zip(together, cliff_tables(c1[:, 0], c2[:, p]), strict=True):
            np.testing.assert_array_equal(whole[:, p], one)


def test_swapping_the_groups_or_reversing_the_scale_turns_the_sign():
    rng = np.random.default_rng(1)
    c1, c2 = rng.integers(0, 4, size=(2, 20, 5))
    delta, tab1, tab2 = cliff_tables(c1, c2)
    for got, expected in zip(cliff_tables(c2, c1), (-delta, -tab2, -tab1), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-14)
    np.testing.assert_allclose(cliffs_delta(c1[:, ::-1], c2[:, ::-1]), -delta, atol=1e-14)


def test_counts_and_shares_give_the_same_percentages():
    counts = np.array([5, 2, 1, 1, 1])
    np.testing.assert_allclose(odds_ratio_percent(G, counts), odds_ratio_percent(G, H), atol=1e-9)
    np.testing.assert_allclose(exceedance_percent(G, counts), exceedance_percent(G, H), atol=1e-9)
    assert mean_percent(G, counts, FIVE, 0.0) == pytest.approx(mean_percent(G, H, FIVE, 0.0))


def test_no_denominator_no_number():
    never = np.array([4.0, 0, 0])
    some = np.array([2.0, 1, 1])
    assert np.isnan(odds_ratio_percent(some, never)).all()
    assert np.isnan(exceedance_percent(some, never)).all()
    np.testing.assert_allclose(odds_ratio_percent(never, some), [-100, -100])
    assert np.isnan(mean_percent(some, never, [1, 2, 3], 1.0))
    assert np.isnan(pomp(some, np.zeros(3), [1, 2, 3]))


def test_difference_in_standard_deviations_between_raters():
    difference, sd = rater_sd_difference([1.0, 3.0], [2.0, 4.0, 6.0])
    assert sd == pytest.approx(np.sqrt((2 + 8) / 3))
    assert difference == pytest.approx(-2 / sd)
    assert np.isnan(rater_sd_difference([1.0], [2.0])).all()
    assert np.isnan(rater_sd_difference([], [2.0])).all()
    assert np.isnan(rater_sd_difference([1.0, 1.0], [2.0])[0])


def test_coarsening_loses_disagreement_between_neighbours_and_magnifies_it_across_the_cut():
    scale = Scale(tuple("12345"))
    counts = np.array([[[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]], [[2, 0, 0, 0, 0], [0, 1, 0, 1, 0]]])
    # Fine: a pair one step apart is 1/4 of the scale, U = 1/8; two steps 2/8. Coarse: above 3 or not.
    kept = disagreement_kept(counts, Scaling.plain(FIVE), scaling(to_two(scale, "down")))
    np.testing.assert_allclose(kept, [0, (0.5 + 0.5) / (1 / 8 + 2 / 8)])


def test_coarsening_compares_the_items_that_both_scales_can_judge():
    scale = Scale(tuple("12345"))
    counts = np.array([[[2, 0, 0, 0, 2]], [[0, 0, 3, 1, 0]]])  # item 2 keeps one rating without the middle
    kept = disagreement_kept(counts, Scaling.plain(FIVE), scaling(to_two(scale, "drop")))
    np.testing.assert_allclose(kept, [1])
    assert np.isnan(disagreement_kept(counts[1:], Scaling.plain(FIVE), scaling(to_two(scale, "drop")))).all()
