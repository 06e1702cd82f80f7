"""``lm-plural data import``: a person's own file of ratings becomes a recipe and a task."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import (
    Words,
    out_folder,
    parse_columns,
    parse_scale,
)
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.rules import CHOICES
from lm_plural.harness.report.layout import visible

if TYPE_CHECKING:
    import polars as pl

    from lm_plural.harness.data.importing.draft import Import
    from lm_plural.harness.data.importing.guess import Guess

ROLES = ("item_id", "rater_id", "rating", "text")
#: Rows that guesses are made from.
SAMPLE = 200_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; what none of them says is inferred or, on a terminal, asked."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="CSV, TSV, JSON lines or Parquet, one row per rating")
    add(
        "--to",
        type=out_folder,
        default=Path(),
        metavar="DIR",
        help="where the folder of the data set goes (default: here)",
    )
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
    for rule, choices in CHOICES.items():
        add(f"--{rule}", choices=choices, default=choices[0], help=f"rule for such rows (default {choices[0]})")


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.data.importing.write import bring

    made = _complete(args)
    _own_name(made.dataset)
    done = bring(made, args.to)
    for note in done.notes:
        print(note)
    verb = f"run --tasks {made.task}" if done.task else f"data show {made.dataset}"
    print(f"written to {done.folder}; next: lm-plural {verb} --include_path {args.to}{' ...' if done.task else ''}")
    return 0


def _own_name(dataset: str) -> None:
    """Refuse the name of a data set that comes with lm-plural: its tasks would then read this one."""
    from lm_plural.harness.task.index import Index

    if dataset in Index().recipes():
        raise UsageError(f"data set {dataset!r} comes with lm-plural; choose another --dataset")


def _complete(args: argparse.Namespace) -> Import:
    """Return the import, with what the file tells and the user says."""
    from lm_plural.harness.data.importing.draft import Import, name_of
    from lm_plural.harness.data.importing.guess import no_answer
    from lm_plural.harness.ratings.scale import Scale

    asked, columns = _Asked(sys.stdin.isatty()), parse_columns(args.columns, ROLES)
    frame = _open(args.file, [*columns.values(), *(args.axes or [])])
    roles, found = _roles(args, frame, columns, asked)
    values = _values(args.file, frame, roles["rating"])
    levels = _levels(args, roles["rating"], values, asked)
    direction: Any = args.direction or asked("--direction", "which end of the scale is better", ["lower", "higher"])
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
        rules={rule: getattr(args, rule) for rule, choices in CHOICES.items() if getattr(args, rule) != choices[0]},
    )


def _open(file: Path, named: list[str]) -> pl.LazyFrame:
    """Return the columns of text, after checking that there are several and all that the user named."""
    import polars as pl

    from lm_plural.harness.data.files.frames import MARKS, text_in
    from lm_plural.harness.data.files.scan import reading, scan
    from lm_plural.harness.data.source import Source

    Source.of(file, "file").refuse_unknown(named)
    with reading(file):
        frame = scan(file)
        text_in(frame, named)
        text = [c for c, t in frame.collect_schema().items() if t == pl.String and c not in MARKS]
        if len(text) < 2:
            shown = repr(",".join(text))[:60]
            message = f"found one column, {shown}; expected columns separated by commas (tabs in a .tsv), a row a line"
            raise PluralError(message)
    return frame.select(text)


def _roles(
    args: argparse.Namespace, frame: pl.LazyFrame, columns: dict[str, str], asked: _Asked
) -> tuple[dict[str, str], Guess]:
    """Return the column of each role, empty where nobody can tell, and what else the file says."""
    from lm_plural.harness.data.files.scan import reading
    from lm_plural.harness.data.importing.guess import guess

    with reading(args.file):
        sample = frame.head(SAMPLE).collect()

    def which(role: str, column: str | None) -> str:
        return column or asked(f"--columns {role}=", f"which column is the {role}?", sample.columns)

    roles = {role: which(role, column) for role, column in guess(sample, columns).columns.items()}
    found = guess(sample, columns | {role: c for role, c in roles.items() if c}, args.axes)
    return roles | {"text": which("text", found.text)}, found


def _values(file: Path, frame: pl.LazyFrame, rating: str) -> list[str]:
    """Return the different ratings; none while the column is not known."""
    from lm_plural.harness.data.files.scan import reading

    if not rating:
        return []
    with reading(file):
        found = frame.select(rating).unique().collect(engine="streaming")[rating].drop_nulls().sort().to_list()
    if not found:
        raise PluralError(f"{file}: no ratings in column {rating!r}")
    return found


def _levels(args: argparse.Namespace, rating: str, values: list[str], asked: _Asked) -> list[str]:
    """Return the levels, lowest first; asked only if the column is known."""
    from lm_plural.harness.data.files.frames import some
    from lm_plural.harness.data.importing.guess import levels_of

    levels = list(parse_scale(args.scale)) if args.scale else levels_of(values)
    if levels or not rating:
        return levels
    return _words(asked("--scale", f"levels of {rating}, lowest first ({some([v[:20] for v in values])})", None))


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in text.split(",")] if text else []


class _Asked:
    """Asks on a terminal; elsewhere collects the flags that are missing, to name them all at once."""

    def __init__(self, terminal: bool, read: Callable[[str], str] = input) -> None:
        self.terminal, self.read = terminal, read
        self.missing: list[str] = []

    def __call__(self, flag: str, question: str, choices: list[str] | None) -> str:
        """Return the answer; empty where nobody can be asked."""
        among = f" [{', '.join(choices[:30])}]" if choices else ""
        if not self.terminal:
            self.missing.append(f"{flag} ({question}{among})")
            return ""
        while True:
            try:
                answer = self.read(visible(f"{question}{among}: ")).strip()
            except EOFError as e:
                raise UsageError(f"no answer; give {flag}") from e
            if answer and (not choices or answer in choices):
                return answer

    def done(self) -> None:
        """Stop if something is missing."""
        if self.missing:
            raise UsageError(f"the file does not tell everything; give {' and '.join(self.missing)}")
