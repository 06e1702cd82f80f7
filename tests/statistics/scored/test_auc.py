"""AUC per group: pair by pair, by deleting items and ratings, without the bias of few raters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from lm_plural.harness.statistics.counts import count_levels
from lm_plural.harness.statistics.groups.contrasts import contrast
from lm_plural.harness.statistics.groups.family import Sides, choose
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.scored.auc import auc_part, auc_statistics
from lm_plural.harness.statistics.uncertainty.draws import generator
from tests.statistics.by_hand import quick
from tests.statistics.scored.judged import Rated, rated, simulate, truth


def pairs(case: Rated, weight: np.ndarray, *, raters: bool = True) -> tuple[float, float]:
    """Return N and D over all pairs of ratings of two items, and if asked by two raters."""
    x, y = (np.flatnonzero(case.harm == h) for h in (1, 0))
    s, w = case.score[case.item], np.outer(weight[x], weight[y])
    w = w * np.not_equal.outer(case.item[x], case.item[y])
    w = w * np.not_equal.outer(case.rater[x], case.rater[y]) if raters else w
    higher = np.sign(np.subtract.outer(s[x], s[y])) / 2 + 0.5
    return float((w * higher).sum()), float(w.sum())


def value(case: Rated, *, raters: bool = True) -> float:
    n, d = pairs(case, case.weight, raters=raters)
    return n / d if d > 1e-12 else np.nan


@quick
@given(rated())
def test_it_is_the_share_of_pairs_of_ratings_by_two_raters_of_two_items(case: Rated):
    found = auc_statistics(case.judged.harm, case.members, case.score)
    np.testing.assert_allclose(found.base("auc"), [value(case.of(g)) for g in (0, 1)], rtol=1e-9)


@quick
@given(rated())
def test_items_and_ratings_add_what_deleting_them_takes_away(case: Rated):
    """Items exactly; single ratings to first order, D being held where it is."""
    found = auc_statistics(case.judged.harm, case.members, case.score).covariance
    for g in (0, 1):
        mine = case.of(g)
        if np.isnan(value(mine)):
            continue
        items = np.unique(mine.item)
        left = [mine.without(mine.item == i) for i in items]
        if all(pairs(x, x.weight, raters=False)[1] > 1e-12 for x in left):
            changes = np.array([value(mine, raters=False) - value(x, raters=False) for x in left])
            expected = ((changes - changes.mean()) ** 2).sum() * len(items) / (len(items) - 1)
            assert found.items[g, g] == pytest.approx(expected, rel=1e-9, abs=1e-14)
        each = [single(mine, k) for k in range(len(mine.item)) if (mine.item == mine.item[k]).sum() > 1]
        alone = [whole(mine, k) for k in range(len(mine.item)) if (mine.item == mine.item[k]).sum() == 1]
        n = len(np.unique(mine.rater))
        if not np.isnan(alone).any():
            expected = (n - 1) / n * (sum(x**2 for x in each) + sum(x**2 for x in alone))
            assert found.same[g, g] == pytest.approx(expected, rel=1e-9, abs=1e-14)


def single(case: Rated, k: int) -> float:
    """Return ``(AUC D' - N') / D`` without rating k, the others of its item taking its weight."""
    n, d = pairs(case, case.weight, raters=False)
    weight, beside = case.weight.copy(), case.item == case.item[k]
    weight[beside] *= beside.sum() / (beside.sum() - 1)
    weight[k] = 0
    less, d_less = pairs(case, weight, raters=False)
    return (n / d * d_less - less) / d


def whole(case: Rated, k: int) -> float:
    return value(case, raters=False) - value(case.without(case.item == case.item[k]), raters=False)


def test_raters_add_what_deleting_them_takes_away():
    case = simulate(np.random.default_rng(0), 60, 16).of(0)
    found = auc_statistics(case.judged.harm, case.members, case.score).covariance
    changes = np.array([value(case) - value(case.without(case.rater == j)) for j in np.unique(case.rater)])
    by_deletion = 15 / 16 * ((changes - changes.mean()) ** 2).sum()
    assert found.raters[0, 0] == pytest.approx(by_deletion, rel=0.1)


@quick
@given(rated())
def test_only_the_order_of_scores_counts_and_turning_both_round_changes_nothing(case: Rated):
    harm, members = case.judged.harm, case.members
    once = auc_statistics(harm, members, case.score)
    np.testing.assert_allclose(auc_statistics(harm, members, np.exp(3 * case.score)).base("auc"), once.base("auc"))
    turned = auc_statistics(harm, members, -case.score)
    np.testing.assert_allclose(turned.base("auc"), 1 - once.base("auc"))
    np.testing.assert_allclose(turned.covariance.raters, once.covariance.raters, atol=1e-12)
    both = replace(harm, coded=replace(harm.coded, positions=1 - harm.coded.positions), total=harm.size - harm.total)
    np.testing.assert_allclose(auc_statistics(both, members, -case.score).base("auc"), once.base("auc"))
    alike = auc_statistics(harm, members, 0 * case.score).base("auc")
    np.testing.assert_allclose(alike, np.where(np.isnan(once.base("auc")), np.nan, 0.5))


def test_few_raters_and_severe_ones_bias_nothing():
    """Pairs by one rater would: with three raters of one group who rated everything they are a third of all."""
    rng, shift = np.random.default_rng(4), 0.3
    true, found, naive = truth(shift, 0.8)["auc"], [], []
    for _ in range(400):
        case = simulate(rng, 40, 3, (shift, shift)).of(0)
        judged, counts = case.judged, count_levels(case.judged.harm.coded, case.members)
        found.append(auc_statistics(judged.harm, case.members, case.score).base("auc")[0])
        p = judged.harm.mean(counts)[:, 0]
        above = np.sign(np.subtract.outer(case.score, case.score)) / 2 + 0.5
        np.fill_diagonal(above, 0)
        weight = np.outer(p, 1 - p)
        naive.append((weight * above).sum() / (weight.sum() - np.trace(weight)))
    error = (np.array([np.mean(found), np.mean(naive)]) - true) / (np.array([np.std(found), np.std(naive)]) / 20)
    assert abs(error[0]) < 3
    assert np.mean(naive) > np.mean(found) + 0.005


@quick
@given(rated())
def test_a_contrast_is_the_difference_on_common_items(case: Rated):
    harm = case.judged.harm
    sides = Sides.of(harm.coded, case.members, count_levels(harm.coded, case.members))
    found = contrast(
        harm.coded,
        sides,
        lambda c, m, v: auc_part(harm, c, m, case.score, v),
        *choose("pairs", np.arange(2), 2),
        Inferring(generator(0), draws=100),
    )
    expected = np.subtract(*(value(case.of(g, common=True)) for g in (0, 1)))
    np.testing.assert_allclose(found.estimates.value[0], expected, rtol=1e-9, atol=1e-12)
