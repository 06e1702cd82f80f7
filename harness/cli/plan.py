"""``lm-plural plan``: the raters a group and the items that a gap needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import (
    MOST,
    Words,
    out_file,
    parse_axes,
    parse_count,
    parse_scale,
    refuse_unknown,
    single,
    whole,
)
from lm_plural.harness.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from lm_plural.harness.analysis.design.plan import Question

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
    from lm_plural.harness.ratings.rules import CHOICES

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
    add("--comparisons", type=whole(1, MOST), metavar="N", help=several)
    add("--output_path", "-o", type=out_file, metavar="FILE", help="answer as JSON")
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
    from lm_plural.harness.files import to_json, write_atomic
    from lm_plural.harness.report.plan import assumptions, render_plan

    question = _question(args)
    content: dict[str, Any] = {"schema_version": 1, "question": vars(question)}
    if args.ratings:
        content |= {"pilot": str(args.ratings), "plans": _from_pilot(args, question)}
    else:
        content |= {"components": {sd: getattr(args, sd) for sd in SDS}, "plans": _from_components(args, question)}
    for plan in content["plans"]:
        plan["assumptions"] = assumptions(question, plan)
    if args.output_path:  # before printing: a reader who has seen enough must not cost the file
        write_atomic(args.output_path, to_json(content))
    print("\n\n".join(render_plan(question, plan) for plan in content["plans"]))
    if args.output_path:
        print(f"\nanswer written to {args.output_path}")
    return 0


def _question(args: argparse.Namespace) -> Question:
    """Return what is asked, once the options go together."""
    from lm_plural.harness.analysis.design.plan import LEAST_ITEMS, LEAST_RATERS, MODEL, STATISTICS, Question

    if not 1e-9 < args.gap < 1e9:
        raise UsageError(f"--gap {args.gap:g}: expected a number above 0 and below 1e9, in the unit of the statistic")
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
    if both := [sd for sd in SDS if sd in args.given]:
        raise UsageError(f"--{both[0]} and --ratings: expected a pilot or components, not both")
    if lacking := [o for o in ("scale", "axes") if not getattr(args, o)]:
        raise UsageError(f"--ratings needs --{lacking[0]}, too")
    if args.groups and len(args.axes) > 1:
        raise UsageError(f"--groups: expected groups of one axis, there are {len(args.axes)}")
    if len(set(args.groups)) == 1:
        raise UsageError("--groups: expected two or more different groups")


def _check_components(args: argparse.Namespace) -> None:
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
        if not 0 <= getattr(args, sd) < 1e9:
            raise UsageError(f"--{sd} {getattr(args, sd):g}: expected a number from 0 to below 1e9, in scale points")
    if not any(getattr(args, sd) for sd in SDS):
        raise UsageError(f"{flags} are all 0: nothing varies, any design detects any gap")


def _from_pilot(args: argparse.Namespace, question: Question) -> list[dict[str, Any]]:
    from lm_plural.harness.analysis.design.planning import plan_from_pilot
    from lm_plural.harness.analysis.options import Options
    from lm_plural.harness.data.own_files import read_predictions, read_ratings
    from lm_plural.harness.ratings.rules import CHOICES, Rules
    from lm_plural.harness.ratings.scale import Scale

    scale, axes = Scale(parse_scale(args.scale)), parse_axes(args.axes) or []
    refuse_unknown(args.ratings, single(axes), ("item_id", "rater_id", "rating"))
    table = read_ratings(args.ratings, scale, axes, Rules(**{rule: getattr(args, rule) for rule in CHOICES}))
    predictions = read_predictions(args.predictions, scale) if args.predictions else None
    options = Options(weights=args.weights)
    return [plan_from_pilot(table, predictions, axis, question, options, args.groups) for axis in axes]


def _from_components(args: argparse.Namespace, question: Question) -> list[dict[str, Any]]:
    from lm_plural.harness.analysis.design.planning import plan_from_components

    return [plan_from_components(question, args.item_sd, args.rater_sd, args.residual_sd)]
