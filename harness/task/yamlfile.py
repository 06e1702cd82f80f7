"""Safe YAML with line numbers, checked against a pydantic model; every finding is ``file:line: message``."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lm_plural.harness.errors import UsageError, at, did_you_mean

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Model = TypeVar("Model", bound=BaseModel)
Where = tuple[Path, int]
Loc = tuple[Hashable, ...]


class InvalidFileError(UsageError):
    """A file that does not hold what it should, with all findings."""

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = list(findings)
        more = f" (and {len(findings) - 1} more: lm-plural validate)" if len(findings) > 1 else ""
        super().__init__(findings[0] + more)


@dataclass
class Document:
    """A YAML mapping and where each of its keys stands."""

    path: Path
    data: dict[str, Any]
    lines: dict[Loc, Where] = field(default_factory=dict)

    def at(self, loc: Sequence[Hashable], message: str) -> str:
        """Return ``file:line: message`` for the key at `loc`, or its nearest parent."""
        for end in range(len(loc), -1, -1):
            if where := self.lines.get(tuple(loc[:end])):
                return at(where[0], where[1], message)
        return at(self.path, 1, message)


def load_yaml(path: Path) -> Document:
    """Read a YAML mapping; a key ``include: FILE`` is replaced by that file's keys, the own ones winning.

    Raises
    ------
    InvalidFileError
        If the file cannot be read, is not YAML, is not a mapping, repeats a key or includes in a circle.
    """
    return _load(path, ())


def _load(path: Path, parents: tuple[Path, ...]) -> Document:
    if path in parents:
        raise InvalidFileError([at(path, 1, "includes itself")])
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=Loader)
        data = yaml.load(text, Loader=Loader)
    except OSError as e:
        raise InvalidFileError([at(path, None, f"cannot read: {e.strerror}")]) from e
    except UnicodeDecodeError as e:
        raise InvalidFileError([at(path, None, f"not UTF-8 text: {e.reason}")]) from e
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        problem = getattr(e, "problem", None) or str(e)
        raise InvalidFileError([at(path, mark.line + 1 if mark else 1, f"not valid YAML: {problem}")]) from e
    if not isinstance(data, dict):
        raise InvalidFileError([at(path, 1, f"expected a mapping of keys, found {type(data).__name__}")])
    document = Document(path, data)
    _index(node, (), document)
    if (parent := data.pop("include", None)) is not None:
        base = _load(path.parent / str(parent), (*parents, path))
        document.data = {**base.data, **data}
        document.lines = {
            **{k: v for k, v in base.lines.items() if k[:1] not in {(d,) for d in data}},
            **document.lines,
        }
    return document


def _index(node: Any, loc: Loc, document: Document) -> None:
    """Note the line of every key and list entry; refuse a key given twice, which YAML would silently overwrite."""
    document.lines.setdefault(loc, (document.path, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise InvalidFileError([at(document.path, line, f"key {key.value!r} is given twice")])
            seen.add(key.value)
            document.lines[(*loc, key.value)] = (document.path, key.start_mark.line + 1)
            _index(value, (*loc, key.value), document)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _index(value, (*loc, i), document)


def parse(document: Document, model: type[Model]) -> Model:
    """Return the document as `model`.

    Raises
    ------
    InvalidFileError
        With one finding per problem: unknown key (with a suggestion), missing key, wrong type or value.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as e:
        raise InvalidFileError([_finding(document, model, dict(error)) for error in e.errors()]) from e
    except UsageError as e:  # raised by our own classes while pydantic builds them
        raise InvalidFileError([document.at((), str(e))]) from e


def _finding(document: Document, model: type[BaseModel], error: dict[str, Any]) -> str:
    loc = [part for part in error["loc"] if not (isinstance(part, str) and "[" in part)]
    key = ".".join(map(str, loc))
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return document.at(loc, f"unknown key {key!r}{did_you_mean(str(loc[-1]), _fields(model, loc[:-1]))}")
    if error["type"] in ("missing", "missing_argument"):
        return document.at(loc[:-1], f"missing key {key!r}")
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    found = "" if isinstance(error["input"], dict | list) else f", found {error['input']!r}"
    return document.at(
        loc, f"{key}: expected {message}{found}" if "Input should be" in error["msg"] else f"{key}: {message}"
    )


def _fields(model: Any, loc: Sequence[Hashable]) -> list[str]:
    """Return the keys known where `loc` points, for suggestions; empty where that is not a model."""
    import typing

    for part in loc:
        annotation = model.model_fields[part].annotation if part in getattr(model, "model_fields", {}) else None
        nested = [a for a in (annotation, *typing.get_args(annotation)) if hasattr(a, "model_fields")]
        if not nested:
            return []
        model = nested[0]
    fields = getattr(model, "model_fields", {})
    return [f.alias or name for name, f in fields.items()]
