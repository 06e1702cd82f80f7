"""Further blocks of a group: measures other work reports, and how well people would do in the model's place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.group import null
from lm_plural.harness.statistics import ceiling
from lm_plural.harness.statistics.groups import GroupStatistics
from lm_plural.harness.statistics.secondary import BIAS, secondary


def of_groups(frame: Frame, counts: npt.NDArray[Any], q: Floats | None, found: GroupStatistics) -> list[dict[str, Any]]:
    """Return ``ceiling`` and, with a model, ``secondary`` of every group.

    Parameters
    ----------
    counts : ndarray, shape (I, G, K_fine)
        Of the items compared.
    q : ndarray, shape (I, K), or None
    """
    level = counts @ frame.scaling.matrix
    n = level.sum(axis=-1)
    # raters of the average item, harmonically, as what is divided by n - 1
    per_item = np.array([_typical(n[:, g]) for g in range(n.shape[1])])
    u = found.base("disagreement")
    others = ceiling.ceiling_others(u, per_item)
    out: list[dict[str, Any]] = [
        {"ceiling": {"one_rater": null(float(u[g])), "all_other_raters": null(float(others[g]))}} for g in range(len(u))
    ]
    if q is None:
        return out
    values, m = secondary(level, q, frame.scaling.positions, frame.scaling.spacing)
    for g, block in enumerate(out):
        block["secondary"] = {
            name: {"value": null(float(v[g])), "finite_raters": BIAS[name]} for name, v in values.items()
        } | {"rarefied_to": m}
    return out


def _typical(n: Floats) -> float:
    rated = n[n >= 2]
    return float(1 + len(rated) / (1 / (rated - 1)).sum()) if len(rated) else float("nan")
