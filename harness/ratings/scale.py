"""A rating scale: ordered levels, where they stand, and which end is the good one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from lm_plural.harness.errors import UsageError

Direction = Literal["higher", "lower"]


#: Numbers of this size, and 0, are read as such; what is smaller or larger (an id of 18 digits) stays as it is written.
SPELLED = (1e-4, 2.0**53)


def canonical(value: Any) -> str:
    """Return the one spelling of a level: ``3``, ``3.0`` and ``" 3 "`` are all ``"3"``, ``.5`` is ``"0.5"``."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    if "_" in text or not text.isascii() or not (number == 0 or SPELLED[0] <= abs(number) < SPELLED[1]):
        return text
    return str(int(number)) if number == int(number) else repr(number)


@dataclass(frozen=True)
class Scale:
    """Ordered levels of a rating.

    Parameters
    ----------
    levels : tuple of str
        As they stand in the file, lowest first; at least two, all different.
    direction : {"higher", "lower"}
        Which end is better for the people affected (toxicity: ``lower``).
    labels : tuple of str
        Words for the levels, shown to a model or a reader. Default: the levels.
    positions : tuple of float
        Where the levels stand, strictly increasing, in scale points. Default: the levels read as numbers, else 1..K.
    """

    levels: tuple[str, ...]
    direction: Direction = "lower"
    labels: tuple[str, ...] = ()
    positions: tuple[float, ...] = field(default=())

    def __post_init__(self) -> None:
        levels = tuple(canonical(v) for v in self.levels)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "labels", tuple(self.labels) or levels)
        object.__setattr__(self, "positions", tuple(self.positions) or _default_positions(levels))
        if len(levels) < 2 or len(set(levels)) != len(levels) or "" in levels:
            raise UsageError(f"scale {list(levels)}: at least two levels, all different, none empty, are needed")
        for name, given in (("labels", self.labels), ("positions", self.positions)):
            if len(given) != len(levels):
                raise UsageError(f"scale {list(levels)}: {len(given)} {name} for {len(levels)} levels")
        if not np.all(np.isfinite(self.positions)) or not np.all(np.diff(self.positions) > 0):
            raise UsageError(f"scale {list(levels)}: positions {list(self.positions)} must be finite and increase")

    @property
    def size(self) -> int:
        """Number of levels, K."""
        return len(self.levels)

    def index(self, value: Any) -> int:
        """Return the 0-based place of a level.

        Raises
        ------
        UsageError
            If `value` is not a level of this scale.
        """
        try:
            return self.levels.index(canonical(value))
        except ValueError:
            raise UsageError(f"{value!r} is not on the scale {', '.join(self.levels)}") from None


def _default_positions(levels: tuple[str, ...]) -> tuple[float, ...]:
    """Read levels as numbers where they increase; words (or a list like no, unsure, yes) stand at 1..K."""
    try:
        numbers = tuple(float(v) for v in levels)
    except ValueError:
        numbers = ()
    return numbers or tuple(float(k) for k in range(1, len(levels) + 1))
