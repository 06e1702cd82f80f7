"""The scorer ``hf_classifier``: any sequence classifier of transformers, from the Hub or from disk."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from lm_plural.harness.errors import UsageError
from lm_plural.harness.scoring import FloatArray, Sample, ScorerInfo
from lm_plural.scorers.base import TextScorer, hash_options, prompts, responses, version_of
from lm_plural.scorers.classifiers.heads import combined, weights_of
from lm_plural.scorers.classifiers.pretrained import fitting_length, labels_of, load, model_version
from lm_plural.scorers.classifiers.torch import Classifier, Dtype, changes, choose_device


def use_sigmoid(activation: str, config: Any) -> bool:
    """Return whether each label has a probability of its own."""
    if activation == "softmax" and config.num_labels == 1:
        raise UsageError("hf_classifier: the model has one label, and a softmax over one label is always 1")
    if activation == "auto":
        return bool(config.num_labels == 1 or config.problem_type == "multi_label_classification")
    return activation == "sigmoid"


def hf_classifier(
    *,
    model: str,
    labels: dict[str, str],
    revision: str | None = None,
    activation: Literal["softmax", "sigmoid", "auto"] = "auto",
    device: str = "auto",
    max_tokens: int | None = None,
    dtype: Dtype = "float32",
    max_length: int = 512,
    input: Literal["response", "prompt_and_response"] = "response",
    direction: Literal["more", "less"] = "more",
) -> TextScorer:
    """Make a scorer of a sequence classifier. Code in the model's repository is never run.

    Parameters
    ----------
    model : str
        Name on the Hub or folder.
    labels : dict of str to str
        From a label of the model (its name, ``LABEL_1`` or ``"1"``) to a dimension, e.g.
        ``{toxic: toxicity}``. Of several labels for one dimension the probabilities add under softmax, and
        the greatest counts under sigmoid.
    revision : str, optional
        Branch, tag or commit on the Hub.
    activation : {"auto", "softmax", "sigmoid"}
        How logits become probabilities; ``auto`` takes sigmoid for a multi-label model or a single label.
    device : str
        ``auto`` (CUDA if there is one), ``cpu``, ``cuda``, ``cuda:1``, ...
    max_tokens : int, optional
        Tokens of one forward pass, padding counted (default 2,048 on a CPU, 32,768 elsewhere); halved when memory
        runs out.
    dtype : {"float32", "bfloat16"}
        Of the computation. bfloat16 is faster where the device has it; its scores are others, and so is the version.
    max_length : int
        Tokens after which a text is cut (earlier if the model takes fewer).
    input : {"response", "prompt_and_response"}
        What is classified; the second is given to the tokenizer as a text pair.
    direction : {"more", "less"}
        Whether a higher score means more or less of the dimension.

    Returns
    -------
    TextScorer
        Dimensions in the order of `labels`, each in [0, 1]. Scores have shape (samples, dimensions), NaN for
        a missing or blank response.

    Raises
    ------
    UsageError
        If a label is not one of the model's, or an option does not fit the model.
    PluralError
        If the model cannot be loaded or has no trained classification head.
    """
    choose_device(device)
    if not labels:
        raise UsageError("hf_classifier: labels is empty: map a label of the model to a dimension")
    network, tokenizer = load(model, revision or "main", "hf_classifier")
    wanted: dict[str, dict[str, float]] = {}
    for label, dimension in labels.items():
        wanted.setdefault(dimension, {})[label] = 1.0
    weights = weights_of(wanted, labels_of(network.config), "hf_classifier")
    sigmoid = use_sigmoid(activation, network.config)
    classifier = Classifier(
        network,
        tokenizer,
        device=device,
        max_tokens=max_tokens,
        dtype=dtype,
        max_length=fitting_length(max_length, network.config, tokenizer),
    )

    def rate(samples: list[Sample]) -> FloatArray:
        texts = responses(samples)
        asked = [prompts(samples)] if input == "prompt_and_response" else []
        return combined(classifier.logits(*asked, texts), weights, sigmoid=sigmoid)

    options = {"labels": labels, "sigmoid": sigmoid, "input": input, "max_length": classifier.max_length}
    info = ScorerInfo(
        name=f"hf_classifier:{Path(model).resolve().name if Path(model).is_dir() else model}",
        dimensions=tuple(wanted),
        range=(0.0, 1.0),
        direction=direction,
        device=classifier.device,
        version=version_of(
            transformers=version("transformers"),
            model=model_version(model, revision or "main"),
            options=hash_options(options),
            **changes(dtype),
        ),
    )
    return TextScorer(info, rate)
