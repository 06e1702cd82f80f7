"""Correlations of scores with item means: values by scipy, influence and intervals by deletion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy.stats import kendalltau, pearsonr, spearmanr

from lm_plural.harness.statistics.counts import count_levels
from lm_plural.harness.statistics.measures.reliability import crossed_reliability, reliability
from lm_plural.harness.statistics.scored.rank_agreement import FUNCTIONS, RatedMeans, rank_statistics
from tests.statistics.by_hand import quick
from tests.statistics.scored.judged import Rated, rated, simulate


def tied(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n).round(1)
    return x, (x + rng.normal(size=n)).round(1), rng.random(n) / 3


@pytest.mark.parametrize("name", FUNCTIONS)
def test_influence_is_what_deleting_an_item_or_moving_its_mean_changes(name: str):
    n, f = 200, FUNCTIONS[name]
    x, y, noise = tied(n, 0)
    value, g = f(x, y, noise)
    here = g(y, noise)
    deleted = np.array([f(*(z[np.arange(n) != i] for z in (x, y, noise)))[0] for i in range(n)])
    jackknife = (n - 1) * (value - deleted)
    np.testing.assert_allclose(here - here.mean(), jackknife - jackknife.mean(), atol=0.6 * jackknife.std())
    assert np.corrcoef(here, jackknife)[0, 1] > 0.999
    assert here.std() == pytest.approx(jackknife.std(), rel=0.05)
    to, less = y.copy(), noise.copy()
    to[7], less[7] = y[7] + 0.35, noise[7] / 2
    assert g(to, less)[7] - here[7] == pytest.approx(n * (f(x, to, less)[0] - value), rel=0.02, abs=0.01)


@quick
@given(rated())
def test_values_are_those_of_scipy_over_items_with_two_raters(case: Rated):
    found = rank_statistics(case.coded, case.members, case.score)
    counts = count_levels(case.coded, case.members)
    for g in (0, 1):
        mine = counts[:, g]
        two = mine.sum(axis=1) >= 2
        x, y = case.score[two], (mine[two] @ np.arange(5)) / mine[two].sum(axis=1)
        for name, scipys in (("pearson", pearsonr), ("spearman", spearmanr), ("kendall", kendalltau)):
            varies = np.ptp(x) > 0 and np.ptp(y.round(9)) > 0
            expected = scipys(x, y.round(12)).statistic if varies else np.nan
            np.testing.assert_allclose(found.base(name)[g], expected, atol=1e-9)


def test_reliability_is_that_of_tables_with_holes_or_without():
    for density in (1.0, 0.5):
        case = simulate(np.random.default_rng(2), 50, 10, density=density)
        counts = count_levels(case.coded, case.members)
        found = rank_statistics(case.coded, case.members, case.score)
        if density < 1:
            expected = reliability(counts, np.arange(5.0))
        else:
            table = case.level.reshape(50, 20).astype(float)
            expected = np.array([crossed_reliability(table[:, case.group == g]) for g in (0, 1)])
        np.testing.assert_allclose(found.base("reliability"), expected)
        np.testing.assert_allclose(found.base("disattenuated"), found.base("pearson") / np.sqrt(expected))


def by_deletion(case: Rated, name: str) -> float:
    """Return the two-way variance with every statistic computed again: without an item, a rater, a single rating."""

    def value(some: Rated) -> float:
        means = RatedMeans.of(some.coded, count_levels(some.coded, some.members)[:, 0], some.group == 0, some.score)
        return FUNCTIONS[name](means.x, means.y, means.noise)[0]

    whole, raters, items = value(case), np.unique(case.rater), np.unique(case.item)
    each = np.array([whole - value(case.without(case.item == i)) for i in items])
    v_items = ((each - each.mean()) ** 2).sum() * (len(items) - 1) / len(items)
    by_rater = np.array([whole - value(case.without(case.rater == j)) for j in raters])
    alone = {(j, i): whole - value(case.without((case.rater == j) & (case.item == i))) for j in raters for i in items}
    for i in items:
        centre = np.mean([alone[j, i] for j in raters])
        alone |= {(j, i): alone[j, i] - centre for j in raters}
    factor = (len(raters) - 1) / len(raters)
    v_raters = factor * ((by_rater - by_rater.mean()) ** 2).sum()
    return v_items + max(v_raters - factor * sum(x**2 for x in alone.values()), 0.0)


@pytest.mark.parametrize("name", ["pearson", "spearman", "kendall"])
def test_standard_errors_are_near_those_of_deleting_items_raters_and_ratings(name: str):
    case = simulate(np.random.default_rng(5), 40, 9).of(0)
    found = rank_statistics(case.coded, case.members, case.score).estimates[name]
    assert found.se[0] == pytest.approx(np.sqrt(by_deletion(case, name)), rel=0.1)


def test_two_items_or_none_are_no_error():
    nothing = np.zeros(0, dtype=int)
    case = Rated(nothing, nothing, nothing, np.array([0.1, 0.2]), np.array([0, 1]))
    found = rank_statistics(case.coded, case.members, case.score)
    assert np.isnan(found.value).all()


def test_scores_that_are_all_alike_have_no_correlation_and_reliability_needs_none():
    case = simulate(np.random.default_rng(2), 30, 10)
    found = rank_statistics(case.coded, case.members, np.full(30, 0.3))
    assert np.isnan([found.base(n)[0] for n in ("pearson", "spearman", "kendall", "disattenuated")]).all()
    assert found.base("reliability")[0] > 0.5
    assert np.isnan(found.estimates["pearson"].se).all()
