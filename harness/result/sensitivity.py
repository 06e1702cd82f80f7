"""What strategies and coarser scales are held against: an axis as if it had only groups with enough raters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.options import Options
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.counts import Ints, Membership
from lm_plural.harness.statistics.sides import choose, support

#: A gap is flagged that a strategy makes larger or smaller by more than this factor.
FACTOR = 2.0


@dataclass(frozen=True)
class Chosen:
    """The C groups of an axis with enough raters, and what they are compared with.

    Parameters
    ----------
    frame : Frame
    members : Membership
    names : sequence of str
    counts : ndarray, shape (I, C, K_fine)
        Of the items compared, 0 elsewhere.
    q : ndarray, shape (I, K), or None
    options : Options
    user : ndarray, shape (I,), or None
        Weights of items.
    """

    frame: Frame
    members: Membership
    names: Sequence[str]
    counts: npt.NDArray[Any]
    q: Floats | None
    options: Options
    user: Floats | None

    @classmethod
    def of(
        cls,
        frame: Frame,
        members: Membership,
        names: Sequence[str],
        counts: npt.NDArray[Any],
        q: Floats | None,
        computed: Ints,
        options: Options,
        user: Floats | None,
    ) -> Chosen:
        """Keep the groups `computed` of an axis."""
        number = np.full(len(names), -1)
        number[computed] = np.arange(len(computed))
        kept = number[members.group] >= 0
        members = Membership(members.rater[kept], number[members.group[kept]], len(computed))
        return cls(frame, members, [names[g] for g in computed], counts[:, computed], q, options, user)

    def pairs(self) -> tuple[Ints, Ints]:
        """Return the sides of every pair of groups."""
        return choose("pairs", np.arange(len(self.names)), len(self.names))

    def pair_weights(self, kept: Floats) -> Floats:
        """Return weights of the items both groups of a pair rated, shape (I, M); `kept` says which levels count."""
        return support(self.counts @ kept, *self.pairs(), self.options.weights, self.user, 1)[0]


def known(values: Floats, weights: Floats) -> npt.NDArray[np.bool_]:
    """Return which items have a value and a weight."""
    return ~np.isnan(values) & (weights > 0)


def mean_known(values: Floats, weights: Floats) -> Floats:
    """Return the mean of each column over items with a value, shape (I, P) to (P,); NaN without one."""
    w = np.where(known(values, weights), weights, 0.0)
    return agreement.weighted_mean(values, ratio(w, w.sum(axis=0), 0.0))


def times_as_large(gap: Floats, base: Floats) -> Floats:
    """Return gap / base, below 0 for another sign; NaN where the base is 0 up to rounding."""
    size = np.abs(base)
    return ratio(gap * np.sign(base), np.where(size > agreement.ROUNDING, size, 0.0))
