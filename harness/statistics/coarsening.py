"""What a coarser scale leaves of a group's disagreement (methods 7.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.agreement import per_item, weighted_mean
from lm_plural.harness.statistics.counts import Scaling, Sums


def disagreement_kept(counts: npt.ArrayLike, fine: Scaling, coarse: Scaling) -> Floats:
    """Return U_coarse / U_fine of each group, shape (G,), over items with two ratings that count on both scales.

    Far from 1: the two scales do not tell the same story. Below 1 disagreement is lost; above 1 neighbouring levels
    that the map tears apart now stand a whole scale away from each other.

    Parameters
    ----------
    counts : array_like, shape (I, G, K_fine)
    fine, coarse : Scaling
        Of the same rated levels.

    Returns
    -------
    ndarray
        NaN for a group without such an item or without disagreement on the fine scale.
    """
    both = [_disagreement(Sums.of(counts, scaling)) for scaling in (fine, coarse)]
    weights = np.asarray(~np.isnan(both).any(axis=0), dtype=np.float64)
    before, after = (weighted_mean(u, weights) for u in both)
    return ratio(after, before)


def _disagreement(sums: Sums) -> Floats:
    """Return U per item and group, which does not depend on a prediction."""
    items, _, steps = sums.z.shape
    return per_item(sums, np.zeros((items, steps + 1))).disagreement
