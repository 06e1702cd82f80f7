"""lm-eval's ways to write arguments: ``k=v,k2=v2``, ``k=v k2=v2`` or one JSON object."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lm_plural.harness.errors import UsageError

#: A comma that begins a new ``key=`` ends a value, so that values may hold commas.
_NEXT = re.compile(r"\s*[A-Za-z_][\w.]*\s*=")
_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "\"'"


def parse_arguments(words: Sequence[str] | None, flag: str) -> dict[str, Any]:
    """Return the arguments as a dict; values are read as Python literals where they are ones.

    Raises
    ------
    UsageError
        For a word that is neither ``key=value`` nor a JSON object.
    """
    out: dict[str, Any] = {}
    for word in words or ():
        if word.lstrip().startswith("{"):
            out |= _json(word, flag)
            continue
        for pair in _pairs(word.strip(", ")):
            key, equals, value = pair.partition("=")
            if not equals or not key.strip():
                raise UsageError(f"{flag}: {pair!r} is not key=value")
            out[key.strip()] = literal(value)
    return out


def _pairs(word: str) -> list[str]:
    """Split at commas that begin a new ``key=`` and stand outside brackets and quoted texts."""
    pairs, start, depth, quote, escaped = [], 0, 0, "", False
    for n, char in enumerate(word):
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        elif char in _QUOTES and word[n - 1] in "=,: " + _OPEN:  # not the apostrophe in it's
            quote = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth = max(depth - 1, 0)
        elif char == "," and not depth and _NEXT.match(word, n + 1):
            pairs.append(word[start:n])
            start = n + 1
    return [*pairs, word[start:]]


def _json(word: str, flag: str) -> dict[str, Any]:
    try:
        value = _storable(json.loads(word))
    except (ValueError, RecursionError) as e:
        raise UsageError(f"{flag}: not valid JSON: {e}") from e
    if not isinstance(value, dict):
        raise UsageError(f"{flag}: expected a JSON object")
    return value


def _storable(value: Any) -> Any:
    """Return the value; what ``run.json`` could not hold (bytes, sets, infinities) is a ValueError or TypeError."""
    json.dumps(value, allow_nan=False)
    return value


def literal(text: str) -> Any:
    """Return ``True``, ``3``, ``[1, 2]``, ... for text that is such a literal of Python or JSON, else the text.

    A literal that JSON cannot hold (bytes, sets, infinities) is text.
    """
    text = text.strip()
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Python's opinion of the text's backslashes is not asked for
        try:
            return _storable(ast.literal_eval(text))
        except (ValueError, SyntaxError, TypeError, Warning, MemoryError, RecursionError):
            pass
    with suppress(ValueError, RecursionError):
        if text[:1] in ("{", "["):
            return _storable(json.loads(text))
    return text
