"""``lm-plural data import``: a person's own file of ratings becomes a recipe and a task."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import Words
from lm_plural.harness.errors import UsageError

if TYPE_CHECKING:
    from lm_plural.harness.task.bring import Import

ROLES = ("item_id", "rater_id", "rating", "text")
#: Rows that guesses are made from.
SAMPLE = 200_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; what none of them says is inferred or, on a terminal, asked."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="CSV, TSV, JSON lines or Parquet, one row per rating")
    add("--to", type=Path, default=Path(), metavar="DIR", help="where the folder of the data set goes (default: here)")
    add("--dataset", metavar="NAME", help="name of the data set (default: that of the file)")
    roles = "how the file calls item_id, rater_id, rating and text"
    add("--columns", nargs="+", action=Words, default=None, metavar="NAME=COLUMN", help=roles)
    add("--axes", nargs="+", action=Words, default=None, metavar="AXIS", help="columns that say something of raters")
    add("--separator", metavar="TEXT", help="between several values in a cell of an axis")
    add("--dimension", metavar="NAME", help="what was rated (default: the name of the rating's column)")
    add("--scale", metavar="A,B,C", help="levels, lowest first")
    add("--labels", metavar="A,B,C", help="words for the levels, as raters saw them")
    add("--direction", choices=["lower", "higher"], help="which end is better for the people affected")
    add("--question", metavar="TEXT", help="what raters were asked")
    add("--licence", metavar="TEXT", help='of the data (default: "none stated")')
    add("--citation", metavar="TEXT", help='who made the data (default: "none given")')


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.task.bring import bring

    made = _complete(args)
    folder, notes = bring(made, args.to)
    for note in notes:
        print(note)
    print(f"written to {folder}; next: lm-plural run --tasks {made.task} --include_path {args.to} ...")
    return 0


def _complete(args: argparse.Namespace) -> Import:
    """Return the import, with what the file tells and the user says."""
    import polars as pl

    from lm_plural.harness.task.apply import MARKS, need
    from lm_plural.harness.task.bring import Import, name_of
    from lm_plural.harness.task.datafile import reading, scan
    from lm_plural.harness.task.infer import guess, levels_of

    with reading(args.file):
        frame = scan(args.file).drop(MARKS)
        text_only = [c for c, t in frame.collect_schema().items() if t == pl.String]
        columns = _columns(args.columns)
        need(frame, [*columns.values(), *(args.axes or [])])
        found = guess(frame.select(text_only).head(SAMPLE).collect(), columns)
    asked = _Asked(sys.stdin.isatty())
    wanted = {role: found.columns.get(role) for role in ROLES[:3]} | {"text": found.text}
    roles = {r: c or asked(f"--columns {r}=", f"which column is the {r}?", text_only) for r, c in wanted.items()}
    asked.done()
    with reading(args.file):
        values = frame.select(roles["rating"]).unique().collect(engine="streaming").to_series()
    levels = args.scale.split(",") if args.scale else levels_of(values)
    if not levels:
        shown = ", ".join(map(str, values.drop_nulls().head(12)))
        levels = asked("--scale", f"levels of {roles['rating']}, lowest first ({shown})", None).split(",")
    direction = args.direction or asked("--direction", "which end of the scale is better", ["lower", "higher"])
    asked.done()
    dimension = name_of(args.dimension or roles["rating"])
    return Import(
        file=args.file,
        dataset=name_of(args.dataset or args.file.name.split(".")[0]),
        item=roles["item_id"],
        rater=roles["rater_id"],
        rating=roles["rating"],
        text=roles["text"],
        axes=tuple(args.axes or found.axes),
        separator=args.separator or found.separator,
        dimension=dimension,
        levels=tuple(levels),
        labels=tuple(args.labels.split(",")) if args.labels else (),
        direction=direction,
        question=args.question or f"How would you rate this text on {dimension.replace('_', ' ')}?",
        licence=args.licence or "none stated",
        citation=args.citation or "none given",
    )


def _columns(words: list[str] | None) -> Mapping[str, str]:
    out = {}
    for word in words or []:
        role, _, column = word.partition("=")
        if role not in ROLES or not column:
            raise UsageError(f"--columns {word}: expected {', '.join(ROLES)} and the file's name, like item_id=comment")
        out[role] = column
    return out


class _Asked:
    """Asks on a terminal; elsewhere collects the flags that are missing, to name them all at once."""

    def __init__(self, terminal: bool, read: Callable[[str], str] = input) -> None:
        self.terminal, self.read = terminal, read
        self.missing: list[str] = []

    def __call__(self, flag: str, question: str, choices: list[str] | None) -> Any:
        """Return the answer; empty where nobody can be asked."""
        among = f" [{', '.join(choices)}]" if choices else ""
        if not self.terminal:
            self.missing.append(f"{flag} ({question}{among})")
            return ""
        while True:
            answer = self.read(f"{question}{among}: ").strip()
            if answer and (not choices or answer in choices):
                return answer

    def done(self) -> None:
        """Stop if something is missing."""
        if self.missing:
            raise UsageError(f"the file does not tell everything; give {' and '.join(self.missing)}")
