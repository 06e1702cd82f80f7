"""How many raters a group and how many items a gap needs, from where its variance comes (methods 3.9)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lm_plural.harness.analysis.axis.contrast_rows import LEVEL
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics import power
from lm_plural.harness.statistics.catalogue import POINTS, measure, named
from lm_plural.harness.statistics.inference import CLEAR
from lm_plural.harness.statistics.power import Parts
from lm_plural.harness.statistics.uncertainty.intervals import quantile

#: What can be planned for; of it what needs predictions, and what is in the unit of the scale: others lie in [-1, 1].
STATISTICS, MODEL = named("plan"), named("plan", about="model")
IN_POINTS = tuple(s for s in STATISTICS if measure(s).unit == POINTS)
#: Fewer have no interval, whatever the normal approximation says.
LEAST_RATERS, LEAST_ITEMS = Options().min_raters_interval, 2


@dataclass(frozen=True)
class Question:
    """What is to be detected, and by what design.

    Parameters
    ----------
    gap : float
        In the unit of the statistic.
    power : float
    statistic : str
    items, raters, ratings_per_rater : int, optional
        Of the design; default: the pilot's, and without one 100 items, all rated by everyone.
    comparisons : int, optional
        Each is tested at 5 % / comparisons; default: max-T over the pilot's comparisons, without one a single one.
    """

    gap: float
    power: float = 0.8
    statistic: str = "item_mean"
    items: int | None = None
    raters: int | None = None
    ratings_per_rater: int | None = None
    comparisons: int | None = None

    @property
    def bonferroni(self) -> float:
        """Normal critical value of one of the comparisons."""
        return float(quantile(np.asarray(np.inf), 1 - (1 - LEVEL) / (self.comparisons or 1)))


#: Designs shown around the answer.
STEPS = (0.25, 0.5, 1, 2, 4)


@dataclass(frozen=True)
class Plan:
    """One gap: where its variance comes from, and what would detect it.

    Parameters
    ----------
    question : Question
    critical : float
        Standard errors that a significant gap has.
    parts : Parts
        With raters who each rate the share `share` of the items.
    share : ndarray, shape (2,)
    items : int
        Asked about.
    raters : ndarray, shape (2,), or None
        Of either side, asked about.
    """

    question: Question
    critical: float
    parts: Parts
    share: Floats
    items: int
    raters: Floats | None = None

    def parts_at(self, items: float) -> Parts:
        """Return the parts with so many items: of more than ``ratings_per_rater`` a rater rates only that many."""
        most, p = self.question.ratings_per_rater, self.parts
        if most is None:
            return p
        one = p.within * self.share  # of a single rating
        return Parts(p.item, one, p.rater) if items <= most else Parts(p.item, 0.0 * one, p.rater + one / most)

    def ratings_per_rater(self, items: float) -> Floats:
        """Return how many of the items a rater of either side rates."""
        most = self.question.ratings_per_rater
        return self.share * items if most is None else np.minimum(items, most) * np.ones(2)

    def detectable(self, items: float, raters: float | Floats) -> float:
        """Return the smallest detectable gap."""
        se = np.sqrt(power.gap_variance(self.parts_at(items), items, raters))
        return float(power.minimum_detectable(se, self.question.power, critical=self.critical))

    def raters_needed(self, items: float) -> float:
        """Return raters a group, as many in both; NaN where no number is enough."""
        q = self.question
        found = power.raters_needed(q.gap, self.parts_at(items), items, q.power, critical=self.critical)
        return float(np.maximum(found, LEAST_RATERS))

    def items_needed(self, raters: float | Floats) -> float:
        """Return items for raters a group, one number or one per side; NaN where no number is enough."""
        most = self.question.ratings_per_rater
        found = self._items(self.parts_at(0), raters)
        if most is not None and not found <= most:
            found = self._items(self.parts_at(np.inf), raters)
        return float(np.maximum(found, LEAST_ITEMS))

    def _items(self, parts: Parts, raters: float | Floats) -> float:
        q, n = self.question, np.asarray(raters)
        one = Parts(parts.item, parts.within / n, parts.rater / n)  # sides may differ in raters
        return float(power.items_needed(q.gap, one, 1.0, q.power, critical=self.critical))

    def answer(self) -> dict[str, Any]:
        """Return what is needed, and what the design asked about detects."""
        raters, rated = self.raters_needed(self.items), self.ratings_per_rater(self.items)
        answer = {
            "items": self.items,
            "raters": None,
            "detectable": None,
            "raters_needed": _whole(raters),
            "ratings_per_rater": rated.tolist(),
            "ratings_needed": _whole(float(np.ceil(raters * rated.sum()))),
            "items_needed": None,
            "least_raters": _whole(self.raters_needed(np.inf)),
            "least_items": _whole(self.items_needed(np.inf)),
        }
        if self.raters is not None:
            answer["raters"] = [int(n) for n in self.raters]
            answer["detectable"] = self.detectable(self.items, self.raters)
            answer["items_needed"] = _whole(self.items_needed(self.raters))
        return answer | {"variance": {k: np.asarray(v).tolist() for k, v in vars(self.parts).items()}}

    def grid(self) -> dict[str, Any]:
        """Return the detectable gap for raters x items around the answer, and what is needed for each of them."""
        middle = self.items if self.raters_needed(self.items) > 0 else 2 * self.items_needed(np.inf)
        items, raters = _around(middle, LEAST_ITEMS), _around(self.raters_needed(middle), LEAST_RATERS)
        return {
            "items": items,
            "raters": raters,
            "detectable": [[self.detectable(i, n) for i in items] for n in raters],
            "raters_needed": [_whole(self.raters_needed(i)) for i in items],
            "items_needed": [_whole(self.items_needed(n)) for n in raters],
        }


def _around(middle: float, least: int) -> list[int]:
    """Return numbers around one, the others rounded to two digits."""
    near = {int(middle) if step == 1 else int(float(f"{middle * step:.1e}")) for step in STEPS}
    return sorted({max(n, least) for n in near})


def _whole(number: float) -> int | None:
    return None if np.isnan(number) else int(number)


def would_show(content: Mapping[str, Any], statistic: str, raters: int) -> tuple[int, float] | None:
    """Return how many raters of one more group of an axis would show which gap to all others (power 80 %).

    The gap is the usual one, in the median of those to all others that are clear of chance. Where none is, or no number
    of raters would show it with these items, it is the one that `raters` would. Gaps found are the larger ones, so
    that what is returned is rather too few. None: no group of the axis was compared.

    Parameters
    ----------
    content : mapping
        The axis, as in results files.
    statistic : str
    raters : int
        That an interval takes.
    """
    rows = {r["a"]: r for r in content["contrasts"] if (r["statistic"], r["kind"]) == (statistic, "rest")}
    seen = [g for g in content.get("mdg", {}).get(statistic, ()) if g["b"] == "rest"]
    if not seen:
        return None
    # squared, the smallest detectable gap is a part of the items and one that halves with twice the raters
    of_raters = [2 * (g["now"] ** 2 - g["raters_x2"] ** 2) for g in seen]
    floor = float(np.median([g["now"] ** 2 - part for g, part in zip(seen, of_raters, strict=True)]))
    one = float(np.median([part * rows[g["a"]]["n_raters_a"] for g, part in zip(seen, of_raters, strict=True)]))
    clear = [abs(r["value"]) for r in rows.values() if r["p_adjusted"] is not None and r["p_adjusted"] <= CLEAR]
    if clear and (gap := float(np.median(clear))) ** 2 > floor:
        needed = math.ceil(one / (gap**2 - floor))
        if needed > raters:
            return needed, gap
    return raters, math.sqrt(floor + one / raters)
