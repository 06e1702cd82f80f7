"""One group of a result: who it is, what its raters said, and how near the model is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import ratio
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.options import Options
from lm_plural.harness.statistics.alpha import METRICS, krippendorff_alpha
from lm_plural.harness.statistics.intervals import Estimates

SCHEMA_VERSION = 1

Value = dict[str, float | None]


@dataclass(frozen=True)
class Number:
    """An estimate with its interval; NaN for what was refused."""

    value: float
    se: float = math.nan
    df: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def at(cls, e: Estimates, n: int, *, interval: bool = True) -> Number:
        """Return the n-th of some estimates, without its interval if it is not to be given."""
        value = float(e.value[n])
        return cls(value, *(float(x[n]) for x in (e.se, e.df, e.low, e.high))) if interval else cls(value)

    def to_dict(self) -> Value:
        """Return it as JSON types, null for NaN and for infinitely many degrees of freedom."""
        return {k: null(getattr(self, k)) for k in ("value", "se", "df", "low", "high")}


@dataclass(frozen=True)
class Group:
    """What is known of one group.

    Parameters
    ----------
    n_items, n_raters, n_ratings : int
    mean : float
        Over all ratings of the group.
    rates : dict
        Share of ratings at or above each level but the lowest, by ``>=level``.
    alpha : dict
        Krippendorff's alpha by metric.
    statistics : dict of str to Number
    more : dict
        Further blocks as JSON types (``secondary``, ``ceiling``).
    flags : tuple of str
        Every rule that fired.
    """

    n_items: int
    n_raters: int
    n_ratings: int
    mean: float
    rates: dict[str, float]
    alpha: dict[str, float]
    statistics: dict[str, Number] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the group as JSON types; what could not be known is null."""
        out: dict[str, Any] = {"n_items": self.n_items, "n_raters": self.n_raters, "n_ratings": self.n_ratings}
        out["mean"] = null(self.mean)
        out["rates"] = {k: null(v) for k, v in self.rates.items()}
        out["alpha"] = {k: null(v) for k, v in self.alpha.items()}
        out |= {name: number.to_dict() for name, number in self.statistics.items()}
        return out | self.more | {"flags": list(self.flags)}


def describe(
    frame: Frame,
    counts: npt.NDArray[Any],
    n_raters: int,
    statistics: dict[str, Number],
    more: dict[str, Any],
    flags: Sequence[str],
) -> Group:
    """Describe a group by its counts, shape (I, K_fine), and add what is known of the model."""
    pooled = (counts @ frame.scaling.matrix).sum(axis=0)
    share = ratio(pooled, pooled.sum())
    tail = share[::-1].cumsum()[::-1]
    matrix, positions = frame.scaling.matrix, frame.scaling.positions
    alpha: dict[str, float] = {m: krippendorff_alpha(counts, positions, m, matrix) for m in METRICS}
    if math.isnan(alpha["nominal"]):
        flags = [*flags, "alpha_undefined: no item with two ratings, or all ratings equal"]
    return Group(
        n_items=int((counts.sum(axis=1) > 0).sum()),
        n_raters=n_raters,
        n_ratings=int(counts.sum()),
        mean=float(share @ positions),
        rates={f">={lv}": float(t) for lv, t in zip(frame.scale.levels[1:], tail[1:], strict=True)},
        alpha=alpha,
        statistics=statistics,
        more=more,
        flags=tuple(flags),
    )


def header(scale: Scale, options: Options) -> dict[str, Any]:
    """Return what every block begins with: the scale, and how intervals were made."""
    o = options
    return {
        "schema_version": SCHEMA_VERSION,
        "scale": {
            "levels": list(scale.levels),
            "labels": list(scale.labels),
            "positions": list(scale.positions),
            "direction": scale.direction,
        },
        "inference": o.inference,
        "reference": o.reference,
        "weights": o.weights if o.item_weights is None else f"{o.weights}, times weights of the user",
        "min_raters": o.min_raters,
        "min_raters_interval": o.min_raters_interval,
        "draws": o.draws,
        "permutations": o.permutations,
        "seed": o.seed,
        "strata": o.strata,
    }


def null(value: float) -> float | None:
    """Return a finite number, or None."""
    return float(value) if np.isfinite(value) else None
