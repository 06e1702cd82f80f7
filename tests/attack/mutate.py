"""Ways to break what is whole: text, bytes and nested values."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

#: Characters that readers of text trip over: separators of lines and words, marks of direction, controls, none at all.
ODD = ["\0", "\x07", "\x1b[31m", "\x1c", "\x85", "\xa0", "\u2028", "\u2029", "\u200b", "\u202e", "\u2066", "\ufeff"]
ODD += ["\U0001f600", "e\u0301", "\x7f", "\ufffd", "\ud83d", "\U0010ffff", "\u0130", "\u0660"]
#: Words that stand where a number or an id is expected.
WORDS = [
    "",
    " ",
    "NA",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "null",
    "None",
    "true",
    "0",
    "-0",
    "-1",
    "1e999",
    "1e-400",
    "1_0",
]
WORDS += ["0x10", "003", "3.0", "3.00000000000000000001", "٣", "9007199254740993", "9007199254740992.0", "1e400000"]
WORDS += ["9" * 400, "=1+1", "@SUM(1)", "'", '"', '"""', "a\tb", "undeclared", "|", "||", "a||b", "woman|man|woman"]
WORDS += ["{{ 7 * 7 }}", "%s%n", "../../x", "é" * 300, "A" * 70_000, "row", "_rule", "_fault", "x_duplicated_0"]
INTS = [0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64 + 1, -(2**63), 10**30, 10**400]
FLOATS = [0.0, -0.0, 0.5, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"), 3.0, 2.0**53]


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def value(rng: Random, *, strange: bool = True) -> Any:
    """Return a value of any kind."""
    kinds: list[Callable[[], Any]] = [
        lambda: rng.choice(WORDS),
        lambda: rng.choice(ODD) if strange else "odd",
        lambda: rng.choice(INTS),
        lambda: rng.choice(FLOATS),
        lambda: rng.choice([True, False, None]),
        lambda: rng.choice([[], {}, [None], [[]], {"": None}, {"a": {"b": []}}, [1, "1", 1.0], {"0": 0}]),
        lambda: nested(rng.choice([2, 20, 120])) if rng.random() < 0.3 else [rng.choice(WORDS)],
    ]
    return rng.choice(kinds)()


def _paths(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to everything inside a nested value."""
    out = []
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, inner in steps:
        out += [(*at, key), *_paths(inner, (*at, key))]
    return out


def tree(rng: Random, whole: Any) -> tuple[Any, str, tuple[Any, ...]]:
    """Return a copy of a nested value that is broken in one place, how, and the place."""
    out = copy.deepcopy(whole)
    way = rng.choice(_paths(out) or [()])
    if not way:
        return value(rng), "other", ()
    inside = out
    for step in way[:-1]:
        inside = inside[step]
    key, how = way[-1], rng.choice(["other", "other", "delete", "rename", "more", "wrap", "swap"])
    if how == "delete":
        del inside[key]
    elif how == "rename" and isinstance(inside, dict):
        inside[_misspelt(rng, str(key))] = inside.pop(key)
    elif how == "more" and isinstance(inside, dict):
        inside[rng.choice(["nonsense", "Task", "levels_", "", "0", *ODD])] = value(rng)
        how = "unknown key"
    elif how == "wrap":
        inside[key] = rng.choice([[inside[key]], {"a": inside[key]}])
    elif how == "swap":
        other = rng.choice(_paths(out))
        there = out
        for step in other:
            there = there[step]
        inside[key] = copy.deepcopy(there)
    else:
        inside[key], how = value(rng), "other"
    return out, how, way


def _misspelt(rng: Random, word: str) -> str:
    n = rng.randrange(len(word) + 1)
    return rng.choice(
        [word[:n] + rng.choice("xé _") + word[n:], word.upper(), word + rng.choice(ODD[:14]), word[1:] or "z"]
    )


def flipped(rng: Random, raw: bytes) -> bytes:
    """Return bytes with some of them changed, lost, doubled or cut off."""
    out = bytearray(raw)
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        at = rng.randrange(len(out) + 1)
        how = rng.randrange(6)
        if how == 0 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif how == 1 and out:
            out[at % len(out)] = rng.choice([0, 255, 0x22, 0x0A, 0x0D, 0x2C, rng.randrange(256)])
        elif how == 2:
            out[at:at] = rng.randbytes(rng.choice([1, 2, 8]))
        elif how == 3:
            del out[at : at + rng.choice([1, 2, 10, 100])]
        elif how == 4:
            out[at:at] = out[at : at + rng.choice([1, 10, 50])]
        else:
            del out[at:]
    return bytes(out)


def inserted(rng: Random, text: str, what: Sequence[str]) -> str:
    """Return text with something put in somewhere."""
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(what) + text[at:]


def encoded(text: str) -> bytes:
    """Return text as UTF-8; lone surrogates as the bytes that no reader of UTF-8 takes."""
    return text.encode("utf-8", "surrogatepass")
