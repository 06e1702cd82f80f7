"""The two sides of a contrast, a group and another group or all others, and the items both rated (methods 1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, count_levels
from lm_plural.harness.statistics.groups import membership_matrix

Kind = Literal["pairs", "rest"]


@dataclass(frozen=True)
class Sides:
    """Groups (first) and, after them, the rest of each, as sides of contrasts.

    Parameters
    ----------
    counts : ndarray, shape (I, 2 G, K_fine)
    member : ndarray of bool, shape (R, 2 G)
    """

    counts: npt.NDArray[np.int64]
    member: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, coded: Coded, members: Membership, counts: npt.NDArray[np.int64]) -> Sides:
        """Add the rests to the counts of groups; a rater of no group of the axis is in no rest."""
        mine = membership_matrix(members, coded.n_raters)
        anyone = np.flatnonzero(mine.any(axis=1))
        universe = count_levels(coded, Membership(anyone, np.zeros(len(anyone), dtype=np.int64), 1))
        counted = counts.sum(axis=(1, 2), keepdims=True) > 0
        rest = np.where(counted, universe - counts, 0)
        others = mine.any(axis=1, keepdims=True) & ~mine
        return cls(np.concatenate([counts, rest], axis=1), np.hstack([mine, others]))


def choose(kind: Kind, groups: Ints, n_groups: int) -> tuple[Ints, Ints]:
    """Return sides a and b of every pair of the chosen groups, or of each against its rest."""
    if kind == "rest":
        return groups, groups + n_groups
    first, second = np.triu_indices(len(groups), 1)
    return groups[first], groups[second]


def support(
    n: Floats, a: Ints, b: Ints, weights: agreement.Weights, user: Floats | None, least: int
) -> tuple[Floats, Floats]:
    """Return item weights of each contrast, shape (I, M), and the share of items kept, shape (M,).

    Parameters
    ----------
    n : ndarray, shape (I, T)
        Raters per item and side, of which each side needs `least`.
    """
    able = n >= least
    both = able[:, a] & able[:, b]
    pairs = n * (n - 1) if least == 2 else n
    # of both sides the harmonic mean, as the variance of a difference adds up what is scarce
    v = ratio(2 * pairs[:, a] * pairs[:, b], pairs[:, a] + pairs[:, b], 0.0) if weights == "pairs" else 1.0 * both
    v = np.where(both, v if user is None else v * user[:, None], 0.0)
    either = (able[:, a] | able[:, b]).sum(axis=0)
    return ratio(v, v.sum(axis=0), 0.0), ratio(both.sum(axis=0), either)
