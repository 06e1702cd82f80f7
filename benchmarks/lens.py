"""How long a lens takes: fitted to POPQUORN with all its validation, and 100,000 predictions from given features.

``python benchmarks/lens.py [--embedding minilm]``; seconds of the clock and of the processor, median of three.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lm_plural.harness.jobs.lens import lens_fit
from lm_plural.harness.lens.predict import _standard, from_features


def timed(name: str, do: Callable[[], object], repeats: int = 3) -> None:
    """Print the medians."""
    clock, processor = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        do()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    print(f"| {name} | {statistics.median(clock):.2f} | {statistics.median(processor):.2f} |")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedding", default="")
    args = parser.parse_args()
    print("| | s | CPU s |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        how = {"dimension": "offensiveness", "embedding": args.embedding, "output_path": folder}
        axes = ["gender", "race", "age"]
        timed("fit, three axes, all validation", lambda: lens_fit("popquorn", axes=axes, **how))
        lens = lens_fit("popquorn", axes=axes, **how)
    rows = np.random.default_rng(0).integers(0, lens.card.n_items, 100_000)
    x = lens.arrays["x"][rows] + 1e-3 * np.random.default_rng(1).normal(size=(100_000, lens.arrays["x"].shape[1]))
    z = x[:, : _standard(lens).low.size]
    timed("100,000 predictions, features given", lambda: from_features(lens, x, z, [""] * len(x)))


if __name__ == "__main__":
    main()
