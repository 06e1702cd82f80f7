"""What a document must hold: the base of every schema, and what a file says that does not fit one.

Apart from :mod:`~.documents`, because pydantic takes longer to load than most commands take that only read a file.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Hashable, Iterator, Sequence
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from lm_plural.harness.documents import SHOWN, Document, InvalidFileError, Loc, stays_inside
from lm_plural.harness.errors import did_you_mean

#: pydantic's error types.
MISSING = {"missing", "missing_argument"}
UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}
INPUT = "Input should be "
#: Plain words for what pydantic expects.
EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "dataclass_type": "a mapping",
}

Model = TypeVar("Model", bound=BaseModel)


class MisfitError(ValueError):
    """Raised by a model's own validator: keys that do not fit each other, each with its place in the model."""

    def __init__(self, *misfits: tuple[Loc, str]) -> None:
        self.misfits = misfits
        super().__init__("; ".join(message for _, message in misfits))


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
        raise InvalidFileError(list(_findings(document, model, [dict(error) for error in e.errors()]))) from e


def _findings(document: Document, model: type[BaseModel], errors: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield one finding per place; where a value may be of several types, pydantic tells of each of them."""
    by_place: dict[Loc, list[dict[str, Any]]] = {}
    for error in errors:
        by_place.setdefault(_place(document.data, error), []).append(error)
    for loc, group in by_place.items():
        if any(len(other) > len(loc) and other[: len(loc)] == loc for other in by_place) and loc:
            continue  # the deeper one says it better
        yield from _finding(document, model, loc, group)


def _place(data: Any, error: dict[str, Any]) -> Loc:
    """Return the part of pydantic's location that leads through the data: the rest names types."""
    loc: Loc = ()
    for part in error["loc"]:
        if part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int):
            data = data[part]
            loc = (*loc, part)
    return (*loc, error["loc"][-1]) if error["type"] in MISSING else loc


def _finding(document: Document, model: type[BaseModel], loc: Loc, errors: Sequence[dict[str, Any]]) -> Iterator[str]:
    error, key = errors[0], ".".join(map(str, loc))
    if error["type"] in UNKNOWN:
        yield document.at(loc, f"unknown key {key!r}{did_you_mean(str(loc[-1]), _keys(model, loc[:-1]))}")
    elif error["type"] in MISSING:
        yield document.at(loc[:-1], f"missing key {key!r}")
    elif isinstance(cause := error.get("ctx", {}).get("error"), MisfitError):
        for inner, message in cause.misfits:
            place = (*loc, *inner)
            yield document.at(place, ": ".join(filter(None, (".".join(map(str, place)), message))))
    else:
        yield document.at(loc, f"{key}: {_wrong(errors)}".removeprefix(": "))


def _wrong(errors: Sequence[dict[str, Any]]) -> str:
    """Say what was expected and what was found, once for all types a value might have had."""
    found = errors[0]["input"]
    mapping_or_list = "a mapping" if isinstance(found, dict) else "a list" if isinstance(found, list | tuple) else None
    shown = mapping_or_list or f"{found!r:.{SHOWN}}"
    messages = [EXPECTED.get(e["type"]) or e["msg"] for e in errors]
    for error, message in zip(errors, messages, strict=True):
        if error["type"] not in EXPECTED and not message.startswith(INPUT):
            return message.removeprefix("Value error, ") + ("" if mapping_or_list else f", found {shown}")
    expected = dict.fromkeys(m.removeprefix(INPUT).removeprefix("a valid ") for m in messages)
    quotes = " (text needs quotes)" if "text" in expected and isinstance(found, bool | int | float | date) else ""
    return f"expected {' or '.join(expected)}, found {shown}{quotes}"


def _keys(model: Any, loc: Sequence[Hashable]) -> list[str]:
    """Return the keys known where `loc` points, for suggestions; empty where keys are free."""
    for part in loc:
        hints = _hints(model)
        model = hints[part] if isinstance(part, str) and part in hints else next(_models(model), None)
    return list(_hints(model))


def _hints(annotation: Any) -> dict[str, Any]:
    """Return keys and their types of the model inside an annotation; none if it is a mapping or list of models."""
    if typing.get_origin(annotation) in (dict, list):
        return {}
    for model in _models(annotation):
        hints = typing.get_type_hints(model, include_extras=True)
        if dataclasses.is_dataclass(model):
            return {f.name: hints[f.name] for f in dataclasses.fields(model)}
        return {f.alias or name: hints[name] for name, f in model.model_fields.items()}
    return {}


def _models(annotation: Any) -> Iterator[Any]:
    """Yield the models and dataclasses that an annotation names."""
    if isinstance(annotation, type) and (dataclasses.is_dataclass(annotation) or issubclass(annotation, BaseModel)):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


class Strict(BaseModel):
    """A model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _inside(path: str) -> str:
    if not stays_inside(path):
        raise ValueError("must be a relative path that stays in its folder")
    return path


def _no_truth_value(value: Any) -> Any:
    """YAML reads yes, no, on and off as truth values, which would become the levels 1 and 0."""
    if isinstance(value, bool):
        raise ValueError('YAML reads this as true or false: write it in quotes, like "yes"')
    return value


def _distinct(values: list[Any]) -> list[Any]:
    if twice := [v for n, v in enumerate(values) if v in values[:n]]:
        raise ValueError(f"{twice[0]!s} stands twice")
    return values


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must say something")
    return text


RelativePath = Annotated[str, AfterValidator(_inside)]
NotTruth = BeforeValidator(_no_truth_value)
Distinct = AfterValidator(_distinct)
Filled = Annotated[str, AfterValidator(_filled)]
