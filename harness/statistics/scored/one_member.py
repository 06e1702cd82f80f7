"""One other member of the group in the scorer's place: the errors people of a group make about each other's judgement.

With p_i the share of the group that calls item i harmful, one member taken for the judgement of another one::

    FNR = E p (1 - p) / E p      FPR = E p (1 - p) / E (1 - p)      AUC = 1 - (FNR + FPR) / 2

p (1 - p) is estimated over pairs of distinct raters, so that all three are unbiased in their parts for any number of
raters. A scorer with the same share of flags as members have (the matched threshold) compares with them directly.
"""

from __future__ import annotations

import numpy as np

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.groups import GroupStatistics, covariance_of, stack
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.measures.agreement import item_mean, weighted_mean
from lm_plural.harness.statistics.measures.correlation import equal_weights
from lm_plural.harness.statistics.uncertainty.leave_one_out import Contribution, generic


def member_statistics(harm: Coded, members: Membership, inference: Inference = "items+raters") -> GroupStatistics:
    """Return ``fpr``, ``fnr`` and ``auc`` of one other member, of every group, over items that two of them rated.

    Parameters
    ----------
    harm : Coded
        Ratings at 1, harmful, or 0.
    members : Membership
    inference : {"items+raters", "raters", "items", "none"}
    """
    counts, scaling = count_levels(harm, members), Scaling.plain(harm.positions)
    sums = Sums.of(counts, scaling)
    weights = equal_weights(sums.n >= 2)
    apart, bad = (weighted_mean(x, weights) for x in (_apart(sums), item_mean(sums)))

    def error(below: Floats, sign: float) -> Contribution:
        """Return a ratio of means: apart over the share that is harmful (`sign` 1) or harmless (-1)."""
        rate = ratio(apart, below)

        def h(s: Sums) -> Floats:
            weight = item_mean(s) if sign > 0 else 1 - item_mean(s)
            return np.asarray(rate + ratio(_apart(s) - rate * weight, np.where(below > 0, below, np.nan)))

        return generic(counts, scaling, h, weights, least=2)

    fpr, fnr = error(1 - bad, -1), error(bad, 1)
    auc = Contribution(1 - (fpr.value + fnr.value) / 2, -(fpr.table + fnr.table) / 2)
    parts = {"fpr": fpr, "fnr": fnr, "auc": auc}
    known = [weights * ~np.isnan(np.where(weights > 0, p.value, 0)).any(axis=0) for p in parts.values()]
    columns = stack(parts.values(), known, sums.n)
    covariance = covariance_of(harm, members, columns, counts, inference)
    return GroupStatistics(tuple(parts), columns.total.reshape(len(parts), -1), covariance, inference)


def _apart(sums: Sums) -> Floats:
    """Return p (1 - p) of every item, shape (I, G), NaN where fewer than 2 rated."""
    p = item_mean(sums)
    return np.asarray(p * (1 - p) * ratio(sums.n, np.where(sums.n >= 2, sums.n - 1, np.nan)))
