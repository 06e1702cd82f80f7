"""Errors a user can cause, each one line long and with the exit code the shell sees."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path


class PluralError(Exception):
    """Something outside the program is wrong (a file, a model, a server): exit code 1."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the message on one line, whatever the cause put into it."""
        return " ".join(super().__str__().split())


class UsageError(PluralError):
    """The command line, a task or a recipe is wrong: exit code 2."""

    exit_code = 2


def at(path: Path | str, line: int | None, message: str) -> str:
    """Return ``file:line: message``, the form editors and CI logs make clickable."""
    return f"{path}:{line}: {message}" if line else f"{path}: {message}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known words, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def in_column(name: str, column: str) -> str:
    """Return ``" in column 'x'"`` for a value that a message calls `name`; nothing where the column is called so."""
    return "" if column == name else f" in column {column!r}"


_FLAGS = ContextVar("_FLAGS", default=False)


@contextmanager
def arguments_are_flags() -> Iterator[None]:
    """Let errors call arguments as the command line does."""
    token = _FLAGS.set(True)
    try:
        yield
    finally:
        _FLAGS.reset(token)


def argument(name: str) -> str:
    """Return what whoever asked calls an argument: ``gap``, or ``--gap`` on the command line."""
    return f"--{name}" if _FLAGS.get() else name
