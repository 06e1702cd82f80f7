"""From coded ratings to sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from lm_plural.harness.ratings.coarsen import to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.counts import Membership, Scaling, Sums, count_levels, stream
from tests.statistics.by_hand import Case, belong, cases, code, quick

ROWS = [(0, 0, 2), (0, 1, 0), (1, 1, 1), (1, 2, 1)]


def test_a_rating_stands_once_in_each_group_of_its_rater():
    coded, members = code(ROWS, [1, 2, 3]), belong([(1, 2), (0, 0), (1, 0)])
    expected = [(0, 0, 2, 0), (0, 1, 0, 0), (0, 1, 0, 2), (1, 1, 1, 0), (1, 1, 1, 2)]
    for chunk in (1, 2, 100):
        found = [
            (int(i), int(members.rater[p]), int(y), int(g))
            for rows in stream(coded, members, chunk)
            for i, y, p, g in zip(rows.item, rows.level, rows.pair, rows.group, strict=True)
        ]
        assert sorted(found) == expected


def test_counts_say_how_many_of_each_group_chose_each_level():
    counts = count_levels(code(ROWS, [1, 2, 3]), belong([(0, 0), (1, 0), (1, 1), (2, 1)]))
    np.testing.assert_array_equal(counts[0], [[1, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(counts[1], [[0, 1, 0], [0, 2, 0]])


@quick
@given(cases())
def test_counts_of_everyone_add_up_to_the_ratings(case: Case):
    counts = count_levels(case.coded, Membership.everyone(case.grid.shape[1]))
    assert counts.sum() == (case.grid >= 0).sum()
    for level in range(len(case.positions)):
        np.testing.assert_array_equal(counts[:, 0, level], (case.grid == level).sum(axis=1))


def test_sizes_count_the_present_raters_only():
    assert belong([(0, 0), (1, 0), (1, 1), (5, 1)]).sizes(np.array([0, 1])).tolist() == [2, 1]


def test_spacing_is_the_share_of_each_step():
    np.testing.assert_allclose(Scaling.plain([0, 1, 4]).spacing, [0.25, 0.75])
    assert Scaling.plain([2, 7]).spacing.tolist() == [1.0]


@pytest.mark.parametrize(
    ("neutral", "n", "z", "zz", "x"),
    [("up", 4, 1, 1, 7), ("down", 4, 3, 3, 5), ("drop", 2, 1, 1, 3), ("split", 4, 2, 1.5, 6)],
)
def test_sums_of_coarsened_ratings(neutral, n, z, zz, x):
    coarse = to_two(Scale(tuple("123")), neutral)
    sums = Sums.of([[[1, 2, 1]]], Scaling(np.array(coarse.scale.positions), coarse.matrix))
    assert (sums.n[0, 0], sums.z[0, 0, 0], sums.zz[0, 0, 0], sums.x[0, 0]) == (n, z, zz, x)


def test_cdf_is_zero_where_nobody_rated():
    sums = Sums.of([[[0, 0, 0]], [[1, 1, 2]]], Scaling.plain([1, 2, 3]))
    np.testing.assert_allclose(sums.cdf[:, 0], [[0, 0], [0.25, 0.5]])
