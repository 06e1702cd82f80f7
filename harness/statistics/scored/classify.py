"""Errors of a classifier against every group's own judgement: false positive and false negative rates, per threshold.

A text is flagged from a threshold on. With p_i the share of the group's raters of item i who called it harmful, each
item weighing the same and each of its ratings a share of that::

    FPR = sum_i (1 - p_i) flag_i / sum_i (1 - p_i)        flagged, of what members called harmless
    FNR = sum_i p_i (1 - flag_i) / sum_i p_i              not flagged, of what members called harmful

Both are ratios of two means over items, which is what ``exposure`` is: of flags, weighted by how harmless the group
found the item, and of the absence of flags, weighted by how harmful. Estimates, intervals and contrasts are its.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.counts import Coded, Ints, Membership
from lm_plural.harness.statistics.groups.family import Family, Sides
from lm_plural.harness.statistics.groups.groups import GroupStatistics
from lm_plural.harness.statistics.inference import Inference, Inferring
from lm_plural.harness.statistics.scored.exposure import Concerns, exposure_contrasts, exposure_statistics

FPR, FNR = "fpr", "fnr"


@dataclass(frozen=True)
class Judged:
    """Texts that raters called harmful or not, and their scores.

    Parameters
    ----------
    harm : Concerns
        Every rating as 1, harmful, or 0.
    score : ndarray, shape (I,)
        Higher is worse; none is NaN.
    """

    harm: Concerns
    score: Floats

    @classmethod
    def of(cls, coded: Coded, harmful: npt.ArrayLike, score: npt.ArrayLike) -> Judged:
        """Call the ratings on some levels harmful; `harmful`, shape (K,), says which.

        Raises
        ------
        ValueError
            If an item has no score.
        """
        s = np.asarray(score, dtype=np.float64)
        if np.isnan(s).any():
            raise ValueError("an item without a score; leave its ratings out")
        h = np.asarray(harmful, dtype=np.float64)[coded.level]
        return cls(Concerns.of(coded.item, coded.rater, h, coded.n_items, coded.n_raters), s)

    @property
    def fine(self) -> Concerns:
        """Every rating as 1, harmless, or 0."""
        return replace(self.harm, total=self.harm.size - self.harm.total)

    def flagged(self, threshold: float) -> Floats:
        """Return 1 for items whose score is at the threshold or above, shape (I,)."""
        return np.asarray(self.score >= threshold, dtype=np.float64)


def matched_threshold(score: npt.ArrayLike, share: float) -> float:
    """Return the score from which on the share of items flagged is nearest to `share`, the lower one of two as near.

    Parameters
    ----------
    score : array_like, shape (I,)
    share : float
        Of harmful ratings, in [0, 1].

    Returns
    -------
    float
        One of the scores; infinite if flagging nothing is nearest.
    """
    s = np.sort(np.asarray(score, dtype=np.float64))
    candidates = np.append(np.unique(s), np.inf)
    flagged = 1 - np.searchsorted(s, candidates) / max(len(s), 1)
    return float(candidates[np.argmin(np.abs(flagged - share))])


def error_statistics(
    judged: Judged, members: Membership, thresholds: Mapping[str, float], inference: Inference = "items+raters"
) -> tuple[GroupStatistics, GroupStatistics]:
    """Return the false positive and the false negative rates of every group.

    Each is under the name of its threshold; beside them ``concern``, the mean share of ratings that were harmless, and
    of those that were harmful.
    """
    flags = {name: judged.flagged(t) for name, t in thresholds.items()}
    return (
        exposure_statistics(judged.fine, members, flags, inference),
        exposure_statistics(judged.harm, members, {name: 1 - f for name, f in flags.items()}, inference),
    )


def error_contrasts(
    judged: Judged,
    sides: Sides,
    threshold: float,
    a: Ints,
    b: Ints,
    how: Inferring,
) -> dict[str, Family]:
    """Return the contrasts a - b of both rates at one threshold."""
    flag = judged.flagged(threshold)
    return {
        name: exposure_contrasts(c, sides, x, a, b, how)
        for name, c, x in ((FPR, judged.fine, flag), (FNR, judged.harm, 1 - flag))
    }
