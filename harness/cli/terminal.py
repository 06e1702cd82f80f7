"""The door to the terminal: no secret goes through it, and no text that moves the cursor or turns what is read."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

from lm_plural.harness.redact import message, starred

#: Control characters but tab and newline, line separators, and what turns the direction of writing (bidi).
UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Return a text with its control characters written out, as ``\u001b``: what JSON writes, too."""
    return UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


class Door:
    """A stream of text behind a door.

    Parameters
    ----------
    stream : TextIO
    clean : callable
        What takes secrets out of a text.
    bars : bool
        Whether progress bars are drawn here: their writes begin with a carriage return.
    """

    def __init__(self, stream: TextIO, clean: Callable[[str], str], *, bars: bool = False) -> None:
        self._stream, self._clean, self._bars = stream, clean, bars

    def write(self, text: str) -> int:
        """Write a text as people may see it."""
        start = "\r" if self._bars and text.startswith("\r") else ""
        self._stream.write(start + visible(self._clean(text[len(start) :])))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def doors() -> Iterator[None]:
    """Put standard output and error behind doors; neither stops at what its encoding cannot show.

    Data goes to standard output, so only known secrets are taken out there; messages go to standard error.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with contextlib.ExitStack() as stack:
        if sys.stdout:  # None where it was closed
            stack.enter_context(contextlib.redirect_stdout(cast(TextIO, Door(sys.stdout, starred))))
        if sys.stderr:
            stack.enter_context(contextlib.redirect_stderr(cast(TextIO, Door(sys.stderr, message, bars=True))))
        yield
