"""Processes that run inputs; one that hangs or dies is ended, noted and replaced."""

from __future__ import annotations

import importlib
import multiprocessing as mp
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.attack.door import Door, FaultError, Kind, Runner

#: Seconds for an answer, and for what a door prepares.
LIMIT, PREPARING = 10.0, 240.0
#: Bytes of address space above what the modules take.
MEMORY = 4 * 2**30
#: Inputs a process is given at once.
CHUNK = 25
#: Module with the doors.
DOORS = "tests.attack.doors"
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",  # as the product sets it before tqdm is imported
}


@dataclass(frozen=True)
class Result:
    """What became of an input."""

    door: str
    number: int
    kind: Kind
    text: str
    seconds: float


@dataclass
class Worker:
    """A process, what it still has to do, and when it last said something."""

    process: Any
    pipe: Connection
    folder: Path
    door: str
    todo: list[int] = field(default_factory=list)
    heard: float = 0.0
    ready: bool = False


def run_all(
    numbers: Mapping[str, Sequence[int]],
    seed: int,
    jobs: int,
    keep: Path | None = None,
    *,
    limit: float = LIMIT,
    doors: str = DOORS,
) -> Iterator[Result]:
    """Run inputs by door and number, and yield what became of each.

    Parameters
    ----------
    numbers : dict
        Numbers of inputs by door.
    seed : int
    jobs : int
        Processes.
    keep : Path, optional
        Where the files of every input are kept.
    limit : float
        Seconds for an answer.
    doors : str
        Module that has them, in ``DOORS``.
    """
    shared = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="lm-plural-attack-", dir=shared if os.access(shared, os.W_OK) else None))
    os.environ.update(ENVIRONMENT)
    queue = [(door, list(some[n : n + CHUNK])) for door, some in numbers.items() for n in range(0, len(some), CHUNK)]
    workers: list[Worker] = []
    again: set[tuple[str, int]] = set()
    try:
        while queue or workers:
            while queue and len(workers) < jobs:
                door, todo = queue.pop(0)
                workers.append(_start(root, door, todo, (seed, keep, doors)))
            heard = wait([w.pipe for w in workers], timeout=0.5)
            for worker in list(workers):
                if worker.pipe in heard and (message := _receive(worker)) is not None:
                    yield from _told(worker, message)
                    if worker.ready and not worker.todo:
                        _next(worker, queue, workers)
                    continue
                result = _ended(worker, limit, died=worker.pipe in heard)
                if result is None:
                    continue
                workers.remove(worker)
                place = (worker.door, result.number)
                if result.kind == "hang" and place not in again:  # once more, by itself: the machine may have been busy
                    again.add(place)
                    queue.insert(0, (worker.door, worker.todo))
                    continue
                yield result
                if worker.todo[1:]:
                    queue.insert(0, (worker.door, worker.todo[1:]))
    finally:
        for worker in workers:
            worker.process.kill()
        shutil.rmtree(root, ignore_errors=True)


def _start(root: Path, door: str, todo: list[int], settings: tuple[int, Path | None, str]) -> Worker:
    folder = Path(tempfile.mkdtemp(dir=root))
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, folder, *settings), daemon=True)
    process.start()
    theirs.close()
    ours.send((door, todo))
    return Worker(process, ours, folder, door, todo, time.monotonic())


def _next(worker: Worker, queue: list[tuple[str, list[int]]], workers: list[Worker]) -> None:
    """Give a process more of the same door, or else something of another."""
    if not queue:
        worker.pipe.send(None)
        worker.process.join(5)
        worker.process.kill()
        workers.remove(worker)
        return
    place = next((n for n, (door, _) in enumerate(queue) if door == worker.door), 0)
    door, worker.todo = queue.pop(place)
    worker.ready = door == worker.door
    worker.door, worker.heard = door, time.monotonic()
    worker.pipe.send((door, worker.todo))


def _receive(worker: Worker) -> Any:
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):
        return None


def _told(worker: Worker, message: Any) -> Iterator[Result]:
    worker.heard = time.monotonic()
    if message == "ready":
        worker.ready = True
        return
    if isinstance(message, str):
        raise RuntimeError(f"door {worker.door}: what it needs could not be prepared\n{message}")
    worker.todo.pop(0)
    yield message


def _ended(worker: Worker, limit: float, *, died: bool) -> Result | None:
    """Return what became of the input of a process that died, or says nothing; it is ended."""
    seconds = time.monotonic() - worker.heard
    if not died and seconds < (limit if worker.ready else PREPARING):
        return None
    worker.process.kill()
    worker.process.join()
    shutil.rmtree(worker.folder, ignore_errors=True)
    if not worker.ready:
        raise RuntimeError(f"door {worker.door}: what it needs could not be prepared")
    if died:
        text = f"the process died with code {worker.process.exitcode}"
        return Result(worker.door, worker.todo[0], "traceback", text, seconds)
    return Result(worker.door, worker.todo[0], "hang", f"no answer in {limit:g} s", seconds)


def _work(pipe: Connection, folder: Path, seed: int, keep: Path | None, module: str) -> None:
    """Run inputs until there are no more."""
    doors: Mapping[str, Door] = importlib.import_module(module).DOORS
    os.environ["LM_PLURAL_CACHE"] = str(folder / "cache")
    run, shared = Runner(folder), dict[str, Any]()
    warnings.simplefilter("always")
    while (given := pipe.recv()) is not None:
        door, todo = doors[given[0]], given[1]
        if door.name not in shared:
            place = folder / f"shared-{door.name}"
            place.mkdir()
            _let_grow(None)
            try:
                shared[door.name] = door.prepare(place, run)
            except Exception:
                pipe.send(f"{traceback.format_exc()}\n{run.said[-1:]}")
                return
            _let_grow(MEMORY)
        pipe.send("ready")
        for number in todo:
            own = (keep or folder) / f"{door.name}-{seed}-{number}"
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir(parents=True)
            os.chdir(own)
            start, run.said = time.perf_counter(), []
            kind, text = _one(door.attack, random.Random(f"{seed} {door.name} {number}"), run, shared[door.name])
            if keep:
                (own / "SAID").write_text("\n\n".join(run.said), encoding="utf-8", errors="backslashreplace")
            os.chdir(folder)
            if not keep:
                shutil.rmtree(own, ignore_errors=True)
            pipe.send(Result(door.name, number, kind, text, time.perf_counter() - start))


def _one(attack: Any, rng: random.Random, run: Runner, shared: Any) -> tuple[Kind, str]:
    try:
        return ("accepted" if attack(rng, run, shared) else "refused"), ""
    except FaultError as e:
        return e.kind, str(e)
    except Exception as e:
        run.said.append(traceback.format_exc())
        return (
            "traceback",
            f"in the fuzzer itself: {type(e).__name__}: {e} at {traceback.extract_tb(e.__traceback__)[-1]}",
        )


def _let_grow(by: int | None) -> None:
    """Limit the address space to what is taken now and so much more."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    taken = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
    )
    resource.setrlimit(resource.RLIMIT_AS, (hard if by is None or not taken else taken + by, hard))
