"""Options out of a YAML file: flag over config over default."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from types import NoneType
from typing import Any

from lm_plural.harness.cli.options import Elsewhere, Words
from lm_plural.harness.errors import UsageError
from lm_plural.harness.redact import remember

#: What no file can turn on, under this or any other option.
TRUST = "trust_remote_code"


def given(parser: argparse.ArgumentParser, words: Sequence[str]) -> set[str]:
    """Return the destinations of the options that the command line itself sets, to whatever value."""
    unset: list[Any] = []  # looks empty to options that collect
    space = argparse.Namespace(**{a.dest: unset for a in parser._actions})
    parser.parse_args(words, space)
    return {dest for dest, value in vars(space).items() if value is not unset}


def apply_config(args: argparse.Namespace, parser: argparse.ArgumentParser, path: Path) -> None:
    """Fill in from a YAML file what the command line did not give (flag over config over default).

    A key is an option's long name. Its value is what would stand on the command line: a list for several words, a
    mapping for ``key=value`` words, true or false for a switch; an empty one leaves the default.

    Raises
    ------
    UsageError
        For a key that is no option of the verb (with a suggestion), or a value the option refuses; for a permission to
        run code, which a file cannot give.
    """
    from lm_plural.harness.documents import load_yaml
    from lm_plural.harness.errors import did_you_mean

    document = load_yaml(path)
    remember(document.data)
    actions = {a.dest: a for a in parser._actions if a.option_strings and a.dest not in ("help", "config")}
    ours = [dest for dest, a in actions.items() if not isinstance(a, Elsewhere)]
    for key, value in document.data.items():
        if TRUST in (key, *_names(value)):
            raise UsageError(document.at((key,), f"only --{TRUST} on the command line can allow code to run"))
        if key not in actions:
            raise UsageError(document.at((key,), f"unknown key {key!r}{did_you_mean(str(key), ours)}"))
        try:
            words = _as_words(actions[key], value)
            parsed = parser.parse_args(words)
        except UsageError as e:
            raise UsageError(document.at((key,), str(e).removeprefix("argument "))) from e
        if words and key not in args.given:
            setattr(args, key, getattr(parsed, key))


def _names(value: Any) -> list[str]:
    """Return the names of arguments in a value, which may be a mapping, a text ``k=v,k=v`` or a list of these."""
    if isinstance(value, dict):
        return [name for k, v in value.items() for name in (str(k), *_names(v))]
    if isinstance(value, list):
        return [name for v in value for name in _names(v)]
    return re.findall(r"\w+", value) if isinstance(value, str) else []


def _as_words(action: argparse.Action, value: Any) -> list[str]:
    """Return what stands on the command line for a value of a config file."""
    flag = action.option_strings[0]
    if value is None or (isinstance(action, Elsewhere) and not value):
        return []
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{flag}: expected true or false, found {value!r}")
        return [flag] if value else []
    several = action.nargs in ("+", "*")
    collects = several or isinstance(action.default, list)
    if isinstance(value, dict) and (action.metavar == "JSON" or (several and not isinstance(action, Words))):
        return [flag, _as_json(flag, value)]
    if isinstance(value, list) and collects:
        words = [_as_word(flag, v) for v in value]
        return [flag, *words] if several and words else [part for w in words for part in (flag, w)]
    return [flag, _as_word(flag, value)] if several else [f"{flag}={_as_word(flag, value)}"]


def _as_json(flag: str, value: dict[Any, Any]) -> str:
    """Return a mapping as JSON, dates as text; what JSON cannot hold (infinities, bytes, sets) is refused."""
    import json

    def spelled(other: Any) -> str:
        if isinstance(other, date):
            return str(other)
        raise TypeError(f"found {type(other).__name__}")

    try:
        return json.dumps({str(k): v for k, v in value.items()}, default=spelled, allow_nan=False)
    except (TypeError, ValueError) as e:
        raise UsageError(f"{flag}: expected text, finite numbers, true, false, null, lists and mappings: {e}") from e


def _as_word(flag: str, value: Any) -> str:
    if not isinstance(value, str | int | float | date):
        kind = {dict: "mapping", bytes: "piece of binary data", NoneType: "null"}.get(type(value), type(value).__name__)
        raise UsageError(f"{flag}: expected one value, found a {kind}")
    return str(value).lower() if isinstance(value, bool) else str(value)
