"""What a model says people would answer: a distribution over the scale for each item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import UsageError


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
