"""Signs of life while a model answers: a bar on a terminal, elsewhere lines on standard error, each minute at least."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from lm_plural.harness.run.journal import Record

#: Seconds between two lines where there is no terminal.
EVERY = 50.0


class Progress:
    """What is being waited for, what is done, and when all will be.

    Parameters
    ----------
    total, done : int
        Requests of all tasks, and those that were answered before.
    every : float
        Seconds between lines.
    """

    def __init__(self, total: int = 0, done: int = 0, every: float = EVERY) -> None:
        self._total, self._before, self._done, self._every = total, done, done, every
        self._what, self._of, self._task_done = "", 0, 0
        self._asking_since: float | None = None
        self._since = time.monotonic()
        self._bar: Any = None
        self._over = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        if sys.stderr and sys.stderr.isatty():
            self._bar = tqdm(total=self._total, initial=self._done, unit="req", disable=False, dynamic_ncols=True)
        else:
            self._beats.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._bar is not None:
            self._bar.close()
        if self._beats.is_alive():
            self._beats.join()

    def wait_for(self, what: str) -> None:
        """Say what is being waited for."""
        self._what, self._of, self._since = what, 0, time.monotonic()
        if self._bar is None:
            self.say(what)
        else:
            self._bar.set_description(what)

    def begin(self, task: str, requests: int, done: int) -> None:
        """Begin a task, some of whose requests may be answered."""
        self._what, self._of, self._task_done, self._since = task, requests, done, time.monotonic()
        self._asking_since = self._asking_since or self._since
        if self._bar is not None:
            self._bar.set_description(task)
        elif done < requests:
            before = f", {done:,} of them answered before" if done else ""
            self.say(f"{task}: {requests:,} requests{before}")

    def update(self, n: int) -> None:
        """Count answers."""
        self._done, self._task_done = self._done + n, self._task_done + n
        if self._bar is not None:
            self._bar.update(n)

    def end(self, new: int, about: str) -> None:
        """End a task of which `new` requests were answered, with what is known of its answers."""
        seconds = time.monotonic() - self._since
        took = f"{new:,} requests answered in {seconds:.0f} s" if new else "all answered before"
        self.say(f"{self._what}: {took}{', ' + about if about else ''}{self._left()}")

    def _left(self) -> str:
        """Return when all will be done, if that can be said."""
        answered, left = self._done - self._before, self._total - self._done
        if left <= 0 or not answered or self._asking_since is None:
            return ""
        seconds = (time.monotonic() - self._asking_since) / answered * left
        return f"; all {self._total:,} in about {_duration(seconds)}"

    def _beat(self) -> None:
        while not self._over.wait(self._every):
            of = f"{self._task_done:,} of {self._of:,} requests, " if self._of else ""
            self.say(f"{self._what}: {of}{time.monotonic() - self._since:.0f} s{self._left()}")

    def say(self, text: str) -> None:
        """Say a line now."""
        line = f"lm-plural run: {text}"
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        elif sys.stderr:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def about(records: Sequence[Record], *, rated: bool) -> str:
    """Return what is known of a task's answers before anything is computed from them.

    Of ratings, the mean probability that is on no level; of texts, how many are empty.
    """
    if not records:
        return ""
    answers = [r["filtered_resps"][0] for r in records]
    if not rated:
        empty = sum(not (a or "").strip() for a in answers)
        return f"{empty:,} of {len(answers):,} empty" if empty else "none empty"
    off = [max(0.0, 1.0 - sum(map(math.exp, a))) for a in answers]
    return f"{sum(off) / len(off):.0%} of its probability on no level"
