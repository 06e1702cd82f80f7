"""Which model answers, said without loading it: backend, arguments and what makes two models different."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import sha256_known
from lm_plural.harness.hashing import digest
from lm_plural.harness.model import embedded
from lm_plural.harness.redact import redacted, remember

#: How fast it runs, not what it answers.
SPEED = {"batch_size", "max_batch_size", "num_concurrent", "max_retries", "timeout", "device"}
VERSIONS = ("lm-plural", "lm_eval", "transformers", "torch", "peft", "vllm")
HASHED = (".safetensors", ".bin", ".pt", ".json", ".jinja", ".model", ".gguf", ".txt")


@dataclass(frozen=True)
class ModelSpec:
    """What was asked for on the command line.

    Parameters
    ----------
    backend : str
        Name in lm-eval's model registry.
    args : mapping
        ``--model_args``.
    chat_template : bool or None
        ``--apply_chat_template``; None: for respond tasks of models that have one.
    system_instruction : str or None
    gen_kwargs : mapping
        ``--gen_kwargs``, over the task's own.
    seed : int
    """

    backend: str
    args: Mapping[str, Any]
    chat_template: bool | None = None
    system_instruction: str | None = None
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1234

    def __post_init__(self) -> None:
        """Take note of the secrets that must be written nowhere."""
        remember([self.args, self.gen_kwargs, self.system_instruction])

    @classmethod
    def stored(cls, run: Mapping[str, Any]) -> ModelSpec:
        """Return the spec of a finished run from its ``run.json``; the model itself need not be there any more."""
        known = run["identity"]
        spec = cls(
            known["model"],
            run["model_args"],
            known["chat_template"],
            known["system_instruction"],
            known["gen_kwargs"],
            known["seed"],
        )
        spec.__dict__["identity"] = known
        return spec

    @property
    def name(self) -> str:
        """What the model is called in results: its id or path, with the adapter's."""
        args = self.public_args
        name = str(args.get("pretrained") or args.get("model") or self.backend)
        return f"{name}+{args['peft']}" if args.get("peft") else name

    @cached_property
    def loaded_args(self) -> dict[str, Any]:
        """Arguments for lm-eval: the embedded model's name replaced by its folder."""
        args = dict(self.args)
        if args.get("pretrained") == embedded.NAME:
            args["pretrained"] = str(embedded.embedded_model())
        return args

    @cached_property
    def public_args(self) -> dict[str, Any]:
        """The arguments as they may be written to a file: secrets are starred out."""
        public: dict[str, Any] = redacted(dict(sorted(self.args.items())))
        return public

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that may change an answer; two specs with equal identities may share a journal.

        Raises
        ------
        PluralError
            If the model or adapter is neither on disk nor resolvable on the Hub.
        """
        args = self.loaded_args
        return {
            "model": self.backend,
            "model_args": {k: v for k, v in self.public_args.items() if k not in SPEED},
            "weights": fingerprint(args.get("pretrained"), args.get("revision", "main")),
            "adapter": fingerprint(args.get("peft"), "main"),
            "dtype": str(args.get("dtype", "auto")),
            "chat_template": self.chat_template,
            "system_instruction": redacted(self.system_instruction),
            "gen_kwargs": redacted(self.gen_kwargs),
            "seed": self.seed,
            "versions": {name: _version(name) for name in VERSIONS},
        }

    @property
    def who(self) -> str:
        """Identity of the model alone, however it is asked: its weights, or its arguments if those are unknown."""
        known = self.identity
        parts = ("weights", "adapter") if known["weights"] else ("model", "model_args")
        return digest([known[part] for part in parts])

    @cached_property
    def hash(self) -> str:
        """Short name of :attr:`identity`."""
        return digest(self.identity)

    @property
    def slug(self) -> str:
        """Folder name: readable, and different for every identity."""
        tail = "+".join(Path(part).name or part for part in self.name.split("+"))
        name = tail if Path(self.name.split("+")[0]).is_absolute() else self.name
        return re.sub(r"[^A-Za-z0-9._+-]+", "__", name).strip("_.") + "-" + self.hash[:8]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def fingerprint(source: Any, revision: Any) -> str | None:
    """Return sha256 over a local folder's files, or the commit of a Hub repository; None without a source."""
    if source is None:
        return None
    path = Path(str(source))
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file() and p.suffix in HASHED)
        return "sha256:" + digest([(p.name, sha256_known(p)) for p in files])
    if path.exists():
        return "sha256:" + sha256_known(path)[:16]
    return "commit:" + _commit(str(source), str(revision or "main"))


def _commit(repository: str, revision: str) -> str:
    """Return the commit a revision of a Hub repository means: from the local cache, else from the Hub."""
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repository):
        raise PluralError(f"model {repository!r}: no such folder, and not the form of a Hugging Face id")
    ref = _cached(repository) / "refs" / revision
    if ref.is_file():
        return ref.read_text().strip()
    return ask_hub(repository, revision)


def _cached(repository: str) -> Path:
    """Return where the Hub's client keeps a repository."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  never raises, as theirs
    home = Path(os.environ.get("HF_HOME") or Path(base) / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return hub / f"models--{repository.replace('/', '--')}"


def snapshots(repository: str, commit: str | None = None) -> list[Path]:
    """Return the folders of a Hub repository in the local cache, of one commit or all."""
    return sorted((_cached(repository) / "snapshots").glob(commit or "*"))


def ask_hub(repository: str, revision: str) -> str:
    """Return the commit a revision means on the Hub.

    Raises
    ------
    PluralError
        If the Hub does not know it or cannot be reached; it is asked once.
    """
    import logging

    from huggingface_hub import HfApi

    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    try:
        return str(HfApi().model_info(repository, revision=revision, timeout=30).sha)
    except Exception as e:  # the Hub client raises many kinds; all mean: not to be had
        first = (str(e) or type(e).__name__).splitlines()[0][:150]
        raise PluralError(
            f"model {repository!r} (revision {revision}): no such folder, not in the local cache, "
            f"and the Hub says: {first}"
        ) from e
