"""What an answer must be, checked before it is written, so that what a journal holds can be read again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from numbers import Real
from typing import Any

from lm_plural.harness.errors import PluralError

#: Log-probability written for minus infinity, which JSON cannot hold; its exponential is 0.
NEVER = -1e4
#: How far above 0 a log-probability may come out by rounding, in the 16-bit numbers of some engines; 0 is written.
ROUNDING = 1e-3

_LONE = re.compile("[\\ud800-\\udfff]")


def text_answer(answer: Any) -> tuple[str | None, int]:
    """Return a response as it is written, None if none came, and how many lone surrogates U+FFFD was put for.

    Raises
    ------
    PluralError
        If it is no text.
    """
    if answer is None:
        return None, 0
    if not isinstance(answer, str):
        raise PluralError(f"is {type(answer).__name__}; expected text")
    if not _LONE.search(answer):
        return str(answer), 0
    paired = answer.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return _LONE.subn("\ufffd", paired)


def logprob_answer(answer: Sequence[Any], size: int) -> list[float]:
    """Return `size` log-probabilities in nats as they are written: finite, and not above 0.

    Raises
    ------
    PluralError
        If there are more or fewer, or one is none.
    """
    if len(answer) != size:
        raise PluralError(f"has {len(answer)} log-probabilities; expected {size}")
    for value in answer:
        if isinstance(value, bool) or not isinstance(value, Real) or not value <= ROUNDING:  # NaN is not
            raise PluralError(f"has the log-probability {value!r}; expected a number up to 0")
    return [float(min(max(v, NEVER), 0.0)) for v in answer]


def fits(answer: Any, size: int) -> bool:
    """Return whether a journal's answer is K log-probabilities (`size` K), or a text or null (`size` 0)."""
    if not size:
        return answer is None or isinstance(answer, str)
    return isinstance(answer, list) and len(answer) == size and all(map(_is_logprob, answer))


def _is_logprob(value: Any) -> bool:
    return type(value) is float and isfinite(value) and value <= ROUNDING
