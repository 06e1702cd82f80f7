"""Doors with faults in them, to see that each is found."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.attack.door import Door, Runner


def _door(name: str, main: Callable[[Sequence[str]], int], **rules: Any) -> Door:
    def attack(_rng: Random, run: Runner, _shared: Any) -> bool:
        run.main = main
        return run("words", **rules).code == 0

    return Door(name, 1, attack)


def _said(code: int, *lines: str) -> Callable[[Sequence[str]], int]:
    def main(_argv: Sequence[str]) -> int:
        for line in lines:
            print(line, file=sys.stderr)
        return code

    return main


def _raises(_argv: Sequence[str]) -> int:
    raise KeyError("x")


def _exits(_argv: Sequence[str]) -> int:
    raise SystemExit(0)


def _warns(_argv: Sequence[str]) -> int:
    warnings.warn("odd", RuntimeWarning, stacklevel=1)
    return 0


def _native(_argv: Sequence[str]) -> int:
    os.write(2, b"thread 'main' panicked at src/lib.rs:1\n")
    return 0


def _sleeps(_argv: Sequence[str]) -> int:
    time.sleep(60)
    return 0


def _dies(_argv: Sequence[str]) -> int:
    os._exit(3)


def _grows(_argv: Sequence[str]) -> int:
    return len(bytearray(5 * 2**30)) and 0


DOORS = {
    door.name: door
    for door in (
        _door("good", _said(0), valid=True),
        _door("help", _exits),
        _door("refused", _said(1, "lm-plural: error: a.csv:3: wrong"), names="a.csv"),
        _door("nameless", _said(1, "lm-plural: error: wrong"), names="a.csv"),
        _door("two lines", _said(1, "lm-plural: error: a", "b")),
        _door("no line", _said(2)),
        _door("odd code", _said(3, "lm-plural: error: a")),
        _door("control", _said(0, "a\x1b[2Jb")),
        _door("raises", _raises),
        _door("warns", _warns),
        _door("native", _native),
        _door("sleeps", _sleeps),
        _door("dies", _dies),
        _door("grows", _grows),
        _door("doomed", _said(0), doomed="an unknown key"),
        _door("valid", _said(1, "lm-plural: error: a"), valid=True),
    )
}
