"""Options that several verbs share."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Any

from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.redact import remember

#: What no file can turn on, under this or any other option.
TRUST = "trust_remote_code"
#: More draws than anyone waits for, or memory holds.
MOST = 1_000_000
#: A range where levels are expected: 1-5, 1..5, 1:5, 1 to 5.
RANGE = re.compile(r"(\d{1,3})\s*(?:-|–|:|\.{2,3}|to)\s*(\d{1,3})")


class Words(argparse.Action):
    """Collect ``a,b c`` and repeated flags into one list."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        """Add the words."""
        words = [w for v in values for w in str(v).split(",") if w]
        if not words:
            raise argparse.ArgumentError(self, f"{','.join(map(str, values))!r} names nothing")
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), *words])


class Elsewhere(argparse.Action):
    """Say what to do instead of giving a flag that another program has."""

    def __init__(self, *args: Any, words: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = argparse.SUPPRESS
        self.words = words

    def __call__(self, *_: object) -> None:
        """Refuse the flag."""
        raise argparse.ArgumentError(self, f"leave it out: {self.words}")


def add_tasks(parser: Any, text: str) -> None:
    """Add ``--tasks``."""
    parser.add_argument("--tasks", "-t", nargs="+", action=Words, default=None, metavar="TASK", help=text)


def add_trust(parser: Any) -> None:
    """Add ``--trust_remote_code``."""
    text = "let models and scorers run code that comes with them (a model's own, an evaluate script); never from a file"
    parser.add_argument("--trust_remote_code", action="store_true", help=text)


def add_tables(parser: Any) -> None:
    """Add ``--tables``."""
    text = "print every table instead of one screen (later: lm-plural show)"
    parser.add_argument("--tables", action="store_true", help=text)


def add_axes(parser: Any) -> None:
    """Add ``--axes``."""
    text = "axes instead of the tasks'; gender*race for cells"
    parser.add_argument("--axes", nargs="+", action=Words, default=None, metavar="AXIS", help=text)


def add_intervals(parser: Any, items: str = "items") -> None:
    """Add what intervals speak of and how they are drawn."""
    from lm_plural.harness.statistics.inference import INFERENCES

    add = parser.add_argument
    drawn = f"other {items} and raters (default), other raters, other {items}; none: points"
    add("--inference", choices=INFERENCES, default="items+raters", help=f"what else might have been drawn: {drawn}")
    least = "least raters of a group for an interval (default 10)"
    add("--min_raters_interval", type=whole(2), default=10, metavar="N", help=least)
    add("--draws", type=whole(100, MOST), default=10_000, metavar="N", help="joint draws (default 10000)")


def add_inference(parser: Any) -> None:
    """Add the same for statistics whose groups can also be compared by permutation."""
    add_intervals(parser)
    shuffles = "of raters between groups, for exact p values (default 1999)"
    parser.add_argument("--permutations", type=whole(1, MOST), default=1_999, metavar="N", help=shuffles)
    parser.add_argument("--strata", metavar="AXIS", help="permute raters within the groups of this axis only")


def add_scorers(parser: Any) -> None:
    """Add ``--scorers`` and ``--show_unfit``."""
    text = "scorers of respond tasks in the place of the tasks' own: profanity,judge:toxicity,pretrained=..."
    parser.add_argument("--scorers", nargs="+", action="extend", default=None, metavar="NAME[:K=V,...]", help=text)
    shown = "give the numbers of judges that are not fit to judge, too"
    parser.add_argument("--show_unfit", action="store_true", help=shown)


def inference_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what ``add_inference`` read, by the names of arguments of jobs."""
    return {k: getattr(args, k) for k in ("inference", "min_raters_interval", "draws", "permutations", "strata")}


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
    axes: dict[frozenset[str], str | tuple[str, ...]] = {}  # gender*race and race*gender are the same cells
    for word in words:
        axis = tuple(part.strip() for part in word.split("*"))
        if len(set(axis)) != len(axis) or "" in axis:
            raise UsageError(f"--axes {word}: cells need two or more different axes, like gender*race")
        axes.setdefault(frozenset(axis), axis if len(axis) > 1 else axis[0])
    return list(axes.values())


def parse_scale(text: str) -> tuple[str, ...]:
    """Return levels, lowest first.

    Raises
    ------
    UsageError
        If `text` is no list of levels; it says what to write instead.
    """
    levels = tuple(level.strip() for level in text.split(","))
    try:
        numbers = [float(level) for level in levels]
    except ValueError:
        numbers = []
    if (span := RANGE.fullmatch(text.strip())) and int(span[1]) < int(span[2]):
        meant = list(map(str, range(int(span[1]), int(span[2]) + 1)))
    elif len(numbers) > 1 and all(a > b for a, b in pairwise(numbers)):
        meant = list(levels[::-1])
    elif len(levels) < 2 or text.strip()[:1] in ("[", "("):
        meant = re.split(r"[\s,;|]+", text.strip("[]() "))
        meant = meant if len(meant) > 1 else ["1", "2", "3", "4", "5"]
    else:
        return levels
    shown = ",".join(meant[:12])
    raise UsageError(f"--scale {text}: expected the levels as the file spells them, lowest first, like {shown}")


def parse_columns(words: Sequence[str] | None, known: Sequence[str]) -> dict[str, str]:
    """Return how a file calls some of the columns `known`.

    Raises
    ------
    UsageError
        For another name, one that is given twice, or two names for one column.
    """
    out: dict[str, str] = {}
    for word in words or ():
        name, _, column = word.partition("=")
        if name not in known or not column:
            hint = did_you_mean(name, known)
            expected = f"expected NAME=COLUMN, NAME one of {', '.join(known)}{hint}"
            raise UsageError(f"--columns {word}: {expected}")
        if name in out:
            raise UsageError(f"--columns {word}: {name} is already {out[name]}")
        other = next((n for n, c in out.items() if c == column and "text" not in (n, name)), None)
        if other:  # an item's text may be its id
            raise UsageError(f"column {column!r} would be {other} and {name}; expected a column for each")
        out[name] = column
    return out


def out_file(text: str) -> Path:
    """Return the path of a file to be written; what is wrong with it is said before anything slow begins.

    Raises
    ------
    PluralError
        If it cannot be written.
    """
    if not text or Path(text).is_dir():
        raise PluralError(f"{text or '.'}: cannot write: a folder; expected a file")
    out_folder(str(Path(text).parent))
    return Path(text)


def out_folder(text: str) -> Path:
    """Return the path of a folder to be written into; raises as `out_file`."""
    path = Path(text)
    if not text:
        raise argparse.ArgumentTypeError("expected a folder")
    try:
        there = next(p for p in (path, *path.absolute().parents) if p.exists())
    except OSError as e:
        raise PluralError(f"{text}: cannot write: {e.strerror}") from e
    if not there.is_dir():
        raise PluralError(f"{text}: cannot write: {there} is a file; expected a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PluralError(f"{text}: cannot write: no permission to write into {there}")
    return path


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


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers in a range."""

    def read(text: str) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) < 19  # fits 64 bits
        if not plain or int(text) < least or (most is not None and int(text) > most):
            upper = "on" if most is None else f"to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} {upper}")
        return int(text)

    return read


parse_count = whole(1)


def parse_seed(text: str) -> int:
    """Return the seed; of lm-eval's four (python, numpy, torch, few-shot) the one for torch."""
    words = text.split(",")
    word = words[2] if len(words) == 4 else text
    try:
        return whole(0)(word.strip())
    except argparse.ArgumentTypeError as e:
        raise argparse.ArgumentTypeError(f"{e}, nor four of them") from e


def parse_samples(text: str | None) -> dict[str, list[int]]:
    """Return the places of items by task.

    Raises
    ------
    UsageError
        If it is not such a JSON object.
    """
    import json

    if text is None:
        return {}
    try:
        samples = json.loads(text)
    except (ValueError, RecursionError):
        samples = None
    if not isinstance(samples, dict) or not all(isinstance(places, list) and places for places in samples.values()):
        raise UsageError(f'--samples {text:.60}: expected a JSON object of lists, {{"task": [0, 5]}}')
    if any(type(n) is not int or n < 0 for places in samples.values() for n in places):
        raise UsageError(f"--samples {text:.60}: expected whole numbers from 0 on, the places of items")
    return dict(samples)


def given(parser: argparse.ArgumentParser, words: Sequence[str]) -> set[str]:
    """Return the destinations of the options that the command line itself sets, to whatever value."""
    unset: list[Any] = []  # looks empty to options that collect
    space = argparse.Namespace(**{a.dest: unset for a in parser._actions})
    parser.parse_args(words, space)
    return {dest for dest, value in vars(space).items() if value is not unset}


def apply_config(args: argparse.Namespace, parser: argparse.ArgumentParser, path: Path) -> None:
    """Fill in from a YAML file what the command line did not give (flag over config over default).

    A key is an option's long name. Its value is what would stand on the command line: a list for several words, a
    mapping for ``key=value`` words, true or false for a switch; an empty one leaves the default.

    Raises
    ------
    UsageError
        For a key that is no option of the verb (with a suggestion), or a value the option refuses; for a permission to
        run code, which a file cannot give.
    """
    from lm_plural.harness.documents import load_yaml

    document = load_yaml(path)
    remember(document.data)
    actions = {a.dest: a for a in parser._actions if a.option_strings and a.dest not in ("help", "config")}
    ours = [dest for dest, a in actions.items() if not isinstance(a, Elsewhere)]
    for key, value in document.data.items():
        if TRUST in (key, *_names(value)):
            raise UsageError(document.at((key,), f"only --{TRUST} on the command line can allow code to run"))
        if key not in actions:
            raise UsageError(document.at((key,), f"unknown key {key!r}{did_you_mean(str(key), ours)}"))
        try:
            words = _as_words(actions[key], value)
            parsed = parser.parse_args(words)
        except UsageError as e:
            raise UsageError(document.at((key,), str(e).removeprefix("argument "))) from e
        if words and key not in args.given:
            setattr(args, key, getattr(parsed, key))


def _names(value: Any) -> list[str]:
    """Return the names of arguments in a value, which may be a mapping, a text ``k=v,k=v`` or a list of these."""
    if isinstance(value, dict):
        return [name for k, v in value.items() for name in (str(k), *_names(v))]
    if isinstance(value, list):
        return [name for v in value for name in _names(v)]
    return re.findall(r"\w+", value) if isinstance(value, str) else []


def _as_words(action: argparse.Action, value: Any) -> list[str]:
    """Return what stands on the command line for a value of a config file."""
    flag = action.option_strings[0]
    if value is None or (isinstance(action, Elsewhere) and not value):
        return []
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{flag}: expected true or false, found {value!r}")
        return [flag] if value else []
    several = action.nargs in ("+", "*")
    collects = several or isinstance(action.default, list)
    if isinstance(value, dict) and (action.metavar == "JSON" or (several and not isinstance(action, Words))):
        return [flag, _as_json(flag, value)]
    if isinstance(value, list) and collects:
        words = [_as_word(flag, v) for v in value]
        return [flag, *words] if several and words else [part for w in words for part in (flag, w)]
    return [flag, _as_word(flag, value)] if several else [f"{flag}={_as_word(flag, value)}"]


def _as_json(flag: str, value: dict[Any, Any]) -> str:
    """Return a mapping as JSON, dates as text; what JSON cannot hold (infinities, bytes, sets) is refused."""
    import json

    def spelled(other: Any) -> str:
        if isinstance(other, date):
            return str(other)
        raise TypeError(f"found {type(other).__name__}")

    try:
        return json.dumps({str(k): v for k, v in value.items()}, default=spelled, allow_nan=False)
    except (TypeError, ValueError) as e:
        raise UsageError(f"{flag}: expected text, finite numbers, true, false, null, lists and mappings: {e}") from e


def _as_word(flag: str, value: Any) -> str:
    if not isinstance(value, str | int | float | date):
        kind = {dict: "mapping", bytes: "piece of binary data", NoneType: "null"}.get(type(value), type(value).__name__)
        raise UsageError(f"{flag}: expected one value, found a {kind}")
    return str(value).lower() if isinstance(value, bool) else str(value)
