"""The scorer ``detoxify``: the five published toxicity classifiers of Unitary."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from lm_plural.harness.files import sha256_file
from lm_plural.harness.scoring import FloatArray, Listed, Sample, ScorerInfo, lists
from lm_plural.scorers.base import TextScorer, responses, version_of
from lm_plural.scorers.classifiers.detoxify_checkpoint import base_version, build, classes_of, download, read
from lm_plural.scorers.classifiers.torch import Classifier, Dtype, changes, choose_device

Variant = Literal["original", "unbiased", "multilingual", "original-small", "unbiased-small"]

MAX_LENGTH = 512


#: What every variant has.
COMMON = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")


@lists(lambda: [Listed("detoxify", "The five classifiers of the detoxify library.", COMMON, (), "Apache-2.0")])
def detoxify(
    *,
    variant: Variant = "unbiased",
    checkpoint: str | None = None,
    huggingface_config_path: str | None = None,
    device: str = "auto",
    max_tokens: int | None = None,
    dtype: Dtype = "float32",
) -> TextScorer:
    """Make a Detoxify scorer.

    Only tensors and plain values are read from a checkpoint: one that would run code is refused.

    Parameters
    ----------
    variant : {"unbiased", "original", "multilingual", "original-small", "unbiased-small"}
        Which of the published models.
    checkpoint : str, optional
        Its checkpoint file, for use offline. Without it the file is downloaded once to torch's hub cache.
    huggingface_config_path : str, optional
        Folder with ``config.json`` and the tokenizer files of the base model (``roberta-base`` for
        ``unbiased``), for use offline. Without it they come from the Hub.
    device : str
        ``auto`` (CUDA if there is one), ``cpu``, ``cuda``, ``cuda:1``, ...
    max_tokens : int, optional
        Tokens of one forward pass, padding counted (default 2,048 on a CPU, 32,768 elsewhere); halved when memory
        runs out.
    dtype : {"float32", "bfloat16"}
        Of the computation. bfloat16 is faster where the device has it; its scores are others, and so is the version.

    Returns
    -------
    TextScorer
        Six dimensions for the ``original`` variants (``toxicity`` first, ``severe_toxicity``, ``obscene``,
        ``threat``, ``insult``, ``identity_attack``) and also ``sexual_explicit`` for the others, each a
        probability in [0, 1], more is worse. Scores have shape (samples, dimensions), NaN for a missing or
        blank response. Texts are cut at 512 tokens.

    Raises
    ------
    PluralError
        If the checkpoint or the base model's files cannot be had, or are not what they should be.
    UsageError
        If the checkpoint is of another variant, or the device does not exist.
    """
    choose_device(device)
    path = Path(checkpoint) if checkpoint else download(variant)
    loaded = read(path)
    classes = classes_of(path, loaded["config"], variant)
    network, tokenizer = build(path, loaded, huggingface_config_path)
    how: Any = {"device": device, "max_tokens": max_tokens, "dtype": dtype}
    classifier = Classifier(network, tokenizer, max_length=MAX_LENGTH, **how)

    def rate(samples: list[Sample]) -> FloatArray:
        from scipy.special import expit

        # Outputs after the classes tell which identity a text mentions; the library drops them too.
        rows: FloatArray = expit(classifier.logits(responses(samples))[:, : len(classes)])
        return rows

    info = ScorerInfo(
        name=f"detoxify:{variant}",
        dimensions=classes,
        range=(0.0, 1.0),
        direction="more",
        device=classifier.device,
        version=version_of(
            detoxify=version("detoxify"),
            transformers=version("transformers"),
            checkpoint=f"sha256:{sha256_file(path)}",
            base=base_version(loaded, network, huggingface_config_path),
            **changes(dtype),
        ),
    )
    return TextScorer(info, rate)
