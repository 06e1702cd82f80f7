"""What the journal of a rate task says: a distribution over the scale per item, and what fell off the scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.plan import Request
from lm_plural.harness.task.elicit import distribution
from lm_plural.harness.task.schema import Task


@dataclass(frozen=True)
class Answers:
    """A model's distributions and the off-scale mass of each, items in plan order.

    Parameters
    ----------
    predictions : Predictions
    off_scale : list of float
    limit : float
        Median off-scale mass above which the model does not answer on the scale.
    """

    predictions: Predictions
    off_scale: list[float]
    limit: float

    @classmethod
    def of(cls, work: Work, *, wording: int | None = None, group: str | None = None) -> Answers:
        """Return the answers to one wording, or the mean over all; those as a member of a group, or the plain ones.

        Of items whose variants are all answered.
        """
        by_item: dict[str, list[Request]] = {}
        for request in work.requests:
            variant = request.variant
            if variant and variant.group == group and wording in (None, variant.wording):
                by_item.setdefault(request.doc.id, []).append(request)
        found = {}
        for item, requests in by_item.items():
            records = [work.journal.records.get(r.key) for r in requests]
            if all(records):
                found[item] = distribution([r["filtered_resps"][0] for r in records if r])
        q = _padded([q for q, _ in found.values()], work)
        off_scale = [off for _, off in found.values()]
        return cls(Predictions(list(found), q), off_scale, work.loaded.task.elicitation.max_off_scale)

    @cached_property
    def median(self) -> float | None:
        """Median off-scale mass; None without an answer."""
        return float(np.median(self.off_scale)) if self.off_scale else None

    def elicitation(self, task: Task) -> dict[str, Any]:
        """Return the block ``elicitation``: how the model was asked, and whether it answered on the scale."""
        return {
            "codings": list(task.elicitation.codings),
            "orders": list(task.elicitation.orders),
            "wordings": len(task.wordings),
            "n_items": len(self.predictions.item_ids),
            "off_scale_median": self.median,
            "off_scale_mean": float(np.mean(self.off_scale)),
            "refused": self.refused is not None,
        }

    @property
    def refused(self) -> str | None:
        """Why nothing may be computed from them, if so."""
        if self.median is None or self.median <= self.limit:
            return None
        share = f"a median of {self.median:.0%} of the model's probability is on no level (limit {self.limit:.0%})"
        return f"off_scale: {share}"


def _padded(found: Sequence[Floats], work: Work) -> Floats:
    """Return distributions as rows; where each item has options of its own, zeros follow a shorter list."""
    out = np.zeros((len(found), max((work.loaded.scale_of(r.doc).size for r in work.requests), default=0)))
    for row, q in zip(out, found, strict=True):
        row[: len(q)] = q
    return out
