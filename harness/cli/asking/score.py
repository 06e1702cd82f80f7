"""``lm-plural score``: everything after generation, again."""

from __future__ import annotations

import argparse
from pathlib import Path

from lm_plural.harness.cli.options import (
    add_axes,
    add_inference,
    add_scorers,
    add_tables,
    add_tasks,
    add_trust,
    inference_of,
    parse_axes,
)

HELP = """Score and aggregate again from the journal of a run; the model is not needed.

  lm-plural score outputs/smollm2-demo-1a2b3c4d

Scores made by another version of a scorer are made anew. A task may name other scorers, groups or references
than when it ran."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("run", type=Path, metavar="FOLDER", help="folder of a run: <output_path>/<model>/")
    add_tasks(parser, "of the run's tasks (default all)")
    add_axes(parser)
    add_inference(parser)
    add_scorers(parser)
    add_tables(parser)
    add_trust(parser)


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.cli.asking.run import report
    from lm_plural.harness.model.load import quiet

    quiet(None)
    from lm_plural.harness.jobs.evaluate import score

    outcome = score(
        args.run,
        tasks=args.tasks,
        axes=parse_axes(args.axes),
        **inference_of(args),
        scorers=args.scorers,
        show_unfit=args.show_unfit,
        trust_remote_code=args.trust_remote_code,
    )
    report(outcome, tables=args.tables)
    return 0
