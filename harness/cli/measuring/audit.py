"""``lm-plural audit``: a scorer under test."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import (
    Words,
    add_axes,
    add_include_path,
    add_intervals,
    add_tables,
    add_tasks,
    add_trust,
    out_folder,
    parse_axes,
    parse_limit,
    parse_seed,
)
from lm_plural.harness.errors import UsageError

if TYPE_CHECKING:
    from lm_plural.harness.jobs.evaluate import Outcome


HELP = """Measure how near a scorer is to what each group of raters said of the same texts, and for whom it works worse.

  lm-plural audit --scorer profanity --tasks popquorn_offensiveness,crehate_hate --output_path outputs
  lm-plural audit --scorer detoxify:unbiased --dimension toxicity --tasks popquorn_offensiveness --harmful 3
  lm-plural audit --scorer judge:toxicity,pretrained=smollm2-demo --tasks contrast
  lm-plural audit --scorer 'hf_classifier:{"model": "org/name", "labels": {"toxic": "toxicity"}}' --tasks crehate_hate

The texts are scored once and kept; the same command again scores nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--scorer", required=True, metavar="NAME[:K=V,...]", help="registered name and options (lm-plural ls scorers)")
    add_trust(parser)
    add_tasks(parser, "names, tags, globs or YAML files")
    add_include_path(parser)
    add("--limit", "-L", type=parse_limit, metavar="N", help="first N texts of each task, or a share below 1")
    words: dict[str, Any] = {"nargs": "+", "action": Words, "default": None}
    field = "field of the items that raters judged, if it is not clear; TASK=FIELD for one task"
    add("--text", **words, metavar="FIELD", help=field)
    level = "this level and worse count as harmful (default: worse than the middle); TASK=LEVEL for one task"
    add("--harmful", **words, metavar="LEVEL", help=level)
    add("--dimension", metavar="NAME", help="dimension of the scorer, if it has several")
    end = "which end of it is harmful (default: more; of the task's own dimension, the scale's worse end)"
    add("--worse", choices=["more", "less"], help=end)
    add("--thresholds", **words, metavar="T", help="of a score from 0 to 1, beside 0.5 (default 0.1 to 0.9)")
    add_axes(parser)
    add_intervals(parser, "texts")
    add("--seed", type=parse_seed, default=0, metavar="N", help="of draws (default 0)")
    add_tables(parser)
    where = "results and scores go to DIR/<scorer>/ (default outputs)"
    add("--output_path", "-o", type=out_folder, default=Path("outputs"), metavar="DIR", help=where)


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.model.load import quiet

    quiet(None)
    from lm_plural.harness.jobs.arguments import scorers_of
    from lm_plural.harness.jobs.audit import audit

    (scorer,) = scorers_of([args.scorer], "scorer")
    outcome = audit(
        scorer=scorer.name,
        scorer_options=scorer.options,
        tasks=args.tasks or (),
        text=by_task(args.text, "--text"),
        harmful=by_task(args.harmful, "--harmful"),
        dimension=args.dimension,
        worse=args.worse,
        thresholds=_thresholds(args.thresholds) if args.thresholds else None,
        axes=parse_axes(args.axes),
        inference=args.inference,
        min_raters_interval=args.min_raters_interval,
        draws=args.draws,
        seed=args.seed,
        limit=args.limit,
        trust_remote_code=args.trust_remote_code,
        include_path=args.include_path,
        output_path=args.output_path,
    )
    report(outcome, tables=args.tables)
    return 0


def report(outcome: Outcome, *, tables: bool) -> None:
    """Print what was learnt, on one screen or in every table, and where the files are."""
    assert outcome.content is not None
    assert outcome.path is not None
    where = f"{'results written to' if outcome.new else 'nothing new; the same results are in'} {outcome.path}"
    blocks = outcome.content["audited"]
    sets = {name: block for name, block in blocks.items() if block["mode"] == "contrast"}
    if tables or len(sets) == len(blocks):
        from lm_plural.harness.report.audit import render_audit

        print(render_audit(outcome.content))
        print(f"\n{where}")
    else:
        from lm_plural.harness.analysis.overview import verdicts
        from lm_plural.harness.report.summary import summary, where_tables

        title = f"scorer {outcome.content['scorer']['name']} against each group of raters"
        told = [f"{name}: {line}" for name, block in sets.items() for line in verdicts(block)]
        rated = {name: block for name, block in blocks.items() if name not in sets}
        print(summary(title, rated, [*told, where, where_tables(outcome.folder)]))


def by_task(words: Sequence[str] | None, flag: str) -> dict[str, str]:
    """Return what was said of tasks: ``VALUE`` of all others (``*``), ``TASK=VALUE`` of one.

    Raises
    ------
    UsageError
        For two values for all.
    """
    own = dict(w.split("=", 1) for w in words or () if "=" in w)
    everyone = [w for w in words or () if "=" not in w]
    if len(everyone) > 1:
        raise UsageError(f"{flag} {' '.join(everyone)}: expected one for all tasks, or TASK=... for each")
    return {"*": everyone[0], **own} if everyone else own


def _thresholds(words: Sequence[str]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as e:
        raise UsageError(f"--thresholds {' '.join(words)}: expected numbers from 0 to 1") from e
