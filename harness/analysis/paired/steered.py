"""Predictions steered as each group against plain ones: what changes in that group (methods 3.7).

Steered as g less unsteered, on the items g rated and with g's own ratings: what few raters do to a distance cancels.
Every group has predictions of its own; all groups of the axis are tested together (max-T).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.paired.changes import PairedGroup, gap_row
from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.table import MOST_TOGETHER, RatingTable
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.counts import Membership, Sums, count_levels
from lm_plural.harness.statistics.groups.family import Sides, choose
from lm_plural.harness.statistics.groups.groups import Weighting
from lm_plural.harness.statistics.groups.paired import gap_changes, group_changes
from lm_plural.harness.statistics.measures import agreement

#: Statistics given of both sets, beside their changes.
VALUES = named("changes", "contrasts")


def compare_steered(
    table: RatingTable, axis: str, steered: Mapping[str, Predictions], plain: Predictions, options: Options
) -> dict[str, dict[str, Any]]:
    """Compare, for each group, the predictions steered as that group with the plain ones.

    Parameters
    ----------
    table : RatingTable
    axis : str
    steered : mapping of str to Predictions
        By group.
    plain : Predictions
    options : Options
        With the reference ``all``.

    Returns
    -------
    dict
        By group: ``n_items``, ``n_raters``, ``unsteered`` and ``steered`` values, ``change`` (steered less unsteered),
        ``than_others`` (change of divergence to the group less that to all other raters of the axis, on the items
        both rated; null without intervals) and ``flags``.
    """
    frame = Frame.of(table, options)
    members, names = frame.grouping(table.groups(axis, MOST_TOGETHER))
    q, rated = np.full((len(frame.item_ids), len(names), frame.scale.size), np.nan), set(frame.item_ids)
    for group, predictions in steered.items():
        if rated.intersection(predictions.item_ids):
            q[:, names.index(group)] = frame.align(predictions, options, [])
    job = _Job(frame, members, q, frame.align(plain, options, [])[:, None], options, axis)
    changes, values, others = job.changes(), job.values(), job.than_others()
    out = {}
    for group in steered:
        n = names.index(group)
        enough = changes[n].n_raters >= options.min_raters
        of_sets = {of: {s: float(v[n]) for s, v in found.items()} for of, found in values.items()}
        out[group] = group_block(changes[n], of_sets if enough else None, others.get(n) if enough else None)
    return out


def group_block(
    change: PairedGroup, values: Mapping[str, Mapping[str, float]] | None = None, others: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return one group as JSON types: its sizes, the `values` of both sets, the change, the row of `others`, flags."""
    numbers, values = change.to_dict(), values or {}
    sizes = {k: numbers.pop(k) for k in ("n_items", "n_raters")}
    said = numbers.pop("flags")
    both = {of: {s: null(values.get(of, {}).get(s, math.nan)) for s in VALUES} for of in ("unsteered", "steered")}
    return sizes | both | {"change": numbers, "than_others": others, "flags": said}


@dataclass(frozen=True)
class _Job:
    """What all groups share.

    Parameters
    ----------
    q : ndarray, shape (I, G, K)
        Steered as each group, NaN where that was not asked.
    plain : ndarray, shape (I, 1, K)
    """

    frame: Frame
    members: Membership
    q: Floats
    plain: Floats
    options: Options
    axis: str

    @cached_property
    def asked(self) -> npt.NDArray[np.bool_]:
        """Items both sets predict, shape (I, G, 1)."""
        return ~np.isnan(self.q[..., :1]) & ~np.isnan(self.plain[..., :1])

    @cached_property
    def counts(self) -> npt.NDArray[Any]:
        """Ratings of the items compared, shape (I, G, K_fine)."""
        return count_levels(self.frame.coded, self.members) * self.asked

    @cached_property
    def user(self) -> Floats | None:
        """The user's weights of items."""
        return self.frame.user_weights(self.options, [])

    @cached_property
    def sums(self) -> Sums:
        """Of shape (I, G)."""
        return Sums.of(self.counts, self.frame.scaling)

    @cached_property
    def weights(self) -> Weighting:
        """Of items, shape (I, G)."""
        return Weighting.of(self.sums, self.options.weights, self.user)

    def changes(self) -> list[PairedGroup]:
        """Return the changes of every group, those of all groups tested together."""
        o = self.options
        found = group_changes(
            self.frame.coded,
            self.members,
            self.counts,
            self.frame.scaling,
            self.q,
            self.plain,
            self.weights,
            o.inferring_groups(self.axis, "steered"),
        )
        return [PairedGroup.of(found, g, o) for g in range(self.members.n_groups)]

    def values(self) -> dict[str, dict[str, Floats]]:
        """Return the statistics of both sets, each of shape (G,)."""
        sets = {
            "unsteered": agreement.per_item(self.sums, self.plain),
            "steered": agreement.per_item(self.sums, self.q),
        }
        return {
            of: {s: agreement.weighted_mean(getattr(items, s), self.weights.by_name(s)) for s in VALUES}
            for of, items in sets.items()
        }

    def than_others(self) -> dict[int, dict[str, Any]]:
        """Return, by group, how much closer to it the model gets than to all others: rows as of changes of gaps."""
        o, n_groups = self.options, self.members.n_groups
        asked = np.flatnonzero(self.asked.any(axis=(0, 2)))
        if o.inference == "none" or n_groups < 2 or not len(asked):
            return {}
        sides = Sides.of(self.frame.coded, self.members, self.counts)
        sides = replace(sides, counts=sides.counts * np.tile(self.asked, (1, 2, 1)))
        found = gap_changes(
            self.frame.coded,
            sides,
            self.frame.scaling,
            np.tile(self.q, (1, 2, 1)),
            self.plain,
            *choose("rest", asked, n_groups),
            o.inferring(self.axis, "steered", "rest"),
            o.weights,
            self.user,
        )
        return {int(g): gap_row(found, m, o) for m, g in enumerate(asked)}
