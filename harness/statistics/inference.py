"""What intervals may speak of (methods 3.1); apart from the engine, so that a command line knows it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np

#: New items and new members of the groups; these items, new people; these people, new items; no intervals.
Inference = Literal["items+raters", "raters", "items", "none"]
INFERENCES: tuple[str, ...] = get_args(Inference)
#: A p up to here is clear of chance.
CLEAR = 0.05


@dataclass(frozen=True)
class Inferring:
    """How the errors of numbers that are read together are made.

    Parameters
    ----------
    rng : numpy.random.Generator
        For the draws; used up by them, so one for each family.
    inference : {"items+raters", "raters", "items", "none"}
        What intervals speak of; ``none``: there are none.
    draws : int
        Of max-T.
    least : int
        Raters of a side or a group, below which it has no interval and is in no family.
    """

    rng: np.random.Generator
    inference: Inference = "items+raters"
    draws: int = 10_000
    least: int = 2


def approximate(flags: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield on how few raters intervals rest, a little too short, and of which statistics; without names, of all."""
    for flag in flags:
        if flag.startswith("approximate: "):  # approximate: 14 raters, ... (item_mean, bias)
            raters, names = flag.split()[1], flag.partition("(")[2].rstrip(")")
            yield int(raters), names.split(", ") if names else []


def about(flags: Iterable[str], statistic: str = "") -> int | None:
    """Return on how few raters the interval of a statistic rests; None where they are enough."""
    return next((raters for raters, names in approximate(flags) if not names or statistic in names), None)
