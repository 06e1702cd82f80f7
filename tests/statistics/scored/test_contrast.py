"""How well scores tell good and bad texts apart: by hand, by deleting prompts, and how often intervals hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import beta, mannwhitneyu

from lm_plural.harness.statistics.scored.contrast import LEAST_PROMPTS, length_slopes, mean_of, separation
from tests.statistics.by_hand import quick

scores = arrays(np.float64, st.tuples(st.integers(2, 9), st.just(2)), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


@quick
@given(scores, st.data())
def test_the_auc_is_that_of_mann_and_whitney(bad, data):
    good = data.draw(arrays(np.float64, bad.shape, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    found = separation(bad, good)
    for c in range(2):
        u = mannwhitneyu(bad[:, c], good[:, c]).statistic / len(bad) ** 2
        assert found.cells.value[c] == pytest.approx(u)
    assert found.overall.value[0] == pytest.approx(found.cells.value.mean())
    turned = separation(good, bad)
    assert turned.overall.value[0] == pytest.approx(1 - found.overall.value[0])


def test_the_error_is_that_of_deleting_prompts():
    rng = np.random.default_rng(1)
    bad, good = rng.normal(0.5, 1, (12, 2)), rng.normal(0, 1, (12, 2))
    less = np.array([separation(np.delete(bad, p, 0), np.delete(good, p, 0)).overall.value[0] for p in range(12)])
    expected = np.sqrt(11 / 12 * ((less - less.mean()) ** 2).sum())
    assert separation(bad, good).overall.se[0] == pytest.approx(expected)


def test_perfect_scores_have_the_interval_of_as_many_yes():
    bad, good = np.ones((24, 2)), np.zeros((24, 2))
    found = separation(bad, good).overall
    assert (found.value[0], found.high[0]) == (1, 1)
    assert found.low[0] == pytest.approx(beta.ppf(0.025, 24, 1))
    turned = separation(good, bad).overall
    assert (turned.value[0], turned.low[0]) == (0, 0)
    assert turned.high[0] == pytest.approx(1 - beta.ppf(0.025, 24, 1))


def test_scores_all_alike_say_nothing():
    found = separation(np.full((24, 2), 0.3), np.full((24, 2), 0.3)).overall
    assert found.value[0] == 0.5
    assert np.isnan([found.low[0], found.high[0]]).all()


def test_too_few_prompts_have_no_interval_and_missing_scores_are_left_out():
    rng = np.random.default_rng(2)
    bad, good = rng.normal(1, 1, (LEAST_PROMPTS + 1, 2)), rng.normal(0, 1, (LEAST_PROMPTS + 1, 2))
    bad[:2, 0] = np.nan
    found = separation(bad, good)
    assert found.n_prompts.tolist() == [LEAST_PROMPTS - 1, LEAST_PROMPTS + 1]
    assert np.isnan(found.cells.low[0])
    assert not np.isnan(found.cells.low[1])
    kept = separation(bad[2:], good[2:])
    assert found.overall.value[0] == kept.overall.value[0]
    assert np.isnan(separation(bad[:0], good[:0]).overall.value[0])


def test_intervals_hold_the_truth():
    # bad ~ N(.8, 1), good ~ N(0, 1) with a part both replies of a prompt share: AUC = Phi(.8 / sqrt 2)
    rng, truth, hits = np.random.default_rng(3), 0.7142, 0
    for _ in range(400):
        prompt = rng.normal(0, 0.6, (24, 1))
        bad, good = (m + prompt + rng.normal(0, 0.8, (24, 2)) for m in (0.8, 0.0))
        e = separation(bad, good).overall
        hits += bool(e.low[0] <= truth <= e.high[0])
    assert 0.92 <= hits / 400 <= 0.985


def test_a_length_slope_is_per_doubling():
    short, long = np.array([[0.1, 0.5]]), np.array([[0.3, 0.9]])
    assert length_slopes(short, long, [[4.0, 2.0]])[0] == pytest.approx((0.1 + 0.4) / 2)
    e = mean_of([0.1, np.nan, 0.3])
    assert e.value[0] == pytest.approx(0.2)
    assert e.df[0] == 1
    assert np.isnan(mean_of([]).value[0])
