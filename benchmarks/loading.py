"""Loading rating data: first load and load from the cache, and large files imported in a stream.

    LM_PLURAL_DATA_MIRROR=... python benchmarks/loading.py                      # the data sets of the mirror
    python benchmarks/loading.py --rows 1e6 1e7                                 # generated files, one process each

Prints Markdown. Load times are of the call, without the start of Python. Peak memory is `ru_maxrss` of a process of its
own. Generated ratings, no person gave them.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

#: Ratings of an item in a generated file; a rater gives 2,000.
PER_ITEM, PER_RATER = 100, 2_000
SETS = {"popquorn": "offensiveness", "crehate": "hate", "dices_350_overall": "safety", "dices_990_overall": "safety"}

LOAD = """
import sys, time
from pathlib import Path
from lm_plural.harness.task.index import Index
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.data.dataset import Dataset
path = Index().recipes()[sys.argv[1]]
start = time.perf_counter()
data = Dataset(load_recipe(path), path.parent)
n = data.table(sys.argv[2]).ratings.height + data.items.height
print(time.perf_counter() - start)
"""


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, nargs="+", help="import generated files of so many ratings instead")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if args.rows:
        print("| ratings | file | seconds | peak memory |\n|---|---|---|---|")
        for rows in args.rows:
            print(imported(int(rows)))
    else:
        print("| data set | first load, s | from the cache, s |\n|---|---|---|")
        for name, dimension in SETS.items():
            print(loaded(name, dimension, args.rounds))


def loaded(name: str, dimension: str, rounds: int) -> str:
    """Return a row: medians over fresh processes, the first with an empty cache."""
    first, again = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            first.append(_load(name, dimension, cache))
            again.append(_load(name, dimension, cache))
    return f"| {name} | {statistics.median(first):.3f} | {statistics.median(again):.3f} |"


def _load(name: str, dimension: str, cache: str) -> float:
    import os

    command = [sys.executable, "-c", LOAD, name, dimension]
    env = os.environ | {"LM_PLURAL_CACHE": cache}
    return float(subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout)


def imported(rows: int) -> str:
    """Return a row: ``lm-plural data import`` of a generated CSV, in a process of its own."""
    import os

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        generate(rows, path)
        size = path.stat().st_size
        command = [sys.executable, "-m", "lm_plural", "data", "import", str(path), "--direction", "lower"]
        command += ["--columns", "text=item_id", "--to", folder, "--dataset", "generated"]
        start = time.perf_counter()
        process = subprocess.Popen(command, env=os.environ | {"LM_PLURAL_CACHE": folder}, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"import failed with exit code {process.returncode}")
        return f"| {rows:,} | {size / 1e9:.2f} GB | {seconds:.1f} | {peak(usage):.2f} GB |"


def peak(usage: resource.struct_rusage) -> float:
    """Return the most memory a process held, in GB (Linux counts in KiB)."""
    return usage.ru_maxrss * 1024 / 1e9


def generate(rows: int, path: Path) -> None:
    """Write a CSV of generated ratings, 20,000 items at a time."""
    rng = np.random.default_rng(1)
    items, raters = rows // PER_ITEM, max(PER_ITEM, rows // PER_RATER)
    with path.open("wb") as f:
        f.write(b"item_id,rater_id,rating,gender,country\n")
        for start in range(0, items, 20_000):
            item = np.repeat(np.arange(start, min(items, start + 20_000)), PER_ITEM)
            first = rng.integers(0, raters, len(item) // PER_ITEM)
            rater = ((first[:, None] + np.arange(PER_ITEM) * (raters // PER_ITEM)) % raters).ravel()
            part = pl.DataFrame({"item": item, "rater": rater, "rating": rng.integers(1, 6, len(item))})
            part = part.select(
                pl.format("item{}", "item"),
                pl.format("rater{}", "rater"),
                "rating",
                pl.when(pl.col("rater") % 2 == 0).then(pl.lit("woman")).otherwise(pl.lit("man")).alias("gender"),
                pl.format("country{}", pl.col("rater") % 7).alias("country"),
            )
            f.write(part.write_csv(include_header=False).encode())


if __name__ == "__main__":
    main()
