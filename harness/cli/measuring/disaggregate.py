"""``lm-plural disaggregate``: the bring-your-own door, no model needed."""

from __future__ import annotations

import argparse
from pathlib import Path

from lm_plural.harness.cli.options import (
    Words,
    add_inference,
    add_tables,
    inference_of,
    out_file,
    out_folder,
    parse_axes,
    parse_columns,
    parse_count,
    parse_scale,
    parse_seed,
)

HELP = """Compare predictions of your own with groups of raters; without predictions, describe the groups.

  lm-plural disaggregate --ratings ratings.csv --predictions predictions.csv --scale 1,2,3,4,5 \\
      --axes gender,race --output_path out.json

ratings: CSV, JSONL or Parquet with item_id, rater_id, rating and a column per axis (several values separated by |).
predictions: item_id and p1..pK (probabilities in scale order) or prediction (a level)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from lm_plural.harness.ratings.rules import CHOICES
    from lm_plural.harness.ratings.strategies import STRATEGIES

    add = parser.add_argument
    add("--ratings", type=Path, required=True, metavar="FILE", help="who said what")
    names = "how FILE calls item_id, rater_id, rating or weight: item_id=comment rating=score"
    add("--columns", nargs="+", action="extend", default=[], metavar="NAME=COLUMN", help=names)
    add("--predictions", type=Path, metavar="FILE", help="what the model says")
    add("--scale", required=True, metavar="L1,L2,..", help="levels, lowest first")
    add(
        "--axes",
        nargs="+",
        action=Words,
        default=[],
        metavar="AXIS",
        help="columns with groups; gender*race for cells",
    )
    add("--output_path", "-o", type=out_file, metavar="FILE", help="results as JSON")
    add(
        "--direction",
        choices=["lower", "higher"],
        default="lower",
        help="which end of the scale is better (default lower)",
    )
    add(
        "--min_raters",
        type=parse_count,
        default=5,
        metavar="N",
        help="least raters for a group to be computed (default 5)",
    )
    add(
        "--weights",
        choices=["items", "pairs"],
        default="items",
        help="average item, or average pair of raters",
    )
    add("--item_weights", type=Path, metavar="FILE", help="CSV, JSONL or Parquet with item_id and weight")
    add_inference(parser)
    add("--seed", type=parse_seed, default=0, metavar="N", help="of draws and permutations (default 0)")
    add_tables(parser)
    add("--plots", type=out_folder, metavar="DIR", help="folder for pictures (needs the extra plots)")
    pictures = "format of the pictures (default svg)"
    add("--plot_format", choices=["svg", "png", "html"], default="svg", help=pictures)
    add("--reference", choices=STRATEGIES, default="all", help="disagreement strategy (default: all ratings)")
    add("--coarsen", metavar="K[:NEUTRAL]", help="3, or 2:up, 2:down, 2:drop, 2:split for where neutral goes")
    for rule, choices in CHOICES.items():
        add(
            f"--{rule}",
            choices=choices,
            default=choices[0],
            help=f"rule for such rows (default {choices[0]})",
        )


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.data.own_files import NAMES
    from lm_plural.harness.jobs.disaggregate import disaggregate
    from lm_plural.harness.pictures.shared import plots_extra
    from lm_plural.harness.ratings.rules import CHOICES

    if args.plots:  # what is not installed is said before the work
        with plots_extra():
            import altair  # noqa: F401
            import vl_convert  # noqa: F401
    result = disaggregate(
        args.ratings,
        scale=parse_scale(args.scale),
        axes=parse_axes(args.axes) or [],
        predictions=args.predictions,
        columns=parse_columns(args.columns, NAMES),
        direction=args.direction,
        reference=args.reference,
        coarsen=args.coarsen,
        weights=args.weights,
        item_weights=args.item_weights,
        min_raters=args.min_raters,
        **inference_of(args),
        seed=args.seed,
        **{rule: getattr(args, rule) for rule in CHOICES},
    )
    block = result.to_dict()
    if args.output_path:  # before printing: a reader of the table who has seen enough must not cost the file
        result.save(args.output_path)
    pictures = result.save_plots(args.plots, f".{args.plot_format}") if args.plots else []
    files = [f"{len(pictures)} pictures in {args.plots}"] if pictures else []
    files += [f"results written to {args.output_path}"] if args.output_path else []
    if args.tables:
        from lm_plural.harness.report.table import render_block, render_legend

        print(render_block(str(args.ratings), block), render_legend("rate"), *files, sep="\n\n")
    else:
        from lm_plural.harness.report.summary import summary, where_tables

        what = "predictions against each group of raters" if args.predictions else "groups of raters against each other"
        print(summary(what, {args.ratings.name: block}, [*files, where_tables(args.output_path)]))
    return 0
