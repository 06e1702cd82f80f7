"""Cohesion within and across groups: oracle O6, and definitions over pairs, tie-breaks and draws by brute force."""

from __future__ import annotations

from itertools import combinations, product

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lm_plural.harness.statistics.measures.across_groups import cross_negentropy, normalised_xrr, voting_agreement, xrr
from lm_plural.harness.statistics.measures.alpha import krippendorff_alpha
from lm_plural.harness.statistics.measures.plurality import negentropy, plurality_size
from tests.statistics.by_hand import quick

METRICS = ("nominal", "interval")
O6 = ([[0, 2], [0, 3], [2, 0], [3, 0], [1, 1]], [[0, 2], [1, 1], [1, 1], [1, 1], [2, 0]])


def apart(metric: str, a: float, b: float) -> float:
    return float(a != b) if metric == "nominal" else (a - b) ** 2


def levels(row: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(row)), row)


@st.composite
def pairs(draw: st.DrawFn, most: int = 3) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    return tuple(draw(arrays(np.int64, shape, elements=st.integers(0, most))) for _ in range(2))


@pytest.mark.parametrize("metric", METRICS)
def test_xrr_of_the_published_example(metric):
    assert xrr(*O6, [0, 1], metric) == pytest.approx(0.1818182, abs=1e-7)
    assert xrr(*O6[::-1], [0, 1], metric) == pytest.approx(0.1818182, abs=1e-7)


@quick
@given(pairs(), st.sampled_from(METRICS), st.sampled_from([1.0, 2.5]))
def test_xrr_is_disagreement_over_pairs_within_items_against_all_pairs(counts, metric, step):
    positions = np.arange(counts[0].shape[1]) ** 2 * step - 1
    shared = [(positions[levels(a)], positions[levels(b)]) for a, b in zip(*counts, strict=True) if a.any() and b.any()]
    total = sum(len(x) + len(y) for x, y in shared)
    observed = sum((len(x) + len(y)) / total * np.mean([apart(metric, u, v) for u in x for v in y]) for x, y in shared)
    everything = [apart(metric, u, v) for x, _ in shared for u in x for _, y in shared for v in y]
    found = xrr(*counts, positions, metric)
    if not any(everything):
        assert np.isnan(found)
    else:
        assert found == pytest.approx(1 - observed / np.mean(everything), abs=1e-12)


def test_normalised_xrr_is_a_share_of_what_agreement_within_allows():
    first, second = (krippendorff_alpha(c, [0, 1], "nominal") for c in O6)
    assert second < 0
    assert np.isnan(normalised_xrr(*O6, [0, 1], "nominal"))
    assert np.isnan(normalised_xrr(O6[1], O6[1], [0, 1], "nominal"))
    assert normalised_xrr(O6[0], O6[0], [0, 1]) == pytest.approx(xrr(O6[0], O6[0], [0, 1]) / first)


@quick
@given(arrays(np.int64, (5, 2), elements=st.integers(0, 3)), st.sampled_from(METRICS))
def test_voting_agreement_without_ties_is_alpha_of_the_majorities(votes, metric):
    assume(len(np.unique(votes)) > 1)
    counts = [3 * np.eye(4, dtype=int)[column] + 1 for column in votes.T]
    theirs = krippendorff.alpha(votes.T, level_of_measurement=metric)
    assert voting_agreement(*counts, np.arange(4), metric) == pytest.approx(theirs, abs=1e-12)


@quick
@given(pairs(most=2), st.sampled_from(METRICS))
def test_ties_are_split_over_all_ways_to_break_them(counts, metric):
    both = (counts[0].sum(axis=1) > 0) & (counts[1].sum(axis=1) > 0)
    tops = [np.flatnonzero(row == row.max()) for c in counts for row in c[both]]
    observed, expected = [], []
    for votes in product(*tops):
        half = len(votes) // 2
        observed.append(np.mean([apart(metric, *pair) for pair in zip(votes[:half], votes[half:], strict=True)] or [0]))
        expected.append(np.mean([apart(metric, *pair) for pair in combinations(votes, 2)] or [0]))
    found = voting_agreement(*counts, np.arange(counts[0].shape[1]), metric)
    if not np.mean(expected):
        assert np.isnan(found)
    else:
        assert found == pytest.approx(1 - np.mean(observed) / np.mean(expected), abs=1e-12)


def test_cross_negentropy_by_hand():
    # Item 1: q2 = (2.5, 0.5) / 3 for p1 = (1, 0). Item 2: q2 = (0.5, 1.5) / 2 for p1 = (1/2, 1/2). Item 3 not shared.
    found = cross_negentropy([[3, 0], [1, 1], [4, 0]], [[2, 0], [0, 1], [0, 0]])
    by_hand = (np.log(2.5 / 3) + np.log(0.5 / 2) / 2 + np.log(1.5 / 2) / 2) / 2 + np.log(2)
    assert found == pytest.approx(by_hand)
    assert cross_negentropy([[5, 0, 0]], [[2, 2, 2]]) == pytest.approx(0)
    assert np.isnan(cross_negentropy([[5, 0]], [[0, 0]]))


def test_a_group_that_never_meets_the_other_is_further_than_one_that_does():
    assert (
        cross_negentropy([[5, 0]], [[0, 5]])
        < cross_negentropy([[5, 0]], [[3, 2]])
        < cross_negentropy([[5, 0]], [[5, 0]])
    )


@quick
@given(arrays(np.int64, (3, 2, 3), elements=st.integers(0, 3)), st.integers(1, 5))
def test_rarefied_cohesion_is_the_mean_over_all_choices_of_m_raters(counts, m):
    size, order = [], []
    for g in range(2):
        items = [levels(row) for row in counts[:, g] if row.sum() >= m]
        shares = [[np.bincount(c, minlength=3) / m for c in combinations(item, m)] for item in items]
        size.append(np.mean([np.mean([p.max() for p in s]) for s in shares]) if items else np.nan)
        entropy = [np.mean([-(p[p > 0] * np.log(p[p > 0])).sum() for p in s]) for s in shares]
        order.append(np.log(3) - np.mean(entropy) if items else np.nan)
    np.testing.assert_allclose(plurality_size(counts, m), size, atol=1e-12)
    np.testing.assert_allclose(negentropy(counts, m), order, atol=1e-12)


def test_rarefied_cohesion_agrees_with_draws_for_many_raters():
    counts, rng = np.array([30, 25, 20, 15, 14]), np.random.default_rng(0)
    drawn = rng.multivariate_hypergeometric(counts, 40, size=20_000) / 40
    assert plurality_size([[counts]], 40)[0] == pytest.approx(drawn.max(axis=1).mean(), abs=0.002)
    entropy = -(drawn * np.log(np.maximum(drawn, 1e-300))).sum(axis=1)
    assert negentropy([[counts]], 40)[0] == pytest.approx(np.log(5) - entropy.mean(), abs=0.002)


def test_all_raters_give_the_plug_in_values_and_one_rater_always_agrees_with_itself():
    counts = np.array([[[2, 1, 1]], [[0, 4, 0]]])
    assert plurality_size(counts, 4)[0] == pytest.approx((0.5 + 1) / 2)
    assert negentropy(counts, 4)[0] == pytest.approx(np.log(3) - 1.5 * np.log(2) / 2)
    assert plurality_size(counts, 1)[0] == pytest.approx(1)
    assert negentropy(counts, 1)[0] == pytest.approx(np.log(3))


@pytest.mark.parametrize("value", [plurality_size, negentropy])
def test_split_ratings_and_no_raters_are_refused(value):
    assert np.isnan(value([[[1.5, 0.5], [3, 1]]], 2)).all()
    assert np.isnan(value([[[1, 1], [3, 1]]], 0)).all()
    np.testing.assert_array_equal(np.isnan(value([[[1, 1], [3, 1]]], 3)), [True, False])
