"""What a fuzzer sees of the product: words in, an exit code and two texts out; and what is wrong with an answer."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from tests.stderr import told

Kind = Literal["accepted", "refused", "traceback", "hang", "difference", "valid refused"]
KINDS: tuple[Kind, ...] = ("accepted", "refused", "traceback", "hang", "difference", "valid refused")
FAULTS = KINDS[2:]
#: Control characters but tab and line feed, and marks that turn the direction of what is read.
UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class FaultError(Exception):
    """The product did what it must not do."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(" ".join(text.split()))
        self.kind = kind


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Door:
    """One way into the product.

    Parameters
    ----------
    name : str
    share : int
        Inputs of this door among 1,000 of all.
    attack : callable
        Makes an input in the current folder, runs the product on it, returns whether it was taken, or raises.
    prepare : callable
        Makes what all inputs of the door share, once in a process, in a folder; what it returns goes to `attack`.
    """

    name: str
    share: int
    attack: Callable[[Random, Runner, Any], bool]
    prepare: Callable[[Path, Runner], Any] = lambda _folder, _run: None


class Runner:
    """Runs the command line in this process; its two streams are caught where Rust and C write to them, too."""

    def __init__(self, folder: Path) -> None:
        from lm_plural.harness.cli.main import main

        self.main = main
        self.files = [(folder / name).open("w+b", buffering=0) for name in ("out", "err")]
        self.said: list[str] = []

    def __call__(
        self, *words: object, names: str = "", valid: bool = False, findings: bool = False, doomed: str = ""
    ) -> Answer:
        """Run a command.

        Parameters
        ----------
        *words : object
        names : str
            Text that a refusal must hold: the name of the file.
        valid : bool
            Whether nothing is wrong with the input, so that it must be taken.
        findings : bool
            Whether what is wrong is listed on standard output (``validate``).
        doomed : str
            What is wrong with the input for sure, so that it must be refused.

        Raises
        ------
        FaultError
            If the answer is none that a user should see.
        """
        argv = [str(w) for w in words]
        answer = self._run(argv)
        self.said.append(f"$ lm-plural {argv}\nexit code {answer.code}\n{answer.out}{answer.err}")
        wrong = _wrong(answer, names) or (not findings and _lines(answer))
        if wrong:
            raise FaultError("traceback", wrong)
        if answer.code and valid:
            raise FaultError("valid refused", last_line(answer.err or answer.out))
        if not answer.code and doomed:
            raise FaultError("difference", f"taken, in spite of: {doomed}")
        return answer

    def _run(self, argv: list[str]) -> Answer:
        self._catch()
        try:
            code = self.main(argv)
        except SystemExit as e:  # argparse after --help
            code = e.code if isinstance(e.code, int) else 1
        except BaseException as e:
            self._read()
            self.said.append(f"$ lm-plural {argv}\n{traceback.format_exc()}")
            raise FaultError("traceback", signature(e)) from e
        return Answer(code, *self._read())

    def _catch(self) -> None:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        for fd, file in enumerate(self.files, start=1):
            os.dup2(file.fileno(), fd)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.FileIO(fd, "w", closefd=False), encoding="utf-8", write_through=True) for fd in (1, 2)
        )

    def _read(self) -> tuple[str, str]:
        texts = []
        for stream, file in zip((sys.stdout, sys.stderr), self.files, strict=True):
            stream.flush()
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.seek(0)
            file.truncate()
        return texts[0], texts[1]


def _wrong(answer: Answer, names: str) -> str | None:
    """Return what no answer may hold."""
    err = answer.err
    for word in ("Traceback", "panicked at", "Warning: ", "Exception ignored"):
        if word in err:
            return f"{word.strip(': ')}: {last_line(err)}"
    if answer.code not in (0, 1, 2):
        return f"exit code {answer.code}: {last_line(err)}"
    for where, text in (("standard output", answer.out), ("standard error", err)):
        if (found := UNSEEN.search(text)) and not _is_json(text):
            return f"control character {found[0]!r} on {where}: {text[max(found.start() - 60, 0) :][:90]!r}"
    if answer.code and names and names not in answer.out + err:
        return f"a refusal that does not name {names}: {last_line(err)}"
    return None


def _lines(answer: Answer) -> str | None:
    """Return what is wrong with the lines on standard error: one, if the input is refused."""
    lines = told(answer.err)
    if answer.code and (len(lines) != 1 or not lines[0].startswith("lm-plural")):
        return f"{len(lines)} lines of error; expected one: {' | '.join(lines)[:200]}"
    return None


def _is_json(text: str) -> bool:
    """Return whether a text is for programs, where every character may stand."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def signature(error: BaseException) -> str:
    """Return an exception with the innermost line of the product's own, to tell one fault from another."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if "/harness/" in f.filename or "/scorers/" in f.filename
    ]
    where = f" at {frames[-1].filename.split('/lm_plural/')[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}: {' '.join(str(error).split())[:160]}"


def differ(what: str, found: Any, expected: Any) -> None:
    """Raise FaultError if the product found something else than the second reader."""
    if found != expected:
        raise FaultError("difference", f"{what}: found {found!r:.300}, expected {expected!r:.300}")
