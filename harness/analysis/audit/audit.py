"""A scorer under test: how near its scores are to what each group of raters said of the same texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.audit.between import between, families
from lm_plural.harness.analysis.audit.group import DEFAULT, MATCHED, Grouped, Material, group
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import header, null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.harmful import Cut
from lm_plural.harness.ratings.table import MOST_TOGETHER, Axis, RatingTable, axis_name
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.counts import Membership, count_levels
from lm_plural.harness.statistics.scored.classify import Judged, matched_threshold

Harmful = npt.NDArray[np.bool_]
#: Thresholds looked at, of a score from 0 to 1.
GRID = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def audit(
    table: RatingTable,
    scores: Mapping[str, float],
    axes: Sequence[Axis],
    cut: Cut | None = None,
    options: Options | None = None,
    grid: Sequence[float] = GRID,
) -> dict[str, Any]:
    """Hold the scores of texts against the ratings of every group.

    Parameters
    ----------
    table : RatingTable
        Of one dimension on one scale.
    scores : mapping of str to float
        By item, from 0, harmless, to 1, harmful; NaN, or no entry, for an item that has none.
    axes : sequence
        Axis names, or tuples of them for intersections.
    cut : Cut, optional
        Which levels count as harmful; default: what is worse than the middle of the scale.
    options : Options, optional
        ``min_raters``, ``min_raters_interval``, ``inference``, ``draws`` and ``seed`` are looked at.
    grid : sequence of float
        Thresholds, beside 0.5 and the one that flags as many texts as raters call harmful.

    Returns
    -------
    dict
        The block as JSON types (docs/audit.md).

    Raises
    ------
    PluralError
        If no rated item has a score.
    UsageError
        For a threshold outside 0 to 1.
    """
    options, cut = options or Options(), cut or Cut.of(table.scale)
    if bad := [t for t in grid if not 0 <= t <= 1]:
        raise UsageError(f"threshold {bad[0]:g}: expected 0 to 1")
    known = {item: float(s) for item, s in scores.items() if s == s}
    rated = table.ratings["item_id"].n_unique()
    scored = table.select(known)
    if scored.ratings.is_empty():
        raise PluralError(f"none of the {rated} rated texts has a score")
    frame, harmful = _worse_up(Frame.of(scored, Options()), cut.harmful)
    score = np.array([known[i] for i in frame.item_ids])
    judged = Judged.of(frame.coded, harmful, score)
    thresholds = _thresholds(judged, grid)
    material = Material(frame, judged, {t.name: t.value for t in thresholds}, options)
    notes = [str(e) for e in table.exclusions]
    if lost := rated - len(score):
        notes.append(f"{lost} of {rated} rated texts left out: no score")
    everyone = Grouped.of(material, Membership.everyone(frame.coded.n_raters), ["all"])
    by_axis = {axis_name(axis): _axis(material, scored, axis) for axis in axes}
    return _head(frame, cut, options) | {
        "n_unscored": lost,
        "thresholds": [t.to_dict(judged) for t in thresholds],
        "notes": notes,
        "overall": group(everyone, 0),
        "axes": by_axis,
        "families": families(by_axis),
    }


def _worse_up(frame: Frame, harmful: Harmful) -> tuple[Frame, Harmful]:
    """Return levels, and which are harmful, so that a higher one is worse, as of scores."""
    if frame.scale.direction == "lower":
        return frame, harmful
    c = frame.coded
    return replace(frame, coded=replace(c, level=c.n_levels - 1 - c.level, positions=-c.positions[::-1])), harmful[::-1]


def _head(frame: Frame, cut: Cut, options: Options) -> dict[str, Any]:
    """Return what was compared, and how intervals were made."""
    kept = ("schema_version", "scale", "inference", "min_raters", "min_raters_interval", "draws", "seed")
    head = header(frame.scale, options)
    harmful = {"level": cut.level, "levels": cut.levels, "rule": cut.rule}
    return {"mode": "audit"} | {k: head[k] for k in kept} | {"harmful": harmful}


@dataclass(frozen=True)
class Threshold:
    """A threshold and why it is looked at."""

    name: str
    value: float
    kind: str

    def to_dict(self, judged: Judged) -> dict[str, Any]:
        """Return it as JSON types, with the share of texts it flags; null where only flagging nothing matches."""
        share = float(judged.flagged(self.value).mean())
        return {"name": self.name, "value": null(self.value), "kind": self.kind, "flagged_share": share}


def _thresholds(judged: Judged, grid: Sequence[float]) -> list[Threshold]:
    kinds = dict.fromkeys(sorted({*map(float, grid), DEFAULT}), "grid") | {DEFAULT: "default"}
    out = [Threshold(f"{value:g}", value, kind) for value, kind in kinds.items()]
    return [*out, Threshold(MATCHED, matched_threshold(judged.score, _harmful_share(judged)), "matched")]


def _harmful_share(judged: Judged) -> float:
    """Return the share of ratings that are harmful, for the average text."""
    counts = count_levels(judged.harm.coded, Membership.everyone(judged.harm.coded.n_raters))
    shares: Floats = judged.harm.mean(counts)[:, 0]
    return float(shares.mean())


def _axis(material: Material, table: RatingTable, axis: Axis) -> dict[str, Any]:
    members, names = material.frame.grouping(table.groups(axis, MOST_TOGETHER))
    grouped = Grouped.of(material, members, names)
    groups = {name: group(grouped, g) for g, name in enumerate(names)}
    return {"groups": groups, **between(axis_name(axis), grouped)}


def with_people(table: RatingTable | None, badness: Mapping[str, float], options: Options) -> dict[str, Any]:
    """Return how far a scorer agrees with what people said of the same reference responses.

    Parameters
    ----------
    table : RatingTable or None
        Ratings on the dimension it scores; None: nobody rated it.
    badness : mapping of str to float
        By item, from 0, good, to 1, bad; NaN where it has no score.
    options : Options
        Those of an audit.

    Returns
    -------
    dict
        ``auc``, ``pearson``, ``reliability`` and ``disattenuated`` with their intervals, sizes, and ``flags``; flags
        alone (``not_measured``) where nothing can be said.
    """
    if table is None:
        return {"flags": ["not_measured: nobody rated this dimension here"]}
    if not badness:
        return {"flags": ["not_measured: the task has no reference responses that people rated"]}
    try:
        found = audit(table, badness, (), None, options)["overall"]
    except PluralError:
        return {"flags": ["not_measured: no rated reference response has a score"]}
    sizes = {k: found[k] for k in ("n_items", "n_raters", "n_ratings")}
    numbers = {name: (found | found["ranks"])[name] for name in named("trust")}
    return {**sizes, **numbers, "flags": found["flags"]}
