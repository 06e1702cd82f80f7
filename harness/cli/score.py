"""``lm-plural score``: everything after generation, again."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import (
    add_axes,
    add_inference,
    add_tables,
    add_tasks,
    add_trust,
    inference_options,
    parse_axes,
)

if TYPE_CHECKING:
    from lm_plural.harness.task.load import Limit, LoadedTask

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
    add_tables(parser)
    add_trust(parser)


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.cli.run import report
    from lm_plural.harness.errors import UsageError, did_you_mean
    from lm_plural.harness.jobs.evaluate import Settings, rescore
    from lm_plural.harness.model.spec import ModelSpec
    from lm_plural.harness.run.folder import RunFolder

    started = datetime.now()
    folder = RunFolder(args.run)
    run = folder.read_run()
    for name in args.tasks or ():
        if name not in run["tasks"]:
            raise UsageError(f"{args.run}: no task {name!r} in this run{did_you_mean(name, run['tasks'])}")
    chosen = {n: run["tasks"][n] for n in args.tasks or run["tasks"]}
    tasks = [_task(folder.path, name, t) for name, t in chosen.items()]
    settings = Settings(
        axes=parse_axes(args.axes), options=inference_options(args), trust_remote_code=args.trust_remote_code
    )
    report(rescore(tasks, folder, ModelSpec.stored(run), settings, started), tables=args.tables)
    return 0


def _task(run: Path, name: str, stored: dict[str, Any]) -> tuple[LoadedTask, Limit]:
    """Return a task as it is now, and the items it ran on.

    Raises
    ------
    PluralError
        If its file is no longer there.
    """
    from lm_plural.harness.documents import load_yaml
    from lm_plural.harness.errors import PluralError
    from lm_plural.harness.files import is_file
    from lm_plural.harness.task.index import Index
    from lm_plural.harness.task.load import load_task

    if not is_file(path := Path(stored["path"])):
        raise PluralError(f"{run / 'run.json'}: task {name!r}: its file {str(path)!r} is not there any more")
    index = Index([Path(p) for p in stored["include_path"]])
    return load_task(load_yaml(path), index), stored["limit"]
