"""What the built-in scorers share that needs no torch: one scorer class and the parts of a version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from lm_plural.harness.files import sha256_file
from lm_plural.harness.scoring import FloatArray, Sample, ScorerInfo, score_texts


@dataclass(frozen=True)
class TextScorer:
    """A scorer made of its description and one function.

    Parameters
    ----------
    info : ScorerInfo
    rate : callable
        From samples that all have a response to an array of shape (samples, dimensions).
    """

    info: ScorerInfo
    rate: Callable[[list[Sample]], npt.ArrayLike]

    def score(self, batch: Sequence[Sample]) -> FloatArray:
        """Return scores of shape (len(batch), dimensions), NaN where there is no response."""
        return score_texts(batch, len(self.info.dimensions), self.rate)


def plain(text: str) -> str:
    """Return a text that every tokenizer takes: U+FFFD stands for half characters (lone surrogates)."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def responses(samples: Sequence[Sample]) -> list[str]:
    """Return the responses of samples that all have one."""
    return [plain(s.response or "") for s in samples]


def prompts(samples: Sequence[Sample]) -> list[str]:
    """Return what was asked."""
    return [plain(s.prompt) for s in samples]


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error, or its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def version_of(**parts: str) -> str:
    """Return ``part=value;part=value``: readable, and different as soon as one part is."""
    return ";".join(f"{name}={value}" for name, value in parts.items())


def hash_files(paths: Iterable[Path]) -> str:
    """Return ``sha256:...`` over the names and contents of `paths`, whatever their order."""
    named = sorted((p.name, sha256_file(p)) for p in paths)
    return f"sha256:{hashlib.sha256(json.dumps(named).encode()).hexdigest()}"


def hash_options(options: Mapping[str, Any]) -> str:
    """Return ``sha256:...`` over options that change scores."""
    return f"sha256:{hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()}"
