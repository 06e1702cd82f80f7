"""``lm-plural plan``: the raters a group and the items that a gap needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from lm_plural.harness.cli.options import (
    MOST,
    Words,
    out_file,
    parse_axes,
    parse_columns,
    parse_count,
    parse_scale,
    whole,
)

HELP = """How many raters a group, and how many items, are needed to detect a gap between groups?

  lm-plural plan --gap 0.25 --power 0.8 --ratings pilot.csv --scale 1,2,3,4,5 --axes gender
  lm-plural plan --gap 0.25 --power 0.8 --rater_sd 0.55 --residual_sd 1.0 --item_sd 0.3 --items 200

From a pilot (files as of disaggregate) for every pair of groups, or from standard deviations in scale points for a
gap in mean rating."""


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
    pilot("--columns", nargs="+", action="extend", default=[], metavar="NAME=COLUMN", help="columns of other names")
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
    from lm_plural.harness.data.own_files import NAMES
    from lm_plural.harness.jobs.plan import plan
    from lm_plural.harness.ratings.rules import CHOICES
    from lm_plural.harness.report.plan import render_plan

    answer = plan(
        args.gap,
        power=args.power,
        statistic=args.statistic,
        items=args.items,
        raters=args.raters,
        ratings_per_rater=args.ratings_per_rater,
        comparisons=args.comparisons,
        ratings=args.ratings,
        predictions=args.predictions,
        columns=parse_columns(args.columns, NAMES),
        scale=parse_scale(args.scale) if args.scale else None,
        axes=parse_axes(args.axes) or [],
        groups=args.groups,
        weights=args.weights,
        rater_sd=args.rater_sd,
        residual_sd=args.residual_sd,
        item_sd=args.item_sd,
        **{rule: getattr(args, rule) for rule in CHOICES},
    )
    if args.output_path:  # before printing: a reader who has seen enough must not cost the file
        answer.save(args.output_path)
    print("\n\n".join(render_plan(answer.question, one) for one in answer.plans))
    if args.output_path:
        print(f"\nanswer written to {args.output_path}")
    return 0
