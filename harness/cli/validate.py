"""``lm-plural validate``: check tasks before a model is asked."""

from __future__ import annotations

import argparse

from lm_plural.harness.cli.options import Words, add_include_path

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
    from lm_plural.harness.errors import UsageError
    from lm_plural.harness.task.check import check_task
    from lm_plural.harness.task.index import Index
    from lm_plural.harness.task.yamlfile import InvalidFileError

    index = Index(args.include_path)
    findings: list[str] = []
    valid = 0
    documents = []
    for pattern in [*args.names, *args.tasks] or list(index.tasks):
        try:
            documents += index.select([pattern])
        except InvalidFileError as e:
            findings += e.findings
        except UsageError as e:
            findings.append(str(e))
    if not (args.names or args.tasks):
        findings += [f for e in index.broken for f in e.findings]
    for document in documents:
        found = check_task(document, index)
        findings += found
        valid += not found
    for finding in dict.fromkeys(findings):
        print(finding)
    print(f"{valid} valid, {len(documents) - valid} invalid tasks, {len(set(findings))} findings")
    return 2 if findings else 0
