"""Against one reference per item, as a disagreement strategy makes it (methods 7.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import Number
from lm_plural.harness.analysis.options import MODEL_STATISTICS, Options
from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.ratings.strategies import reference
from lm_plural.harness.statistics.counts import Membership, count_levels
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.intervals import raw
from lm_plural.harness.statistics.uncertainty.pigeonhole import Replicates, pigeonhole

#: Strategies that say something of weighted counts of one group.
RESAMPLED = ("mean", "median", "majority", "consensus", "any_flag")
REPLICATES = 500
Found = list[tuple[dict[str, Number], list[str]]]


@dataclass(frozen=True)
class AgainstReference:
    """How groups are held against one reference per item.

    Parameters
    ----------
    frame : Frame
    options : Options
    q : ndarray, shape (I, K)
    user : ndarray, shape (I,), or None
        Weights of items.
    """

    frame: Frame
    options: Options
    q: Floats
    user: Floats | None

    def groups(self, counts: npt.NDArray[Any], members: Membership, balanced: Membership | None) -> Found:
        """Return bias and plug-in divergence of each group under the strategy, the rest refused with a flag.

        Parameters
        ----------
        counts : ndarray, shape (I, G, K_fine)
        balanced : Membership or None
            Over whose groups ``group_balanced`` takes its mean; None: each group its own reference.
        """
        how = self.options.reference
        of_all = counts * ~np.isnan(self.q[:, :1, None])
        counts = of_all
        if how == "group_balanced":
            counts = count_levels(self.frame.coded, balanced)[:, None] if balanced else counts[:, :, None]
        elif how == "weighted":
            counts = count_levels(self.frame.coded, members, weighted=True)
        target = self._reference(counts)
        items = np.ones(len(self.q)) if self.user is None else self.user
        apart = agreement.plug_in_divergence(self.frame.scaling, target, self.q)
        values = {"bias": self._mean(self._bias(target), items), "divergence": self._mean(apart, items)}
        se = self._errors(members) if how in RESAMPLED and self.options.inference == "items+raters" else None
        sizes = members.sizes(np.unique(self.frame.coded.rater))
        flag = f"strategy_{how}: divergence is plug-in and has no interval; the rest needs all ratings"
        return [
            self._group(g, values, None if se is None else se[g], int(sizes[g]), of_all[:, g], flag)
            for g in range(target.shape[1])
        ]

    def _reference(self, counts: npt.NDArray[Any]) -> Floats:
        harm = "lower" if self.frame.scale.direction == "higher" else "higher"
        return reference(counts @ self.frame.scaling.matrix, self.options.reference, harm=harm)

    def _bias(self, target: Floats) -> Floats:
        positions = self.frame.scaling.positions
        return np.asarray((self.q @ positions)[:, None] - target @ positions)

    def _mean(self, values: Floats, items: Floats) -> Floats:
        """Return means over items that have a reference and a prediction, shape (..., I, G) to (..., G)."""
        weights = np.where(np.isnan(values), 0.0, items[..., None])
        return ratio(np.where(weights > 0, values * weights, 0.0).sum(axis=-2), weights.sum(axis=-2))

    def _errors(self, members: Membership) -> Floats:
        """Return standard errors of bias: a reference has no leave-one-out form, so items and raters are resampled."""
        if not len(self.q):
            return np.full(members.n_groups, np.nan)
        items = np.ones(len(self.q)) if self.user is None else self.user
        rng = generator(self.options.seed, "pigeonhole", self.options.reference)

        def bias(drawn: Replicates) -> Floats:
            return self._mean(self._bias(self._reference(drawn.counts)), drawn.items * items)

        return np.asarray(pigeonhole(self.frame.coded, members, bias, REPLICATES, rng).std(axis=0, ddof=1))

    def _group(
        self, g: int, values: dict[str, Floats], se: float | None, raters: int, counts: npt.NDArray[Any], flag: str
    ) -> tuple[dict[str, Number], list[str]]:
        numbers = {n: Number(float(values[n][g]) if n in values else math.nan) for n in MODEL_STATISTICS}
        if math.isnan(numbers["divergence"].value):
            return numbers, [flag, "no_reference: no predicted item has a reference under this strategy"]
        if se is None:
            why = "for items+raters only" if self.options.reference in RESAMPLED else "none under this strategy"
            return numbers, [flag] if self.options.inference == "none" else [flag, f"no_interval: of bias, {why}"]
        n_items = int((counts.sum(axis=1) > 0).sum())
        limits = flags.of_interval(raters, n_items, self.options)
        if flags.has_interval(limits, self.options):
            value, df = values["bias"][g : g + 1], np.array([min(raters, n_items) - 1.0])
            numbers["bias"] = Number.at(raw(value, np.array([se**2]), df), 0)
            limits.append("pigeonhole: the interval of bias is from resampled items and raters, on the wide side")
        return numbers, [flag, *limits]
