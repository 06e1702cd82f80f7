"""Differences between groups, signed, on the items both rated (methods 2.7, 1.2, 3.8).

A contrast compares side a with side b over their common support: items that raters of both sides rated, at least two of
each for statistics of pairs of raters, one for linear ones.
Pairs compare two groups; "rest" compares a group with all raters of the axis who are not in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.catalogue import measure, named
from lm_plural.harness.statistics.counts import Coded, Ints, Scaling, Sums
from lm_plural.harness.statistics.groups.family import Family, Sides, family, support
from lm_plural.harness.statistics.groups.groups import Weighting, parts_of
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.measures.effects import cliff_tables
from lm_plural.harness.statistics.uncertainty.jackknife import kinds_of
from lm_plural.harness.statistics.uncertainty.leave_one_out import Contribution

#: Statistics with a ratio.
POSITIVE = named("ratio")


def families(
    coded: Coded,
    sides: Sides,
    scaling: Scaling,
    q: npt.ArrayLike | None,
    a: Ints,
    b: Ints,
    how: Inferring,
    *,
    weights: agreement.Weights = "items",
    user: Floats | None = None,
) -> dict[str, Family]:
    """Return the contrasts a - b of every statistic, each a family of its own.

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
        needs = measure(name).least
        out[name] = family(
            coded,
            sides,
            part,
            sums.n[:, at],
            *supports[needs],
            a,
            b,
            how,
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


#: From counts (I, T, L), membership (R, T) and item weights (I, T) to the statistic of T columns, NaN where undefined.
Part = Callable[[npt.NDArray[np.int64], npt.NDArray[np.bool_], Floats], Contribution]


def contrast(
    coded: Coded,
    sides: Sides,
    part: Part,
    a: Ints,
    b: Ints,
    how: Inferring,
    *,
    needs: int = 1,
) -> Family:
    """Return the contrasts a - b of a statistic; items both sides rated weigh the same.

    Parameters
    ----------
    coded : Coded
    sides : Sides
    part : callable
        Where it is undefined for a side, so is the contrast.
    a, b : ndarray of int, shape (M,)
    how : Inferring
    needs : int
        Raters of a side that an item needs.
    """
    at, m = np.concatenate([a, b]), len(a)
    counts = sides.counts[:, at]
    n = sides.counts.sum(axis=2).astype(np.float64)
    v, share = support(n, a, b, "items", None, needs)
    counts = np.where((np.tile(v, 2) > 0)[..., None], counts, 0)
    found = part(counts, sides.member[:, at], np.tile(v, 2))
    known = np.asarray(~np.isnan(found.value).any(axis=0))
    v = v * (known[:m] & known[m:])
    return family(coded, sides, found, n[:, at], v, share, a, b, how, needs=needs)
