"""Differences between groups known by their shares only: signed, on the items both answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.axis.between import MOST_GROUPS
from lm_plural.harness.analysis.group import null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.shares import ItemMeans, against_rest, over_items
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.intervals import quantile
from lm_plural.harness.statistics.uncertainty.multiplicity import benjamini_hochberg, max_t

Sides = list[tuple[str, str]]


def contrasts(axis: str, names: Sequence[str], values: Mapping[str, Floats], options: Options) -> list[dict[str, Any]]:
    """Return the rows of contrasts of one axis.

    Parameters
    ----------
    axis : str
    names : sequence of str
        Of the groups.
    values : mapping of str to ndarray, shape (I, G)
        Of each statistic.
    options : Options
    """
    if len(names) < 2:
        return []
    pairs = list(combinations(range(len(names)), 2)) if len(names) <= MOST_GROUPS else []
    out: list[dict[str, Any]] = []
    for statistic, v in values.items():
        if np.isnan(v).all():
            continue
        if pairs:
            a, b = np.array(pairs).T
            sides = [(names[i], names[j]) for i, j in pairs]
            out += _rows(axis, statistic, "pairs", sides, v[:, a] - v[:, b], _share(v, a, b), options)
        rest = [(name, "rest") for name in names]
        out += _rows(axis, statistic, "rest", rest, against_rest(v), np.ones(len(names)), options)
    return out


def _share(values: Floats, a: Floats, b: Floats) -> Floats:
    """Return the share of items that both sides answered, of those that either did."""
    known = ~np.isnan(values)
    either = (known[:, a] | known[:, b]).sum(axis=0)
    return np.asarray((known[:, a] & known[:, b]).sum(axis=0) / np.maximum(either, 1))


def _rows(
    axis: str, statistic: str, kind: str, sides: Sides, apart: Floats, share: Floats, options: Options
) -> list[dict[str, Any]]:
    found = over_items(apart)
    numbers = adjusted(found, options, axis, statistic, kind)
    size = int((~np.isnan(found.estimates.se)).sum())
    return [
        {"statistic": statistic, "kind": kind, "a": a, "b": b}
        | {key: null(float(v[m])) for key, v in numbers.items()}
        | {"n_items": int(found.n_items[m]), "family": size if options.inference != "none" else 0}
        | {"flags": _flags(int(found.n_items[m]), float(share[m]), bool(np.isnan(numbers["se"][m])), options)}
        for m, (a, b) in enumerate(sides)
    ]


def adjusted(found: ItemMeans, options: Options, *family: str) -> dict[str, Floats]:
    """Return values, intervals for each alone and for all at once (max-T), and p, each of shape (M,)."""
    e = found.estimates
    if options.inference == "none":
        none = np.full(e.value.shape, np.nan)
        return {"value": e.value} | dict.fromkeys(NUMBERS, none)
    df = float(np.nanmin(e.df)) if (~np.isnan(e.se)).any() else np.inf
    t = e.value / e.se
    critical, p = max_t(t, found.correlation, df, generator(options.seed, *family), draws=options.draws)
    p, half = np.maximum(p, e.p), np.maximum(critical, quantile(e.df)) * e.se
    ends = {"low": e.low, "high": e.high, "low_simultaneous": e.value - half, "high_simultaneous": e.value + half}
    ps = {"p": e.p, "p_adjusted": p, "p_bh": benjamini_hochberg(e.p)}
    return {"value": e.value, "se": e.se, "df": e.df} | ends | ps


NUMBERS = ("se", "df", "low", "high", "low_simultaneous", "high_simultaneous", "p", "p_adjusted", "p_bh")


def _flags(items: int, share: float, bare: bool, options: Options) -> list[str]:
    if not items:
        return ["no_common_items: no item was answered by both"]
    found = []
    if share < flags.LITTLE_SUPPORT:
        found.append(f"little_common_support: {share:.0%} of items, the others may differ")
    elif share < flags.WARN_SUPPORT:
        found.append(f"common_support: {share:.0%} of items")
    return found + (no_interval(items) if bare and options.inference != "none" else [])


def no_interval(items: int) -> list[str]:
    """Return why a mean over items has no interval."""
    return [f"no_interval: {items} item, at least 2 needed" if items < 2 else "no_variation: all alike, so no interval"]
