"""Speed of the statistics: beside bootstraps of other libraries on one table, and alone as the ratings grow.

    python benchmarks/speed_statistics.py > docs/speed_statistics.md
    python benchmarks/speed_statistics.py --sizes 1e5 3e5 1e6 3e6 1e7 5e7 > docs/speed_statistics.md
    python benchmarks/speed_statistics.py --quick

Prints a Markdown page: medians of rounds in which everything takes its turn. Each size of the growing table has a
process of its own, whose one call finds memory untouched, and its peak includes the table. Simulated ratings, no files.

(Not ``statistics.py``: a script's folder comes first on the path, where that name would hide Python's own module.)
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

# several BLAS threads wait for each other wherever something else runs, up to 10 times as long as one would take
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy import stats
from scipy.special import ndtr

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.contrasts import families
from lm_plural.harness.statistics.groups.family import Sides, choose
from lm_plural.harness.statistics.groups.groups import Weighting, group_statistics
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.uncertainty import leave_one_out
from lm_plural.harness.statistics.uncertainty.draws import generator, joint_draws
from lm_plural.harness.statistics.uncertainty.jackknife import Columns, disjoint_covariance

GROUPS, DRAWS = 10, 10_000
CUTS = np.array([-1.2, -0.4, 0.4, 1.2], dtype=np.float32)
#: Of one table of the growing kind.
PER_ITEM, PER_RATER = 100, 50
#: Resamples that scipy holds at once; larger batches are slower here.
BATCH = 100
#: What fairlearn is run with; 10,000 would take it many minutes.
REPLICATES = (5, 10, 20)
SIZES = (1e5, 3e5, 1e6, 3e6, 1e7)
#: Above this one round has to do.
ONCE = 20_000_000


class Table(NamedTuple):
    """Simulated ratings with the model's distributions."""

    coded: Coded
    members: Membership
    q: Floats


def simulate(n_items: int, n_raters: int, rater: Sequence[np.ndarray], per_item: int) -> Table:
    """Rate: latent severity of the item, plus strictness of the rater, plus noise, cut into five levels.

    Raters come in blocks, so that only 9 bytes per rating are kept.
    """
    rng = np.random.default_rng(0)
    severity, strictness = (rng.standard_normal(n, dtype=np.float32) for n in (n_items, n_raters))
    item = np.repeat(np.arange(n_items, dtype=np.int32), per_item)
    level = np.empty(len(item), dtype=np.int8)
    done = 0
    for block in rater:
        rows = slice(done, done + len(block))
        noise = rng.standard_normal(len(block), dtype=np.float32)
        level[rows] = np.searchsorted(CUTS, severity[item[rows]] + 0.6 * strictness[block] + noise)
        done += len(block)
    cdf = ndtr((CUTS - 0.8 * severity[:, None].astype(np.float64)) / 1.3)
    q = np.diff(cdf, axis=1, prepend=0, append=1)
    members = Membership(np.arange(n_raters), rng.permutation(n_raters) % GROUPS, GROUPS)
    return Table(Coded(item, np.concatenate(rater), level, n_items, n_raters, np.arange(1.0, 6.0)), members, q)


def crossed(n_items: int, n_raters: int = 123) -> Table:
    """Every rater rates every item."""
    return simulate(n_items, n_raters, [np.arange(n_raters)] * n_items, n_raters)


def sparse(n: int) -> Table:
    """100 raters an item, 50 items a rater, nobody twice on an item: 50 shuffles of all raters, end to end."""
    rng, n_raters = np.random.default_rng(1), n // PER_RATER
    shuffles = [rng.permutation(n_raters).astype(np.int32) for _ in range(PER_RATER)]
    return simulate(n // PER_ITEM, n_raters, shuffles, PER_ITEM)


def all_statistics(table: Table) -> Floats:
    """Return joint draws of all statistics of all groups: from ratings to draws, intervals on the way."""
    coded, members, q = table
    counts, scaling = count_levels(coded, members), Scaling.plain(coded.positions)
    found = group_statistics(coded, members, counts, scaling, q, Weighting.of(Sums.of(counts, scaling)))
    _ = found.estimates
    covariance = found.covariance.matrix(np.eye(found.value.size), "items+raters")
    return joint_draws(found.value.ravel(), covariance, DRAWS, generator(0, "draws"))


def one_statistic(table: Table) -> Floats:
    """Return joint draws of the signed bias of all groups, from ratings to draws."""
    coded, members, q = table
    counts = count_levels(coded, members)
    sums = Sums.of(counts, Scaling.plain(coded.positions))
    v = Weighting.of(sums).by_name("bias")
    part = leave_one_out.bias(sums, q, v)
    columns = Columns(part.value, np.moveaxis(part.table, 1, 2), v, np.arange(GROUPS), sums.n)
    covariance = disjoint_covariance(coded, members, columns, counts).matrix(np.eye(GROUPS), "items+raters")
    return joint_draws(columns.total, covariance, DRAWS, generator(0, "draws"))


def with_contrasts(table: Table) -> None:
    """Do the same, and compare all pairs of groups, and each group with the rest, by max-T."""
    all_statistics(table)
    coded, members, q = table
    sides = Sides.of(coded, members, count_levels(coded, members))
    for kind in ("pairs", "rest"):
        a, b = choose(kind, np.arange(GROUPS), GROUPS)
        how = Inferring(generator(0, kind), draws=DRAWS)
        families(coded, sides, Scaling.plain(coded.positions), q, a, b, how)


def signed_difference(y_true: Floats, y_pred: Floats) -> float:
    """Return what all sides compute per group: the mean of expected less given rating."""
    return float(np.mean(y_pred - y_true))


def rows(table: Table) -> tuple[Floats, Floats, np.ndarray]:
    """Return rating, the model's expected rating, and group, one entry per rating."""
    coded = table.coded
    group = np.empty(coded.n_raters, dtype=np.int64)
    group[table.members.rater] = table.members.group
    return coded.positions[coded.level], (table.q @ coded.positions)[coded.item], group[coded.rater]


def fairlearn(table: Table, n_boot: int) -> Any:
    """Return a MetricFrame whose bootstrap resamples rows."""
    from fairlearn.metrics import MetricFrame

    given, expected, group = rows(table)
    return MetricFrame(
        metrics=signed_difference,
        y_true=given,
        y_pred=expected,
        sensitive_features=group,
        n_boot=n_boot,
        ci_quantiles=[0.025, 0.975],
        random_state=0,
    )


def scipy_rows(table: Table) -> None:
    """Percentile intervals by scipy, rows resampled, one group after the other."""
    given, expected, group = rows(table)
    for g in range(GROUPS):
        resample((expected - given)[group == g])


def scipy_items(table: Table) -> None:
    """Percentile intervals by scipy, means of items resampled, one group after the other."""
    coded = table.coded
    given, expected, group = rows(table)
    cell = group * coded.n_items + coded.item
    total, n = (np.bincount(cell, w, GROUPS * coded.n_items) for w in (expected - given, None))
    for mean in (total / n).reshape(GROUPS, -1):
        resample(mean)


def resample(values: Floats) -> None:
    """Bootstrap one mean, vectorized."""
    stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=DRAWS,
        batch=BATCH,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(0),
    )


def seconds(job: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def in_turn(jobs: dict[Any, Callable[[], Any]], rounds: int) -> dict[Any, Floats]:
    """Return seconds of every job, each doing its turn in every round, after one turn that does not count."""
    turns = [[seconds(job) for job in jobs.values()] for _ in range(rounds + 1)]
    return dict(zip(jobs, np.array(turns[1:]).T, strict=True))


def peak() -> float:
    """Return the largest memory of this process so far, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure(n: int) -> tuple[float, float, float]:
    """Return seconds, and the peak before and after, for one call at n ratings."""
    all_statistics(sparse(10_000))
    table = sparse(n)
    before = peak()
    return seconds(lambda: all_statistics(table)), before, peak()


def growth(sizes: Sequence[int], rounds: int) -> dict[int, Floats]:
    """Return medians of what `measure` finds, every call in a new process."""
    found: dict[int, list[tuple[float, float, float]]] = {n: [] for n in sizes}
    for r in range(rounds):
        for n in (n for n in sizes if r == 0 or n <= ONCE):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                found[n].append(pool.submit(measure, n).result())
            print(f"{n:,} ratings: {found[n][-1][0]:.2f} s", file=sys.stderr, flush=True)
    return {n: np.median(x, axis=0) for n, x in found.items()}


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """Return b of y = a x^b by least squares on logs."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def machine() -> str:
    """Say what ran this."""
    info = Path("/proc/cpuinfo")
    names = [x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
    packages = ", ".join(f"{p} {version(p)}" for p in ("numpy", "scipy", "fairlearn", "pandas"))
    cores = f"{os.cpu_count()} cores, {os.environ['OPENBLAS_NUM_THREADS']} BLAS thread"
    load = f"load average {os.getloadavg()[0]:.1f} at the start"
    return (
        f"{names[0] if names else platform.machine()}, {cores}; {load}; Python {platform.python_version()},\n"
        f"{packages}; {date.today()}."
    )


def growth_page(found: dict[int, Floats]) -> str:
    """Write the table of the growing ratings."""
    lines = [
        f"| {n:,} | {n // PER_ITEM:,} | {n // PER_RATER:,} | {s:.2f} | {1e9 * s / n:.0f} | {before:.2f} | {most:.2f} |"
        for n, (s, before, most) in found.items()
    ]
    n, s = list(found), [x[0] for x in found.values()]
    large = [i for i, size in enumerate(n) if size >= 1_000_000]
    fits = [f"{exponent(n, s):.2f} over all sizes"] if len(n) > 1 else []
    if len(large) > 1:
        fits.append(f"{exponent([n[i] for i in large], [s[i] for i in large]):.2f} from a million ratings on")
    return "\n".join(
        [
            "| ratings | items | raters | seconds | ns per rating | GB before | GB at the peak |",
            "|---:|---:|---:|---:|---:|---:|---:|",
            *lines,
            "",
            f"Seconds grow with the ratings to the power of {', '.join(fits) or 'unknown'} (1: in proportion).",
        ]
    )


def beside(table: Table, rounds: int) -> str:
    """Measure all sides on one table and write the comparison."""
    frame, ours = fairlearn(table, 1), one_statistic(table).mean(axis=0)
    np.testing.assert_allclose(frame.by_group.to_numpy(), ours, atol=0.02, err_msg="not the same statistic")
    took = in_turn(
        {
            "all": lambda: all_statistics(table),
            "one": lambda: one_statistic(table),
            "contrasts": lambda: with_contrasts(table),
            **{b: lambda b=b: fairlearn(table, b) for b in REPLICATES},
            "rows": lambda: scipy_rows(table),
            "items": lambda: scipy_items(table),
        },
        rounds,
    )
    middle = {k: float(np.median(v)) for k, v in took.items()}
    each, once = np.polyfit(REPLICATES, [middle[b] for b in REPLICATES], 1)
    middle["fairlearn"] = once + each * DRAWS
    all_, one = middle["all"], middle["one"]
    kinds = {
        "all": "lm-plural: all statistics of all groups, two-way jackknife, 10,000 joint draws",
        "one": "lm-plural: one statistic (signed bias), the same",
        "contrasts": "lm-plural: all statistics, and all pairs and group-vs-rest contrasts with max-T",
        "fairlearn": f"fairlearn `MetricFrame(n_boot=10_000)`, **scaled** from {1000 * each:.0f} ms per replicate",
        "rows": "`scipy.stats.bootstrap`, rows of each group, 10,000 resamples",
        "items": "`scipy.stats.bootstrap`, item means of each group, 10,000 resamples",
    }

    def line(key: str) -> str:
        s, spread = middle[key], f"{took[key].min():.3f} to {took[key].max():.3f}" if key in took else ""
        return f"| {kinds[key]} | {s:,.3f} | {spread} | {s / all_:,.1f} | {s / one:,.1f} |"

    return "\n".join(
        [
            "| what | seconds | range | times all of ours | times one of ours |",
            "|---|---:|---:|---:|---:|",
            *map(line, kinds),
        ]
    )


def draw(found: dict[int, Floats], path: Path) -> None:
    """Draw the median seconds of each size on log axes, with the line of proportion through the largest."""
    import altair as alt

    from lm_plural.harness.pictures.plots import save

    points = [{"ratings": n, "seconds": float(x[0])} for n, x in found.items()]
    last = points[-1]
    line = [{"ratings": p["ratings"], "seconds": last["seconds"] * p["ratings"] / last["ratings"]} for p in points]
    x = alt.X("ratings:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s"))
    y = alt.Y("seconds:Q", scale=alt.Scale(type="log"))
    measured = alt.Chart(alt.Data(values=points)).mark_line(point=True, color="black").encode(x=x, y=y)
    proportion = alt.Chart(alt.Data(values=line)).mark_line(strokeDash=[4, 4], color="grey").encode(x=x, y=y)
    title = alt.TitleParams("All statistics, jackknife and 10,000 draws", subtitle="dashed: in proportion to ratings")
    save((proportion + measured).properties(title=title, width=420, height=260), path)


def main() -> None:
    """Measure and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="ratings, multiples of 5,000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--curve", type=Path, metavar="SVG", help="also draw seconds over ratings")
    parser.add_argument("--quick", action="store_true", help="small sizes and two rounds: seconds, to see that it runs")
    args = parser.parse_args()
    sizes = [int(n) for n in ((1e4, 1e5) if args.quick else args.sizes)]
    rounds, n_items = (2, 35) if args.quick else (args.rounds, 350)
    where = machine()
    grown = growth(sizes, rounds)  # first: a process starts with its parent's peak as its own
    if args.curve:
        draw(grown, args.curve)
    table = crossed(n_items)
    compared = beside(table, rounds)
    print(
        f"""# Speed of the statistics

Written by `python {shlex.join(sys.argv)}`; medians of {rounds} rounds in which everything takes its turn.
{where}

## Beside bootstraps of other libraries

{n_items} items x 123 raters = {len(table.coded.level):,} simulated ratings on 5 levels, 10 groups, everyone rates all.
Ours: item mean, disagreement, bias, divergence, skill, equivalent raters and rps of every group. The others: one mean
per group (expected less given rating) with a percentile interval. fairlearn ran with `n_boot` of
{", ".join(map(str, REPLICATES))} and a line was fitted, whose value at 10,000 is shown; scipy does one group after the
other, vectorized, `batch` = {BATCH}. They resample rows *or* items; our jackknife takes items and raters as random, so
the intervals differ, too.

{compared}

## As ratings grow

All statistics with jackknife and 10,000 joint draws; 100 raters an item, 50 items a rater, 10 groups, 5 levels.
Each call in a process of its own, memory untouched before. The peak includes Python, libraries and the ratings (9 bytes
each). Sizes above {ONCE:,} ran once.

{growth_page(grown)}{
            f'''
![Seconds over ratings, both on log axes]({args.curve.name})
'''
            if args.curve
            else ""
        }"""
    )


if __name__ == "__main__":
    main()
