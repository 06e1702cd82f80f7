"""One group of a result: who it is, what its raters said, how near the model is, and how near people would be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.counts import Membership
from lm_plural.harness.statistics.groups import ceiling
from lm_plural.harness.statistics.groups.groups import GroupStatistics, membership_matrix
from lm_plural.harness.statistics.measures import reliability
from lm_plural.harness.statistics.measures.alpha import METRICS, krippendorff_alpha
from lm_plural.harness.statistics.measures.secondary import BIAS, secondary
from lm_plural.harness.statistics.uncertainty.intervals import Estimates

SCHEMA_VERSION = 2

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
