"""Against one reference per item, as a disagreement strategy makes it (methods 7.4): point values only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.ratings.strategies import reference
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.group import Number
from lm_plural.harness.result.options import MODEL_STATISTICS, Options
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.counts import Membership, count_levels

Found = list[tuple[dict[str, Number], list[str]]]


def against_reference(
    frame: Frame,
    options: Options,
    counts: npt.NDArray[Any],
    members: Membership,
    q: Floats | None,
    balanced: Membership | None,
) -> Found:
    """Return bias and plug-in divergence of each group under the strategy, the rest refused with a flag.

    Parameters
    ----------
    counts : ndarray, shape (I, G, K_fine)
    q : ndarray, shape (I, K), or None
    balanced : Membership or None
        Over whose groups ``group_balanced`` takes its mean; None: each group its own reference.
    """
    if q is None:
        flag = f"strategy_{options.reference}: without a model there is nothing to hold against the reference"
        return [({}, [flag]) for _ in range(counts.shape[1])]
    counts = counts * ~np.isnan(q[:, :1, None])
    if options.reference == "group_balanced":
        counts = count_levels(frame.coded, balanced)[:, None] if balanced else counts[:, :, None]
    elif options.reference == "weighted":
        counts = count_levels(frame.coded, members, weighted=True)
    harm = "lower" if frame.scale.direction == "higher" else "higher"
    target = reference(counts @ frame.scaling.matrix, options.reference, harm=harm)
    weights = np.where(np.isnan(target).any(axis=-1) | np.isnan(q[:, :1]), 0.0, 1.0)
    weights = ratio(weights, weights.sum(axis=0), 0.0)
    bias = (q @ frame.scaling.positions)[:, None] - target @ frame.scaling.positions
    values = {
        "bias": agreement.weighted_mean(bias, weights),
        "divergence": agreement.weighted_mean(agreement.plug_in_divergence(frame.scaling, target, q), weights),
    }
    flag = f"strategy_{options.reference}: divergence is plug-in; the rest needs all ratings"
    lacks = "no_reference: no predicted item has a reference under this strategy"
    return [
        (
            {n: Number(float(values[n][g]) if n in values else math.nan) for n in MODEL_STATISTICS},
            [flag, lacks] if math.isnan(values["divergence"][g]) else [flag],
        )
        for g in range(target.shape[1])
    ]
