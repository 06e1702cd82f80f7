"""Reading the checkpoints of the detoxify library: fetch, check, build."""

from __future__ import annotations

import http.client
import re
import warnings
from pathlib import Path
from typing import Any

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.scorers.base import first_line, hash_files

# What each published checkpoint holds: its network and how many of its outputs are toxicity classes.
VARIANTS: dict[str, tuple[str, int]] = {
    "original": ("BertForSequenceClassification", 6),
    "unbiased": ("RobertaForSequenceClassification", 7),
    "multilingual": ("XLMRobertaForSequenceClassification", 7),
    "original-small": ("AlbertForSequenceClassification", 6),
    "unbiased-small": ("AlbertForSequenceClassification", 7),
}
ARCH = ("model_type", "model_name", "tokenizer_name", "num_classes")
# The names the detoxify library reports, which the older checkpoints spell otherwise.
RENAMED = {"toxic": "toxicity", "identity_hate": "identity_attack", "severe_toxic": "severe_toxicity"}


def download(variant: str) -> Path:
    """Return the published checkpoint in torch's hub cache, downloaded if it is not there."""
    import torch
    from detoxify.detoxify import MODEL_URLS

    url: str = MODEL_URLS[variant]
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path))
        except (OSError, http.client.HTTPException) as e:
            raise PluralError(
                f"detoxify:{variant}: cannot download {url} ({e}); offline, give that file as checkpoint: "
                f"and the folder of its base model's config and tokenizer as huggingface_config_path:"
            ) from e
    return path


def read(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content: ``config`` and ``state_dict``."""
    import torch

    if not path.is_file():
        raise PluralError(f"{path}: no such detoxify checkpoint")
    try:
        # Unlike the library, which lets a checkpoint run code: the published ones hold tensors and a plain config.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle's protocol: it is read or refused
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as e:  # bytes that are no pickle can raise anything
        if found := re.search(r"GLOBAL (\S+)", str(e)):
            raise PluralError(
                f"{path}: refused: it holds {found[1]}, which is code and not weights; for another model save its "
                "weights as safetensors (save_pretrained) and use the scorer hf_classifier"
            ) from e
        raise PluralError(f"{path}: not a detoxify checkpoint: {type(e).__name__}") from e
    if not isinstance(loaded, dict) or not {"config", "state_dict"} <= loaded.keys():
        raise PluralError(f"{path}: not a detoxify checkpoint: it lacks 'config' or 'state_dict'")
    return loaded


def _tokenizers(network: str) -> list[str]:
    """Return the classes of transformers that a network's tokenizer may be of: a checkpoint must not name others."""
    family = network.removesuffix("ForSequenceClassification")
    return [f"{family}Tokenizer", f"{family}TokenizerFast"]


def classes_of(path: Path, config: Any, variant: str) -> tuple[str, ...]:
    """Return the names of a checkpoint's classes, after a check that it is of `variant`."""
    try:
        classes = tuple(RENAMED.get(c, c) for c in config["dataset"]["args"]["classes"])
        arch = {key: config["arch"]["args"][key] for key in ARCH}
    except (KeyError, TypeError) as e:
        raise PluralError(f"{path}: not a detoxify checkpoint: {type(e).__name__} {e} in its config") from e
    found = (arch["model_name"], len(classes))
    if found != VARIANTS[variant]:
        fits = [repr(name) for name, held in VARIANTS.items() if held == found]
        hint = f"; say variant: {fits[0]}" if fits else ""
        raise UsageError(f"{path}: {found[0]} with {found[1]} classes is not detoxify:{variant}{hint}")
    if (name := arch["tokenizer_name"]) not in (fitting := _tokenizers(found[0])):
        raise PluralError(f"{path}: not a detoxify checkpoint: tokenizer {name!r}; expected {fitting[0]}")
    return classes


def build(path: Path, loaded: dict[str, Any], base: str | None) -> tuple[Any, Any]:
    """Return network and tokenizer of a checkpoint, from the folder `base` if given.

    The library's own loader asks the Hub for the base model's config even when it is given a local folder
    (unitaryai/detoxify pull request 126), and does not notice weights that are missing from the checkpoint.
    """
    import torch
    import transformers

    arch = loaded["config"]["arch"]["args"]
    source = base or arch["model_type"]
    network_class = getattr(transformers, arch["model_name"])
    try:
        config = network_class.config_class.from_pretrained(source, num_labels=arch["num_classes"])
        tokenizer = getattr(transformers, arch["tokenizer_name"]).from_pretrained(source)
    except (OSError, ValueError, AttributeError, KeyError) as e:
        raise PluralError(
            f"detoxify: cannot load config and tokenizer of {source!r} ({first_line(e)}); offline, give "
            f"their folder as huggingface_config_path:"
        ) from e
    try:
        network, report = network_class.from_pretrained(
            None,
            config=config,
            state_dict=loaded["state_dict"],
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (RuntimeError, ValueError, AttributeError) as e:
        raise PluralError(f"{path}: its weights do not fit {source!r}: {first_line(e)}") from e
    if report["missing_keys"]:
        raise PluralError(f"{path}: weights are missing, e.g. {min(report['missing_keys'])}")
    return network, tokenizer


def base_version(loaded: dict[str, Any], network: Any, base: str | None) -> str:
    """Return what identifies the base model's config and tokenizer: a folder's hash or the Hub's commit."""
    source = base or loaded["config"]["arch"]["args"]["model_type"]
    if Path(source).is_dir():
        return hash_files(p for p in Path(source).iterdir() if p.suffix in {".json", ".txt", ".model"})
    return f"{source}@{network.config._commit_hash}"
