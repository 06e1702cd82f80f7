"""``lm-plural``: find the verb, run it, turn errors into one line and an exit code.

A verb is a module with ``HELP``, ``add_arguments(parser)`` and ``execute(args) -> int``; other packages add verbs
through the entry point group ``lm_plural.verbs``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from lm_plural import __version__
from lm_plural.harness.cli.options import given
from lm_plural.harness.errors import PluralError, UsageError, arguments_are_flags, did_you_mean
from lm_plural.harness.redact import forget, remember
from lm_plural.harness.report.terminal import doors

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: Verbs by the folder that their modules lie in; "" is this one.
ROOMS = {
    "asking": {
        "run": "evaluate a model: generate, score, aggregate",
        "score": "score and aggregate again from a run's journal",
        "annotate": "have people rate a run's own responses: forms out, ratings in",
        "judge": "is a language model fit to judge replies? its card on the contrast set",
    },
    "measuring": {
        "disaggregate": "compare your own predictions with groups of raters, no model needed",
        "audit": "measure a scorer against people's ratings of the same texts, or on the contrast set",
        "lens": "predict what groups of raters would say of other texts, as far as that can be believed",
        "plan": "raters and items that a gap needs, from a pilot or stated components",
    },
    "looking": {
        "show": "print every table of results",
        "ls": "list tasks, scorers, axes, datasets, models, measures",
        "validate": "check task files and their data",
        "schema": "print the JSON Schema of task, recipe, contrast or results files, for editors",
    },
    "": {"data": "list, fetch and look into data sets; bring your own"},
}
VERBS = {
    name: (f"{room}.{name}" if room else name, text) for room, verbs in ROOMS.items() for name, text in verbs.items()
}
EXTRA = "lm_plural.verbs"


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line and suggest what was meant."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting, so that whoever asked says where the words came from."""
        if message.startswith("unrecognized arguments: "):
            word = message.split(": ", 1)[1].strip(" ").split(" ")[0].split("=")[0]
            below = [p for a in self._actions if isinstance(a.choices, dict) for p in a.choices.values()]
            options = [
                o for p in [self, *below] for a in p._actions for o in a.option_strings if a.help != argparse.SUPPRESS
            ]
            what = "unknown option" if word.startswith("-") else "one word too many:"
            message = f"{what} {word}{' of this verb' if word in options else did_you_mean(word, options)}"
        raise UsageError(message)


def verb_module(name: str) -> Any:
    """Import the module of a verb."""
    if name in VERBS:
        return importlib.import_module(f"lm_plural.harness.cli.{VERBS[name][0]}")
    return _extra()[name].load()


def _extra() -> dict[str, EntryPoint]:
    """Return the verbs that other packages add; looked for only where a verb is none of ours."""
    from importlib.metadata import entry_points

    return {e.name: e for e in entry_points(group=EXTRA) if e.name not in VERBS}


def _top_help(extra: Sequence[str]) -> str:
    width = max(map(len, [*VERBS, *extra]))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in VERBS.items()]
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
            "exit codes: 0 fine, 1 error, 2 usage or invalid task",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    forget()
    remember(words)
    with doors():
        return _main(words)


def _main(words: list[str]) -> int:
    try:
        try:
            return _dispatch(words)
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, less) has seen enough
        _send_nowhere(sys.stdout)
        _send_nowhere(sys.stderr)
        return 0
    except OSError as e:
        _send_nowhere(sys.stdout)
        print(f"lm-plural: error: {PluralError(e)}", file=sys.stderr)
        return 1
    except Exception:  # a fault of ours: Python would print it past the door
        traceback.print_exc()
        return 1


def _send_nowhere(stream: TextIO | None) -> None:
    """Send what is still buffered nowhere, or Python would complain about it at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]


def _dispatch(words: list[str]) -> int:
    for word in words:
        try:
            os.fsencode(word)
        except UnicodeEncodeError:
            print(f"lm-plural: error: {word!r}: half a character, which names nothing", file=sys.stderr)
            return 2
    if words[:1] in ([], ["-h"], ["--help"]):
        print(_top_help(sorted(_extra())))
        return 0
    if words[0] in ("-V", "--version"):
        print(f"lm-plural {__version__}")
        return 0
    name = words.pop(0) if not words[0].startswith("-") else "run"
    if name not in VERBS and name not in (known := [*VERBS, *sorted(_extra())]):
        print(
            f"lm-plural: error: unknown verb {name!r}{did_you_mean(name, known)} (lm-plural --help)",
            file=sys.stderr,
        )
        return 2
    return _execute(name, words)


def parse(name: str, words: Sequence[str]) -> tuple[argparse.Namespace, Any]:
    """Return a verb's arguments, with the names of those that were given, and its module.

    Raises
    ------
    UsageError
        For an unknown option (with a suggestion) or a wrong value.
    """
    module = verb_module(name)
    parser = Parser(
        prog=f"lm-plural {name}",
        description=module.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    args = parser.parse_args(words)
    args.given = given(parser, words)
    return args, module


@contextlib.contextmanager
def _mirror(folder: Path | None) -> Iterator[None]:
    """Let a folder named on the command line stand where the environment would name one."""
    before = os.environ.get("LM_PLURAL_DATA_MIRROR")
    if before and not folder and not Path(before).is_dir():
        raise UsageError(f"LM_PLURAL_DATA_MIRROR={before}: no such folder")
    if folder:
        if not folder.is_dir():
            raise UsageError(f"--mirror {folder}: no such folder")
        os.environ["LM_PLURAL_DATA_MIRROR"] = str(folder)
    try:
        yield
    finally:
        if folder and before is None:
            del os.environ["LM_PLURAL_DATA_MIRROR"]
        elif before is not None:
            os.environ["LM_PLURAL_DATA_MIRROR"] = before


#: Signals that end a command, by what Python does about them unless somebody has said otherwise.
STOPS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


@contextlib.contextmanager
def _stoppable(came: list[int]) -> Iterator[None]:
    """Let signals raise, so that what is half done is cleared away, and tell which came.

    Where somebody else handles one, nothing changes.
    """

    def stop(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    main_thread = threading.current_thread() is threading.main_thread()
    ours = {s: before for s, before in STOPS.items() if main_thread and signal.getsignal(s) == before}
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, before in ours.items():
            signal.signal(number, before)


def _execute(name: str, words: Sequence[str]) -> int:
    came: list[int] = []
    try:
        args, module = parse(name, words)
        with _stoppable(came), _mirror(getattr(args, "mirror", None)), arguments_are_flags():
            return int(module.execute(args))
    except BaseException as e:
        # a library in the middle of its import may turn the interrupt into an error of its own
        if isinstance(e, PluralError) and not came:
            print(f"lm-plural {name}: error: {e}", file=sys.stderr)
            return e.exit_code
        if not (came or isinstance(e, KeyboardInterrupt)):
            raise
    what, code = ("terminated", 143) if signal.SIGTERM in came else ("interrupted", 130)
    print(f"lm-plural {name}: {what}; the same command goes on where it stopped", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
