"""Permutation p of contrasts in which a side has few raters, where t intervals are only approximate (methods 3.6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.family import Sides
from lm_plural.harness.statistics.groups.groups import Weighting, parts_of
from lm_plural.harness.statistics.uncertainty.permutation import affordable, score_test

#: Raters of a side below which the p is given.
FEW = 15


def rater_scores(
    coded: Coded, union: npt.NDArray[np.bool_], items: npt.NDArray[np.bool_], scaling: Scaling, q: npt.ArrayLike | None
) -> dict[str, Floats]:
    """Return how much each rater of two sides moves every statistic of both together, shape (R,), NaN for others.

    The mean over the rater's items of ``n_i (h_i - h_i^(-j))``, computed for both sides as one group, so that it does
    not depend on who is on which side.

    Parameters
    ----------
    coded : Coded
    union : ndarray of bool, shape (R,)
        Raters of either side.
    items : ndarray of bool, shape (I,)
        To be counted, if at least 3 raters of either side rated them.
    scaling : Scaling
    q : array_like, shape (I, K), or None
    """
    who = np.flatnonzero(union)
    both = Membership(who, np.zeros(len(who), dtype=np.int64), 1)
    counts = count_levels(coded, both)
    used = items & ((counts @ scaling.kept)[:, 0] >= 3)
    sums = Sums.of(counts * used[:, None, None], scaling)
    parts = parts_of(sums, q, Weighting.of(sums), between=False)
    rows = union[coded.rater] & used[coded.item] & (scaling.kept[coded.level] > 0)
    rater, item, level = coded.rater[rows], coded.item[rows], coded.level[rows]
    n = np.bincount(rater, minlength=coded.n_raters)
    return {
        name: ratio(np.bincount(rater, sums.n[item, 0] * part.table[item, 0, level], coded.n_raters), n)
        for name, part in parts.items()
    }


def few_rater_tests(
    coded: Coded,
    sides: Sides,
    scaling: Scaling,
    q: npt.ArrayLike | None,
    a: Ints,
    b: Ints,
    *,
    rng: np.random.Generator,
    permutations: int = 1_999,
    strata: npt.ArrayLike | None = None,
) -> dict[str, Floats]:
    """Return the two-sided permutation p of each contrast and statistic, shape (M,).

    NaN where both sides have at least :data:`FEW` raters, whose t intervals need no help, or one has fewer than 2.
    """
    present = np.bincount(coded.rater, minlength=coded.n_raters) > 0
    size = (sides.member & present[:, None]).sum(axis=0)
    items = sides.counts.sum(axis=(1, 2)) > 0
    out: dict[str, Floats] = {}
    for m in np.flatnonzero(np.minimum(size[a], size[b]) < FEW):
        on_a, on_b = sides.member[:, a[m]], sides.member[:, b[m]]
        scores = rater_scores(coded, on_a | on_b, items, scaling, q)
        n = affordable(permutations, size[a[m]] + size[b[m]])
        p = score_test(np.array(list(scores.values())).T, on_a, on_b, rng, strata=strata, n_permutations=n)
        for name, value in zip(scores, p, strict=True):
            out.setdefault(name, np.full(len(a), np.nan))[m] = value
    return out
