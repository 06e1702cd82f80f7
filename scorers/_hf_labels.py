"""The label map of ``hf_classifier``: from a model's labels and logits to our dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.scoring import FloatArray


def groups_of(labels: dict[str, str], config: Any) -> dict[str, list[int]]:
    """Return for each dimension the indices of its labels."""
    if not labels:
        raise UsageError("hf_classifier: labels is empty: map a label of the model to a dimension")
    names = {i: str(config.id2label.get(i, f"LABEL_{i}")) for i in range(config.num_labels)}
    known = {str(i): i for i in names} | {f"LABEL_{i}": i for i in names}
    known |= {name: i for i, name in names.items()}
    groups: dict[str, list[int]] = {}
    for label, dimension in labels.items():
        if label not in known:
            raise UsageError(
                f"hf_classifier: the model has no label {label!r}{did_you_mean(label, names.values())} "
                f"(it has {', '.join(names.values())})"
            )
        group = groups.setdefault(dimension, [])
        if known[label] not in group:  # the same label under two of its names counts once
            group.append(known[label])
    return groups


def use_sigmoid(activation: str, config: Any) -> bool:
    """Return whether each label has a probability of its own."""
    if activation == "softmax" and config.num_labels == 1:
        raise UsageError("hf_classifier: the model has one label, and a softmax over one label is always 1")
    if activation == "auto":
        return bool(config.num_labels == 1 or config.problem_type == "multi_label_classification")
    return activation == "sigmoid"


def pool(logits: FloatArray, groups: list[list[int]], sigmoid: bool) -> FloatArray:
    """Return the probability of each group of labels, shape (texts, groups)."""
    from scipy.special import expit, softmax

    each: FloatArray
    if sigmoid:
        each = expit(logits)
        return np.stack([each[:, group].max(axis=1) for group in groups], axis=1)
    each = softmax(logits, axis=1)
    # a sum of probabilities can pass 1 by a rounding error
    summed = np.stack([each[:, group].sum(axis=1) for group in groups], axis=1)
    return summed.clip(max=1.0)
