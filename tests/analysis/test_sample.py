"""Stratified samples in disjoint blocks: sizes, probabilities, and who rates what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.analysis.design.sample import LEAST, allocate, bands, draw
from lm_plural.harness.errors import UsageError
from tests.suite import quick


def test_proportional_and_equal():
    assert allocate([60, 30, 10], 20) == [12, 6, 2]
    assert allocate([60, 30, 10], 20, "equal") == [7, 7, 6]
    assert allocate([60, 30, 1], 12, "equal") == [6, 5, 1]
    assert allocate([3, 2], 100) == [3, 2]


def test_too_few_for_two_of_each():
    with pytest.raises(UsageError, match=r"3 items: expected at least 4, 2 of each of 2 strata"):
        allocate([10, 10], 3)
    with pytest.raises(UsageError, match="allocation 'most'"):
        allocate([10], 3, "most")  # type: ignore[arg-type]


def test_bands_are_thirds_and_equal_scores_stay_together():
    assert bands(np.arange(9.0)) == [f"score band {n} of 3" for n in (1, 1, 1, 2, 2, 2, 3, 3, 3)]
    assert set(bands(np.array([0.0] * 8 + [1.0]))) == {"score band 1 of 2", "score band 2 of 2"}
    assert bands(np.array([np.nan, 0.0])) == ["unscored", "score band 1 of 1"]
    assert bands(np.array([np.nan])) == ["unscored"]


@quick
@given(
    st.lists(st.sampled_from("abc"), min_size=8, max_size=60),
    st.integers(6, 60),
    st.integers(1, 12),
    st.sampled_from(["proportional", "equal"]),
)
def test_a_sample(strata: list[str], n: int, per_block: int, how: str):
    found = draw(strata, n, per_block, np.random.default_rng(0), how)  # type: ignore[arg-type]
    assert len(set(found.place.tolist())) == len(found.place) == min(n, len(strata))
    for name in set(strata):
        drawn, size = sum(strata[p] == name for p in found.place), strata.count(name)
        assert drawn >= min(LEAST, size)
        assert {found.probability[k] for k, p in enumerate(found.place) if strata[p] == name} == {drawn / size}
    sizes = np.bincount(found.block)
    assert sizes.max() <= per_block
    assert sizes.max() - sizes.min() <= 1
    for block in range(len(sizes)):
        assert sorted(found.position[found.block == block].tolist()) == list(range(sizes[block]))


def test_every_response_is_drawn_as_often_as_is_said():
    strata = ["a"] * 12 + ["b"] * 4
    times = np.zeros(16)
    for seed in range(2000):
        found = draw(strata, 6, 3, np.random.default_rng(seed), "equal")
        times[found.place] += 1
    expected = np.array([3 / 12] * 12 + [3 / 4] * 4)
    assert times / 2000 == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(2000))


def test_blocks_are_of_like_make_up():
    found = draw(["a"] * 40 + ["b"] * 40, 40, 10, np.random.default_rng(1))
    assert {int((found.place[found.block == b] < 40).sum()) for b in range(4)} == {5}
