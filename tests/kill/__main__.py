"""Commands killed at random moments, repeated, and compared with uninterrupted ones."""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM, Signals
from tempfile import TemporaryDirectory

from tqdm import tqdm

from tests.kill.compare import FAULTS
from tests.kill.process import build_shim
from tests.kill.scenarios import Scenario, scenarios
from tests.kill.trial import Prepared, Trial
from tests.sections import write_section

#: Files that signals fell on, by a part of their names: the first that fits counts.
FILES = {
    "samples_": "answers",
    "scores_": "scores",
    "results_": "results",
    "details_": "results",
    "predictions_": "results",
    "run.json": "run.json",
    "normal/": "cached ratings",
    "cache/data/": "fetched data",
    "sets/": "imported data",
    "": "others",
}
SIGNALS = (SIGKILL, SIGINT, SIGTERM)
HEAD = """`{command}`, {today}, {minutes:.0f} minutes on {cores} cores.

{kills} kills (`kill -9`) that landed, and {others} SIGINT and SIGTERM: the command had begun to change files and had
not finished. One of three comes at any moment between its first and its last change of a file; the others come at such
an operation, before it, within it (half of a write is done) or after it. {again} commands were killed again while they
went on. Then the same command is given once more, and its folder and the cache are compared with those of an
uninterrupted one: lines of journals byte by byte, results but for their times, every other file by its bytes.
"""
LEGEND = """*lines*: whole lines of journals on disk when the signal came; *lost* are those that are gone afterwards and
answers that never came; *doubled* and *different* are lines, too. *half files*: files under their final name that were
not whole at the kill. *left over*: files that the uninterrupted command does not leave. *unclean ends*: a SIGINT or
SIGTERM that did not end the command with one line and exit code 130 or 143, and repeated commands that fail.
*seconds*: median, from the first signal to the comparison.
"""


def planned(chosen: Sequence[Scenario], kills: int, seed: int) -> Iterator[tuple[str, Signals, random.Random]]:
    """Yield scenarios by name, with signals: for every ten SIGKILLs one SIGINT and one SIGTERM more."""
    total = sum(s.share for s in chosen)
    for scenario in chosen:
        n = max(1, round(scenario.share * kills / total))
        others = max(1, round(n / 10))
        for k, which in enumerate([SIGKILL] * n + [SIGINT] * others + [SIGTERM] * others):
            yield scenario.name, which, random.Random(f"{seed} {scenario.name} {k}")


def run(kills: int, seed: int, jobs: int, only: str) -> list[Trial]:
    """Do all trials; each fault is said on stderr when it is found."""
    pool = ThreadPoolExecutor(jobs)
    with TemporaryDirectory(prefix="kill-") as scratch:
        folder = Path(scratch).resolve()
        shim = build_shim(folder)
        with scenarios(folder, only) as chosen:
            try:
                prepared = pool.map(lambda s: Prepared.of(s, folder, shim), chosen)
                ready = {p.scenario.name: p for p in prepared}
                todo = list(planned(chosen, kills, seed))
                random.Random(seed).shuffle(todo)
                futures = [pool.submit(ready[name].stop, which, rng) for name, which, rng in todo]
                out = []
                for future in tqdm(as_completed(futures), total=len(futures), unit="trial", mininterval=10):
                    out.append(trial := future.result())
                    for kind, text in trial.faults:
                        tqdm.write(f"{trial.scenario}: {FAULTS[kind]}: {text}", file=sys.stderr)
                return out
            finally:
                pool.shutdown(cancel_futures=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def row(name: str, trials: Sequence[Trial]) -> list[object]:
    signals = Counter(s.signal for t in trials for s in t.stops)
    faults = Counter(kind for t in trials for kind, _ in t.faults)
    seconds = statistics.median(t.seconds for t in trials)
    kept = sum(len(lines) for t in trials for lines in t.kept.values())
    return [name, *(signals[s] for s in SIGNALS), f"{kept:,}", *(faults[f] for f in FAULTS), f"{seconds:.0f}"]


def report(trials: Sequence[Trial], command: str, minutes: float) -> str:
    """Return the section of the page."""
    signals = Counter(s.signal for t in trials for s in t.stops)
    head = HEAD.format(
        command=command,
        today=date.today(),
        minutes=minutes,
        cores=os.cpu_count(),
        kills=signals[SIGKILL],
        others=signals[SIGINT] + signals[SIGTERM],
        again=sum(len(t.stops) > 1 for t in trials),
    )
    names = list(dict.fromkeys(sorted(t.scenario for t in trials)))
    heads = ["command", *(s.name for s in SIGNALS), "lines", *FAULTS.values(), "seconds"]
    rows = [row(name, [t for t in trials if t.scenario == name]) for name in names] + [row("all", trials)]
    return "\n\n".join([head, table(heads, rows), LEGEND, _moments(trials), *_examples(trials)]).replace(
        "\n\n\n", "\n\n"
    )


def _moments(trials: Sequence[Trial]) -> str:
    fell = [o for t in trials for o in t.fell]
    counts = (
        Counter(s.moment for t in trials for s in t.stops),
        Counter(o.kind for o in fell),
        Counter(next(name for part, name in FILES.items() if part in o.path) for o in fell),
    )
    came, kinds, files = (", ".join(f"{n} {what}" for what, n in c.most_common()) for c in counts)
    return f"Where they came: {came}. The operations: {kinds}; on: {files}."


def _examples(trials: Sequence[Trial]) -> list[str]:
    """Return a line for each kind of fault of each command, with one of its texts."""
    found: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        for kind, text in trial.faults:
            found.setdefault((trial.scenario, FAULTS[kind]), []).append(text)
    lines = [f"* {n}, {kind} ({len(texts)}): {min(texts, key=len)[:300]}" for (n, kind), texts in sorted(found.items())]
    return ["Faults, with an example of each:\n\n" + "\n".join(lines)] if lines else []


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", metavar="TEXT", help="commands whose name holds it")
    parser.add_argument("--output", type=Path, metavar="PAGE", help="page whose section is written (default: print it)")
    args = parser.parse_args()
    started = time.monotonic()
    trials = run(args.kills, args.seed, args.jobs, args.only)
    command = f"python -m tests.kill --kills {args.kills} --seed {args.seed} --jobs {args.jobs}"
    if args.only:
        command += f" --only {args.only!r}"
    if args.output:
        command += f" --output {args.output}"
    text = report(trials, command, (time.monotonic() - started) / 60)
    if args.output:
        write_section(args.output, "kill", text)
    else:
        print(text)
    return int(any(t.faults for t in trials))


if __name__ == "__main__":
    sys.exit(main())
