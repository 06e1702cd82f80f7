"""``lm-plural show``: every table of results."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_plural.harness.errors import UsageError, did_you_mean

HELP = """Print every table of results.

  lm-plural show outputs/smollm2-demo-1a2b3c4d
  lm-plural show outputs/smollm2-demo-1a2b3c4d --task plural_demo_toxicity --axis gender
  lm-plural show out.json                  # what disaggregate wrote"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("results", type=Path, metavar="RESULTS", help="results file, or folder of a run (of each task the newest)")
    add("--task", metavar="TASK", help="this one only")
    add("--axis", metavar="AXIS", help="this one only")


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.report.audit import render_audit
    from lm_plural.harness.report.table import render_annotated, render_block, render_legend, render_results

    content = _content(args.results)
    if "axes" in content:  # of disaggregate: one block and no task
        if args.task:
            raise UsageError(f"--task {args.task}: {args.results} has no tasks")
        block = _one_axis(str(args.results), content, args.axis)
        print(render_block(str(args.results), block), render_legend("rate"), sep="\n\n")
        return 0
    renderers = {"audited": render_audit, "annotated": render_annotated, "disaggregated": render_results}
    key, render = next((key, render) for key, render in renderers.items() if key in content)
    blocks = content[key]
    if args.task and args.task not in blocks:
        hint = did_you_mean(args.task, blocks)
        raise UsageError(f"--task {args.task}: not in {args.results}{hint}; there are {', '.join(blocks)}")
    chosen = {name: blocks[name] for name in ([args.task] if args.task else blocks)}
    if args.axis:  # tasks differ in their axes
        having = {name: block for name, block in chosen.items() if args.axis in block["axes"]}
        chosen = {name: _one_axis(name, block, args.axis) for name, block in (having or chosen).items()}
    print(render(content | {key: chosen}))
    return 0


def _one_axis(name: str, block: dict[str, Any], axis: str | None) -> dict[str, Any]:
    """Return a block with one of its axes, or as it is."""
    if axis is None:
        return block
    if axis not in block["axes"]:
        hint = did_you_mean(axis, block["axes"])
        raise UsageError(f"--axis {axis}: not in {name}{hint}; there are {', '.join(block['axes']) or 'none'}")
    return block | {"axes": {axis: block["axes"][axis]}}


def _content(path: Path) -> dict[str, Any]:
    """Return what the results of a run say, of each task the newest, as one file would say it.

    Raises
    ------
    PluralError
        If there are none, or they are not what lm-plural writes.
    UsageError
        If they are of several runs.
    """
    from lm_plural.harness.result.read import read_content, read_results

    runs, out = read_results(path).runs, dict[str, Any]()
    if len(runs) > 1:
        raise UsageError(f"{path} has {len(runs)} runs: {', '.join(run.name for run in runs)}; expected one of them")
    contents = {file: read_content(file) for file in dict.fromkeys(map(runs[0].path, runs[0].tasks))}
    for task in runs[0].tasks:
        for key, value in contents[runs[0].path(task)].items():
            known = out.get(key)
            of_task = {task: value[task]} if isinstance(value, dict) and task in value else value
            out[key] = {**known, **of_task} if isinstance(known, dict) and isinstance(of_task, dict) else of_task
    return out
