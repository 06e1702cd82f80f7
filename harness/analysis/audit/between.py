"""For which groups a scorer works worse: contrasts of an axis, what is clear of chance, what would have been seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lm_plural.harness.analysis.audit.group import AUC, DEFAULT, DISATTENUATED, HARMFUL, MATCHED, Grouped
from lm_plural.harness.analysis.axis.between import by_pairs
from lm_plural.harness.analysis.axis.contrast_rows import Written
from lm_plural.harness.statistics.catalogue import measure
from lm_plural.harness.statistics.counts import Ints, count_levels
from lm_plural.harness.statistics.groups.contrasts import contrast
from lm_plural.harness.statistics.groups.family import Family, Kind, Sides, choose
from lm_plural.harness.statistics.inference import CLEAR
from lm_plural.harness.statistics.scored.auc import auc_part
from lm_plural.harness.statistics.scored.classify import error_contrasts
from lm_plural.harness.statistics.scored.exposure import concern_part
from lm_plural.harness.statistics.scored.rank_agreement import rank_part
from lm_plural.harness.statistics.uncertainty.multiplicity import holm

#: Thresholds of which is said how large a gap would have been seen; "": of what has none.
NAMED = ("", f"{DEFAULT:g}", MATCHED)


def between(axis: str, grouped: Grouped) -> dict[str, Any]:
    """Return contrasts of pairs of groups and of each with all others, those where the scorer is worse, and ``mdg``."""
    o = grouped.material.options
    computed = np.flatnonzero(grouped.n_raters >= o.min_raters)
    if o.inference == "none" or len(computed) < 1 or len(grouped.names) < 2:
        return {"notes": [], "contrasts": [], "mdg": {}, "worse": []}
    coded = grouped.material.frame.coded
    few = by_pairs(len(computed), coded.n_items, coded.n_levels)
    kinds: tuple[Kind, ...] = ("pairs", "rest") if few else ("rest",)
    written = [Written(_families(axis, grouped, computed, kind), grouped.names, o, {}, kind) for kind in kinds]
    found = [replace(w, families=_with_gaps(w.families)).detectable() for w in written]
    rows = [row for w in written for row in _rows(w)]
    return {
        "notes": [] if few else [f"{len(computed)} groups: each against all others, not by pairs"],
        "contrasts": rows,
        "mdg": {s: [gap for gaps in found for gap in gaps.get(s, [])] for s in found[-1]},
        "worse": [_worse(r) for r in rows if measure(r["statistic"]).better is not None and _clear(r)],
    }


def _with_gaps(families: Mapping[str, Family]) -> dict[str, Family]:
    return {s: f for s, f in families.items() if s.partition("@")[2] in NAMED}


def _rows(written: Written) -> list[dict[str, Any]]:
    """Return the rows of contrasts; where the texts are there and the statistic is not, say so."""
    rows = written.rows()
    shares = [share for f in written.families.values() for share in f.share]
    for row, share in zip(rows, shares, strict=True):
        if row["value"] is None and share > 0:
            low = row["statistic"] == DISATTENUATED
            why = (
                "low_reliability: of a side's mean ratings"
                if low
                else "one_sided: a side called all alike harmful or not"
            )
            row["flags"] = [f"{why} on the common texts"]
    return rows


def _families(axis: str, grouped: Grouped, computed: Ints, kind: Kind) -> dict[str, Family]:
    a, b = choose(kind, computed, len(grouped.names))
    if not len(a):
        return {}
    m, o = grouped.material, grouped.material.options
    keyed = partial(o.inferring, axis, kind)
    judged, coded = m.judged, m.frame.coded
    sides = Sides.of(judged.harm.coded, grouped.members, grouped.counts)
    by_level = Sides.of(coded, grouped.members, count_levels(coded, grouped.members))
    harmful = partial(contrast, judged.harm.coded, sides)
    out = {
        HARMFUL: harmful(lambda c, _, v: concern_part(judged.harm, c, v), a, b, keyed(HARMFUL)),
        AUC: harmful(lambda c, r, v: auc_part(judged.harm, c, r, judged.score, v), a, b, keyed(AUC)),
        DISATTENUATED: contrast(
            coded,
            by_level,
            lambda c, r, _: rank_part(coded, c, r, judged.score, DISATTENUATED),
            a,
            b,
            keyed(DISATTENUATED),
            needs=2,
        ),
    }
    for name, t in m.thresholds.items():
        found = error_contrasts(judged, sides, t, a, b, keyed(f"errors@{name}"))
        out |= {f"{rate}@{name}": family for rate, family in found.items()}
    return out


def _clear(row: Mapping[str, Any]) -> bool:
    p = row["p_adjusted"]
    return p is not None and p <= CLEAR


def _worse(row: dict[str, Any]) -> dict[str, Any]:
    """Return who is served worse than whom by a difference that is clear of chance; None: all others of the axis."""
    a, b = row["a"], row["b"] if row["kind"] == "pairs" else None
    more_is_worse = not measure(row["statistic"]).better
    turned = (row["value"] > 0) != more_is_worse
    ends = sorted(abs(row[k]) for k in ("low_simultaneous", "high_simultaneous"))
    return {
        "statistic": row["statistic"],
        "kind": row["kind"],
        "group": b if turned else a,
        "than": a if turned else b,
        "gap": abs(row["value"]),
        "low": ends[0],
        "high": ends[1],
        "p_adjusted": row["p_adjusted"],
    }


def families(axes: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each statistic whether any two groups of an axis differ, with Holm's adjustment over the axes."""
    least: dict[str, dict[str, float]] = {}
    for axis, content in axes.items():
        for row in content["contrasts"]:
            if row["kind"] == "pairs" and (p := row["p_adjusted"]) is not None:
                found = least.setdefault(row["statistic"], {})
                found[axis] = min(p, found.get(axis, p))
    return [
        {"statistic": statistic, "axis": axis, "p": p, "p_holm": float(adjusted)}
        for statistic, by_axis in least.items()
        for (axis, p), adjusted in zip(by_axis.items(), holm(list(by_axis.values())), strict=True)
    ]
