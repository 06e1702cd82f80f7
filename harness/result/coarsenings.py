"""How much of what is between groups hangs on the number of levels of the scale (methods 7.5). Point values only."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.coarsen import Coarsening, Neutral, to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.result.group import null
from lm_plural.harness.result.sensitivity import Chosen, mean_known
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.coarsening import disagreement_kept
from lm_plural.harness.statistics.counts import Scaling, Sums
from lm_plural.harness.statistics.effects import cliffs_delta


def coarsenings(chosen: Chosen) -> dict[str, Any]:
    """Return what fewer levels leave of the groups of an axis and of the gaps between them.

    Ratings and the model's distribution are both mapped. Parameters as of ``strategies``.

    Returns
    -------
    dict
        ``groups``: by name and map, with a model ``divergence`` and ``skill``, and of coarser scales ``kept``, the
        disagreement on the coarse scale as a share of that on the full one. ``cliff``: a row per pair, Cliff's delta by
        map. Maps are named as on the command line; ``full`` is the scale as rated. Empty for a scale without a map, and
        if the ratings are coarsened already.
    """
    frame, q = chosen.frame, chosen.q
    maps = {} if chosen.options.coarsening else maps_of(frame.scale)
    if not maps or not chosen.names:
        return {}
    full, coarse = frame.scaling, {n: Scaling(np.asarray(m.scale.positions), m.matrix) for n, m in maps.items()}
    groups: dict[str, dict[str, Floats]] = {"full": {}}
    groups |= {name: {"kept": disagreement_kept(chosen.counts, full, s)} for name, s in coarse.items()}
    if q is not None:
        groups["full"] |= _model(chosen, full, q)
        for name, scaling in coarse.items():
            groups[name] |= _model(chosen, scaling, maps[name].distribution(q))
    return {
        "groups": {
            name: {s: {k: null(v[g]) for k, v in values.items()} for s, values in groups.items() if values}
            for g, name in enumerate(chosen.names)
        },
        "cliff": _cliff(chosen, {"full": full} | coarse),
    }


def maps_of(scale: Scale) -> dict[str, Coarsening]:
    """Return every map to three or two levels that makes the scale coarser, by its name on the command line."""
    if scale.size == 2:
        return {}
    if scale.size % 2 == 0:
        return {"2": to_two(scale, "up")}
    three = {"3": to_three(scale)} if scale.size > 3 else {}
    return three | {f"2:{neutral}": to_two(scale, neutral) for neutral in get_args(Neutral)}


def _model(of: Chosen, scaling: Scaling, q: Floats) -> dict[str, Floats]:
    """Return divergence and skill of every group on a scale, over items where the model says something on it."""
    sums = Sums.of(of.counts * ~np.isnan(q[:, :1, None]), scaling)
    weights = agreement.item_weights(sums, of.options.weights, of.user)
    divergence = agreement.weighted_mean(agreement.divergence(sums, agreement.model_cdf(q)), weights)
    between = agreement.signal(of.frame.coded, of.members, sums, weights)
    return {"divergence": divergence, "skill": agreement.skill(divergence, between)}


def _cliff(of: Chosen, scalings: dict[str, Scaling]) -> list[dict[str, Any]]:
    a, b = of.pairs()
    delta = {}
    for name, scaling in scalings.items():
        level = of.counts @ scaling.matrix
        delta[name] = mean_known(cliffs_delta(level[:, a], level[:, b]), of.pair_weights(scaling.kept))
    return [
        {"a": of.names[a[m]], "b": of.names[b[m]]} | {name: null(d[m]) for name, d in delta.items()}
        for m in range(len(a))
    ]
