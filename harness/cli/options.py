"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_plural.harness.errors import UsageError


class Words(argparse.Action):
    """Collect ``a,b c`` and repeated flags into one list."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        """Add the words."""
        words = [w for v in values for w in str(v).split(",") if w]
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), *words])


def add_include_path(parser: argparse.ArgumentParser) -> None:
    """Add ``--include_path``."""
    parser.add_argument(
        "--include_path",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="folder with more tasks (repeatable)",
    )


def parse_axes(words: Sequence[str] | None) -> list[str | tuple[str, ...]] | None:
    """Return axes; ``gender*race`` means their cells."""
    if not words:
        return None
    return [tuple(w.split("*")) if "*" in w else w for w in words]


def parse_limit(text: str) -> int | float:
    """Return a count, or a share below 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if number <= 0 or (number > 1 and number != int(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive count or a share below 1")
    return number if number < 1 else int(number)


def parse_batch_size(text: str) -> int | None:
    """Return a batch size, None for ``auto`` (also ``auto:N``, as lm-eval writes it)."""
    if text.split(":")[0] == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number or auto")
    return int(text)


def apply_config(args: argparse.Namespace, parser: argparse.ArgumentParser, path: Path) -> None:
    """Fill in from a YAML file what the command line did not give (flag over config over default).

    Raises
    ------
    UsageError
        For a key that is no option of the verb (with a suggestion).
    """
    from lm_plural.harness.errors import did_you_mean
    from lm_plural.harness.task.yamlfile import load_yaml

    document = load_yaml(path)
    actions = {a.dest: a for a in parser._actions if a.option_strings and a.dest not in ("help", "config")}
    for key, value in document.data.items():
        if key not in actions:
            raise UsageError(document.at((key,), f"unknown key {key!r}{did_you_mean(key, actions)}"))
        if getattr(args, key) != actions[key].default:
            continue
        setattr(args, key, _as_option(actions[key], value, document.at((key,), "")))


def _as_option(action: argparse.Action, value: Any, where: str) -> Any:
    if action.nargs in ("+", "*"):
        return [value] if isinstance(value, dict | str) else list(value)
    if callable(action.type) and not isinstance(value, bool):
        try:
            return [action.type(v) for v in value] if isinstance(value, list) else action.type(str(value))
        except (argparse.ArgumentTypeError, ValueError) as e:
            raise UsageError(f"{where}{action.dest}: {e}") from e
    return value


def parse_bool(text: str) -> bool:
    """Return a truth value."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"{text!r} is not true or false")
    return words[text.lower()]
