"""What a plan is asked: the gap to be detected, and by what design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lm_plural.harness.result.contrast import LEVEL
from lm_plural.harness.result.options import Options
from lm_plural.harness.statistics.intervals import quantile

MODEL = ("bias", "divergence", "rps")
STATISTICS = ("item_mean", "disagreement", "cliff", *MODEL)
#: In the unit of the scale; others lie in [-1, 1].
IN_POINTS = ("item_mean", "bias")
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
