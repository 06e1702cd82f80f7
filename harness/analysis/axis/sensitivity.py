"""How much of what is between groups hangs on the disagreement strategy and on the number of levels (methods 7.4, 7.5).

Point values only: they say whether a finding would have been another one, not how sure it is. Both are held against an
axis as if it had only groups with enough raters.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.axis.comparison import Comparison
from lm_plural.harness.analysis.group import null
from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.ratings.coarsen import Coarsening, Neutral, to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.strategies import Strategy, reference
from lm_plural.harness.statistics.counts import Scaling, Sums, count_levels
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.measures.agreement import disagreement_kept
from lm_plural.harness.statistics.measures.correlation import DIGITS, kendall
from lm_plural.harness.statistics.measures.effects import cliffs_delta

#: A gap is flagged that a strategy makes larger or smaller by more than this factor.
FACTOR = 2.0


def known(values: Floats, weights: Floats) -> npt.NDArray[np.bool_]:
    """Return which items have a value and a weight."""
    return ~np.isnan(values) & (weights > 0)


def mean_known(values: Floats, weights: Floats) -> Floats:
    """Return the mean of each column over items with a value, shape (I, P) to (P,); NaN without one."""
    w = np.where(known(values, weights), weights, 0.0)
    return agreement.weighted_mean(values, ratio(w, w.sum(axis=0), 0.0))


def times_as_large(gap: Floats, base: Floats) -> Floats:
    """Return gap / base, below 0 for another sign; NaN where the base is 0 up to rounding."""
    size = np.abs(base)
    return ratio(gap * np.sign(base), np.where(size > agreement.ROUNDING, size, 0.0))


def strategies(chosen: Comparison) -> dict[str, Any]:
    """Return what every disagreement strategy makes of the groups of an axis and of the gaps between them.

    ``weighted`` is left out where ratings have no weights, ``group_balanced`` always: inside one group there is nothing
    to balance. Only ``consensus`` (and ``weighted``, by weights of 0) leaves items without a reference. What majority,
    median, consensus and above all ``any_flag`` find depends on how many of a group rated an item: between groups of
    unequal size they make gaps of their own.

    Parameters
    ----------
    chosen : Comparison
        Of the groups with enough raters.

    Returns
    -------
    dict
        ``groups``: by name and strategy, over items with a reference, ``n_items``, ``mean`` (scale points) and with a
        model ``bias`` and ``divergence`` (plug-in). ``gaps``: a row per pair, over items both have a reference for, by
        strategy ``gap`` (mean of a less that of b), its ``ratio`` to the gap under ``all`` (below 0: turned round; null
        for a gap of 0) and ``n_items``. ``tau``: Kendall's tau-b of the groups' order by mean with that under ``all``;
        null with fewer than 3 groups, or all equal.
    """
    if not chosen.names:
        return {}
    targets = _references(chosen)
    found = _of_groups(chosen, targets)
    return {
        "groups": {
            name: {s: {k: _number(v[g]) for k, v in values.items()} for s, values in found.items()}
            for g, name in enumerate(chosen.names)
        },
        "gaps": _gaps(chosen, {s: target @ chosen.frame.scaling.positions for s, target in targets.items()}),
        "tau": {s: _tau(found["all"]["mean"], values["mean"]) for s, values in found.items()},
    }


def _references(of: Comparison) -> dict[Strategy, Floats]:
    """Return the reference of each item and group under every strategy, shape (I, C, K)."""
    coded, scaling = of.frame.coded, of.frame.scaling
    harm = "lower" if of.frame.scale.direction == "higher" else "higher"
    given: dict[Strategy, npt.NDArray[Any]] = dict.fromkeys(get_args(Strategy), of.counts)
    del given["group_balanced"], given["weighted"]
    if coded.weight is not None:
        compared = of.counts.sum(axis=(1, 2), keepdims=True) > 0
        given["weighted"] = count_levels(coded, of.members, weighted=True) * compared
    # group by group, so that the dictator's draws do not depend on which other groups there are
    return {
        s: np.stack(
            [reference(c, s, harm=harm, seed=of.options.seed) for c in np.moveaxis(x @ scaling.matrix, 1, 0)], axis=1
        )
        for s, x in given.items()
    }


def _of_groups(of: Comparison, targets: dict[Strategy, Floats]) -> dict[Strategy, dict[str, Floats]]:
    """Return the statistics of the groups by strategy, each of shape (C,)."""
    scaling = of.frame.scaling
    weights = agreement.item_weights(Sums.of(of.counts, scaling), of.options.weights, of.user, least=1)
    out: dict[Strategy, dict[str, Floats]] = {}
    for strategy, target in targets.items():
        mean = target @ scaling.positions
        out[strategy] = {"n_items": known(mean, weights).sum(axis=0), "mean": mean_known(mean, weights)}
        if of.q is not None:
            out[strategy]["bias"] = mean_known(agreement.expected(of.q, scaling) - mean, weights)
            divergence = agreement.plug_in_divergence(scaling, target, of.q)
            out[strategy]["divergence"] = mean_known(divergence, weights)
    return out


def _gaps(of: Comparison, mean: dict[Strategy, Floats]) -> list[dict[str, Any]]:
    """Return the rows of pairs from the mean reference of each item and group, shape (I, C)."""
    (a, b), weights = of.pairs(), of.pair_weights(of.frame.scaling.kept)
    apart = {s: x[:, a] - x[:, b] for s, x in mean.items()}
    gap = {s: mean_known(x, weights) for s, x in apart.items()}
    items = {s: known(x, weights).sum(axis=0) for s, x in apart.items()}
    times = {s: times_as_large(x, gap["all"]) for s, x in gap.items() if s != "all"}
    return [
        {
            "a": of.names[a[m]],
            "b": of.names[b[m]],
            "gap": {s: null(x[m]) for s, x in gap.items()},
            "ratio": {s: null(x[m]) for s, x in times.items()},
            "n_items": {s: int(x[m]) for s, x in items.items()},
            "flags": _flags({s: float(x[m]) for s, x in times.items()}),
        }
        for m in range(len(a))
    ]


def _flags(times: dict[Strategy, float]) -> list[str]:
    """Name the strategies that make another gap of it than all ratings do."""
    found = {
        "turns: the gap has the other sign": [s for s, x in times.items() if x < 0],
        f"enlarges: more than {FACTOR:g} times the gap": [s for s, x in times.items() if abs(x) > FACTOR],
        f"shrinks: less than 1/{FACTOR:g} of the gap": [s for s, x in times.items() if abs(x) * FACTOR < 1],
    }
    return [f"strategy_{words} under {', '.join(which)}" for words, which in found.items() if which]


def _tau(base: Floats, other: Floats) -> float | None:
    if (~np.isnan(base + other)).sum() < 3:
        return None
    return null(kendall(base[:, None].round(DIGITS), other[:, None].round(DIGITS))[0])


def _number(value: Any) -> int | float | None:
    return int(value) if isinstance(value, np.integer) else null(value)


def coarsenings(chosen: Comparison) -> dict[str, Any]:
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


def _model(of: Comparison, scaling: Scaling, q: Floats) -> dict[str, Floats]:
    """Return divergence and skill of every group on a scale, over items where the model says something on it."""
    sums = Sums.of(of.counts * ~np.isnan(q[:, :1, None]), scaling)
    weights = agreement.item_weights(sums, of.options.weights, of.user)
    divergence = agreement.weighted_mean(agreement.divergence(sums, agreement.model_cdf(q)), weights)
    between = agreement.signal(of.frame.coded, of.members, sums, weights)
    return {"divergence": divergence, "skill": agreement.skill(divergence, between)}


def _cliff(of: Comparison, scalings: dict[str, Scaling]) -> list[dict[str, Any]]:
    a, b = of.pairs()
    delta = {}
    for name, scaling in scalings.items():
        level = of.counts @ scaling.matrix
        delta[name] = mean_known(cliffs_delta(level[:, a], level[:, b]), of.pair_weights(scaling.kept))
    return [
        {"a": of.names[a[m]], "b": of.names[b[m]]} | {name: null(d[m]) for name, d in delta.items()}
        for m in range(len(a))
    ]
