"""``lm-plural plan``: the raters a group and the items that a gap needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import Words, parse_axes, parse_count

if TYPE_CHECKING:
    from lm_plural.harness.result.plan import Question

HELP = """How many raters a group, and how many items, are needed to detect a gap between groups?

  lm-plural plan --gap 0.25 --power 0.8 --ratings pilot.csv --scale 1,2,3,4,5 --axes gender
  lm-plural plan --gap 0.25 --power 0.8 --rater_sd 0.55 --residual_sd 1.0 --item_sd 0.3 --items 200

From a pilot (files as of disaggregate) for every pair of groups, or from standard deviations in scale points for a
gap in mean rating."""

SDS = ("rater_sd", "residual_sd", "item_sd")
#: Options that say something of a pilot only.
OF_PILOT = ("predictions", "scale", "axes", "groups", "weights", "duplicates", "off_scale", "missing", "profiles")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from lm_plural.harness.ratings.clean import CHOICES

    add = parser.add_argument
    add("--gap", type=float, required=True, metavar="X", help="to be detected, in the unit of the statistic")
    add("--power", type=float, default=0.8, metavar="P", help="chance to detect it, from 0.5 to below 1 (default 0.8)")
    names = "item_mean, disagreement, cliff; with predictions bias (then the default), divergence, rps"
    add("--statistic", metavar="NAME", help=f"{names} (default item_mean)")
    add("--items", type=parse_count, metavar="N", help="items there will be (default: the pilot's, or 100)")
    add("--raters", type=parse_count, metavar="N", help="raters a group there will be (default: the pilot's)")
    share = "each rates so many items (default: the share of items a rater of the pilot rates, or all)"
    add("--ratings_per_rater", type=parse_count, metavar="N", help=share)
    several = "comparisons to allow for, by Bonferroni (default: max-T over the pilot's pairs of groups, or 1)"
    add("--comparisons", type=parse_count, metavar="N", help=several)
    add("--output_path", "-o", type=Path, metavar="FILE", help="answer as JSON")
    pilot = parser.add_argument_group("from a pilot").add_argument
    pilot("--ratings", type=Path, metavar="FILE", help="who said what")
    pilot("--predictions", type=Path, metavar="FILE", help="what the model says")
    pilot("--scale", metavar="L1,L2,..", help="levels, lowest first")
    axes = "columns with groups; gender*race for cells"
    pilot("--axes", nargs="+", action=Words, default=[], metavar="AXIS", help=axes)
    pilot("--groups", nargs="+", action=Words, default=[], metavar="GROUP", help="only these groups of the one axis")
    pilot("--weights", choices=["items", "pairs"], default="items", help="average item, or average pair of raters")
    for rule, choices in CHOICES.items():
        pilot(f"--{rule}", choices=choices, default=choices[0], help=f"rule for such rows (default {choices[0]})")
    stated = parser.add_argument_group("from components, in scale points").add_argument
    stated("--rater_sd", type=float, metavar="SD", help="of raters' habits, on all items alike")
    stated("--residual_sd", type=float, metavar="SD", help="of one rating, beyond item and rater")
    stated("--item_sd", type=float, metavar="SD", help="of a group's own view of an item (item-by-group effect)")


def execute(args: argparse.Namespace) -> int:
    """Run."""
    import json

    from lm_plural.harness.files import write_atomic

    question = _question(args)
    content: dict[str, Any] = {"schema_version": 1, "question": vars(question)}
    if args.ratings:
        content |= {"pilot": str(args.ratings), "plans": _from_pilot(args, question)}
    else:
        content |= {"components": {sd: getattr(args, sd) for sd in SDS}, "plans": _from_components(args, question)}
    for plan in content["plans"]:
        plan["assumptions"] = assumptions(question, plan)
    if args.output_path:  # before printing: a reader who has seen enough must not cost the file
        write_atomic(args.output_path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    print("\n\n".join(render(question, plan) for plan in content["plans"]))
    if args.output_path:
        print(f"\nanswer written to {args.output_path}")
    return 0


def _question(args: argparse.Namespace) -> Question:
    """Return what is asked, once the options go together."""
    from lm_plural.harness.errors import UsageError, did_you_mean
    from lm_plural.harness.result.plan import LEAST_ITEMS, LEAST_RATERS, MODEL, STATISTICS, Question

    if not 0 < args.gap < float("inf"):
        raise UsageError(f"--gap {args.gap:g}: expected a number above 0")
    if not 0.5 <= args.power < 1:
        raise UsageError(f"--power {args.power:g}: expected a number from 0.5 to below 1")
    statistic = args.statistic or ("bias" if args.predictions else "item_mean")
    if statistic not in STATISTICS:
        hint = did_you_mean(statistic, STATISTICS) or f"; there are {', '.join(STATISTICS)}"
        raise UsageError(f"--statistic {statistic}: no such statistic{hint}")
    for name, least in (("items", LEAST_ITEMS), ("raters", LEAST_RATERS)):
        if (getattr(args, name) or least) < least:
            raise UsageError(f"--{name} {getattr(args, name)}: expected at least {least}, or there is no interval")
    (_check_pilot if args.ratings else _check_components)(args)
    if statistic in MODEL and not args.predictions:
        raise UsageError(f"--statistic {statistic} needs --predictions")
    return Question(args.gap, args.power, statistic, args.items, args.raters, args.ratings_per_rater, args.comparisons)


def _check_pilot(args: argparse.Namespace) -> None:
    from lm_plural.harness.errors import UsageError

    if both := [sd for sd in SDS if sd in args.given]:
        raise UsageError(f"--{both[0]} and --ratings: expected a pilot or components, not both")
    if lacking := [o for o in ("scale", "axes") if not getattr(args, o)]:
        raise UsageError(f"--ratings needs --{lacking[0]}, too")
    if args.groups and len(args.axes) > 1:
        raise UsageError(f"--groups: expected groups of one axis, there are {len(args.axes)}")
    if len(set(args.groups)) == 1:
        raise UsageError("--groups: expected two or more different groups")


def _check_components(args: argparse.Namespace) -> None:
    from lm_plural.harness.errors import UsageError

    flags = ", ".join(f"--{sd}" for sd in SDS)
    if not args.given & set(SDS):
        raise UsageError(f"expected a pilot (--ratings, --scale, --axes) or components ({flags})")
    if lacking := [sd for sd in SDS if sd not in args.given]:
        raise UsageError(f"--{lacking[0]} is missing: components are {flags}")
    if extra := [o for o in OF_PILOT if o in args.given]:
        raise UsageError(f"--{extra[0]} goes with --ratings, not with components")
    if args.statistic not in (None, "item_mean"):
        raise UsageError(f"--statistic {args.statistic}: components speak of item_mean only")
    for sd in SDS:
        if not 0 <= getattr(args, sd) < float("inf"):
            raise UsageError(f"--{sd} {getattr(args, sd):g}: expected a number of 0 or more")
    if not any(getattr(args, sd) for sd in SDS):
        raise UsageError(f"{flags} are all 0: nothing varies, any design detects any gap")


def _from_pilot(args: argparse.Namespace, question: Question) -> list[dict[str, Any]]:
    from lm_plural.harness.ratings.clean import CHOICES, Rules
    from lm_plural.harness.ratings.scale import Scale
    from lm_plural.harness.result.bring import read_predictions, read_ratings
    from lm_plural.harness.result.options import Options
    from lm_plural.harness.result.plan import plan_from_pilot

    scale, axes = Scale(tuple(args.scale.split(","))), parse_axes(args.axes) or []
    table = read_ratings(args.ratings, scale, axes, Rules(**{rule: getattr(args, rule) for rule in CHOICES}))
    predictions = read_predictions(args.predictions, scale) if args.predictions else None
    options = Options(weights=args.weights)
    return [plan_from_pilot(table, predictions, axis, question, options, args.groups) for axis in axes]


def _from_components(args: argparse.Namespace, question: Question) -> list[dict[str, Any]]:
    from lm_plural.harness.result.plan import plan_from_components

    return [plan_from_components(question, args.item_sd, args.rater_sd, args.residual_sd)]


def render(question: Question, plan: dict[str, Any]) -> str:
    """Return a plan as text: the answer for the hardest gap, designs around it, the other gaps, what is assumed."""
    import textwrap

    from lm_plural.harness.result.cells import WIDTH

    told = [*plan["assumptions"], *(f"note: {note}" for note in plan["notes"])]
    parts = [
        "\n".join(textwrap.fill(line, WIDTH) for line in sentences(question, plan)),
        _designs(question, plan["grid"]),
        *([_pairs(question, plan["gaps"])] if len(plan["gaps"]) > 1 else []),
        "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in told),
    ]
    return "\n\n".join(parts)


def sentences(question: Question, plan: dict[str, Any]) -> list[str]:
    """Return the answer for the gap that needs most, in plain words."""
    from lm_plural.harness.result.plan import IN_POINTS, LEAST_ITEMS

    gap, n = plan["gaps"][0], len(plan["gaps"])
    points = " scale points" if question.statistic in IN_POINTS else ""
    sides = f"{gap['a']} and {gap['b']}" + (f" ({plan['axis']}: of {n} pairs the one that needs most)" if n > 1 else "")
    found = [
        f"To detect a gap of {question.gap:g}{points} in {question.statistic} between {sides} "
        f"with power {100 * question.power:g} %: {_answer(question, gap, pilot=plan['axis'] is not None)}.",
        f"Raters alone set a limit: at least {gap['least_raters']:,} a group, however many items."
        + (f" Items, too: at least {gap['least_items']:,}." if gap["least_items"] > LEAST_ITEMS else ""),
    ]
    if gap["detectable"] is not None:
        design = "The pilot" if question.items is None and question.raters is None else "The design asked about"
        found.append(f"{design} detects {_gap(question, gap['detectable'])}.")
    return found


def _answer(question: Question, gap: dict[str, Any], *, pilot: bool) -> str:
    """Return raters needed with these items, and items needed with these raters."""
    items = f"{gap['items']:,} items"
    if pilot and not question.items:
        total = gap["items_of_pilot"]
        items = f"the pilot's {items}" if gap["items"] == total else f"{gap['items']:,} of the pilot's {total:,} items"
    if gap["raters_needed"] is None:
        answer = f"with {items} no number of raters is enough"
    else:
        answer = f"{gap['raters_needed']:,} raters a group with {items} ({gap['ratings_needed']:,} ratings)"
    if gap["raters"] is None:
        return answer
    a, b = gap["raters"]
    raters = f"{a:,} raters a group" if question.raters else f"the pilot's {a:,} and {b:,} raters"
    return f"{answer}; with {raters} " + (
        "no number of items is enough" if gap["items_needed"] is None else f"{gap['items_needed']:,} items"
    )


def _designs(question: Question, designs: dict[str, Any]) -> str:
    from lm_plural.harness.result.cells import grid

    def cell(gap: float) -> str:
        return _gap(question, gap) + ("*" if gap <= question.gap * (1 + 1e-9) else " ")

    rows = [
        [f"{n:,} raters a group", *map(cell, gaps), _number(needed)]
        for n, gaps, needed in zip(designs["raters"], designs["detectable"], designs["items_needed"], strict=True)
    ]
    rows.append(["raters needed", *(_number(n) + " " for n in designs["raters_needed"])])
    head = f"smallest detectable gap (* reaches {question.gap:g}, - cannot be reached)"
    return head + "\n" + grid(rows, ["", *(f"{i:,} items " for i in designs["items"]), "items needed"])


def _pairs(question: Question, gaps: list[dict[str, Any]]) -> str:
    from lm_plural.harness.result.cells import MOST_GROUPS, grid, short

    rows = [
        [
            f"{short(gap['a'], 18)} - {short(gap['b'], 18)}",
            f"{gap['raters'][0]:,} {gap['raters'][1]:,}",
            f"{gap['items']:,}",
            _gap(question, gap["detectable"]),
            *(_number(gap[k]) for k in ("raters_needed", "items_needed", "least_raters")),
        ]
        for gap in gaps[:MOST_GROUPS]
    ]
    if hidden := len(gaps) - len(rows):
        rows.append([f"({hidden} more)"])
    header = ["pair", "raters", "items", "detects", "raters needed", "items needed", "at least"]
    return grid(rows, header)


def assumptions(question: Question, plan: dict[str, Any]) -> list[str]:
    """Return what the numbers rest on."""
    from lm_plural.harness.result.plan import LEAST_RATERS

    m, pilot = plan["comparisons"], plan["axis"] is not None
    several = f" for {m} comparisons by {plan['critical_from']}" if m > 1 else ""
    of_pilot = ", at the pilot's degrees of freedom" if plan["critical_from"] == "max-T" else ""
    found = [
        f"two-sided test at 5 %, critical value {plan['critical']:.2f}{several}{of_pilot}; for other items and raters",
        "normal approximation: optimistic below about 10 raters a group; "
        f"no answer is below {LEAST_RATERS}, with fewer there is no interval",
        f"{_load(question, plan['gaps'][0])}; {_counted(question)}",
    ]
    if not pilot:
        return [*found, "raters and items spread as stated"]
    known = f", known to about +-{100 * plan['precision']:.0f} % (one standard error)"
    return [
        *found,
        f"raters and items spread as in the pilot: its variance is an estimate{known}",
        "designs unlike the pilot's are extrapolations",
    ]


def _counted(question: Question) -> str:
    from lm_plural.harness.statistics.groups import LINEAR

    least = "raters of both groups rate" if question.statistic in LINEAR else "two raters of each group rate"
    return f"items counted are those that {least}: the more raters, the more of them"


def _load(question: Question, gap: dict[str, Any]) -> str:
    """Return how many items a rater is taken to rate."""
    if most := question.ratings_per_rater:
        return f"every rater rates {most:,} items, or all if there are fewer"
    share = max(gap["ratings_per_rater"]) / gap["items"]
    if share > 0.995:
        return "every rater rates every item"
    return f"every rater rates the same share of the items as in the pilot ({100 * share:.2g} %)"


def _gap(question: Question, gap: float) -> str:
    """Return a gap with two digits more than the first of the gap asked about."""
    import math

    return f"{gap:.{min(max(2 - math.floor(math.log10(question.gap)), 0), 9)}f}"


def _number(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"
