"""How to disaggregate, and what is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.coarsen import Coarsening
from lm_plural.harness.ratings.strategies import STRATEGIES, Strategy
from lm_plural.harness.statistics.agreement import Weights
from lm_plural.harness.statistics.inferences import INFERENCES, Inference

#: What intervals can still speak of where nobody knows who gave which rating.
WITHOUT_RATERS: dict[Inference, Inference] = {
    "items+raters": "items",
    "items": "items",
    "raters": "none",
    "none": "none",
}
#: Statistics that need a model's predictions, in the order they are shown.
MODEL_STATISTICS = ("bias", "divergence", "disagreement", "rps", "skill", "equivalent_raters")
#: Statistics of people alone.
HUMAN_STATISTICS = ("item_mean", "disagreement")


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

    def __post_init__(self) -> None:
        """Refuse what are no distributions, one per item.

        Raises
        ------
        UsageError
        """
        if self.q.ndim != 2 or len(self.q) != len(self.item_ids):
            raise UsageError(
                f"predictions of shape {self.q.shape} for {len(self.item_ids)} items; expected a row for each"
            )
        if len(set(self.item_ids)) < len(self.item_ids):
            raise UsageError("two predictions of one item; expected one")
        if len(self.q) and not ((np.abs(self.q.sum(axis=1) - 1) < 1e-3) & (self.q >= 0).all(axis=1)).all():
            raise UsageError("predictions below 0 or that do not sum to 1; expected a distribution for each item")


@dataclass(frozen=True)
class Options:
    """How to disaggregate.

    Parameters
    ----------
    min_raters : int
        Least raters of a group for its statistics (methods section 0, row 11).
    weights : {"items", "pairs"}
        The average item, or the average pair of raters.
    reference : str
        Disagreement strategy; anything but ``all`` is a sensitivity analysis and flagged.
    coarsening : Coarsening or None
        Applied to ratings and predictions.
    inference : {"items+raters", "raters", "items", "none"}
        What intervals speak of: new items and new people, new people, new items, nothing.
    min_raters_interval : int
        Least raters of a group for an interval.
    item_weights : mapping of str to float, optional
        The user's weights of items (topic balancing), multiplied with `weights`; an item without one has 0.
    draws : int
        Of the joint distribution of all groups, and of max-T.
    permutations : int
        Of raters between groups.
    seed : int
    strata : str or None
        An axis within whose groups raters are permuted, where it goes together with the others.
    """

    min_raters: int = 5
    weights: Weights = "items"
    reference: Strategy = "all"
    coarsening: Coarsening | None = None
    inference: Inference = "items+raters"
    min_raters_interval: int = 10
    item_weights: Mapping[str, float] | None = None
    draws: int = 10_000
    permutations: int = 1_999
    seed: int = 0
    strata: str | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises
        ------
        UsageError
        """
        for name, value, known in (
            ("inference", self.inference, INFERENCES),
            ("weights", self.weights, get_args(Weights)),
            ("reference", self.reference, STRATEGIES),
        ):
            if value not in known:
                raise UsageError(f"{name} {value!r}; expected one of {', '.join(known)}")
        for name, number, least in (
            ("min_raters", self.min_raters, 1),
            ("min_raters_interval", self.min_raters_interval, 2),
            ("draws", self.draws, 100),
            ("permutations", self.permutations, 1),
            ("seed", self.seed, 0),
        ):
            if number < least:
                raise UsageError(f"{name} {number}: expected at least {least}")
