"""How much of what is between groups hangs on the disagreement strategy (methods 7.4).

Point values only: they say whether a finding would have been another one, not how sure it is.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.strategies import Strategy, reference
from lm_plural.harness.result.group import null
from lm_plural.harness.result.sensitivity import FACTOR, Chosen, known, mean_known, times_as_large
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.correlation import DIGITS, kendall
from lm_plural.harness.statistics.counts import Sums, count_levels


def strategies(chosen: Chosen) -> dict[str, Any]:
    """Return what every disagreement strategy makes of the groups of an axis and of the gaps between them.

    ``weighted`` is left out where ratings have no weights, ``group_balanced`` always: inside one group there is nothing
    to balance. Only ``consensus`` (and ``weighted``, by weights of 0) leaves items without a reference. What majority,
    median, consensus and above all ``any_flag`` find depends on how many of a group rated an item: between groups of
    unequal size they make gaps of their own.

    Parameters
    ----------
    chosen : Chosen
        Groups with enough raters.

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


def _references(of: Chosen) -> dict[Strategy, Floats]:
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


def _of_groups(of: Chosen, targets: dict[Strategy, Floats]) -> dict[Strategy, dict[str, Floats]]:
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


def _gaps(of: Chosen, mean: dict[Strategy, Floats]) -> list[dict[str, Any]]:
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
