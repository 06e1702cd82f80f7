"""Ceilings against fair scores, brute force and simulated people."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scoringrules
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lm_plural.harness.statistics.counts import Scaling, Sums
from lm_plural.harness.statistics.groups import ceiling
from lm_plural.harness.statistics.measures import agreement
from tests.statistics.by_hand import quick

POSITIONS = np.array([0.0, 1.0, 3.0, 4.0])
LEVELS = arrays(np.int64, (3, 3, 5), elements=st.integers(-1, 3))


def sums(levels, scaling=None) -> Sums:
    """Of levels per (item, group, place), -1 where there is no rater."""
    counts = (levels[..., None] == np.arange(4)).sum(axis=2)
    return Sums.of(counts, scaling or Scaling.plain(POSITIONS))


def score_of_others(target, forecast) -> float:
    """Mean fair CRPS of the ratings of a group as a forecast of those of another, on the unit scale."""
    x = np.tile(POSITIONS[forecast], (len(target), 1))
    return float(scoringrules.crps_ensemble(POSITIONS[target], x, estimator="fair").mean() / np.ptp(POSITIONS))


@quick
@given(LEVELS)
def test_distance_and_own_disagreement_make_the_fair_score_of_one_group_by_the_other(levels):
    s = sums(levels)
    found, u = ceiling.group_distances(s), agreement.disagreement(s)
    for g, h in product(range(3), repeat=2):
        both = np.flatnonzero((s.n[:, g] >= 2) & (s.n[:, h] >= 2))
        if not len(both):
            assert np.isnan(found[g, h])
        elif g == h:
            assert found[g, h] == 0
        else:
            ratings = [[levels[i, k][levels[i, k] >= 0] for k in (g, h)] for i in both]
            expected = np.mean([score_of_others(*pair) for pair in ratings]) - u[both, g].mean()
            assert found[g, h] == pytest.approx(expected, abs=1e-6)  # scoringrules computes in single precision


@quick
@given(LEVELS, st.permutations([0, 1, 2]))
def test_distances_are_symmetric_and_follow_the_groups(levels, order):
    found = ceiling.group_distances(sums(levels))
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(ceiling.group_distances(sums(levels[:, order])), found[np.ix_(order, order)], atol=1e-14)


def test_split_ratings_keep_their_rater():
    # Four raters of either group, all neutral, half above and half below: no distance and no disagreement.
    split = Scaling(np.array([0.0, 1.0]), np.array([[1, 0], [0.5, 0.5], [0, 1]]))
    counts = np.array([[[0, 4, 0], [0, 4, 0], [4, 0, 0]]])
    np.testing.assert_allclose(
        ceiling.group_distances(Sums.of(counts, split)), [[0, 0, 0.25], [0, 0, 0.25], [0.25, 0.25, 0]], atol=1e-15
    )


def test_distance_between_groups_is_unbiased_for_any_number_of_raters():
    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(4), size=(4000, 3))
    p[:, 2] = p[:, 0]
    counts = np.stack([rng.multinomial(n, p[:, g]) for g, n in enumerate((2, 7, 3))], axis=1)
    s = Sums.of(counts, Scaling.plain(POSITIONS))
    found, cdf = ceiling.group_distances(s), p.cumsum(axis=-1)[..., :-1]
    assert found[0, 1] == pytest.approx(((cdf[:, 0] - cdf[:, 1]) ** 2 @ s.scaling.spacing).mean(), abs=0.01)
    assert found[0, 2] == pytest.approx(0, abs=0.01)


def test_the_other_raters_as_a_model_come_as_close_as_their_ceiling_says():
    rng = np.random.default_rng(7)
    p = rng.dirichlet(np.ones(4), size=3000)
    drawn = (rng.random((3000, 9, 1)) > p.cumsum(axis=1)[:, None, :-1]).sum(axis=-1)
    scaling, everyone = Scaling.plain(POSITIONS), sums(drawn[:, None])
    limit = ceiling.ceiling_others(agreement.disagreement(everyone), everyone.n)
    # the rating of the one left out, scored by the share of the others
    others = np.eye(4)[drawn[:, 1:]].mean(axis=1)
    miss = (np.eye(4)[drawn[:, 0]].cumsum(axis=1) - others.cumsum(axis=1))[:, :-1] ** 2 @ scaling.spacing
    found = miss.mean() - agreement.disagreement(everyone).mean()
    assert found == pytest.approx(limit.mean(), abs=3 * miss.std() / np.sqrt(3000))


def test_ceiling_of_the_others_needs_others():
    np.testing.assert_allclose(ceiling.ceiling_others([0.3, 0.3, np.nan], [1, 4, 0]), [np.nan, 0.1, np.nan])


def people(rng, items=300, raters=15, rater_sd=0.0):
    truth = rng.normal(size=items)
    scores = np.round(truth[:, None] + rater_sd * rng.normal(size=raters) + rng.normal(size=(items, raters)))
    return truth, np.where(rng.random((items, raters)) < 0.7, scores, np.nan)


def test_each_rater_is_held_against_the_mean_of_the_others_and_so_is_the_model():
    rng = np.random.default_rng(8)
    truth, scores = people(rng, items=40, raters=5)
    model = truth + rng.normal(size=40)
    model[:4] = np.nan
    found = ceiling.rater_ceiling(scores, model)
    for j in range(5):
        others = np.delete(scores, j, axis=1)
        used = ~np.isnan(scores[:, j]) & ~np.isnan(others).all(axis=1) & ~np.isnan(model)
        target = np.nanmean(others[used], axis=1)
        assert found.raters[j] == pytest.approx(np.corrcoef(scores[used, j], target)[0, 1])
        assert found.model[j] == pytest.approx(np.corrcoef(model[used], target)[0, 1])
    ahead = (found.model > found.raters).mean()
    assert found.percentile == pytest.approx(100 * ahead)


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0, 100, 100), (1.04, 15, 85), (20.0, 0, 0)])
def test_the_model_stands_where_a_rater_of_its_noise_stands(noise, low, high):
    # a rating has a standard deviation of 1 and that of rounding, 0.29
    rng = np.random.default_rng(9)
    truth, scores = people(rng, rater_sd=0.5)
    found = ceiling.rater_ceiling(scores, truth + noise * rng.normal(size=len(truth)))
    assert low <= found.percentile <= high


def test_a_rater_of_the_group_used_as_the_model_ties_with_itself():
    _, scores = people(np.random.default_rng(10), raters=2)
    full = np.where(np.isnan(scores), 0.0, scores)
    found = ceiling.rater_ceiling(full, full[:, 0])
    assert found.model[0] == found.raters[0]
    assert found.model[1] == pytest.approx(1)
    assert found.percentile == 75


def test_raters_of_few_items_or_of_one_answer_are_not_placed():
    truth, scores = people(np.random.default_rng(11), items=30, raters=6)
    scores = np.where(np.isnan(scores), 0, scores)
    scores[9:, 0] = scores[10:, 1] = np.nan
    scores[:, 2] = 2
    found = ceiling.rater_ceiling(scores, truth)
    np.testing.assert_array_equal(np.isnan(found.raters), [True, False, True, False, False, False])
    np.testing.assert_array_equal(np.isnan(found.model), [True, False, False, False, False, False])
    assert 0 <= found.percentile <= 100


def test_a_lone_rater_has_nobody_to_be_held_against():
    found = ceiling.rater_ceiling(np.arange(12.0)[:, None], np.arange(12.0))
    assert np.isnan(found.raters).all()
    assert np.isnan(found.model).all()
    assert np.isnan(found.percentile)
