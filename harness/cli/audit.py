"""``lm-plural audit``: a scorer under test."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
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
from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.jobs.checked import checked_tasks

if TYPE_CHECKING:
    from lm_plural.harness.jobs.evaluate import Outcome
    from lm_plural.harness.result.audit import Question
    from lm_plural.harness.task.load import LoadedTask
    from lm_plural.harness.task.schema import ScorerSpec


HELP = """Measure how near a scorer is to what each group of raters said of the same texts, and for whom it works worse.

  lm-plural audit --scorer profanity --tasks popquorn_offensiveness,crehate_hate --output_path outputs
  lm-plural audit --scorer detoxify:variant=unbiased --dimension toxicity --tasks popquorn_offensiveness --harmful 3
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
    from lm_plural.harness.jobs.audit import audit
    from lm_plural.harness.scoring import check_options
    from lm_plural.harness.task.index import Index

    started = datetime.now()
    if not args.tasks:
        raise UsageError("no tasks: give --tasks (lm-plural ls tasks)")
    spec = parse_scorer(args.scorer)
    check_options(spec.name, spec.options)
    tasks = checked_tasks(Index(args.include_path), args.tasks)
    questions = _questions(args, tasks)
    outcome = audit(
        tasks,
        spec,
        questions,
        args.output_path,
        limit=args.limit,
        trust_remote_code=args.trust_remote_code,
        started=started,
    )
    report(outcome, tables=args.tables)
    return 0


def report(outcome: Outcome, *, tables: bool) -> None:
    """Print what was learnt, on one screen or in every table, and where the files are."""
    assert outcome.content is not None
    assert outcome.path is not None
    where = f"{'results written to' if outcome.new else 'nothing new; the same results are in'} {outcome.path}"
    if tables:
        from lm_plural.harness.report.audit import render_audit

        print(render_audit(outcome.content))
        print(f"\n{where}")
    else:
        from lm_plural.harness.report.summary import summary, where_tables

        title = f"scorer {outcome.content['scorer']['name']} against each group of raters"
        print(summary(title, outcome.content["audited"], [where, where_tables(outcome.folder)]))


def parse_scorer(text: str) -> ScorerSpec:
    """Return a scorer and its options from ``NAME``, ``NAME:option=value,option=value`` or ``NAME:{JSON}``.

    Raises
    ------
    UsageError
        If the options are not ``key=value``.
    """
    from lm_plural.harness.model.arguments import parse_arguments
    from lm_plural.harness.task.schema import ScorerSpec

    name, colon, options = text.partition(":")
    return ScorerSpec(name=name, options=parse_arguments([options], f"--scorer {name}") if colon else {})


def by_task(words: Sequence[str] | None, tasks: Sequence[str], flag: str) -> dict[str, str]:
    """Return what was said for each task: ``VALUE`` for all, ``TASK=VALUE`` for one.

    Raises
    ------
    UsageError
        For a task that is not among those asked for, or two values for all.
    """
    own = dict(w.split("=", 1) for w in words or () if "=" in w)
    everyone = [w for w in words or () if "=" not in w]
    for name in own:
        if name not in tasks:
            raise UsageError(f"{flag}: {name!r} is not among the tasks asked for{did_you_mean(name, tasks)}")
    if len(everyone) > 1:
        raise UsageError(f"{flag} {' '.join(everyone)}: expected one for all tasks, or TASK=... for each")
    return dict.fromkeys(tasks, everyone[0]) | own if everyone else own


def _questions(args: argparse.Namespace, tasks: Sequence[LoadedTask]) -> dict[str, Question]:
    """Return what is asked on each task; what is wrong with it is said before anything is scored."""
    from lm_plural.harness.analysis.audit.audit import GRID
    from lm_plural.harness.analysis.options import Options
    from lm_plural.harness.jobs.audit import text_field
    from lm_plural.harness.ratings.harmful import Cut
    from lm_plural.harness.result.audit import Question

    names = [t.name for t in tasks]
    texts, levels = by_task(args.text, names, "--text"), by_task(args.harmful, names, "--harmful")
    options = Options(
        inference=args.inference, min_raters_interval=args.min_raters_interval, draws=args.draws, seed=args.seed
    )
    axes, grid = parse_axes(args.axes), _thresholds(args.thresholds) if args.thresholds else GRID
    out = {}
    for task in tasks:
        if task.by_shares:
            raise UsageError(f"task {task.name!r} has shares of answers by group; an audit needs ratings of texts")
        for axis in axes or ():
            task.table.groups(axis)
        try:
            Cut.of(task.scale, levels.get(task.name))
        except UsageError as e:
            raise UsageError(f"--harmful, task {task.name!r}: {e}") from e
        field = text_field(task, texts.get(task.name))
        out[task.name] = Question(field, args.dimension, args.worse, levels.get(task.name), axes, grid, options)
    return out


def _thresholds(words: Sequence[str]) -> list[float]:
    out = []
    for word in words:
        try:
            out.append(float(word))
        except ValueError:
            out.append(-1.0)
        if not 0 <= out[-1] <= 1:
            raise UsageError(f"--thresholds {word}: expected a number from 0 to 1")
    return out
