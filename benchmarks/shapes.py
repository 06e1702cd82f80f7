"""Time and memory of `disaggregate` on tables of odd shapes: one item, one rater, a group a rater, a hundred levels.

    python benchmarks/shapes.py                        # every shape, the analysis alone
    python benchmarks/shapes.py one_item million --file # from a CSV file, the whole command

Prints a Markdown table. Each shape has a process of its own, so that its peak is its own; it includes Python, the
libraries and the table. Simulated ratings.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl

#: Seconds and bytes of address space, above which a shape is given up.
PATIENCE, MOST_MEMORY = 600, 8_000_000_000


class Shape(NamedTuple):
    """Ratings as columns, what is asked of them, and what the model says, if it does."""

    item: np.ndarray
    rater: np.ndarray
    axes: dict[str, np.ndarray]  # one entry a rater
    ask: tuple[Any, ...]
    levels: int = 5
    predicted: bool = False
    inference: str = "items+raters"
    options: dict[str, Any] = {}  # noqa: RUF012


def spread(n_items: int, n_raters: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Let every rater rate `each` items, evenly apart, so that nobody rates one twice."""
    rater = np.repeat(np.arange(n_raters), each)
    return (rater * 7_919 + np.tile(np.arange(each) * (n_items // each), n_raters)) % n_items, rater


def groups(n_raters: int, n: int) -> np.ndarray:
    """Put raters into n groups of about the same size."""
    return np.random.default_rng(n).permutation(n_raters) % n


def even(n_items: int, n_raters: int, each: int, *sizes: int, **more: Any) -> Shape:
    """Return a table with an axis for each number of groups."""
    axes = {f"axis{i}": groups(n_raters, n) for i, n in enumerate(sizes)}
    return Shape(*spread(n_items, n_raters, each), axes, more.pop("ask", tuple(axes)), **more)


def few_in_many() -> Shape:
    """Return two large groups and one of 12 raters."""
    shape, rater = even(1_000, 300_000, 3, 2), np.arange(300_000)
    return shape._replace(axes={"axis0": np.where(rater < 12, 2, shape.axes["axis0"])})


def once() -> Shape:
    """Return items with one rating each."""
    return even(100_000, 1_000, 100, 4)._replace(item=np.arange(100_000))


MILLION = 10_000, 20_000, 50
SHAPES: dict[str, tuple[str, Callable[[], Shape]]] = {
    "ordinary": ("1,000 items, 2,000 raters, 50,000 ratings, 3 groups", lambda: even(1_000, 2_000, 25, 3)),
    "one_item": ("1 item, 100,000 raters, 2 groups", lambda: even(1, 100_000, 1, 2)),
    "one_item_model": ("the same, a model", lambda: even(1, 100_000, 1, 2, predicted=True)),
    "million": ("10,000 items, 20,000 raters, 1,000,000 ratings, 3 and 5 groups", lambda: even(*MILLION, 3, 5)),
    "million_model": ("the same, a model", lambda: even(*MILLION, 3, 5, predicted=True)),
    "majority": (
        "the same, against the majority",
        lambda: even(*MILLION, 3, 5, predicted=True, options={"reference": "majority"}),
    ),
    "one_rater": ("1,000,000 items, 1 rater", lambda: even(1_000_000, 1, 1_000_000, 1)),
    "once": ("100,000 items with 1 rating each, 1,000 raters, 4 groups", once),
    "items": (
        "1,000,000 items with 1 rating each, 20,000 raters, 3 groups, a model",
        lambda: even(1_000_000, 20_000, 50, 3, predicted=True),
    ),
    "raters": ("1,000 items, 300,000 raters, 900,000 ratings, 3 groups", lambda: even(1_000, 300_000, 3, 3)),
    "few_in_many": ("the same, one of the groups with 12 raters", few_in_many),
    "levels": (
        "1,000 items, 1,000 raters, 50,000 ratings on 100 levels, 3 groups",
        lambda: even(1_000, 1_000, 50, 3, levels=100),
    ),
    "levels_model": ("the same, a model", lambda: even(1_000, 1_000, 50, 3, levels=100, predicted=True)),
    "axes50": (
        "1,000 items, 2,000 raters, 50,000 ratings, 50 axes of 3 groups",
        lambda: even(1_000, 2_000, 25, *[3] * 50),
    ),
    "groups40": ("1,000 items, 4,000 raters, 100,000 ratings, 40 groups", lambda: even(1_000, 4_000, 25, 40)),
    "groups40_model": ("the same, a model", lambda: even(1_000, 4_000, 25, 40, predicted=True)),
    "items_groups": (
        "100,000 items, 10,000 raters, 1,000,000 ratings, 30 groups, a model",
        lambda: even(100_000, 10_000, 100, 30, predicted=True),
    ),
    "groups200": ("1,000 items, 4,000 raters, 200,000 ratings, 200 groups", lambda: even(1_000, 4_000, 50, 200)),
    "groups1000": ("1,000 items, 10,000 raters, 200,000 ratings, 1,000 groups", lambda: even(1_000, 10_000, 20, 1_000)),
    "groups1000_none": ("the same, `--inference none`", lambda: even(1_000, 10_000, 20, 1_000, inference="none")),
    "cells": (
        "1,000 items, 10,000 raters, 200,000 ratings, 3,000 cells of three axes",
        lambda: even(1_000, 10_000, 20, 10, 12, 25, ask=(("axis0", "axis1", "axis2"),)),
    ),
    "own_group": (
        "1,000 items, 100,000 raters, 300,000 ratings, a group a rater",
        lambda: even(1_000, 100_000, 3, 100_000),
    ),
    "own_group_none": (
        "the same, `--inference none`",
        lambda: even(1_000, 100_000, 3, 100_000, inference="none"),
    ),
}


def rated(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return levels: severity of the item, strictness of the rater and noise, cut; and the model's distribution."""
    rng = np.random.default_rng(0)
    severity, strictness = rng.standard_normal(shape.item.max() + 1), rng.standard_normal(shape.rater.max() + 1)
    latent = severity[shape.item] + 0.6 * strictness[shape.rater] + rng.standard_normal(len(shape.item))
    cuts = np.linspace(-1.5, 1.5, shape.levels - 1)
    q = np.exp(-((np.linspace(-1.5, 1.5, shape.levels) - severity[:, None]) ** 2))
    return np.searchsorted(cuts, latent), q / q.sum(axis=1, keepdims=True)


def analyse(shape: Shape) -> dict[str, Any]:
    """Run the analysis on a table in memory."""
    from lm_plural.harness.analysis.disaggregate import disaggregate
    from lm_plural.harness.analysis.options import Options
    from lm_plural.harness.ratings.predictions import Predictions
    from lm_plural.harness.ratings.scale import Scale
    from lm_plural.harness.ratings.table import RatingTable

    level, q = rated(shape)
    ids = {n: pl.Series(v).cast(pl.String) for n, v in (("item_id", shape.item), ("rater_id", shape.rater))}
    ratings = pl.DataFrame({**ids, "scale": ["scale"] * len(level), "level": level})
    raters = pl.DataFrame({"rater_id": np.arange(shape.rater.max() + 1)}).cast(pl.String)
    raters = raters.with_columns(
        pl.concat_list(pl.Series(name, values).cast(pl.String)).alias(name) for name, values in shape.axes.items()
    )
    scale = Scale(tuple(str(k + 1) for k in range(shape.levels)))
    table = RatingTable(ratings, raters, {"scale": scale})
    said = Predictions([str(i) for i in range(len(q))], q) if shape.predicted else None
    del q
    begin, cpu = time.perf_counter(), time.process_time()
    options = Options(inference=shape.inference, **shape.options)
    json.dumps(disaggregate(table, said, shape.ask, options).to_dict(), allow_nan=False)
    return {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu}


def command(shape: Shape, folder: Path) -> list[str]:
    """Write the table as files and return the command that reads them."""
    level, q = rated(shape)
    frame = pl.DataFrame({"item_id": shape.item, "rater_id": shape.rater, "rating": level + 1})
    frame.with_columns(pl.Series(n, v[shape.rater]) for n, v in shape.axes.items()).write_csv(folder / "ratings.csv")
    axes = [a if isinstance(a, str) else "*".join(a) for a in shape.ask]
    out = ["--ratings", str(folder / "ratings.csv"), "--scale", ",".join(str(k + 1) for k in range(shape.levels))]
    out += ["--axes", *axes, "--inference", shape.inference, "--output_path", str(folder / "out.json")]
    for name, value in shape.options.items():
        out += [f"--{name}", str(value)]
    if shape.predicted:
        frame = pl.DataFrame({"item_id": np.arange(len(q))} | {f"p{k + 1}": q[:, k] for k in range(shape.levels)})
        frame.write_csv(folder / "predictions.csv")
        out += ["--predictions", str(folder / "predictions.csv")]
    return ["disaggregate", *out]


def measured(argv: list[str]) -> tuple[str, float, float, float]:
    """Run a command; return the last line it printed (or its error), its seconds, CPU seconds and peak in GB."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, preexec_fn=_limits)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begin
        out.seek(0)
        lines = out.read().splitlines() or [""]
    said = lines[-1] if child.returncode == 0 else f"failed ({child.returncode}): {lines[-1][:200]}"
    return said, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", help=f"default: all of {', '.join(SHAPES)}")
    parser.add_argument("--file", action="store_true", help="the whole command, from a CSV file")
    parser.add_argument("--one", choices=SHAPES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(analyse(SHAPES[args.one][1]())))
        return
    print("| | shape | seconds | CPU seconds | GB at the peak |\n|---|---|---:|---:|---:|")
    for name in args.shapes or SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            whole = ["-m", "lm_plural", *command(SHAPES[name][1](), Path(folder))] if args.file else []
            said, seconds, cpu, peak = measured([sys.executable, *(whole or [__file__, "--one", name])])
        if not (failed := said.startswith("failed")) and not args.file:
            seconds, cpu = json.loads(said).values()
        took = f"{seconds:.2f} | {cpu:.2f}" if not failed else f"{said} | {cpu:.2f}"
        print(f"| {name} | {SHAPES[name][0]} | {took} | {peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
