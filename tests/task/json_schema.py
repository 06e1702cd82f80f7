"""The part of JSON Schema that pydantic writes, checked by hand: a keyword it does not know is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
}
SILENT = {"$schema", "$defs", "title", "description", "default", "required", "properties", "additionalProperties"}
RULES: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda v, wanted: TYPES[wanted](v),
    "enum": lambda v, wanted: v in wanted,
    "const": lambda v, wanted: v == wanted,
    "pattern": lambda v, wanted: re.search(wanted, v) is not None,
    "minimum": lambda v, wanted: v >= wanted,
    "maximum": lambda v, wanted: v <= wanted,
    "minItems": lambda v, wanted: len(v) >= wanted,
    "minLength": lambda v, wanted: len(v) >= wanted,
    "minProperties": lambda v, wanted: len(v) >= wanted,
    "maxProperties": lambda v, wanted: len(v) <= wanted,
}


def errors(value: Any, schema: dict[str, Any] | bool, top: dict[str, Any], at: str = "") -> Iterator[str]:
    """Yield what in `value` does not conform; `top` is the schema that holds the definitions."""
    if isinstance(schema, bool):
        yield from () if schema else [f"{at}: not allowed"]
        return
    for word, wanted in schema.items():
        if word == "$ref":
            yield from errors(value, top["$defs"][wanted.removeprefix("#/$defs/")], top, at)
        elif word == "anyOf":
            if all(any(errors(value, s, top, at)) for s in wanted):
                yield f"{at}: {value!r} fits none"
        elif word == "items":
            for n, v in enumerate(value if isinstance(value, list) else ()):
                yield from errors(v, wanted, top, f"{at}/{n}")
        elif word in RULES:
            applies = word in ("type", "enum", "const") or TYPES[schema["type"]](value)
            if applies and not RULES[word](value, wanted):
                yield f"{at}: {value!r} fails {word} {wanted!r}"
        elif word not in SILENT:
            raise NotImplementedError(f"{at}: keyword {word}")
    if isinstance(value, dict):
        yield from (f"{at}: {k} is missing" for k in schema.get("required", ()) if k not in value)
        for k, v in value.items():
            inner = schema.get("properties", {}).get(k, schema.get("additionalProperties", True))
            yield from errors(v, inner, top, f"{at}/{k}")
