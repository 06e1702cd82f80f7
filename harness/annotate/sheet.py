"""Plain CSV: a sheet for each block that a rater fills in, and files of ratings from anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from lm_plural.harness.annotate.form import Form
from lm_plural.harness.annotate.manifest import Manifest
from lm_plural.harness.annotate.rows import Returned, Row, read_csv, to_csv
from lm_plural.harness.annotate.sample import Shown
from lm_plural.harness.errors import PluralError, at

ABOUT = "about_you.csv"
ITEM, RATER, ORDER, SECONDS = "item_id", "rater_id", "order", "seconds"
#: Columns of ``python -m potato.export --format csv``, which has one column a label.
POTATO = {"instance_id", "user_id"}


def files(manifest: Manifest, form: Form, shown: Sequence[Shown]) -> dict[str, str]:
    """Return the sheets by name: a copy of one is filled in by each rater, and named after them."""
    head = [ITEM, form.question, form.answer, *manifest.dimensions]
    sheets = {
        f"block_{block:02}.csv": _sheet(head, [s for s in shown if s.block == block]) for block in manifest.blocks
    }
    # with its mark (BOM), or Excel takes UTF-8 for something else
    return {name: f"\ufeff{text}" for name, text in {**sheets, ABOUT: to_csv([RATER, *form.axes], [])}.items()}


def _sheet(head: Sequence[str], shown: Iterable[Shown]) -> str:
    blank = [""] * (len(head) - 3)
    return to_csv(head, [[s.id, _no_formula(s.prompt), _no_formula(s.response), *blank] for s in shown])


def _no_formula(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would compute: a response may begin with ``=``."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def how_to(manifest: Manifest, form: Form) -> list[str]:
    """Return what whoever collects has to do."""
    levels = ", ".join(f"{level} = {words}" for level, words in form.levels.items())
    return [
        f"Give each rater a copy of one sheet: {manifest.raters_per_item} raters a block.",
        f"They write a level into the columns {', '.join(manifest.dimensions)}: {levels}.",
        "Save each copy under the rater's id (P01.csv), all in one folder.",
        f"What raters say of themselves, after rating, goes into a copy of {ABOUT} there; several groups: a|b.",
    ]


def read(path: Path, manifest: Manifest, form: Form) -> Returned:
    """Read one CSV file, of whatever kind it is.

    Raises
    ------
    PluralError
        If it is neither ratings nor what raters say of themselves.
    """
    header, rows = read_csv(path)
    if set(header) >= POTATO:
        return _of_potato(path, header, rows, manifest)
    if ITEM not in header and RATER in header:
        return read_about(path, manifest, form)
    dimensions = [d for d in manifest.dimensions if d in header]
    if ITEM not in header or not dimensions:
        expected = f"{ITEM}, {' or '.join(manifest.dimensions)}, and {RATER} unless the file is named after the rater"
        raise PluralError(at(path, 1, f"columns {', '.join(header)[:80] or 'missing'}; expected {expected}"))
    found, place = Returned(), dict[str, int]()
    for line, row in rows:
        rater = row.get(RATER) or path.stem
        place[rater] = place.get(rater, 0) + 1
        order, seconds = _number(row, ORDER, path, line), _number(row, SECONDS, path, line)
        for dimension in dimensions:
            if value := row[dimension]:
                number = int(order) if order is not None else place[rater] if RATER not in header else None
                found.rows.append(Row(rater, row[ITEM], dimension, value, at(path, line, "")[:-2], number, seconds))
    return found


def _number(row: dict[str, str], column: str, path: Path, line: int) -> float | None:
    if not (text := row.get(column, "")):
        return None
    try:
        if math.isfinite(number := float(text)) and number >= 0:
            return number
    except ValueError:
        pass
    raise PluralError(at(path, line, f"{column} is {text!r:.40}; expected a number of 0 or more"))


def read_about(path: Path, manifest: Manifest, form: Form) -> Returned:
    """Read what raters say of themselves: ``rater_id`` and a column for each axis, several groups as ``a|b``."""
    header, rows = read_csv(path)
    axes, found = [a for a in manifest.axes if a in header], Returned()
    for line, row in rows:
        if not row.get(RATER):
            raise PluralError(at(path, line, f"no {RATER}; expected one in every row"))
        found.about[row[RATER]] = {
            axis: said_of(form, axis, [v.strip() for v in row[axis].split("|") if v.strip()], at(path, line, "")[:-2])
            for axis in axes
        }
    return found


def said_of(form: Form, axis: str, values: Iterable[str], where: str) -> list[str]:
    """Return the groups that words or names stand for.

    Raises
    ------
    PluralError
        For one that was not to be chosen.
    """
    choices = form.choices(axis)
    names = {words.casefold(): name for name, words in choices.items()} | {name.casefold(): name for name in choices}
    out = []
    for value in values:
        if value.casefold() not in names:
            raise PluralError(f"{where}: {axis} is {value!r:.60}; expected one of {', '.join(choices)[:200]}")
        out.append(names[value.casefold()])
    return out


def _of_potato(
    path: Path, header: Sequence[str], rows: list[tuple[int, dict[str, str]]], manifest: Manifest
) -> Returned:
    """Read Potato's export, a column for each label that was used: ``toxicity.3``."""
    columns = [(c, d, c.removeprefix(f"{d}.")) for d in manifest.dimensions for c in header if c.startswith(f"{d}.")]
    found = Returned(notes=[f"{path.name}: Potato's CSV says nothing of raters; user_state.json does"])
    for line, row in rows:
        for column, dimension, level in columns:
            if row[column]:
                found.rows.append(Row(row["user_id"], row["instance_id"], dimension, level, at(path, line, "")[:-2]))
    return found
