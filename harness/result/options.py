"""How to disaggregate, and what is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.coarsen import Coarsening
from lm_plural.harness.ratings.strategies import Strategy
from lm_plural.harness.statistics.agreement import Weights
from lm_plural.harness.statistics.inferences import Inference

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
