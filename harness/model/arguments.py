"""lm-eval's ways to write arguments: ``k=v,k2=v2``, ``k=v k2=v2`` or one JSON object."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

from lm_plural.harness.errors import UsageError

#: Splits at commas that begin a new ``key=``, so that values may hold commas.
_PAIR = re.compile(r",(?=\s*[A-Za-z_][\w.]*=)")


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
        for pair in _PAIR.split(word.strip(", ")):
            key, equals, value = pair.partition("=")
            if not equals:
                raise UsageError(f"{flag}: {pair!r} is not key=value")
            out[key.strip()] = literal(value)
    return out


def _json(word: str, flag: str) -> dict[str, Any]:
    try:
        value = json.loads(word)
    except ValueError as e:
        raise UsageError(f"{flag}: not valid JSON: {e}") from e
    if not isinstance(value, dict):
        raise UsageError(f"{flag}: expected a JSON object")
    return value


def literal(text: str) -> Any:
    """Return ``True``, ``3``, ``[1, 2]``, ... for text that is such a literal, else the text."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
