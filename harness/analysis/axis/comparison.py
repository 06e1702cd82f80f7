"""What is compared on one axis: its groups, what is counted of them, and a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.counts import Ints, Membership
from lm_plural.harness.statistics.groups.family import choose, support


@dataclass(frozen=True)
class Comparison:
    """The G groups of an axis, and what they are compared with.

    Parameters
    ----------
    axis : str
        Its name, which keys its random numbers.
    names : sequence of str
        Of the groups.
    members : Membership
    counts : ndarray, shape (I, G, K_fine)
        Of the items compared, 0 elsewhere.
    frame : Frame
    options : Options
    q : ndarray, shape (I, K), or None
        The model's.
    user : ndarray, shape (I,), or None
        Weights of items.
    strata : ndarray, shape (R,), or None
        Within which raters are permuted.
    """

    axis: str
    names: Sequence[str]
    members: Membership
    counts: npt.NDArray[Any]
    frame: Frame
    options: Options
    q: Floats | None = None
    user: Floats | None = None
    strata: Ints | None = None

    def only(self, groups: Ints) -> Comparison:
        """Return the comparison of some groups alone."""
        number = np.full(len(self.names), -1)
        number[groups] = np.arange(len(groups))
        kept = number[self.members.group] >= 0
        members = Membership(self.members.rater[kept], number[self.members.group[kept]], len(groups))
        return replace(self, names=[self.names[g] for g in groups], members=members, counts=self.counts[:, groups])

    def pairs(self) -> tuple[Ints, Ints]:
        """Return the sides of every pair of groups."""
        return choose("pairs", np.arange(len(self.names)), len(self.names))

    def pair_weights(self, kept: Floats) -> Floats:
        """Return weights of the items both groups of a pair rated, shape (I, M); `kept` says which levels count."""
        return support(self.counts @ kept, *self.pairs(), self.options.weights, self.user, 1)[0]
