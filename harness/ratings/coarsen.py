"""Fewer levels (methods 7.5): a map from a fine scale to a coarse one, for ratings and predictions alike.

There is no silent default for where "neutral" goes: the map is named. A coarsened 5-point answer is not a native
3-point answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.scale import Scale

Neutral = Literal["up", "down", "drop", "split"]


@dataclass(frozen=True)
class Coarsening:
    """A map between scales.

    Parameters
    ----------
    scale : Scale
        The coarse scale.
    matrix : ndarray, shape (K_fine, K_coarse)
        Share of a fine level that goes to each coarse level: rows sum to 1, or to 0 for a level that is dropped.
        Statistics apply it to the fine ratings (``statistics.counts``), so the table itself is never rewritten.
    """

    scale: Scale
    matrix: Floats

    def distribution(self, q: npt.ArrayLike) -> Floats:
        """Map distributions, shape (..., K_fine) to (..., K_coarse), conditional on what is not dropped."""
        coarse = np.asarray(q, dtype=np.float64) @ self.matrix
        total = coarse.sum(axis=-1, keepdims=True)
        return ratio(coarse, total)


def to_three(scale: Scale) -> Coarsening:
    """Return the map {below the middle}{middle}{above} of a scale with an odd number of levels."""
    middle = _middle(scale)
    target = np.sign(np.arange(scale.size) - middle) + 1
    return Coarsening(
        Scale(("1", "2", "3"), scale.direction, (scale.labels[0], scale.labels[middle], scale.labels[-1])),
        np.eye(3)[target],
    )


def to_two(scale: Scale, neutral: Neutral) -> Coarsening:
    """Return a binary map; `neutral` says where the middle level goes.

    ``up``: with the upper half (as D3CODE did), ``down``: with the lower half, ``drop``: nowhere,
    ``split``: half each. A scale with an even number of levels has no middle and ignores it.

    Raises
    ------
    UsageError
        If `neutral` is not one of the four.
    """
    if neutral not in get_args(Neutral):
        raise UsageError(f"neutral={neutral!r}; expected one of {', '.join(get_args(Neutral))}")
    k = np.arange(scale.size)
    upper = (k > (scale.size - 1) / 2).astype(np.float64)
    matrix = np.stack([1 - upper, upper], axis=1)
    if scale.size % 2:
        matrix[_middle(scale)] = {"up": (0, 1), "down": (1, 0), "drop": (0, 0), "split": (0.5, 0.5)}[neutral]
    return Coarsening(Scale(("1", "2"), scale.direction, (scale.labels[0], scale.labels[-1])), matrix)


def _middle(scale: Scale) -> int:
    if scale.size % 2 == 0:
        raise UsageError(f"scale {', '.join(scale.levels)} has no middle level")
    return scale.size // 2
