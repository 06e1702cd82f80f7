"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.errors import UsageError

if TYPE_CHECKING:
    from lm_plural.harness.result.options import Options


class Words(argparse.Action):
    """Collect ``a,b c`` and repeated flags into one list."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        """Add the words."""
        words = [w for v in values for w in str(v).split(",") if w]
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), *words])


def add_tasks(parser: Any, text: str) -> None:
    """Add ``--tasks``."""
    parser.add_argument("--tasks", "-t", nargs="+", action=Words, default=None, metavar="TASK", help=text)


def add_trust(parser: Any) -> None:
    """Add ``--trust_remote_code``."""
    text = "let models and scorers run code that comes with them (a model's own, an evaluate script); never from a file"
    parser.add_argument("--trust_remote_code", action="store_true", help=text)


def add_axes(parser: Any) -> None:
    """Add ``--axes``."""
    text = "axes instead of the tasks'; gender*race for cells"
    parser.add_argument("--axes", nargs="+", action=Words, default=None, metavar="AXIS", help=text)


def add_inference(parser: Any) -> None:
    """Add what intervals speak of and how they are drawn."""
    from lm_plural.harness.statistics.inferences import INFERENCES

    add = parser.add_argument
    text = "what else might have been drawn: other items and raters (default), other raters, other items; none: points"
    add("--inference", choices=INFERENCES, default="items+raters", help=text)
    least = "least raters of a group for an interval (default 10)"
    add("--min_raters_interval", type=int, default=10, metavar="N", help=least)
    add("--draws", type=int, default=10_000, metavar="N", help="joint draws (default 10000)")
    shuffles = "of raters between groups, for exact p values (default 1999)"
    add("--permutations", type=int, default=1_999, metavar="N", help=shuffles)
    add("--strata", metavar="AXIS", help="permute raters within the groups of this axis only")


def inference_options(args: argparse.Namespace) -> Options:
    """Return what ``add_inference`` read."""
    from lm_plural.harness.result.options import Options

    return Options(
        inference=args.inference,
        min_raters_interval=args.min_raters_interval,
        draws=args.draws,
        permutations=args.permutations,
        strata=args.strata,
    )


def add_include_path(parser: Any) -> None:
    """Add ``--include_path`` and ``--mirror``."""
    parser.add_argument(
        "--include_path",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="folder with more tasks (repeatable)",
    )
    mirror = "folder with data files, looked into before the cache (default $LM_PLURAL_DATA_MIRROR)"
    parser.add_argument("--mirror", type=Path, metavar="DIR", help=mirror)


def parse_axes(words: Sequence[str] | None) -> list[str | tuple[str, ...]] | None:
    """Return axes, each once; ``gender*race`` means their cells.

    Raises
    ------
    UsageError
        For cells of fewer than two different axes.
    """
    if not words:
        return None
    axes = [tuple(w.split("*")) if "*" in w else w for w in dict.fromkeys(words)]
    for axis in axes:
        if isinstance(axis, tuple) and (len(set(axis)) != len(axis) or "" in axis):
            raise UsageError(f"--axes {'*'.join(axis)}: cells need two or more different axes, like gender*race")
    return axes


def parse_limit(text: str) -> int | float:
    """Return a count, or a share below 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf") or (number > 1 and number != int(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive count or a share below 1")
    return number if number < 1 else int(number)


def parse_batch_size(text: str) -> int | None:
    """Return a batch size, None for ``auto`` (also ``auto:N``, as lm-eval writes it)."""
    if text.split(":")[0] == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number or auto")
    return int(text)


def parse_bool(text: str) -> bool:
    """Return a truth value."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"{text!r} is not true or false")
    return words[text.lower()]


def parse_count(text: str) -> int:
    """Return a whole number from 1 on."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def parse_seed(text: str) -> int:
    """Return the seed; of lm-eval's four (python, numpy, torch, few-shot) the one for torch."""
    words = text.split(",")
    word = words[2] if len(words) == 4 else text
    if not word.strip().isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on, nor four of them")
    return int(word)


def parse_samples(text: str | None, tasks: Sequence[str], limit: object) -> dict[str, list[int]]:
    """Return the places of items by task.

    Raises
    ------
    UsageError
        If it is not such a JSON object, names another task, or a limit is given, too.
    """
    import json

    from lm_plural.harness.errors import did_you_mean

    if text is None:
        return {}
    if limit is not None:
        raise UsageError("--samples and --limit cannot both be given")
    try:
        samples = json.loads(text)
        places = [n for some in samples.values() for n in some]
    except (ValueError, AttributeError, TypeError) as e:
        raise UsageError(f'--samples {text}: expected a JSON object of lists, {{"task": [0, 5]}}') from e
    if not places or any(type(n) is not int for n in places):
        raise UsageError(f"--samples {text}: expected whole numbers, the places of items")
    for name in samples:
        if name not in tasks:
            raise UsageError(f"--samples: {name!r} is not among the tasks asked for{did_you_mean(name, tasks)}")
    return dict(samples)
