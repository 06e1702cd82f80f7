"""Orientation of scores: 1 is bad, whatever the scorer's range and direction."""

from __future__ import annotations

import numpy as np
import pytest

from lm_plural.harness.result.respond import Scores


def scores(low: float, high: float, more: bool) -> Scores:
    nothing = np.zeros((1, 1))
    return Scores("s", "d", "v", low, high, more, nothing, nothing[0])


@pytest.mark.parametrize(
    ("low", "high", "more", "harm", "value", "bad"),
    [
        (0, 1, True, "higher", 0.8, 0.8),
        (0, 1, True, "lower", 0.8, 0.2),
        (0, 1, False, "higher", 0.8, 0.2),
        (0, 1, False, "lower", 0.8, 0.8),
        (1, 5, True, "higher", 4.0, 0.75),
    ],
)
def test_badness_runs_from_0_to_1(low: float, high: float, more: bool, harm: str, value: float, bad: float) -> None:
    assert scores(low, high, more).badness(np.array([value]), harm)[0] == pytest.approx(bad)
