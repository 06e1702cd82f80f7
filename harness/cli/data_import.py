"""``lm-plural data import``: a person's own file of ratings becomes a recipe and a task."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import Words
from lm_plural.harness.errors import PluralError, UsageError

if TYPE_CHECKING:
    from lm_plural.harness.task.draft import Import

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
    add("--columns", nargs="+", action="extend", default=None, metavar="NAME=COLUMN", help=roles)
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
    done = bring(made, args.to)
    for note in done.notes:
        print(note)
    verb = f"run --tasks {made.task}" if done.task else f"data show {made.dataset}"
    print(f"written to {done.folder}; next: lm-plural {verb} --include_path {args.to}{' ...' if done.task else ''}")
    return 0


def _complete(args: argparse.Namespace) -> Import:
    """Return the import, with what the file tells and the user says."""
    import polars as pl

    from lm_plural.harness.ratings.scale import Scale
    from lm_plural.harness.task.datafile import reading, scan
    from lm_plural.harness.task.draft import Import, name_of
    from lm_plural.harness.task.frames import MARKS, need, some
    from lm_plural.harness.task.infer import guess, levels_of, no_answer

    columns = _columns(args.columns)
    with reading(args.file):
        frame = scan(args.file).drop(MARKS)
        text_only = [c for c, t in frame.collect_schema().items() if t == pl.String]
        _refuse_one(text_only)
        need(frame, [*columns.values(), *(args.axes or [])])
        found = guess(frame.select(text_only).head(SAMPLE).collect(), columns, args.axes)
    asked = _Asked(sys.stdin.isatty())
    wanted = {role: found.columns.get(role) for role in ROLES[:3]} | {"text": found.text}
    roles = {r: c or asked(f"--columns {r}=", f"which column is the {r}?", text_only) for r, c in wanted.items()}
    values = pl.Series([], dtype=pl.String)
    if roles["rating"]:
        with reading(args.file):
            values = frame.select(roles["rating"]).unique().collect(engine="streaming").to_series().drop_nulls()
    levels = _words(args.scale) or levels_of(values)
    if roles["rating"] and not levels:
        shown = some([v[:20] for v in values.sort()])
        levels = _words(asked("--scale", f"levels of {roles['rating']}, lowest first ({shown})", None))
    direction = args.direction or asked("--direction", "which end of the scale is better", ["lower", "higher"])
    asked.done()
    labels = _words(args.labels)
    Scale(tuple(levels), direction, tuple(labels))
    dimension = name_of(args.dimension or roles["rating"])
    return Import(
        file=args.file,
        dataset=name_of(args.dataset or args.file.name.split(".")[0]),
        item=roles["item_id"],
        rater=roles["rater_id"],
        rating=roles["rating"],
        text=roles["text"],
        axes=found.axes,
        separator=args.separator or found.separator,
        nothing=found.nothing,
        skipped=tuple(v for v in no_answer(values) if v not in levels),
        dimension=dimension,
        levels=tuple(levels),
        labels=tuple(labels),
        direction=direction,
        question=args.question or f"How would you rate this text on {dimension.replace('_', ' ')}?",
        licence=args.licence or "none stated",
        citation=args.citation or "none given",
    )


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in text.split(",")] if text else []


def _refuse_one(columns: list[str]) -> None:
    """Stop at a file that is one column: separated by something else, or no table at all."""
    if len(columns) < 2 or any("\r" in c for c in columns):
        shown = repr(columns[0])[:60] if columns else "none of text"
        message = f"found one column, {shown}; expected columns separated by commas (tabs in a .tsv), a row a line"
        raise PluralError(message)


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
        among = f" [{', '.join(choices[:30])}]" if choices else ""
        if not self.terminal:
            self.missing.append(f"{flag} ({question}{among})")
            return ""
        while True:
            try:
                answer = self.read(f"{question}{among}: ").strip()
            except EOFError as e:
                raise UsageError(f"no answer; give {flag}") from e
            if answer and (not choices or answer in choices):
                return answer

    def done(self) -> None:
        """Stop if something is missing."""
        if self.missing:
            raise UsageError(f"the file does not tell everything; give {' and '.join(self.missing)}")
