"""Groups of raters and how near a scorer is to each: every statistic with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.options import Options
from lm_plural.harness.statistics.auc import auc_statistics
from lm_plural.harness.statistics.bounded import bounded
from lm_plural.harness.statistics.classify import FNR, FPR, Judged, error_statistics
from lm_plural.harness.statistics.counts import Ints, Membership, count_levels
from lm_plural.harness.statistics.exposure import CONCERN
from lm_plural.harness.statistics.groups import GroupStatistics
from lm_plural.harness.statistics.intervals import Estimates
from lm_plural.harness.statistics.members import member_statistics
from lm_plural.harness.statistics.rank_agreement import rank_statistics

HARMFUL, AUC, DISATTENUATED = "harmful_share", "auc", "disattenuated"
RANKS = ("pearson", "spearman", "kendall", "reliability", DISATTENUATED)
MEMBER = "one_member."
#: The threshold a classifier is used with if nobody says otherwise, and the name of the one that flags as many texts
#: as raters call harmful.
DEFAULT, MATCHED = 0.5, "matched"
#: Statistics that cannot leave a range but 0 to 1; None: that can leave any.
RANGE: dict[str, tuple[float, float] | None] = dict.fromkeys(RANKS[:3], (-1.0, 1.0)) | dict.fromkeys(RANKS[3:], None)


@dataclass(frozen=True)
class Material:
    """Ratings and scores of the same texts, and what is asked of them.

    Parameters
    ----------
    frame : Frame
        Of texts that have a score; higher levels are worse, as are higher scores.
    judged : Judged
    thresholds : mapping of str to float
        By name.
    options : Options
    """

    frame: Frame
    judged: Judged
    thresholds: Mapping[str, float]
    options: Options


@dataclass(frozen=True)
class Grouped:
    """The groups of one axis.

    Parameters
    ----------
    material : Material
    members : Membership
    names : sequence of str
    counts : ndarray, shape (I, G, L)
        Raters by whether they called an item harmful.
    """

    material: Material
    members: Membership
    names: Sequence[str]
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, material: Material, members: Membership, names: Sequence[str]) -> Grouped:
        """Take groups of raters."""
        return cls(material, members, names, count_levels(material.judged.harm.coded, members))

    @cached_property
    def n_raters(self) -> Ints:
        """Raters of each group who rated any of the texts."""
        return self.members.sizes(np.unique(self.material.frame.coded.rater))

    @cached_property
    def statistics(self) -> dict[str, tuple[GroupStatistics, str]]:
        """Every statistic: where it is found, and under what name."""
        m = self.material
        how = m.options.inference
        false_positive, false_negative = error_statistics(m.judged, self.members, m.thresholds, how)
        ranks = rank_statistics(m.frame.coded, self.members, m.judged.score, how)
        one = member_statistics(m.judged.harm.coded, self.members, how)
        found = {HARMFUL: (false_negative, CONCERN)}
        found[AUC] = (auc_statistics(m.judged.harm, self.members, m.judged.score, how), AUC)
        for t in m.thresholds:
            found |= {f"{FPR}@{t}": (false_positive, t), f"{FNR}@{t}": (false_negative, t)}
        found |= {MEMBER + name: (one, name) for name in one.names}
        return found | {name: (ranks, name) for name in RANKS}

    @cached_property
    def estimates(self) -> dict[str, Estimates]:
        """Every statistic with its intervals, kept inside the range it has."""
        out = {name: found.estimates[key] for name, (found, key) in self.statistics.items()}
        ranges = {name: RANGE.get(name, (0.0, 1.0)) for name in out}
        return {name: bounded(e, *ends) if (ends := ranges[name]) else e for name, e in out.items()}

    def n_raters_of_pairs(self, g: int) -> int:
        """Return how many raters of a group rated a text that another one rated, too."""
        coded, mine = self.material.frame.coded, self.members.rater[self.members.group == g]
        shared = (self.counts[:, g].sum(axis=1) >= 2)[coded.item] & np.isin(coded.rater, mine)
        return len(np.unique(coded.rater[shared]))
