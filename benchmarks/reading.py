"""How long many results files take to read: copies of a real one, each in the folder of a run of its own.

  python benchmarks/reading.py outputs/*/results_*.json --copies 5000

heads: every run's model and tasks. blocks: also every group's numbers of one task, its block checked.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from lm_plural.harness.result.read import read_summaries


def measure(folder: Path, task: str | None) -> None:
    """Read all summaries and print what it took."""
    begin, cpu, n, groups = time.perf_counter(), time.process_time(), 0, 0
    for found in read_summaries(folder):
        n += bool(found.model_name and found.tasks)
        if task:
            groups += sum(len(axis.groups) for axis in found.block(task).axes.values())
    seconds, peak = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    what = f"blocks, {groups} groups" if task else "heads"
    print(f"{n} files, {what}: {seconds:.1f} s, processor {time.process_time() - cpu:.1f} s, peak {peak / 1e3:.0f} MB")


def main() -> None:
    """Make the copies and read them, each way in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--copies", type=int, default=5000)
    parser.add_argument("--task", help="of the blocks (default: the first)")
    parser.add_argument("--measure", choices=["heads", "blocks"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.results, args.task if args.measure == "blocks" else None)
        return
    with TemporaryDirectory() as place:
        for n in range(args.copies):
            run = Path(place, f"run{n:05d}")
            run.mkdir()
            shutil.copy(args.results, run)
        print(f"{args.copies} copies of {args.results.stat().st_size:,} bytes")
        task = args.task or next(read_summaries(Path(place))).tasks[0]
        for how in ("heads", "blocks"):
            subprocess.run([sys.executable, __file__, place, "--task", task, "--measure", how], check=True)


if __name__ == "__main__":
    main()
