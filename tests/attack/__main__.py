"""Attack the product with hostile inputs: ``python -m tests.attack --inputs 100000 --output docs/reliability.md``.

One input again, with its files: ``python -m tests.attack --door csv --only 1234``.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.attack.door import FAULTS
from tests.attack.doors import DOORS
from tests.attack.pool import LIMIT, MEMORY, Result, run_all
from tests.sections import write_section

KEPT = Path("outputs/attack")
VERSIONS = ("lm-plural", "polars", "pyarrow", "lm_eval", "numpy")
HEAD = """```console
$ {command}
```

{when}, {cores} cores, {minutes:.0f} minutes with {jobs} processes; Python {python}, {versions}.

{total:,} inputs: **{tracebacks} tracebacks, {hangs} hangs, {differences} silent differences,
{valid} valid inputs refused**.

A *traceback* is also a warning, a panic, another exit code than 0, 1 and 2, more than one line of error, a refusal
that does not name its file, a control character on the terminal, more than {memory} GiB, a process that died.
A *hang* is no answer in {limit:g} s. A *silent difference* is an exit code of 0 with other numbers or answers than the
second reader finds, or for something that is surely wrong. One input in seven is whole and must be taken.

{table}
"""


def split(inputs: int) -> dict[str, range]:
    """Share inputs out among the doors."""
    whole = sum(d.share for d in DOORS.values())
    return {d.name: range(max(1, round(inputs * d.share / whole))) for d in DOORS.values()}


def alike(result: Result) -> tuple[str, str, str]:
    """Return what faults of one cause have in common."""
    text = re.sub(r"(?<=control character ).*(?= on standard)|(?<= on standard ).*", "", result.text)
    text = re.sub(r"/\S*/|'[^']*'|\"[^\"]*\"", "..", text)
    return result.kind, result.door, re.sub(r"\d+(\.\d+)?", "N", text)[:110]


def table(results: Sequence[Result]) -> str:
    """Count what became of inputs, by door."""
    heads = [
        "door",
        "inputs",
        "accepted",
        "refused",
        "tracebacks",
        "hangs",
        "silent differences",
        "valid refused",
        "seconds",
    ]
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1)]
    for name in [d for d in DOORS if any(r.door == d for r in results)] + ["all"]:
        mine = [r for r in results if name in (r.door, "all")]
        kinds = Counter(r.kind for r in mine)
        counts = [len(mine), *(kinds[k] for k in ("accepted", "refused", *FAULTS))]
        lines.append([name, *(f"{n:,}" for n in counts), f"{sum(r.seconds for r in mine):,.0f}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def faults(results: Sequence[Result], seed: int) -> str:
    """List what is wrong, the most frequent first, each with the line that repeats its first input alone."""
    found: dict[tuple[str, str, str], list[Result]] = {}
    for r in results:
        if r.kind in FAULTS:
            found.setdefault(alike(r), []).append(r)
    out = []
    for (kind, _, _), some in sorted(found.items(), key=lambda kv: -len(kv[1])):
        first = min(some, key=lambda r: r.number)
        out.append(f"* {len(some)} x {kind}: {first.text[:240]}")
        out.append(f"  `python -m tests.attack --door {first.door} --only {first.number} --seed {seed}`")
    return "\n".join(out)


def attack(numbers: dict[str, Sequence[int]], seed: int, jobs: int, keep: Path | None = None) -> list[Result]:
    """Run inputs; a terminal sees how far it is."""
    results, total = [], sum(map(len, numbers.values()))
    for result in run_all(numbers, seed, jobs, keep):
        results.append(result)
        if sys.stderr.isatty() and len(results) % 100 == 0:
            wrong = sum(r.kind in FAULTS for r in results)
            print(f"\r{len(results):,} of {total:,}, {wrong} faults", end="", file=sys.stderr, flush=True)
    return results


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--inputs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--door", choices=list(DOORS), help="only this one")
    parser.add_argument("--only", type=int, help="only this input of the door; its files are kept")
    parser.add_argument("--output", type=Path, help="page whose section is written")
    args = parser.parse_args()
    if args.only is not None:
        folder = KEPT.resolve()
        (result,) = attack({args.door: [args.only]}, args.seed, 1, folder)
        place = folder / f"{args.door}-{args.seed}-{args.only}"
        said = place / "SAID"
        print(said.read_text(encoding="utf-8") if said.exists() else "", result, f"files are in {place}", sep="\n")
        return int(result.kind in FAULTS)
    numbers: dict[str, Sequence[int]] = {args.door: range(args.inputs)} if args.door else dict(split(args.inputs))
    start = time.monotonic()
    results = attack(numbers, args.seed, args.jobs)
    kinds = Counter(r.kind for r in results)
    output = f" --output {args.output}" if args.output else ""
    text = HEAD.format(
        command=f"python -m tests.attack --inputs {args.inputs} --seed {args.seed} --jobs {args.jobs}{output}",
        when=datetime.now(UTC).strftime("%Y-%m-%d"),
        cores=os.cpu_count(),
        minutes=(time.monotonic() - start) / 60,
        jobs=args.jobs,
        python=platform.python_version(),
        versions=", ".join(f"{name} {version(name)}" for name in VERSIONS),
        total=len(results),
        tracebacks=kinds["traceback"],
        hangs=kinds["hang"],
        differences=kinds["difference"],
        valid=kinds["valid refused"],
        memory=MEMORY // 2**30,
        limit=LIMIT,
        table=table(results),
    )
    wrong = faults(results, args.seed)
    if args.output:
        write_section(args.output, "attack", f"{text}\n{wrong}")
    print(text, wrong, sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
