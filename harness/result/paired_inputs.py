"""Two sets of predictions on the items of one frame, as far as both predict them."""

from __future__ import annotations

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.options import Options, Predictions


def align_both(
    frame: Frame, scale: Scale, a: Predictions, b: Predictions, options: Options, notes: list[str]
) -> tuple[Floats, Floats]:
    """Return q of both sets in item order, shape (I, K) each, NaN for an item that only one predicts.

    Raises
    ------
    PluralError
        If predictions are not over `scale`, or the sets have no rated item in common.
    """
    q_a, q_b = (_aligned(frame, scale, p, which, options, notes) for which, p in (("first", a), ("second", b)))
    of_a, of_b = (~np.isnan(q[:, :1]) for q in (q_a, q_b))
    both = of_a & of_b
    if not both.any():
        raise PluralError(
            f"no rated item is in both sets of predictions: {of_a.sum()} are in the first only, "
            f"{of_b.sum()} in the second only"
        )
    if alone := int((of_a ^ of_b).sum()):
        notes.append(f"{alone} rated items predicted by one of the two sets only not compared")
    if same := int((q_a == q_b).all(axis=1).sum()):
        notes.append(f"the sets are equal on {same} of {both.sum()} compared items")
    return np.where(both, q_a, np.nan), np.where(both, q_b, np.nan)


def _aligned(
    frame: Frame, scale: Scale, predictions: Predictions, which: str, options: Options, notes: list[str]
) -> Floats:
    if predictions.q.shape[1] != scale.size:
        raise PluralError(
            f"{which} set of predictions: q has shape {predictions.q.shape}, expected {scale.size} columns, for levels "
            f"{', '.join(scale.levels)}"
        )
    own: list[str] = []
    q = frame.align(predictions, options, own)
    notes += [f"{which} set: {note}" for note in own]
    return q
