"""A model's answers beside the shares of each group of an axis, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.ratings.shares import ShareTable
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.shares import js_similarity, total_variation, w1_alignment

#: Statistics, in the order they are shown.
STATISTICS = named("shares")


@dataclass(frozen=True)
class Compared:
    """The groups of one axis on the items a model was asked; K is the longest list of options.

    Parameters
    ----------
    names : sequence of str
        Of the G groups.
    p : ndarray, shape (I, G, K)
        Shares, zeros after a shorter list; NaN where a group did not answer.
    positions : ndarray, shape (I, K)
        Places of the options; NaN after a shorter list and where they have no order.
    answers : ndarray, shape (I, G)
        How many answers the shares are of; NaN where that is not known.
    sizes : ndarray, shape (I,)
        Number of options.
    """

    names: Sequence[str]
    p: Floats
    positions: Floats
    answers: Floats
    sizes: Floats

    @classmethod
    def of(cls, table: ShareTable, axis: Axis, items: Sequence[str], size: int) -> Compared:
        """Return the groups of an axis on some items, in name order.

        Raises
        ------
        UsageError
            If there is no such axis.
        """
        names = list(table.groups(axis))
        place, column = {item: n for n, item in enumerate(items)}, {name: g for g, name in enumerate(names)}
        p, answers = np.full((len(items), len(names), size), np.nan), np.full((len(items), len(names)), np.nan)
        wanted = pl.col("item_id").is_in(items)
        rows = table.of_axis(axis).filter(wanted).select("item_id", "group", "shares", "answers")
        for item, group, shares, n in rows.iter_rows():
            at = place[item], column[group]
            p[at], answers[at] = np.pad(shares, (0, size - len(shares))), np.nan if n is None else n
        positions, sizes = np.full((len(items), size), np.nan), np.zeros(len(items))
        for item, places in table.options.filter(wanted).select("item_id", "positions").iter_rows():
            positions[place[item], : len(places)] = [np.nan if v is None else v for v in places]
            sizes[place[item]] = len(places)
        return cls(names, p, positions, answers, sizes)

    def only(self, group: str) -> Compared:
        """Return one group."""
        g = [list(self.names).index(group)]
        return Compared([group], self.p[:, g], self.positions, self.answers[:, g], self.sizes)

    def values(self, q: Floats) -> dict[str, Floats]:
        """Return each statistic of each item and group, shape (I, G); q has shape (I, K) or (I, G, K)."""
        w1 = w1_alignment(self.p, q, self.positions)
        return {"js_similarity": js_similarity(self.p, q), "w1_alignment": w1, "tv": total_variation(self.p, q)}

    @cached_property
    def known(self) -> Floats:
        """1 where a group answered an item, else 0, shape (I, G)."""
        return (~np.isnan(self.p[..., 0])).astype(np.float64)

    def uniform(self) -> Floats:
        """Return the answers of a model that knows nothing, each option of an item as likely, shape (I, K)."""
        share = ratio(1, self.sizes)[:, None]
        return np.where(np.arange(self.p.shape[2]) < self.sizes[:, None], share, 0.0)

    def others(self) -> Floats:
        """Return the mean shares of all other groups, each counting the same, shape (I, G, K)."""
        known, shares = self.known[..., None], np.nan_to_num(self.p)
        rest = shares.sum(axis=1, keepdims=True) - shares
        return ratio(rest, known.sum(axis=1, keepdims=True) - known)
