"""Rows of contrasts between groups, as they stand in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.group import null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics import power
from lm_plural.harness.statistics.groups.family import Family, Kind
from lm_plural.harness.statistics.groups.few_raters import FEW

#: Least power and level of the gap said to be detectable.
POWER, LEVEL = 0.8, 0.95


@dataclass(frozen=True)
class Written:
    """Families of one kind, by statistic, and how sides are called."""

    families: dict[str, Family]
    names: Sequence[str]
    options: Options
    small: dict[str, Floats]
    kind: Kind

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per statistic and contrast."""
        return [self._row(s, f, m) for s, f in self.families.items() for m in range(len(f.a))]

    def side(self, number: int) -> str:
        """Return the name of a side; those after the groups are the rest of one."""
        return self.names[number] if number < len(self.names) else "rest"

    def _row(self, statistic: str, f: Family, m: int) -> dict[str, Any]:
        e, raters = f.estimates, f.covariance.n_raters
        sides = int(raters[m]), int(raters[m + len(f.a)])
        small = self.small.get(statistic)
        numbers = {"value": e.value, "se": e.se, "df": e.df, "low": e.low, "high": e.high}
        numbers |= {"low_simultaneous": f.low, "high_simultaneous": f.high, "p": e.p, "p_adjusted": f.p_adjusted}
        numbers["p_bh"] = f.p_bh
        row: dict[str, Any] = {
            "statistic": statistic,
            "kind": self.kind,
            "a": self.side(int(f.a[m])),
            "b": self.side(int(f.b[m])),
        }
        row |= {k: null(float(v[m])) for k, v in numbers.items()}
        if f.ratio is not None:
            row["ratio"] = {k: null(float(getattr(f.ratio, k)[m])) for k in ("value", "low", "high")}
        row["p_permutation"] = None if small is None or row["value"] is None else null(float(small[m]))
        row |= {
            "n_items": int(f.n_items[m]),
            "n_raters_a": sides[0],
            "n_raters_b": sides[1],
            "family": int((~np.isnan(e.se)).sum()),
        }
        found = flags.of_contrast(sides, int(f.n_items[m]), float(f.share[m]), self.options)
        if row["value"] is not None and row["se"] is None and not any(x.startswith("no_interval") for x in found):
            found.append("no_variation: all alike, so no interval")
        if self.options.strata and small is not None and row["p_permutation"] is None and min(sides) < FEW:
            found.append("strata: no stratum has raters of both who could change places, so no permutation")
        return row | {"flags": found}

    def detectable(self) -> dict[str, list[dict[str, Any]]]:
        """Return the smallest detectable gap (methods 3.9) of every contrast that has an interval."""
        out = {}
        for statistic, f in self.families.items():
            usable = np.flatnonzero(~np.isnan(f.estimates.se))
            out[statistic] = [self._gaps(f, int(m)) for m in usable]
        return out

    def _gaps(self, f: Family, m: int) -> dict[str, Any]:
        parts, n_items, raters = gap_parts(f, m)
        ways = {"now": (1, 1), "raters_x2": (1, 2), "items_x2": (2, 1)}
        gaps = {
            way: float(
                power.minimum_detectable(
                    np.sqrt(power.gap_variance(parts, n_items * i, raters * r)), POWER, LEVEL, f.critical
                )
            )
            for way, (i, r) in ways.items()
        }
        return {"a": self.side(int(f.a[m])), "b": self.side(int(f.b[m])), **gaps}


def gap_parts(f: Family, m: int) -> tuple[power.Parts, int, Floats]:
    """Return the variance of contrast m by its sources, its items and its raters on either side."""
    items, cross, within = f.parts
    raters = np.maximum(f.covariance.n_raters[[m, m + len(f.a)]], 1)
    n_items = max(int(f.n_items[m]), 1)
    return power.parts_of_fit(float(items[m]), within[:, m], cross[:-1, m], n_items, raters), n_items, raters
