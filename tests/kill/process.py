"""A command in a process of its own, and how it is stopped in the middle."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Seconds after which a command that should end is said to hang.
PATIENCE = 1500
#: lm-eval's dummy backend draws its log-probabilities anew in every process; here it draws the same.
SAME_DUMMY = "import random\nrandom.random = lambda: 0.5\n"


@dataclass(frozen=True)
class Operation:
    """A change to a file: when (seconds, monotonic clock), what, and of which file below the folder."""

    seconds: float
    kind: str
    path: str


@dataclass(frozen=True)
class Stop:
    """A signal at a file operation (number, from 1), or from outside some seconds after the first one."""

    signal: signal.Signals
    at: int = 0
    how: str = "before"
    delay: float | None = None

    @property
    def moment(self) -> str:
        return "at any moment" if self.delay is not None else f"{self.how} an operation"

    def __str__(self) -> str:
        when = f"{self.how} operation {self.at}" if self.delay is None else f"{self.delay:.3f} s after the first one"
        return f"{self.signal.name} {when}"


@dataclass
class Ended:
    """How a command ended."""

    code: int
    said: str
    operations: list[Operation]


@dataclass
class Place:
    """An empty folder that a command works in, its cache inside; notes on it lie beside."""

    root: Path
    shim: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.root / "place"

    def run(self, words: Sequence[str], stop: Stop | None = None) -> Ended:
        """Run ``lm-plural`` until it ends or is stopped."""
        notes, said = self.root / "operations", self.root / "said"
        notes.unlink(missing_ok=True)
        (self.root / "python").mkdir(exist_ok=True)
        (self.root / "python" / "sitecustomize.py").write_text(SAME_DUMMY)
        with said.open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "lm_plural", *words],
                cwd=self.folder,
                env=os.environ | self._env(notes, stop) | self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
            )
        try:
            if stop and stop.delay is not None:
                _wait_for(notes, process)
                time.sleep(stop.delay)
                process.send_signal(stop.signal)
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return Ended(-1000, f"hangs for {PATIENCE} s", [])
        return Ended(process.returncode, said.read_text(errors="replace"), self._operations(notes))

    def _env(self, notes: Path, stop: Stop | None) -> dict[str, str]:
        inside = stop if stop and stop.delay is None else Stop(signal.SIGKILL)
        packages = str(Path(__file__).resolve().parents[2])
        return {
            "LD_PRELOAD": str(self.shim),
            "STOP_UNDER": str(self.folder),
            "STOP_LOG": str(notes),
            "STOP_AT": str(inside.at),
            "STOP_HOW": inside.how,
            "STOP_SIGNAL": str(int(inside.signal)),
            "LM_PLURAL_CACHE": str(self.folder / "cache"),
            "PYTHONPATH": os.pathsep.join([str(self.root / "python"), packages]),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",  # sums in the same order every time
            "OPENBLAS_NUM_THREADS": "1",
            "POLARS_MAX_THREADS": "1",
        }

    def _operations(self, notes: Path) -> list[Operation]:
        out = []
        for line in notes.read_text().splitlines() if notes.exists() else ():
            seconds, kind, path = line.split(" ", 2)
            out.append(Operation(float(seconds), kind, plain(path.removeprefix(f"{self.folder}/"))))
        return out


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for the first file operation."""
    while process.poll() is None and not (path.exists() and path.stat().st_size):
        time.sleep(0.01)


#: Parts of names that are other ones in every run: times, process ids, random words, hashes of where something lies.
VARYING = (
    (r"(results|details)_\d{4}-[^/]*?\.json", r"\1_TIME.json"),
    (r"\.[0-9a-f]{6}-\d+\.tmp\b", ".PID.tmp"),
    (r"sha256/(\.?)[0-9a-f]+\.json", r"sha256/\1HASH.json"),
    (r"\b[0-9a-f]{16}-", "HASH-"),
)


def plain(path: str) -> str:
    """Return a path without what is other in every run."""
    for pattern, word in VARYING:
        path = re.sub(pattern, word, path)
    return path


def build_shim(folder: Path) -> Path:
    """Compile the library that stops a process at a file operation."""
    out = folder / "stop.so"
    source = Path(__file__).with_name("stop.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-o", out, source], check=True)
    return out


def draw(rng: random.Random, which: signal.Signals, whole: Sequence[Operation]) -> Stop:
    """Draw a moment out of an uninterrupted run.

    One of three is any moment between its first and last file operation; the others are at an operation, drawn so that
    every kind of operation on every file is as likely as any other, however often it is done.
    """
    if rng.random() < 1 / 3:
        return Stop(which, delay=rng.uniform(0, whole[-1].seconds - whole[0].seconds))
    alike: dict[tuple[str, str], list[int]] = {}
    for n, operation in enumerate(whole, start=1):
        alike.setdefault((operation.kind, operation.path), []).append(n)
    (kind, _), numbers = rng.choice(list(alike.items()))
    half = which == signal.SIGKILL and kind == "write"  # no other signal interrupts a write to a file
    return Stop(which, at=rng.choice(numbers), how=rng.choice(("before", "after", *["within"] * half)))
