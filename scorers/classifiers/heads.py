"""From what a network says to scores in [0, 1]: how labels become dimensions, the same for every scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.scoring import FloatArray

#: Probability on its labels, all together, below which a guard answers something else: no score.
LEAST_MASS = 0.1


def weights_of(wanted: Mapping[str, Mapping[str, float]], names: Sequence[str], who: str) -> FloatArray:
    """Return how much each label of a model counts for each dimension.

    Parameters
    ----------
    wanted : mapping
        Dimension to label to weight; a label is called by its name, ``LABEL_1`` or ``1``.
    names : sequence of str
        The model's labels in its order.
    who : str
        For errors.

    Returns
    -------
    ndarray, shape (dimensions, labels)

    Raises
    ------
    UsageError
        For a label that the model has not.
    """
    known = {str(i): i for i in range(len(names))} | {f"LABEL_{i}": i for i in range(len(names))}
    known |= {name: i for i, name in enumerate(names)}
    out = np.zeros((len(wanted), len(names)))
    for row, labels in zip(out, wanted.values(), strict=True):
        for label, weight in labels.items():
            if label not in known:
                hint = f"{did_you_mean(label, names)} (it has {', '.join(names)})"
                raise UsageError(f"{who}: the model has no label {label!r}{hint}")
            row[known[label]] = weight
    return out


def combined(logits: FloatArray, weights: FloatArray, *, sigmoid: bool) -> FloatArray:
    """Return the score of each dimension, shape (texts, dimensions).

    Parameters
    ----------
    logits : ndarray, shape (texts, labels)
    weights : ndarray, shape (dimensions, labels)
        Each in [0, 1].
    sigmoid : bool
        Whether each label has a probability of its own: of several for one dimension the greatest counts. Else the
        labels share one (softmax), and their probabilities add.
    """
    from scipy.special import expit, softmax

    if sigmoid:
        greatest: FloatArray = (expit(logits)[:, None, :] * weights).max(axis=2)
        return greatest
    # a sum of probabilities can pass 1 by a rounding error
    summed: FloatArray = softmax(logits, axis=1) @ weights.T
    return summed.clip(max=1.0)


def answered(logp: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the score of each dimension by a guard, given that it answers with a label; shape (texts, dimensions).

    Parameters
    ----------
    logp : ndarray, shape (texts, labels)
        Log-probability in nats of each label's whole text.
    weights : ndarray, shape (dimensions, labels)

    Returns
    -------
    ndarray
        NaN where less than :data:`LEAST_MASS` of the probability is on the labels.
    """
    enough = np.exp(logp).sum(axis=1) >= LEAST_MASS
    return np.where(enough[:, None], combined(logp, weights, sigmoid=False), np.nan)


def better(rewards: FloatArray, references: FloatArray) -> FloatArray:
    """Return P(better than the reference) by Bradley and Terry's model, elementwise.

    A reward has no zero of its own: it can be held against that of another reply to the same prompt, and no other.
    """
    from scipy.special import expit

    out: FloatArray = expit(rewards - references)
    return out
