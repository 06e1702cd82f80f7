"""What a data set holds, before any model is asked: how many ratings, by whom, and how far people agree."""

from __future__ import annotations

from typing import Any

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.ratings.table import RatingTable

COUNTS = ("n_items", "n_raters", "n_ratings", "mean")


def profile(table: RatingTable) -> dict[str, Any]:
    """Return a rating table's counts as JSON types.

    Returns
    -------
    dict
        ``overall`` and ``axes`` (axis, then group): ``n_items, n_raters, n_ratings, mean`` (scale points) and ``alpha``
        (Krippendorff's, by metric; null where fewer than two people rated an item); ``ratings_per_item`` and
        ``ratings_per_rater``: least, median, most; ``levels``: ratings on each level; ``exclusions``.

    Raises
    ------
    PluralError, UsageError
        If the table has no ratings, or stands on several scales.
    """
    scale = table.scale
    block = disaggregate(table, None, table.axes, Options(inference="none", min_raters=1)).to_dict()
    at = dict(table.ratings.group_by("level").len().iter_rows())
    return {
        "overall": _counts(block["overall"]),
        "ratings_per_item": _spread(table, "item_id"),
        "ratings_per_rater": _spread(table, "rater_id"),
        "levels": {level: at.get(k, 0) for k, level in enumerate(scale.levels)},
        "labels": list(scale.labels),
        "direction": scale.direction,
        "exclusions": [str(e) for e in table.exclusions],
        "axes": {
            axis: {group: _counts(found) for group, found in one["groups"].items()}
            for axis, one in block["axes"].items()
        },
    }


def _counts(group: dict[str, Any]) -> dict[str, Any]:
    return {name: group[name] for name in COUNTS} | {"alpha": group["alpha"]}


def _spread(table: RatingTable, by: str) -> dict[str, float]:
    n = table.ratings.group_by(by).len()["len"]
    return {"least": int(n.min()), "median": float(n.median() or 0), "most": int(n.max())}  # type: ignore[arg-type]
