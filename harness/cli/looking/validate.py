"""``lm-plural validate``: check tasks before a model is asked."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lm_plural.harness.cli.options import Words, add_include_path

if TYPE_CHECKING:
    from lm_plural.harness.documents import Document
    from lm_plural.harness.task.check import Report

HELP = """Check task files, their recipes and data; every finding is file:line: message, exit code 2 if there is one.

  lm-plural validate                       # all tasks that are at hand
  lm-plural validate my_task.yaml --include_path my_tasks"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("names", nargs="*", metavar="TASK", help="names, tags, globs or YAML files (default: all)")
    parser.add_argument(
        "--tasks",
        "-t",
        nargs="+",
        action=Words,
        default=[],
        metavar="TASK",
        help="the same, as lm-eval writes it",
    )
    add_include_path(parser)


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.data.recipe import load_recipe
    from lm_plural.harness.documents import InvalidFileError
    from lm_plural.harness.errors import UsageError
    from lm_plural.harness.task.check import check_task
    from lm_plural.harness.task.index import Index

    index = Index(args.include_path)
    names = [*args.names, *args.tasks]
    findings: list[str] = []
    unknown = unreadable = 0
    documents: dict[Path, Document] = {}
    for name in names or [*index.tasks, *index.contrasts]:
        try:
            documents |= {d.path.resolve(): d for d in index.select([name])}
        except InvalidFileError as e:
            findings += e.findings
            unreadable += 1
        except UsageError as e:
            print(f"lm-plural validate: error: {e}", file=sys.stderr)
            unknown += 1
    if not names:
        findings += [f for e in index.broken.values() for f in e.findings]
        for path in index.recipes().values():
            try:
                load_recipe(path)
            except InvalidFileError as e:
                findings += e.findings
    reports = [check_task(document, index) for document in documents.values()]
    if not names:  # of all tasks, those whose data are not at hand cannot be checked, which is no fault of theirs
        missing: dict[str, list[str]] = {}
        for report in (r for r in reports if r.data_missing and r.loaded):
            missing.setdefault(report.findings[0], []).append(_name(report))
        for finding, tasks in missing.items():
            print(f"lm-plural validate: note: not checked: {', '.join(tasks)}: {finding}", file=sys.stderr)
        reports = [r for r in reports if not r.data_missing]
    findings = list(dict.fromkeys([*findings, *(f for report in reports for f in report.findings)]))
    for finding in findings:
        print(finding)
    for note in _notes(reports):
        print(f"lm-plural validate: note: {note}", file=sys.stderr)
    valid = sum(not report.findings for report in reports)
    print(f"{valid} valid, {len(reports) - valid + unreadable} invalid tasks, {len(findings)} findings")
    return 2 if findings or unknown else 0


def _name(report: Report) -> str:
    return report.loaded.name if report.loaded else ""


def _notes(reports: Sequence[Report]) -> list[str]:
    """Return what is to be known of tasks, a line for each data set, and for each what runs code."""
    by_dataset: dict[str, dict[str, list[str]]] = {}
    code = []
    for report in (r for r in reports if r.loaded):
        notes = by_dataset.setdefault(report.loaded.dataset.recipe.dataset if report.loaded else "", {})
        for note in report.notes:
            task, _, text = note.partition(": ")
            if task == _name(report):
                notes.setdefault(text, []).append(task)
            else:
                code.append(note)
    return [*(_joined(notes) for notes in by_dataset.values() if notes), *code]


def _joined(notes: dict[str, list[str]]) -> str:
    """Return the notes of a data set as one line: its tasks and what is said of all, what is said of some."""
    tasks = list(dict.fromkeys(task for names in notes.values() for task in names))
    said = [text if len(names) == len(tasks) else f"{text} ({', '.join(names)})" for text, names in notes.items()]
    return f"{', '.join(tasks)}: {'; '.join(said)}"
