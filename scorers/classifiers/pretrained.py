"""Networks of transformers from the Hub or a folder: loaded without running code, and named by what they hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Literal

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import sha256_known
from lm_plural.scorers.base import first_line, hash_files

#: What of a local model's folder can change a score: weights, config, tokenizer and chat template.
SCORING_FILES = {".safetensors", ".bin", ".json", ".txt", ".model", ".jinja"}
WEIGHTS = (".safetensors", ".bin")

Kind = Literal["classifier", "causal"]
CLASSES: dict[Kind, tuple[str, str]] = {
    "classifier": ("AutoModelForSequenceClassification", "sequence classifier"),
    "causal": ("AutoModelForCausalLM", "language model"),
}


def load(
    model: str, revision: str, who: str, kind: Kind = "classifier", *, half: bool = False, sha256: str | None = None
) -> tuple[Any, Any]:
    """Return network and tokenizer.

    Parameters
    ----------
    model : str
        Name on the Hub or folder.
    revision : str
        Branch, tag or commit on the Hub.
    who : str
        The scorer, for errors.
    kind : {"classifier", "causal"}
    half : bool
        Keep weights in bfloat16: of models of billions of parameters. Else they are float32, since in half precision
        the padding of a batch would show in the scores.
    sha256 : str, optional
        What :func:`weights_sha256` must be.

    Raises
    ------
    PluralError
        If it cannot be loaded, holds code, lacks weights, or its weights are others than they should be.
    """
    import torch
    import transformers

    from lm_plural.harness.model.spec import ask_hub, fingerprint, snapshots

    # Asks the Hub once; loading would ask it many times before giving up.
    if fingerprint(model, revision) == f"commit:{revision}" and not snapshots(model, revision):
        ask_hub(model, revision)
    name, called = CLASSES[kind]
    try:
        network, report = getattr(transformers, name).from_pretrained(
            model,
            revision=revision,
            trust_remote_code=False,
            dtype=torch.bfloat16 if half else torch.float32,
            output_loading_info=True,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, revision=revision, trust_remote_code=False)
    except pickle.UnpicklingError as e:
        raise PluralError(f"{who}: {model!r}: its weights are a pickle that holds code; use safetensors") from e
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as e:
        raise PluralError(f"{who}: cannot load {model!r}: {first_line(e)}") from e
    if report["missing_keys"]:
        # transformers would go on with random weights
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise PluralError(f"{who}: {model!r} is not a trained {called}: it lacks {missing}")
    if sha256 and (found := weights_sha256(model, revision)) != sha256:
        raise PluralError(f"{who}: {model!r}: weights have sha256 {found}; expected {sha256}")
    return network, tokenizer


def weights_sha256(model: str, revision: str) -> str:
    """Return the sha256 of a model's weights file, or over names and contents of several."""
    folder = Path(model)
    if not folder.is_dir():
        from lm_plural.harness.model.spec import snapshots

        folder = snapshots(model, commit_of(model, revision))[0]  # from which it was loaded
    files = next((found for kind in WEIGHTS if (found := sorted(folder.glob(f"*{kind}")))), [])
    return sha256_known(files[0]) if len(files) == 1 else hash_files(files).removeprefix("sha256:")


def labels_of(config: Any) -> list[str]:
    """Return the labels of a classifier in order."""
    return [str(config.id2label.get(i, f"LABEL_{i}")) for i in range(config.num_labels)]


def fitting_length(max_length: int, config: Any, tokenizer: Any) -> int:
    """Return `max_length`, or less where the model or its tokenizer takes less."""
    positions = getattr(config, "max_position_embeddings", None) or max_length
    return min(max_length, int(tokenizer.model_max_length), positions if positions > 0 else max_length)


def commit_of(model: str, revision: str) -> str:
    """Return the commit that a revision of a model on the Hub means."""
    from lm_plural.harness.model.spec import fingerprint

    return str(fingerprint(model, revision)).removeprefix("commit:")


def model_version(model: str, revision: str) -> str:
    """Return the hash of a local model's files, or the commit on the Hub."""
    if Path(model).is_dir():
        return hash_files(p for p in Path(model).iterdir() if p.suffix in SCORING_FILES)
    return f"{model}@{commit_of(model, revision)}"
