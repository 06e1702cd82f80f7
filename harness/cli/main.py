"""``lm-plural``: find the verb, run it, turn errors into one line and an exit code.

A verb is a module with ``HELP``, ``add_arguments(parser)`` and ``execute(args) -> int``; other packages add verbs
through the entry point group ``lm_plural.verbs``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any, NoReturn

from lm_plural import __version__
from lm_plural.harness.errors import PluralError, did_you_mean

VERBS = {
    "run": "evaluate a model: generate, score, aggregate",
    "score": "score and aggregate again from a run's journal",
    "disaggregate": "compare your own predictions with groups of raters, no model needed",
    "ls": "list tasks, scorers, axes, datasets, models",
    "validate": "check task files and their data",
    "schema": "print the JSON Schema of task or recipe files, for editors",
}
EXTRA = "lm_plural.verbs"


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line and suggest what was meant."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        if message.startswith("unrecognized arguments: "):
            word = message.split(": ", 1)[1].split()[0]
            options = [o for a in self._actions for o in a.option_strings]
            message = f"unknown option {word}{did_you_mean(word, options)}"
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def verb_module(name: str) -> Any:
    """Import the module of a verb."""
    if name in VERBS:
        return importlib.import_module(f"lm_plural.harness.cli.{name}")
    return {e.name: e for e in entry_points(group=EXTRA)}[name].load()


def _top_help(extra: Sequence[str]) -> str:
    width = max(map(len, [*VERBS, *extra]))
    lines = [f"  {name:<{width}}  {text}" for name, text in VERBS.items()]
    lines += [f"  {name:<{width}}  (added by another package)" for name in extra]
    return "\n".join(
        [
            "usage: lm-plural VERB [options]     (lm-plural VERB --help; without a verb: run)",
            "",
            "Measure a language model against each group of raters.",
            "",
            *lines,
            "",
            "example:",
            "  lm-plural run --model hf --model_args pretrained=smollm2-demo --tasks plural_demo --output_path outputs",
            "",
            "exit codes: 0 fine, 1 error, 2 usage or invalid task, 3 gate failed",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] in ([], ["-h"], ["--help"]):
        print(_top_help(sorted({e.name for e in entry_points(group=EXTRA)} - set(VERBS))))
        return 0
    if args[0] in ("-V", "--version"):
        print(f"lm-plural {__version__}")
        return 0
    name = args.pop(0) if not args[0].startswith("-") else "run"
    known = [*VERBS, *(e.name for e in entry_points(group=EXTRA))]
    if name not in known:
        print(
            f"lm-plural: error: unknown verb {name!r}{did_you_mean(name, known)} (lm-plural --help)",
            file=sys.stderr,
        )
        return 2
    return _execute(name, args)


def _execute(name: str, args: Sequence[str]) -> int:
    module = verb_module(name)
    parser = Parser(
        prog=f"lm-plural {name}",
        description=module.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    try:
        code: int = module.execute(parser.parse_args(args))
        sys.stdout.flush()
    except PluralError as e:
        print(f"lm-plural {name}: error: {e}", file=sys.stderr)
        return e.exit_code
    except KeyboardInterrupt:
        print(f"lm-plural {name}: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
