"""How well scores tell what a group calls harmful from what it does not: the area under the ROC curve, per group.

The chance that a text one member called harmful has a higher score than *another* text that *another* member called
harmless, ties counting half. With s_i the score of item i, p_i the share of its raters in the group who called it
harmful, v_i item weights (sum 1) and phi_ik = 1 if s_i > s_k, 1/2 if they are equal::

    N = sum_{i != k} v_i v_k p_i (1 - p_k) phi_ik      D = sum_{i != k} v_i v_k p_i (1 - p_k)      AUC = N / D

Every rating of an item weighs v_i / n_i. Pairs of two ratings by one rater are taken out of both sums: a severe rater
calls more harmful throughout, and the smaller the group, the more of its pairs are such. Pairs within an item are ties
by nature and never compared. So both sums are unbiased for any number of raters (two-sample U-statistics over
distinct items and distinct raters).

The interval is the two-way jackknife's of the part of first order in raters (Hajek). With H_i and G_i what item i
adds to N - AUC D where it stands on the harmful and on the harmless side, and D_i what it adds to D::

    a_ig   = v_i [p_i H_i + (1 - p_i) G_i] / (D - D_i)             exactly AUC less AUC without item i
    psi_ij = v_i (p_i - p_i without rater j) (H_i - G_i) / D       an item's only rater: a_ig
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, count_levels
from lm_plural.harness.statistics.groups.groups import GroupStatistics, covariance_of, membership_matrix, stack
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.measures.agreement import ROUNDING
from lm_plural.harness.statistics.measures.correlation import equal_weights
from lm_plural.harness.statistics.scored.exposure import Concerns
from lm_plural.harness.statistics.uncertainty.leave_one_out import Contribution

Counts = npt.NDArray[np.int64]
Members = npt.NDArray[np.bool_]


def auc_part(harm: Concerns, counts: Counts, member: Members, score: npt.ArrayLike, weights: Floats) -> Contribution:
    """Return the AUC of every column and what each item and rating adds to it.

    Parameters
    ----------
    harm : Concerns
        Ratings of items, 1 harmful and 0 harmless.
    counts : ndarray, shape (I, T, L)
        Of the levels of `harm`.
    member : ndarray of bool, shape (R, T)
        Whose ratings a column is about.
    score : array_like, shape (I,)
        Higher is worse; without NaN.
    weights : ndarray, shape (I, T)
        v, each column summing to 1 or 0; 0 where nobody of the column rated.

    Returns
    -------
    Contribution
        Its mean over items is the AUC. NaN for a column without two ratings to compare.
    """
    p, place = harm.mean(counts), np.unique(np.asarray(score), return_inverse=True)[1]
    bad, fine = weights * p, weights * (1 - p)
    below, above = _below(place, fine) - fine / 2, bad.sum(axis=0) - _below(place, bad) - bad / 2
    others_fine, others_bad = fine.sum(axis=0) - fine, bad.sum(axis=0) - bad
    n, d = (bad * below).sum(axis=0), _clear((bad * others_fine).sum(axis=0))
    on_bad, on_fine = (below - n / d * others_fine) / d, (above - n / d * others_bad) / d
    without = _clear(1 - (bad * others_fine + fine * others_bad) / d)
    item = np.nan_to_num((p * on_bad + (1 - p) * on_fine) / without)
    alone = (counts.sum(axis=2) == 1)[..., None]
    moved = (on_bad - on_fine)[..., None] * (p[..., None] - harm.without_one(counts))
    same, same_pairs = _by_one_rater(harm.coded, place, member, ratio(weights, counts.sum(axis=2), 0.0))
    value = (n - same) / _clear(d - same_pairs)
    centred = item - (weights * item).sum(axis=0)
    return Contribution(value + centred, np.nan_to_num(np.where(alone, item[..., None], moved)))


def _clear(x: Floats) -> Floats:
    return np.where(x > ROUNDING, x, np.nan)


def _below(place: Ints, weights: Floats) -> Floats:
    """Return the weight of items with a lower score plus half of that with the same, shape (I, T)."""
    total = np.zeros((int(place.max(initial=-1)) + 1, weights.shape[1]))
    np.add.at(total, place, weights)
    return np.asarray((total.cumsum(axis=0) - total / 2)[place])


def _by_one_rater(coded: Coded, place: Ints, member: Members, each: Floats) -> tuple[Floats, Floats]:
    """Return what pairs of ratings by one rater add to N and to D, shape (T,); `each` is v_i / n_i, shape (I, T)."""
    above, pairs = np.zeros(each.shape[1]), np.zeros(each.shape[1])
    order = np.lexsort((place[coded.item], coded.rater))
    item, rater, h = coded.item[order], coded.rater[order], coded.positions[coded.level[order]]
    if not len(item):
        return above, pairs
    new_rater = np.diff(rater, prepend=-1) != 0
    ties = np.flatnonzero(new_rater | (np.diff(place[item], prepend=-1) != 0))
    first = np.flatnonzero(new_rater[ties])  # of each rater's groups of ties
    raters = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(ties))))
    for t in range(each.shape[1]):
        w = each[item, t] * member[rater, t]
        bad, fine = (np.add.reduceat(w * x, ties) for x in (h, 1 - h))
        before = fine.cumsum() - fine
        above[t] = (bad * (before - before[first][raters] + fine / 2)).sum()
        pairs[t] = np.add.reduceat(bad, first) @ np.add.reduceat(fine, first)
    return above, pairs


def auc_statistics(
    harm: Concerns, members: Membership, score: npt.ArrayLike, inference: Inference = "items+raters"
) -> GroupStatistics:
    """Return ``auc`` of every group with its covariance; items weigh the same."""
    counts = count_levels(harm.coded, members)
    n = counts.sum(axis=2)
    weights = equal_weights(n > 0)
    part = auc_part(harm, counts, membership_matrix(members, harm.coded.n_raters), score, weights)
    columns = stack([part], [weights * ~np.isnan(part.value).any(axis=0)], n.astype(np.float64))
    covariance = covariance_of(harm.coded, members, columns, counts, inference)
    return GroupStatistics(("auc",), columns.total[None], covariance, inference)
