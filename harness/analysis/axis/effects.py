"""How two groups' ratings differ, in the measures people use (methods 7.6), side by side because they are easily mixed.

Point values only, group a over group b, on the items that both rated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from lm_plural.harness.analysis.axis.comparison import Comparison
from lm_plural.harness.analysis.axis.sensitivity import FACTOR, times_as_large
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import null
from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.groups.groups import membership_matrix
from lm_plural.harness.statistics.measures import effects as measures
from lm_plural.harness.statistics.measures.agreement import ROUNDING, weighted_mean

#: Points of 100 that a pooled difference and the one inside items may be apart before it is mentioned.
LEAST = 1.0


def effects(chosen: Comparison) -> list[dict[str, Any]]:
    """Return a row per pair of groups.

    ``cliff``, ``superiority`` and ``pomp_within_items`` compare inside items and average; ``pomp``, the percentages and
    the odds ratios are of ratings pooled over the items. Where these two tell different stories (flag ``item_mix``) the
    groups rated the common items unequally often, and the pooled ones compare items as well as people.

    Parameters
    ----------
    chosen : Comparison
        Of the groups with enough raters; its weights of items hold for pooled ratings too.

    Returns
    -------
    list of dict
        ``odds_ratios``, ``percent_odds_ratio`` and ``percent_exceedance`` by ``>=level``; ``percent_mean_ratio`` a list
        with its ``origin``; ``rater_sd_difference`` with ``sd`` in scale points, which is between raters of a group.
        All null if no item has a rater of both.
    """
    (a, b), frame, names = chosen.pairs(), chosen.frame, chosen.names
    level, weights = chosen.counts @ frame.scaling.matrix, chosen.pair_weights(frame.scaling.kept)
    used = weights > 0
    inside, middle = _inside(frame, level[:, a], level[:, b], weights)
    common = used * (1.0 if chosen.user is None else chosen.user[:, None])
    pooled = [np.einsum("im,imk->mk", common, level[:, side]) for side in (a, b)]
    from_middle = _rater_deviations(frame, middle, used)
    member = membership_matrix(chosen.members, frame.coded.n_raters)
    rows = []
    for m, (g, h) in enumerate(zip(a, b, strict=True)):
        row: dict[str, Any] = {"a": names[g], "b": names[h], "n_items": int(used[:, m].sum())}
        row |= {name: null(v[m]) for name, v in inside.items()}
        row |= _pooled(frame, pooled[0][m], pooled[1][m])
        row["rater_sd_difference"] = _by_rater_sd(from_middle[:, m], member[:, g], member[:, h])
        rows.append(row | {"flags": _flags(row)})
    return rows


def _inside(frame: Frame, c1: Floats, c2: Floats, weights: Floats) -> tuple[dict[str, Floats], Floats]:
    """Return what is compared inside items, shape (M,) each, and the middle of both means of each, shape (I, M)."""
    first, second = (ratio(c @ frame.scaling.positions, c.sum(axis=-1)) for c in (c1, c2))
    delta, apart = weighted_mean(measures.cliffs_delta(c1, c2), weights), weighted_mean(first - second, weights)
    pomp = 100 * apart / np.ptp(frame.scaling.positions)
    return {"cliff": delta, "superiority": measures.superiority(delta), "pomp_within_items": pomp}, (first + second) / 2


def _pooled(frame: Frame, c1: Floats, c2: Floats) -> dict[str, Any]:
    """Return what two groups' ratings per level, shape (K,) each, say without regard to items."""
    positions = frame.scaling.positions
    by_cut = [f">={level}" for level in frame.scale.levels[1:]]
    odds = measures.odds_ratio_percent(c1, c2)
    origins = [float(positions[0]), *([0.0] if positions[0] > 0 else [])]
    return {
        "pomp": null(float(measures.pomp(c1, c2, positions))),
        "odds_ratios": {cut: null(1 + v / 100) for cut, v in zip(by_cut, odds, strict=True)},
        "percent_odds_ratio": {cut: null(v) for cut, v in zip(by_cut, odds, strict=True)},
        "percent_mean_ratio": [
            {"origin": o, "value": null(float(measures.mean_percent(c1, c2, positions, o)))} for o in origins
        ],
        "percent_exceedance": {
            cut: null(v) for cut, v in zip(by_cut, measures.exceedance_percent(c1, c2), strict=True)
        },
    }


def _rater_deviations(frame: Frame, middle: Floats, common: npt.NDArray[np.bool_]) -> Floats:
    """Return each rater's mean deviation from the middle of two groups' means of the item, shape (R, M).

    The middle, not the mean of all ratings, in which the larger group would pull the item towards itself. NaN for a
    rater without a common item.
    """
    coded, shape = frame.coded, (frame.coded.n_raters, frame.coded.n_items)
    position = (frame.scaling.matrix @ frame.scaling.positions)[coded.level]
    rated = csr_array((np.ones(len(position)), (coded.rater, coded.item)), shape=shape)
    given = csr_array((position, (coded.rater, coded.item)), shape=shape)
    used = common.astype(np.float64)
    return ratio(given @ used - rated @ np.where(common, middle, 0.0), rated @ used)


def _by_rater_sd(deviation: Floats, first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> dict[str, Any]:
    known = ~np.isnan(deviation)
    value, sd = measures.rater_sd_difference(deviation[first & known], deviation[second & known])
    return {"value": null(value) if sd > ROUNDING else None, "sd": null(sd)}


def _flags(row: dict[str, Any]) -> list[str]:
    """Say where one number would mislead."""
    if not row["n_items"]:
        return ["no_common_items: no item has a rater of both"]
    pooled, inside = row["pomp"], row["pomp_within_items"]
    times = times_as_large(np.array(pooled), np.array(inside))
    if abs(pooled - inside) > LEAST and not 1 / FACTOR <= times <= FACTOR:
        return [f"item_mix: pooled the difference is {pooled:.1f} POMP, inside items {inside:.1f}"]
    return []
