"""Further blocks of a group: measures other work reports, and how well people would do in the model's place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.group import null
from lm_plural.harness.statistics import ceiling, reliability
from lm_plural.harness.statistics.counts import Membership
from lm_plural.harness.statistics.groups import GroupStatistics, membership_matrix
from lm_plural.harness.statistics.secondary import BIAS, secondary

#: Cells of a table items x raters, above which raters are not placed one by one.
MOST_CELLS = 20_000_000
#: Why a secondary measure may be null.
REFUSED = {"rarefied": "fewer than 5 raters an item", "disattenuated": "reliability below 0.4 or unknown"}


def of_groups(
    frame: Frame, members: Membership, counts: npt.NDArray[Any], q: Floats | None, found: GroupStatistics
) -> list[dict[str, Any]]:
    """Return ``ceiling`` and, with a model, ``secondary`` of every group.

    Parameters
    ----------
    counts : ndarray, shape (I, G, K_fine)
        Of the items compared.
    q : ndarray, shape (I, K), or None
    """
    level = counts @ frame.scaling.matrix
    n = level.sum(axis=-1)
    u = found.base("disagreement")
    others = ceiling.ceiling_others(u, np.array([_typical(n[:, g]) for g in range(n.shape[1])]))
    out: list[dict[str, Any]] = [
        {"ceiling": {"one_rater": null(float(u[g])), "all_other_raters": null(float(others[g]))}} for g in range(len(u))
    ]
    if q is None:
        return out
    values, m = secondary(level, q, frame.scaling.positions, frame.scaling.spacing)
    scores = _scores(frame, q)
    if scores is not None:
        member = membership_matrix(members, frame.coded.n_raters)
        for g, block in enumerate(out):
            mine = scores[:, member[:, g]]
            block["ceiling"]["raters"] = _placed(mine, q @ frame.scaling.positions)
            _crossed(values, g, mine)
    for g, block in enumerate(out):
        block["secondary"] = {name: _measure(name, float(v[g])) for name, v in values.items()} | {"rarefied_to": m}
    return out


def _typical(n: Floats) -> float:
    """Return the raters of the average item, harmonically, as what divides is n - 1."""
    rated = n[n >= 2]
    return float(1 + len(rated) / (1 / (rated - 1)).sum()) if len(rated) else float("nan")


def _scores(frame: Frame, q: Floats) -> Floats | None:
    """Return ratings in scale points, shape (I, R), NaN where not rated or not predicted; None if that is too large."""
    c = frame.coded
    if c.n_items * c.n_raters > MOST_CELLS:
        return None
    place = frame.scaling.matrix @ frame.scaling.positions
    out = np.full((c.n_items, c.n_raters), np.nan)
    out[c.item, c.rater] = place[c.level]
    out[np.isnan(q[:, 0])] = np.nan
    return out


def _placed(scores: Floats, expected: Floats) -> dict[str, float | int | None]:
    """Return how the model's correlation with the group's other raters compares with that of its raters."""
    found = ceiling.rater_ceiling(scores, expected)
    both = ~np.isnan(found.raters + found.model)  # medians of the same raters, those of the percentile
    raters, model = found.raters[both], found.model[both]
    return {
        "n": len(raters),
        "median_rater": null(float(np.median(raters))) if len(raters) else None,
        "median_model": null(float(np.median(model))) if len(model) else None,
        "percentile": null(found.percentile),
    }


def _crossed(values: dict[str, Floats], g: int, scores: Floats) -> None:
    """Where everyone rated everything, raters' severity is no noise in how items are ordered: put that reliability."""
    rated = scores[~np.isnan(scores).all(axis=1)]
    if rated.shape[1] < 2 or len(rated) < 2 or np.isnan(rated).any():
        return
    values["reliability"][g] = reliability.crossed_reliability(rated)
    r = values["pearson"][g : g + 1]
    values["pearson_disattenuated"][g] = reliability.disattenuate(r, values["reliability"][g : g + 1])[0]


def _measure(name: str, value: float) -> dict[str, Any]:
    out: dict[str, Any] = {"value": null(value), "finite_raters": BIAS[name]}
    if out["value"] is None:
        why = [text for part, text in REFUSED.items() if part in name]
        out["refused"] = why[0] if why else "too few raters or items, or no variation"
    return out
