"""How to disaggregate, and what is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.coarsen import Coarsening
from lm_plural.harness.ratings.strategies import STRATEGIES, Strategy
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.inference import INFERENCES, Inference, Inferring
from lm_plural.harness.statistics.measures.agreement import Weights
from lm_plural.harness.statistics.uncertainty.draws import generator

#: What intervals can still speak of where nobody knows who gave which rating.
WITHOUT_RATERS: dict[Inference, Inference] = {
    "items+raters": "items",
    "items": "items",
    "raters": "none",
    "none": "none",
}
#: Statistics of a group beside a model's predictions, in the order they are shown.
MODEL_STATISTICS = named("model")
#: Statistics of people alone.
HUMAN_STATISTICS = named("people")


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
    show_unfit : bool
        Whether numbers of judges that are not fit to judge are given; otherwise they are null.
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
    show_unfit: bool = False

    def inferring(self, *family: str) -> Inferring:
        """Return how the errors of a family are made; its names key the random numbers."""
        return Inferring(generator(self.seed, *family), self.inference, self.draws, self.min_raters_interval)

    def inferring_groups(self, *family: str) -> Inferring:
        """Return how the errors of groups are made that are tested together; each has enough raters to be computed."""
        return replace(self.inferring(*family), least=max(self.min_raters, self.min_raters_interval))

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
