"""Differences between groups, signed, on the items both rated (methods 2.7, 1.2, 3.8).

A contrast compares side a with side b over their common support: items that raters of both sides rated, at least two of
each for statistics of pairs of raters, one for linear ones.
Pairs compare two groups; "rest" compares a group with all raters of the axis who are not in it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.counts import Coded, Ints, Scaling, Sums
from lm_plural.harness.statistics.effects import cliff_tables
from lm_plural.harness.statistics.family import Family, family
from lm_plural.harness.statistics.groups import LINEAR, Weighting, parts_of
from lm_plural.harness.statistics.inferences import Inference
from lm_plural.harness.statistics.jackknife import kinds_of
from lm_plural.harness.statistics.leave_one_out import Contribution
from lm_plural.harness.statistics.sides import Sides, support

#: Statistics with a ratio.
POSITIVE = ("divergence", "disagreement")


def families(
    coded: Coded,
    sides: Sides,
    scaling: Scaling,
    q: npt.ArrayLike | None,
    a: Ints,
    b: Ints,
    *,
    rng: np.random.Generator,
    inference: Inference = "items+raters",
    weights: agreement.Weights = "items",
    user: Floats | None = None,
    draws: int = 10_000,
    least: int = 2,
) -> dict[str, Family]:
    """Return the contrasts a - b of every statistic, each a family of its own.

    A contrast with fewer than `least` raters on a side has no interval and is not in the family.

    Statistics: ``item_mean``, ``cliff`` (P(a higher) - P(b higher) within an item), ``disagreement`` and, with a
    model, ``bias``, ``divergence`` and ``rps``.
    """
    if not len(a):
        return {}
    sums = Sums.of(sides.counts, scaling)
    supports = {least: support(sums.n, a, b, weights, user, least) for least in (1, 2)}
    at = np.concatenate([a, b])
    parts = parts_of(sums, q, Weighting.of(sums, weights, user), between=False)
    kinds = cache(lambda: kinds_of(coded, sides.member[:, at]))
    out = {}
    for name in (*parts, "cliff"):
        part = parts.get(name)  # of all sides once; of all contrasts it is large, so one statistic at a time
        part = Contribution(part.value[:, at], part.table[:, at]) if part else _cliff(sides.counts, scaling, a, b)
        needs = 1 if name in LINEAR else 2
        out[name] = family(
            coded,
            sides,
            part,
            sums.n[:, at],
            *supports[needs],
            a,
            b,
            rng=rng,
            inference=inference,
            draws=draws,
            least=least,
            needs=needs,
            positive=name in POSITIVE,
            kinds=kinds,
        )
    return out


def _cliff(counts: npt.NDArray[np.int64], scaling: Scaling, a: Ints, b: Ints) -> Contribution:
    """Return Cliff's delta as a difference of sides: d seen by a's raters, less 0 seen by b's."""
    level = counts @ scaling.matrix
    d, of_a, of_b = cliff_tables(level[:, a], level[:, b])
    nothing = np.where(np.isnan(d), np.nan, 0.0)
    table = np.concatenate([of_a, -of_b], axis=1) @ scaling.matrix.T
    return Contribution(np.concatenate([d, nothing], axis=1), table)
