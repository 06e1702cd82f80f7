"""The scorer ``hf_classifier``: any sequence classifier of transformers, from the Hub or from disk."""

from __future__ import annotations

import pickle
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.scoring import FloatArray, Sample, ScorerInfo
from lm_plural.scorers.base import TextScorer, first_line, hash_files, hash_options, responses, version_of
from lm_plural.scorers.classifiers.torch import Classifier, Dtype, choose_device


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


# What of a local model's folder can change a score: weights, config and tokenizer.
SCORING_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}


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
    network, tokenizer = _load(model, revision or "main")
    groups = groups_of(labels, network.config)
    sigmoid = use_sigmoid(activation, network.config)
    classifier = Classifier(
        network,
        tokenizer,
        device=device,
        max_tokens=max_tokens,
        dtype=dtype,
        max_length=_fitting_length(max_length, network.config, tokenizer),
    )

    def rate(samples: list[Sample]) -> FloatArray:
        texts = responses(samples)
        prompts = [[s.prompt for s in samples]] if input == "prompt_and_response" else []
        return pool(classifier.logits(*prompts, texts), list(groups.values()), sigmoid)

    options = {"labels": labels, "sigmoid": sigmoid, "input": input, "max_length": classifier.max_length}
    info = ScorerInfo(
        name=f"hf_classifier:{Path(model).resolve().name if Path(model).is_dir() else model}",
        dimensions=tuple(groups),
        range=(0.0, 1.0),
        direction=direction,
        device=classifier.device,
        version=version_of(
            transformers=version("transformers"),
            model=_model_version(model, network.config),
            options=hash_options(options),
            **classifier.changes(),
        ),
    )
    return TextScorer(info, rate)


def _load(model: str, revision: str) -> tuple[Any, Any]:
    """Return network and tokenizer."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from lm_plural.harness.model.spec import fingerprint

    fingerprint(model, revision)  # asks the Hub once; loading would ask it many times before giving up
    try:
        network, report = AutoModelForSequenceClassification.from_pretrained(
            model,
            revision=revision,
            trust_remote_code=False,
            # In half precision the padding of a batch would show in the scores.
            dtype=torch.float32,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision, trust_remote_code=False)
    except pickle.UnpicklingError as e:
        raise PluralError(f"hf_classifier: {model!r}: its weights are a pickle that holds code; use safetensors") from e
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as e:
        raise PluralError(f"hf_classifier: cannot load {model!r}: {first_line(e)}") from e
    if report["missing_keys"]:
        # transformers would go on with random weights
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise PluralError(f"hf_classifier: {model!r} is not a trained sequence classifier: it lacks {missing}")
    return network, tokenizer


def _fitting_length(max_length: int, config: Any, tokenizer: Any) -> int:
    """Return `max_length`, or less where the model or its tokenizer takes less."""
    positions = getattr(config, "max_position_embeddings", None) or max_length
    return min(max_length, int(tokenizer.model_max_length), positions if positions > 0 else max_length)


def _model_version(model: str, config: Any) -> str:
    """Return the hash of a local model's files, or the commit the Hub resolved."""
    if Path(model).is_dir():
        return hash_files(p for p in Path(model).iterdir() if p.suffix in SCORING_FILES)
    return f"{model}@{config._commit_hash}"
