"""How much of what is between groups hangs on the disagreement strategy (methods 7.4) and on the scale (methods 7.5).

Point values only: they say whether a finding would have been another one, not how sure it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.ratings.coarsen import Coarsening, Neutral, to_three, to_two
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.strategies import Strategy, reference
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.group import null
from lm_plural.harness.result.options import Options
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.coarsening import disagreement_kept
from lm_plural.harness.statistics.contrasts import choose, support
from lm_plural.harness.statistics.correlation import DIGITS, kendall
from lm_plural.harness.statistics.counts import Ints, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.effects import cliffs_delta

#: A gap is flagged that a strategy makes larger or smaller by more than this factor.
FACTOR = 2.0


def strategies(
    frame: Frame,
    members: Membership,
    names: Sequence[str],
    counts: npt.NDArray[Any],
    q: Floats | None,
    computed: Ints,
    options: Options,
    user: Floats | None = None,
) -> dict[str, Any]:
    """Return what every disagreement strategy makes of the groups of an axis and of the gaps between them.

    ``weighted`` is left out where ratings have no weights, ``group_balanced`` always: inside one group there is nothing
    to balance. Only ``consensus`` (and ``weighted``, by weights of 0) leaves items without a reference. What majority,
    median, consensus and above all ``any_flag`` find depends on how many of a group rated an item: between groups of
    unequal size they make gaps of their own.

    Parameters
    ----------
    frame : Frame
    members : Membership
        Of the axis.
    names : sequence of str
        Of its G groups.
    counts : ndarray, shape (I, G, K_fine)
        Of the items compared, 0 elsewhere.
    q : ndarray, shape (I, K), or None
    computed : ndarray of int, shape (C,)
        Groups with enough raters.
    options : Options
    user : ndarray, shape (I,), optional
        Weights of items.

    Returns
    -------
    dict
        ``groups``: by name and strategy, over items with a reference, ``n_items``, ``mean`` (scale points) and with a
        model ``bias`` and ``divergence`` (plug-in). ``gaps``: a row per pair, over items both have a reference for, by
        strategy ``gap`` (mean of a less that of b), its ``ratio`` to the gap under ``all`` (below 0: turned round; null
        for a gap of 0) and ``n_items``. ``tau``: Kendall's tau-b of the groups' order by mean with that under ``all``;
        null with fewer than 3 groups, or all equal.
    """
    if not len(computed):
        return {}
    members, names, counts = _only(computed, members, names, counts)
    targets = _references(frame, members, counts, options)
    of_group = _of_groups(frame, counts, q, targets, options, user)
    mean = {s: target @ frame.scaling.positions for s, target in targets.items()}
    return {
        "groups": {
            name: {s: {k: _number(v[g]) for k, v in values.items()} for s, values in of_group.items()}
            for g, name in enumerate(names)
        },
        "gaps": _gaps(mean, names, counts @ frame.scaling.kept, options, user),
        "tau": {s: _tau(of_group["all"]["mean"], values["mean"]) for s, values in of_group.items()},
    }


def _only(
    computed: Ints, members: Membership, names: Sequence[str], counts: npt.NDArray[Any]
) -> tuple[Membership, list[str], npt.NDArray[Any]]:
    """Return the axis as if it had the chosen groups only."""
    number = np.full(len(names), -1)
    number[computed] = np.arange(len(computed))
    kept = number[members.group] >= 0
    chosen = Membership(members.rater[kept], number[members.group[kept]], len(computed))
    return chosen, [names[g] for g in computed], counts[:, computed]


def _references(
    frame: Frame, members: Membership, counts: npt.NDArray[Any], options: Options
) -> dict[Strategy, Floats]:
    """Return the reference of each item and group under every strategy, shape (I, G, K)."""
    harm = "lower" if frame.scale.direction == "higher" else "higher"
    given: dict[Strategy, npt.NDArray[Any]] = dict.fromkeys(get_args(Strategy), counts)
    del given["group_balanced"], given["weighted"]
    if frame.coded.weight is not None:
        compared = counts.sum(axis=(1, 2), keepdims=True) > 0
        given["weighted"] = count_levels(frame.coded, members, weighted=True) * compared
    # group by group, so that the dictator's draws do not depend on which other groups there are
    return {
        s: np.stack([reference(c, s, harm=harm, seed=options.seed) for c in _by_group(x, frame)], axis=1)
        for s, x in given.items()
    }


def _by_group(counts: npt.NDArray[Any], frame: Frame) -> list[Floats]:
    return list(np.moveaxis(counts @ frame.scaling.matrix, 1, 0))


def _of_groups(
    frame: Frame,
    counts: npt.NDArray[Any],
    q: Floats | None,
    targets: dict[Strategy, Floats],
    options: Options,
    user: Floats | None,
) -> dict[Strategy, dict[str, Floats]]:
    """Return the statistics of the groups by strategy, each of shape (G,)."""
    weights = agreement.item_weights(Sums.of(counts, frame.scaling), options.weights, user, least=1)
    out: dict[Strategy, dict[str, Floats]] = {}
    for strategy, target in targets.items():
        mean = target @ frame.scaling.positions
        out[strategy] = {"n_items": _known(mean, weights).sum(axis=0), "mean": _mean(mean, weights)}
        if q is not None:
            bias = agreement.expected(q, frame.scaling) - mean
            out[strategy]["bias"] = _mean(bias, weights)
            out[strategy]["divergence"] = _mean(agreement.plug_in_divergence(frame.scaling, target, q), weights)
    return out


def _gaps(
    mean: dict[Strategy, Floats], names: Sequence[str], n: Floats, options: Options, user: Floats | None
) -> list[dict[str, Any]]:
    """Return the rows of pairs from the mean reference of each item and group, shape (I, G)."""
    a, b = choose("pairs", np.arange(len(names)), len(names))
    weights, _ = support(n, a, b, options.weights, user, 1)
    apart = {s: x[:, a] - x[:, b] for s, x in mean.items()}
    gap = {s: _mean(x, weights) for s, x in apart.items()}
    items = {s: _known(x, weights).sum(axis=0) for s, x in apart.items()}
    times = {s: times_as_large(x, gap["all"]) for s, x in gap.items() if s != "all"}
    return [
        {
            "a": names[a[m]],
            "b": names[b[m]],
            "gap": {s: null(x[m]) for s, x in gap.items()},
            "ratio": {s: null(x[m]) for s, x in times.items()},
            "n_items": {s: int(x[m]) for s, x in items.items()},
            "flags": _flags({s: float(x[m]) for s, x in times.items()}),
        }
        for m in range(len(a))
    ]


def times_as_large(gap: Floats, base: Floats) -> Floats:
    """Return gap / base, below 0 for another sign; NaN where the base is 0 up to rounding."""
    size = np.abs(base)
    return ratio(gap * np.sign(base), np.where(size > agreement.ROUNDING, size, 0.0))


def _flags(times: dict[str, float]) -> list[str]:
    """Name the strategies that make another gap of it than all ratings do."""
    found = {
        "strategy_turns: the gap has the other sign under": [s for s, x in times.items() if x < 0],
        f"strategy_enlarges: more than {FACTOR:g} times the gap under": [
            s for s, x in times.items() if abs(x) > FACTOR
        ],
        f"strategy_shrinks: less than 1/{FACTOR:g} of the gap under": [
            s for s, x in times.items() if abs(x) * FACTOR < 1
        ],
    }
    return [f"{words} {', '.join(which)}" for words, which in found.items() if which]


def _tau(base: Floats, other: Floats) -> float | None:
    both = ~np.isnan(base + other)
    if both.sum() < 3:
        return None
    return null(kendall(base[:, None].round(DIGITS), other[:, None].round(DIGITS))[0])


def coarsenings(
    frame: Frame,
    members: Membership,
    names: Sequence[str],
    counts: npt.NDArray[Any],
    q: Floats | None,
    computed: Ints,
    options: Options,
    user: Floats | None = None,
) -> dict[str, Any]:
    """Return what fewer levels leave of the groups of an axis and of the gaps between them.

    Ratings and the model's distribution are both mapped. Parameters as of :func:`strategies`.

    Returns
    -------
    dict
        ``groups``: by name and map, with a model ``divergence`` and ``skill``, and of coarser scales ``kept``, the
        disagreement on the coarse scale as a share of that on the full one. ``cliff``: a row per pair, Cliff's delta by
        map. Maps are named as on the command line; ``full`` is the scale as rated. Empty for a scale without a map, and
        if the ratings are coarsened already.
    """
    maps = {} if options.coarsening else maps_of(frame.scale)
    if not maps or not len(computed):
        return {}
    members, names, counts = _only(computed, members, names, counts)
    scalings = {name: Scaling(np.asarray(m.scale.positions), m.matrix) for name, m in maps.items()}
    kept = {name: disagreement_kept(counts, frame.scaling, s) for name, s in scalings.items()}
    scalings = {"full": frame.scaling} | scalings
    groups: dict[str, dict[str, Floats]] = {name: {"kept": kept[name]} if name in kept else {} for name in scalings}
    if q is not None:
        for name, scaling in scalings.items():
            seen = maps[name].distribution(q) if name in maps else q
            groups[name] |= _model(frame, members, counts, scaling, seen, options, user)
    return {
        "groups": {
            name: {s: {k: null(v[g]) for k, v in values.items()} for s, values in groups.items() if values}
            for g, name in enumerate(names)
        },
        "cliff": _cliff(names, counts, scalings, options, user),
    }


def maps_of(scale: Scale) -> dict[str, Coarsening]:
    """Return every map to three or two levels that makes the scale coarser, by its name on the command line."""
    if scale.size == 2:
        return {}
    if scale.size % 2 == 0:
        return {"2": to_two(scale, "up")}
    three = {"3": to_three(scale)} if scale.size > 3 else {}
    return three | {f"2:{neutral}": to_two(scale, neutral) for neutral in get_args(Neutral)}


def _model(
    frame: Frame,
    members: Membership,
    counts: npt.NDArray[Any],
    scaling: Scaling,
    q: Floats,
    options: Options,
    user: Floats | None,
) -> dict[str, Floats]:
    """Return divergence and skill of every group on a scale, over items where the model says something on it."""
    sums = Sums.of(counts * ~np.isnan(q[:, :1, None]), scaling)
    weights = agreement.item_weights(sums, options.weights, user)
    divergence = agreement.weighted_mean(agreement.divergence(sums, agreement.model_cdf(q)), weights)
    between = agreement.signal(frame.coded, members, sums, weights)
    return {"divergence": divergence, "skill": agreement.skill(divergence, between)}


def _cliff(
    names: Sequence[str],
    counts: npt.NDArray[Any],
    scalings: dict[str, Scaling],
    options: Options,
    user: Floats | None,
) -> list[dict[str, Any]]:
    a, b = choose("pairs", np.arange(len(names)), len(names))
    delta = {}
    for name, scaling in scalings.items():
        level = counts @ scaling.matrix
        weights, _ = support(counts @ scaling.kept, a, b, options.weights, user, 1)
        delta[name] = _mean(cliffs_delta(level[:, a], level[:, b]), weights)
    return [
        {"a": names[a[m]], "b": names[b[m]]} | {name: null(d[m]) for name, d in delta.items()} for m in range(len(a))
    ]


def _known(values: Floats, weights: Floats) -> npt.NDArray[np.bool_]:
    return ~np.isnan(values) & (weights > 0)


def _mean(values: Floats, weights: Floats) -> Floats:
    """Return the mean of each column over items with a value, shape (I, P) to (P,); NaN without one."""
    w = np.where(_known(values, weights), weights, 0.0)
    return agreement.weighted_mean(values, ratio(w, w.sum(axis=0), 0.0))


def _number(value: Any) -> int | float | None:
    return int(value) if isinstance(value, np.integer) else null(value)
