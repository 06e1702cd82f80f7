"""The result of a disaggregation: groups, their statistics, and how they stand in files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.coarsen import Coarsening
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.strategies import Strategy
from lm_plural.harness.statistics.agreement import Weights

SCHEMA_VERSION = 1
#: Statistics that need a model's predictions, in the order they are shown.
MODEL_STATISTICS = ("bias", "divergence", "disagreement", "rps", "skill", "equivalent_raters")

Value = dict[str, float | None]


@dataclass(frozen=True)
class Predictions:
    """A model's distribution over the scale for each item.

    Parameters
    ----------
    item_ids : sequence of str
    q : ndarray, shape (len(item_ids), K)
        Rows sum to 1.
    """

    item_ids: Sequence[str]
    q: Floats


@dataclass(frozen=True)
class Options:
    """How to disaggregate.

    Parameters
    ----------
    min_raters : int
        Least raters of a group for its model statistics (methods, n rules).
    weights : {"items", "pairs"}
    reference : str
        Disagreement strategy; anything but ``all`` is a sensitivity analysis and flagged.
    coarsening : Coarsening or None
        Applied to ratings and predictions.
    """

    min_raters: int = 5
    weights: Weights = "items"
    reference: Strategy = "all"
    coarsening: Coarsening | None = None


@dataclass(frozen=True)
class Group:
    """What is known of one group."""

    n_items: int
    n_raters: int
    n_ratings: int
    mean: float
    rates: dict[str, float]
    alpha: dict[str, float]
    statistics: dict[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the group as JSON types; what could not be known is null."""
        out: dict[str, Any] = {
            "n_items": self.n_items,
            "n_raters": self.n_raters,
            "n_ratings": self.n_ratings,
        }
        out["mean"] = _null(self.mean)
        out["rates"] = {k: _null(v) for k, v in self.rates.items()}
        out["alpha"] = {k: _null(v) for k, v in self.alpha.items()}
        out |= {name: point(v) for name, v in self.statistics.items()}
        return out | {"flags": list(self.flags)}


@dataclass(frozen=True)
class Disaggregated:
    """A result with its groups.

    Attributes
    ----------
    overall : Group
        All raters as one group.
    by_group : dict of str to dict of str to Group
        By axis, then group.
    """

    scale: Scale
    overall: Group
    by_group: dict[str, dict[str, Group]]
    options: Options
    inference: str = "none"
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON types (schema in docs/files.md)."""
        s = self.scale
        axes = {a: {"groups": {g: v.to_dict() for g, v in groups.items()}} for a, groups in self.by_group.items()}
        return {
            "schema_version": SCHEMA_VERSION,
            "scale": {
                "levels": list(s.levels),
                "labels": list(s.labels),
                "positions": list(s.positions),
                "direction": s.direction,
            },
            "inference": self.inference,
            "reference": self.options.reference,
            "weights": self.options.weights,
            "min_raters": self.options.min_raters,
            "notes": list(self.notes),
            "overall": self.overall.to_dict(),
            "axes": axes,
        }


def point(value: float) -> Value:
    """Return a point estimate as it stands in files: no interval yet, null where it was refused."""
    return {"value": _null(value), "se": None, "low": None, "high": None}


def _null(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
