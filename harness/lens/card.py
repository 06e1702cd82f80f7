"""What a lens says of itself, and its two files: ``lens.json`` and ``lens.safetensors``.

Nothing of the texts or of who rated is in them but salted hashes, by which a text or rater is known again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import to_json, write_atomic
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.lens.split import Mean
from lm_plural.harness.strict import Strict

CARD, ARRAYS = "lens.json", "lens.safetensors"
#: Bytes of a hash that are kept.
BYTES = 16

Rung = Literal["P", "L0", "L1"]


class Number(Strict):
    """A number with its 95 % interval; null where it is not known."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, mean: Mean | float) -> Number:
        """Return a number, NaN as null."""
        three = (mean.value, mean.low, mean.high) if isinstance(mean, Mean) else (mean, math.nan, math.nan)
        value, low, high = (None if math.isnan(v) else float(v) for v in three)
        return cls(value=value, low=low, high=high)


class Finding(Strict):
    """One rule of refusal and what was found: ``fires`` is null where it is looked at when texts are predicted."""

    code: str
    about: str = ""
    fires: bool | None
    text: str


class Mended(Strict):
    """A recalibration (``statistics.lens.calibration``)."""

    shift: float = 0.0
    factor: float = 1.0


class GroupCard(Strict):
    """A group of raters; `refused` says why it has no terms of its own, or why they are hidden."""

    n_raters: int
    n_ratings: int
    reliability: float | None
    refused: str = ""
    error: float | None = None
    slope: float | None = None
    mended: Mended | None = None


class Gap(Strict):
    """The slope of true gaps on predicted ones, between two groups or in an axis, and its p under exchanged labels."""

    groups: tuple[str, ...] = ()
    slope: float
    p: float
    passes: bool


class AxisCard(Strict):
    """An axis: how far up the ladder it goes."""

    groups: dict[str, GroupCard]
    fitted: tuple[str, ...]
    rung: Rung
    spread: float
    skill: Number | None = None
    shift: Number | None = None
    tilt: Number | None = None
    chosen: tuple[float, ...] = ()
    gap: Gap | None = None
    pairs: tuple[Gap, ...] = ()


class Sources(Strict):
    """Models whose texts people rated, each left out once; `errors` is true less predicted mean, by group too."""

    names: tuple[str, ...]
    skill: Number
    errors: tuple[float, ...]
    by_group: dict[str, dict[str, tuple[float, ...]]]


class Card(Strict):
    """All of ``lens.json``."""

    kind: Literal["lens"] = "lens"
    version: Literal[1] = 1
    predicted: str = "Everything a lens says is predicted, by a model of ratings: no person said it of these texts."
    dataset: str
    data_hash: str
    dimension: str
    simulated: bool
    levels: tuple[str, ...]
    labels: tuple[str, ...]
    positions: tuple[float, ...]
    direction: Literal["higher", "lower"]
    text: str
    languages: tuple[str, ...]
    n_items: int
    n_raters: int
    n_ratings: int
    notes: tuple[str, ...] = ()
    scorers: tuple[dict[str, Any], ...]
    embedding: str
    versions: dict[str, str]
    features: tuple[str, ...]
    components: int
    spread: float
    icc: float
    seed: int
    exchanges: int
    skill: Number
    r: float
    r_new: float
    first_fifth: float | None
    error: float
    slope: float
    mended: Mended | None = None
    farthest: float
    axes: dict[str, AxisCard]
    sources: Sources | None = None
    findings: tuple[Finding, ...]
    salt: str
    arrays: str

    @property
    def scale(self) -> Scale:
        """The scale people rated on."""
        return Scale(self.levels, self.direction, self.labels, self.positions)

    def fired(self, code: str, about: str | None = None) -> Finding | None:
        """Return the finding of a code that fires, about one thing or any."""
        named = (f for f in self.findings if f.code == code and f.fires and about in (None, f.about))
        return next(named, None)


@dataclass(frozen=True)
class Lens:
    """A fitted lens.

    Parameters
    ----------
    card : Card
    arrays : mapping of str to ndarray
        ``cuts``, ``beta``, ``x`` (features of the texts it was fitted on), the scale of features, ``shift:<axis>`` and
        ``tilt:<axis>``, hashes of ``texts`` and ``raters``, and refits (``refit_...``) where intervals are given.
    """

    card: Card
    arrays: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write both files, the card last: without it there is no lens.

        Raises
        ------
        PluralError
            If they cannot be written.
        """
        from safetensors.numpy import save

        content = save({name: np.ascontiguousarray(a) for name, a in sorted(self.arrays.items())})
        card = self.card.model_copy(update={"arrays": hashlib.sha256(content).hexdigest()})
        write_atomic(folder / ARRAYS, content)
        write_atomic(folder / CARD, to_json(card.model_dump(mode="json")))

    @classmethod
    def load(cls, folder: Path) -> Lens:
        """Read a lens.

        Raises
        ------
        PluralError
            If there is none, or its files are damaged or do not belong together.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = folder / CARD
        try:
            card = Card.model_validate(json.loads(path.read_text(encoding="utf-8")))
            path = folder / ARRAYS
            content = path.read_bytes()
        except FileNotFoundError as e:
            raise PluralError(f"{path}: no lens here; expected the folder of lm-plural lens fit") from e
        except OSError as e:
            raise PluralError(f"{path}: cannot read: {e.strerror}") from e
        except ValidationError as e:
            first = e.errors(include_url=False)[0]
            raise PluralError(f"{path}: not a lens: {'.'.join(map(str, first['loc']))}: {first['msg']}") from e
        except (ValueError, RecursionError) as e:
            raise PluralError(f"{path}: not valid JSON: {e}") from e
        if (found := hashlib.sha256(content).hexdigest()) != card.arrays:
            raise PluralError(f"{path}: sha256 is {found}, expected {card.arrays}, as {CARD} says")
        try:
            return cls(card, load(content))
        except SafetensorError as e:
            raise PluralError(f"{path}: not valid safetensors: {e}") from e


def hashes(names: Iterable[str], salt: str) -> npt.NDArray[np.uint8]:
    """Return salted hashes of texts or ids of raters, shape (n, 16) of bytes."""
    found = [
        hashlib.sha256(f"{salt}\0{' '.join(n.split())}".encode(errors="surrogatepass")).digest()[:BYTES] for n in names
    ]
    return np.frombuffer(b"".join(found), dtype=np.uint8).reshape(-1, BYTES)


def known_again(lens: Lens, kind: Literal["texts", "raters"], names: list[str]) -> list[int]:
    """Return the places of texts or raters that the lens was fitted on."""
    known = {bytes(row) for row in lens.arrays[kind].astype(np.uint8)}
    return [i for i, row in enumerate(hashes(names, lens.card.salt)) if bytes(row) in known]
