"""From a text to the numbers a lens sees: its length, scores by scorers, and components of a sentence embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import UsageError
from lm_plural.harness.lens.embedding import Embedding, load_embedding
from lm_plural.harness.scoring import Sample, Scorer, checked_scores, make_scorer

#: Components of an embedding, and columns of scores on which slopes of groups may be.
COMPONENTS, TILTED = 32, 8
#: Texts a scorer is handed at once.
AT_ONCE = 512
LENGTH = "length"


@dataclass(frozen=True)
class FeatureSpec:
    """What features are made of.

    Parameters
    ----------
    scorers : tuple of (str, mapping)
        Names and options.
    embedding : str
        ``minilm``, a folder, or empty.
    """

    scorers: tuple[tuple[str, Mapping[str, Any]], ...]
    embedding: str = ""


class Extractor:
    """Makes features; scorers and weights are loaded here, once.

    Parameters
    ----------
    spec : FeatureSpec
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.scorers: list[Scorer] = [make_scorer(name, options) for name, options in spec.scorers]
        self.embedding: Embedding | None = load_embedding(spec.embedding) if spec.embedding else None
        named = [s.info.name for s in self.scorers]
        if twice := [n for n in named if named.count(n) > 1]:
            raise UsageError(f"scorer {twice[0]!r} is asked for twice; expected different ones")
        if bad := [s.info.name for s in self.scorers if s.info.compares]:
            raise UsageError(f"scorer {bad[0]!r} compares with a reference response, which a lens has not")

    @property
    def names(self) -> list[str]:
        """Columns of :meth:`scores`."""
        columns = [(s.info.name, d) for s in self.scorers for d in (*s.info.dimensions, *s.info.more)]
        return [LENGTH, *(f"{scorer} {dimension}" for scorer, dimension in columns)]

    @property
    def versions(self) -> dict[str, str]:
        """Version of each scorer and of the embedding, by name."""
        found = {s.info.name: s.info.version for s in self.scorers}
        return found | ({f"embedding {self.embedding.name}": self.embedding.version} if self.embedding else {})

    @cached_property
    def languages(self) -> list[str]:
        """Languages that all of them cover; empty: they say nothing of languages."""
        said = [s.info.languages for s in self.scorers] + ([self.embedding.languages] if self.embedding else [])
        sets = [set(languages) for languages in said if languages]
        return sorted(set.intersection(*sets)) if sets else []

    def scores(self, samples: Sequence[Sample]) -> Floats:
        """Return the logarithm of the number of characters, and scores, shape (n, p); NaN where there is none."""
        length = [np.log10(len(s.response)) if s.response and s.response.strip() else np.nan for s in samples]
        columns = [np.array(length)[:, None]]
        for scorer in self.scorers:
            parts = [checked_scores(scorer, samples[i : i + AT_ONCE]) for i in range(0, len(samples), AT_ONCE)]
            width = len(scorer.info.dimensions) + len(scorer.info.more)
            columns.append(np.concatenate(parts) if parts else np.zeros((0, width)))
        return np.hstack(columns)

    def embed(self, samples: Sequence[Sample]) -> Floats:
        """Return embeddings, shape (n, width), or (n, 0) without one; half characters are U+FFFD."""
        if self.embedding is None:
            return np.zeros((len(samples), 0))
        texts = [(s.response or "").encode("utf-16", "surrogatepass").decode("utf-16", "replace") for s in samples]
        return self.embedding.embed(texts)


@dataclass(frozen=True)
class Standard:
    """How features are brought to one scale: what was seen of the texts a lens is fitted on.

    Parameters
    ----------
    low, high, mean, sd : ndarray, shape (p,)
        Of scores; new ones are clipped to what was seen.
    centre : ndarray, shape (width,)
        Mean embedding.
    basis : ndarray, shape (width, c)
        Principal components, the first of standard deviation 1.
    """

    low: Floats
    high: Floats
    mean: Floats
    sd: Floats
    centre: Floats
    basis: Floats

    @classmethod
    def of(cls, scores: Floats, embedded: Floats) -> Standard:
        """Return the scale of some texts, none of whose scores is missing."""
        centre = embedded.mean(axis=0)
        _, size, turned = np.linalg.svd(embedded - centre, full_matrices=False)
        most = min(COMPONENTS, int((size > 1e-9).sum()), len(embedded) // 10)
        first = size[0] / np.sqrt(len(embedded)) if most else 1.0
        sd = scores.std(axis=0)
        spread = np.where(sd > 1e-12, sd, 1.0)
        basis = turned[:most].T / first
        return cls(scores.min(axis=0), scores.max(axis=0), scores.mean(axis=0), spread, centre, basis)

    def apply(self, scores: Floats, embedded: Floats) -> tuple[Floats, Floats]:
        """Return all features, shape (n, p + c), and those of them that groups' slopes are on, shape (n, q)."""
        scaled = (np.clip(scores, self.low, self.high) - self.mean) / self.sd
        return np.hstack([scaled, (embedded - self.centre) @ self.basis]), scaled[:, :TILTED]
