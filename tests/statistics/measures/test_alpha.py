"""Krippendorff's alpha: the canonical example (O5) and the krippendorff package on random tables."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lm_plural.harness.ratings.coarsen import to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.measures.alpha import METRICS, krippendorff_alpha
from tests.statistics.by_hand import quick

CANONICAL = """
* * * * * 3 4 1 2 1 1 3 3 * 3
1 * 2 1 3 3 4 3 * * * * * * *
* * 2 1 3 4 4 * 2 1 1 3 3 * 4
"""


def canonical_counts() -> np.ndarray:
    columns = zip(*(line.split() for line in CANONICAL.strip().splitlines()), strict=True)
    return np.array([[c.count(level) for level in "1234"] for c in columns])


@pytest.mark.parametrize(("metric", "value"), [("nominal", 0.691358), ("ordinal", 0.806721), ("interval", 0.810845)])
def test_canonical_example(metric, value):
    assert krippendorff_alpha(canonical_counts(), [1, 2, 3, 4], metric) == pytest.approx(value, abs=1e-6)


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    k, items = draw(st.integers(2, 6)), draw(st.integers(1, 7))
    return draw(arrays(np.int64, (items, k), elements=st.integers(0, 3)))


@quick
@given(tables(), st.sampled_from(METRICS), st.sampled_from([1.0, 2.5]))
def test_alpha_equals_the_krippendorff_package_on_tables_with_missing_cells(counts, metric, step):
    rated = counts[counts.sum(axis=1) >= 2]
    assume(np.count_nonzero(rated.sum(axis=0)) >= 2)
    positions = np.arange(counts.shape[1]) ** 2 * step - 1
    theirs = krippendorff.alpha(value_counts=rated, value_domain=positions, level_of_measurement=metric)
    assert krippendorff_alpha(counts, positions, metric) == pytest.approx(theirs, abs=1e-10)


@quick
@given(tables(), st.sampled_from(METRICS), st.integers(0, 5))
def test_an_item_rated_once_changes_nothing(counts, metric, level):
    lone = np.eye(counts.shape[1], dtype=int)[[level % counts.shape[1]]]
    positions = np.arange(counts.shape[1])
    alone = krippendorff_alpha(counts, positions, metric)
    assert krippendorff_alpha(np.vstack([counts, lone]), positions, metric) == pytest.approx(alone, nan_ok=True)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("counts", [[[1, 0, 0], [0, 1, 0]], [[4, 0, 0], [3, 0, 0]], [[0, 0, 0]]])
def test_no_pair_or_no_variation_is_undefined(metric, counts):
    assert np.isnan(krippendorff_alpha(counts, [1, 2, 3], metric))


@pytest.mark.parametrize("metric", METRICS)
def test_perfect_agreement_is_one(metric):
    assert krippendorff_alpha([[3, 0, 0], [0, 0, 2]], [1, 2, 3], metric) == pytest.approx(1)


@quick
@given(arrays(np.int64, (5, 5), elements=st.integers(0, 2)), st.sampled_from(METRICS))
def test_a_coarsening_without_split_levels_equals_ratings_on_the_coarse_scale(counts, metric):
    scale = Scale(tuple("12345"))
    for coarse in (to_three(scale), to_two(scale, "up"), to_two(scale, "down"), to_two(scale, "drop")):
        positions = coarse.scale.positions
        by_map = krippendorff_alpha(counts, positions, metric, coarse.matrix)
        assert by_map == pytest.approx(krippendorff_alpha(counts @ coarse.matrix, positions, metric), nan_ok=True)


@quick
@given(arrays(np.int64, (5, 3), elements=st.integers(0, 2)), st.sampled_from(METRICS))
def test_a_split_level_stands_halfway_and_agrees_with_itself(counts, metric):
    split = to_two(Scale(tuple("123")), "split")
    halfway = krippendorff_alpha(counts, [1, 1.5, 2], "interval")
    assert krippendorff_alpha(counts, [1, 2], metric, split.matrix) == pytest.approx(halfway, nan_ok=True)
