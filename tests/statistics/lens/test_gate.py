"""Gaps that are there pass the gate, labels that were exchanged seldom do."""

from __future__ import annotations

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.counts import Coded, Ints
from lm_plural.harness.statistics.lens.gate import Gaps, gap_slopes
from lm_plural.harness.statistics.lens.ordinal import Pooled, Terms, cdf
from lm_plural.harness.statistics.lens.split import Rated, Split, cells

ITEMS, RATERS = 150, 40


def panel(rng: np.random.Generator, tilt: float) -> tuple[Rated, Floats]:
    """Everyone of two groups rates half of the texts, one group with another slope on the first feature."""
    x = rng.normal(size=(ITEMS, 2))
    group = np.arange(RATERS) % 2
    pooled = Pooled(np.array([-1.0, 0.6, 0.6]), np.array([1.0, 0.4]))
    below = cdf(pooled, pooled.score(x), Terms(np.zeros((2, 3)), np.array([[0.0, 0], [tilt, 0]])), x)
    item, rater = np.nonzero(rng.random((ITEMS, RATERS)) < 0.5)
    level: Ints = (rng.random((len(item), 1)) > below[group[rater], item]).sum(axis=1)
    coded = Coded(item, rater, level, ITEMS, RATERS, np.array([1.0, 2, 3, 4]))
    return Rated(coded, x, x), np.eye(2)[group]


def gate(seed: int, tilt: float) -> Gaps:
    rng = np.random.default_rng(seed)
    rated, member = panel(rng, tilt)
    clusters = np.arange(ITEMS)
    split = Split.draw(clusters, member.argmax(axis=1), rng)
    found = cells(rated, split, clusters)
    return gap_slopes(rated, found, member, split.half, np.ones(RATERS), rng, exchanges=99)


def test_a_tilted_group_passes() -> None:
    found = gate(0, 1.0)
    assert found.axis.passes
    assert found.axis.value > 0.5  # a tilt as large as this is drawn to 0, so that true gaps are the larger ones
    assert found.pairs == {(0, 1): found.axis}


def test_groups_that_do_not_differ_seldom_pass() -> None:
    passed = sum(gate(seed, 0.0).axis.passes for seed in range(12))
    assert passed <= 2  # of 12 at 2.5 %, P(3 or more) is .002
