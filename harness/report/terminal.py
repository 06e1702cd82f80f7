"""The door to the terminal: no secret goes through it, and no text that moves the cursor or turns what is read."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

from lm_plural.harness.redact import message, starred
from lm_plural.harness.report.layout import BOLD, visible


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
        self._stream.write(start + self._shown(self._clean(text[len(start) :])))
        return len(text)

    def _shown(self, text: str) -> str:
        """Return a text with bold as this stream knows it, and everything else that is no text written out."""
        on, off = ("\x1b[1m", "\x1b[0m") if _knows_bold(self._stream) else ("", "")
        pieces = BOLD.split(text)  # what is outside, what is bold, what is outside, ...
        return "".join(f"{on}{visible(p)}{off}" if n % 2 else visible(p) for n, p in enumerate(pieces))

    def writelines(self, lines: list[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _knows_bold(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that shows bold and whose owner wants it (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # closed, or not quite a stream
        return False


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
