"""Write docs/coverage.md: ``python -m tests.simulations --repetitions 500 --output docs/coverage.md``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from scipy.stats import kstest

from lm_plural.harness.statistics.uncertainty.draws import generator
from tests.simulations.cohesion import null_p_values
from tests.simulations.coverage import Sample, permutation_p, repeat
from tests.simulations.generate import Crowd, Design
from tests.simulations.ppi import EXPORTS, coverage, exported
from tests.simulations.spread import confounded_axes, six_groups

CROWDS = {
    "severity t with 3 df": Crowd(heavy=True),
    "10 % answer only 1 or 5": Crowd(extreme=0.1),
    "10 % give one level always": Crowd(straight=0.1),
    "own residual SD, lognormal .5": Crowd(uneven=0.5),
}
USUAL = [
    Design("350 items; 9, 30; all rate all", 350, (9, 30)),
    Design("100 items; 9, 30; all rate all", 100, (9, 30)),
    Design("350 items; 25, 60; all rate all", 350, (25, 60)),
    Design("350 items; 60, 120; 15 %", 350, (60, 120), density=0.15),
    Design("500 items; 400, 400; 1.2 %", 500, (400, 400), density=0.012),
    Design("300 items; 20, 20; 10 % (two an item)", 300, (20, 20), density=0.1),
]
FEW = [Design(f"350 items; {a}, {b}; all rate all", 350, (a, b)) for a, b in ((2, 3), (6, 9))]
PERFECT = [Design(f"perfect model; 350 items; {a}, {b}", 350, (a, b), perfect=True) for a, b in ((9, 30), (25, 60))]
STYLES = [
    Design(f"{name}; 350 items; {a}, {b}", 350, (a, b), crowd=crowd)
    for name, crowd in CROWDS.items()
    for a, b in ((9, 30), (25, 60))
]
FOUR = [
    Design(f"350 items; 12, 20, 30, 40; {how}", 350, (12, 20, 30, 40), (0.9, 0.6, 0.3, 0.1), density)
    for how, density in (("all rate all", 1.0), ("40 %", 0.4))
]
ALIKE = [Design(f"{a}, {b}", 100, (a, b), (0.5, 0.5), crowd=Crowd(interaction=0.0)) for a, b in ((9, 30), (4, 12))]
GAPS = ("gap bias", "gap divergence", "gap disagreement", "gap rps", "gap cliff", "ratio divergence")
GROUPS = ("bias", "divergence", "disagreement", "rps", "signal", "skill", "equivalent_raters")
WRONG = ("items gap bias", "items gap divergence", "items gap disagreement", "iid gap item_mean")
#: Intervals that cover less often than this are listed.
LOW = 0.92
HEAD = """# Do the intervals cover?

Nominal 95 % intervals of simulated collections, and how often they hold the truth. Made by

```console
$ {command}
```

{n} repetitions a row, seeds fixed. The Monte-Carlo standard error of a coverage near 95 % is {error:.1f} points, of a
ratio of standard errors about {ratio:.0f} %. Truth is integrated, not simulated.

Raters differ in severity (normal, SD .6, unless said otherwise), items in the mean (SD 1) and in how the two groups see
them (SD .5); a rating has a residual of SD 1 and is cut to five levels. Groups differ by .8 in the mean. The model is
biased and too flat, unless it is perfect. Sizes are raters of each group; the percentage is the share of the items a
rater sees. `signal` is A. A share in brackets says how many repetitions had an interval where not all did; the coverage
is of those. Groups of 2, 3, 6 and 9 are here to show bias and where intervals stop working: results refuse fewer than 5
raters, and show no interval for fewer than 10.
"""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def share(sample: Sample, m: int = 0) -> str:
    """Write a coverage in percent, and what share had an interval."""
    some = sample.defined[:, m].mean()
    if some == 0:
        return "-"
    return f"{100 * sample.coverage[m]:.1f}" + (f" ({100 * some:.0f} %)" if some < 1 else "")


def number(x: float, digits: int = 2) -> str:
    return f"{x:.{digits}f}" if np.isfinite(x) else "-"


Found = dict[Design, dict[str, Sample]]


def by_design(found: Found, names: Iterable[str], write: Callable[[Sample], str]) -> str:
    names = list(names)
    return table(["design", *names], ([d.name, *(write(s[n]) for n in names)] for d, s in found.items()))


def by_group(found: Found, names: Iterable[str], write: Callable[[Sample, int], str]) -> str:
    names = list(names)
    rows = (
        [d.name, str(n), *(write(s[f"group {x}"], g) for x in names)]
        for d, s in found.items()
        for g, n in enumerate(d.raters)
    )
    return table(["design", "raters", *names], rows)


def too_short(found: Found) -> str:
    """List every interval in the first tables that covers too rarely."""
    rows = [
        [d.name, name, str(d.raters[g]) if name.startswith("group") else "", share(samples[name], g)]
        for d, samples in found.items()
        for name in (*GAPS, *(f"group {x}" for x in GROUPS))
        for g in range(len(samples[name].truth))
        if samples[name].defined[:, g].any() and samples[name].coverage[g] < LOW
    ]
    return table(["design", "interval", "raters", "coverage"], rows) if rows else "None."


def bootstrap(found: Found) -> str:
    names = ("bias", "divergence", "disagreement")
    rows = (
        [d.name, str(n), *(f"{s[f'{way} {x}'].se_ratio[g]:.2f}" for x in names for way in ("group", "pigeonhole"))]
        for d, s in found.items()
        if "pigeonhole bias" in s
        for g, n in enumerate(d.raters)
    )
    return table(["design", "raters", *(f"{x}, {way}" for x in names for way in ("jackknife", "pigeonhole"))], rows)


def families(found: Found) -> str:
    names = ("bias", "divergence", "disagreement", "cliff")
    rows = (
        [d.name, x, *(f"{100 * s[f'{way} {x}'].simultaneous:.1f}" for way in ("all gaps", "gap"))]
        for d, s in found.items()
        for x in names
    )
    return table(["design", "six gaps in", "max-T", "each alone"], rows)


def permutations(n: int) -> str:
    p = {d: permutation_p(d, n) for d in ALIKE}
    return table(
        ["raters", "p <= .05, %", "Kolmogorov-Smirnov p"],
        ([d.name, f"{100 * (x <= 0.05).mean():.1f}", f"{kstest(x, 'uniform').pvalue:.2f}"] for d, x in p.items()),
    )


def others(n: int) -> str:
    """Run S4, S8 and S9."""
    six, axes = six_groups(n, generator(4, "S4")), confounded_axes(n, generator(9, "S9"))
    null = {k: null_p_values(k, max(n // 5, 1), 199, items=100) for k in (8, 30)}
    z = [e.mean() / e.std() * np.sqrt(n) for e in (six.tau2, axes.standardised, axes.marginal)]
    rows = [
        ["S4: tau squared of six equal groups", f"{six.tau2.mean():.5f} ({z[0]:+.1f} MC SE)", "0"],
        ["S4: interval of the range covers, %", f"{100 * six.range_covered.mean():.1f}", "at least 95"],
        ["S4: no false difference by max-T, %", f"{100 * six.none_significant.mean():.1f}", "95"],
        ["S9: error of the standardised gap, three confounded axes", f"{z[1]:+.1f} MC SE", "within 3"],
        ["S9: error of the marginal gap", f"{z[2]:+.1f} MC SE", "far off"],
    ]
    for k, p in null.items():
        for name, column in zip(("alpha - xRR", "GAI"), p.T, strict=True):
            ks = kstest(column, "uniform").pvalue
            rows.append([f"S8: p of {name}, {k} raters at random, Kolmogorov-Smirnov", f"{ks:.2f}", "above .01"])
    return table(["what", "found", "expected"], rows)


AUDITS = ((60, 12, 2000), (200, 12, 2000), (60, 40, 2000), (200, 40, 5000))


def audits(n: int) -> str:
    """Run S6."""
    rows = [[*map(str, a), *(f"{100 * x:.1f}" for x in coverage(*a, n, generator(6, str(a))))] for a in AUDITS]
    return table(["items rated", "raters", "items unrated", "two-way", "item means as independent"], rows)


def exports(n: int) -> str:
    """Run S6 on samples as they are drawn of a run."""
    rows = []
    for of in EXPORTS:
        both, alone, gain = exported(*of, n, generator(6, str(of)))
        how = [*map(str, of[:4]), of[4] or "one stratum"]
        rows.append([*how, f"{100 * both:.1f}", f"{100 * alone:.1f}", f"{gain:.2f}"])
    head = ["prompts", "rated", "in a block", "raters a block", "strata", "with predictions", "ratings alone", "gain"]
    return table(head, rows)


def report(n: int, command: str) -> str:
    """Run everything."""
    found = {d: repeat(d, n, replicates=100 if d in (USUAL[2], USUAL[4]) else 0) for d in USUAL + PERFECT + STYLES}
    few, four = ({d: repeat(d, n) for d in designs} for designs in (FEW, FOUR))
    two = few | found
    full = {d: s for d, s in found.items() if not d.perfect and d.density == 1}
    head = HEAD.format(n=n, command=command, error=100 * np.sqrt(0.95 * 0.05 / n), ratio=100 / np.sqrt(2 * n))
    sections = {
        "Gaps between two groups (S2, S2s)": (
            "Coverage in percent; the ratio is of divergences, on the log scale.",
            by_design(two, GAPS, share),
            "Root mean square of the standard errors over the standard deviation of the estimates:",
            by_design(two, GAPS, lambda s: number(s.se_ratio[0])),
        ),
        "One group": ("Coverage in percent.", by_group(two | four, GROUPS, share)),
        "Where they are too short": (
            f"Every interval above, of 9 raters or more, that covers less than {100 * LOW:.0f} %.",
            too_short(found),
        ),
        "All gaps of four groups at once": (
            "How often six intervals hold all six truths, in percent.",
            families(four),
        ),
        "What shorter ways would give (S2x)": (
            "Items alone resampled, or ratings taken for independent; in percent.",
            by_design(full, WRONG, share),
        ),
        "Bias (S1)": (
            "Mean error in Monte-Carlo standard errors; without bias, 3 in 1000 are beyond 3 either way.",
            by_group(two, GROUPS[:5], lambda s, g: number(s.error[g], 1)),
        ),
        "Beside the pigeonhole bootstrap (S3)": (
            "Standard errors over the standard deviation of the estimates, of single groups; 100 replicates each.",
            bootstrap(found),
        ),
        "Permutation test when groups are alike (S2s)": (
            "Of the difference in mean rating, 100 items.",
            permutations(n),
        ),
        "A mean from few labels and many predictions (S6)": (
            "PPI++ with a lens that is r = .8 with the items and .4 too high; all rated items by the same raters.",
            audits(n),
            "Samples of a run as `annotate export` draws them: strata are thirds of the predictions, blocks are "
            "disjoint, each with raters of its own, one rating in ten is missing. Coverage in percent; gain: variance "
            "of the ratings alone over that with predictions, the median.",
            exports(n),
        ),
        "Other simulations": (others(n),),
    }
    return head + "".join(f"\n## {title}\n\n" + "\n\n".join(parts) + "\n" for title, parts in sections.items())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulations", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--output", type=Path, default=Path("docs/coverage.md"))
    args = parser.parse_args()
    command = f"python -m tests.simulations --repetitions {args.repetitions} --output {args.output}"
    args.output.write_text(report(args.repetitions, command))


if __name__ == "__main__":
    main()
