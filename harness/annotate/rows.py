"""What a tool gives back, before anything of it is checked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lm_plural.harness.errors import PluralError, at


@dataclass(frozen=True)
class Row:
    """What one rater said of one item on one dimension.

    Parameters
    ----------
    rater : str
        As the tool calls them; never written to a file of ours.
    item, dimension, value : str
        The value is a level, or the words that were shown for it.
    where : str
        File and, if there are lines, line.
    order : int or None
        Place among what the rater rated, from 1 on.
    seconds : float or None
    """

    rater: str
    item: str
    dimension: str
    value: str
    where: str
    order: int | None = None
    seconds: float | None = None


@dataclass
class Returned:
    """Everything that came back.

    Parameters
    ----------
    rows : list of Row
    about : dict of str to dict of str to list of str
        What raters said of themselves, by rater and axis.
    notes : list of str
    """

    rows: list[Row] = field(default_factory=list)
    about: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __add__(self, other: Returned) -> Returned:
        """Return both; what was said of a rater later counts."""
        return Returned([*self.rows, *other.rows], {**self.about, **other.about}, [*self.notes, *other.notes])


def read_json(path: Path) -> Any:
    """Return what a file of JSON holds, or one line on why it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as e:
        raise PluralError(f"{path}: not readable as JSON: {getattr(e, 'strerror', None) or e}") from e


def read_csv(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header and the rows with their line, however a spreadsheet separated them (``,``, ``;``, tab).

    Raises
    ------
    PluralError
        If it cannot be read, or a row has more cells than the header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as e:
        raise PluralError(f"{path}: cannot read: {getattr(e, 'strerror', None) or e}; expected UTF-8") from e
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    rows = []
    try:
        for row in reader:
            if None in row:
                raise PluralError(at(path, reader.line_num, "more cells than the header has"))
            rows.append((reader.line_num, {k.strip(): (v or "").strip() for k, v in row.items()}))
    except csv.Error as e:
        raise PluralError(at(path, reader.line_num, f"not readable as CSV: {e}")) from e
    return [name.strip() for name in reader.fieldnames or ()], rows


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
