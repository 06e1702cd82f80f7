"""What a file of ratings says about itself: which columns are items, raters, ratings, texts and axes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isclose, isfinite

import polars as pl

from lm_plural.harness.ratings.scale import canonical

#: Names columns go by, the likeliest first, without case, spaces and signs.
NAMES = {
    "item_id": ["itemid", "item", "instanceid", "commentid", "postid", "textid", "questionid", "promptid", "id"],
    "rater_id": [
        "raterid",
        "rater",
        "annotatorid",
        "annotator",
        "workerid",
        "worker",
        "participantid",
        "participant",
        "userid",
        "user",
    ],
    "rating": ["rating", "score", "label", "annotation", "value", "answer", "toxicity", "offensiveness", "hate"],
}
#: What programs write into a cell without a value, in small letters.
NOTHING = ("na", "n/a", "nan", "null")
#: Most levels of a scale, and most groups of an axis, that are guessed.
MOST_LEVELS, MOST_GROUPS = 11, 50
#: Characters from which on a cell reads like a text.
TEXT = 20


@dataclass(frozen=True)
class Guess:
    """What could be told from a file; None or empty: it could not.

    `nothing`: cells of the axes that stand for no answer.
    """

    columns: Mapping[str, str | None]
    text: str | None
    axes: tuple[str, ...]
    separator: str | None
    nothing: tuple[str, ...]


def guess(sample: pl.DataFrame, given: Mapping[str, str], axes: Sequence[str] | None = None) -> Guess:
    """Guess from a sample of rows, all text.

    Parameters
    ----------
    sample : DataFrame
    given : mapping
        Columns the user named: ``item_id``, ``rater_id``, ``rating``, ``text``.
    axes : sequence of str, optional
        Axes the user named.
    """
    columns = {role: given.get(role) or _by_name(names, sample.columns, given) for role, names in NAMES.items()}
    named = [c for c in sample.columns if c.strip() and not re.search(r"_duplicated_\d+$", c)]
    rest = [c for c in named if c not in columns.values()]
    text = given.get("text") or _text(sample, columns["item_id"], rest)
    axes = tuple(axes or _axes(sample, columns["rater_id"], [c for c in rest if c != text]))
    cells = sorted({v for a in axes for v in sample[a].drop_nulls().unique()})
    many = any("|" in v for v in cells)
    return Guess(columns, text, axes, "|" if many else None, no_answer(cells))


def no_answer(cells: Iterable[str | None]) -> tuple[str, ...]:
    """Return the cells that stand for no answer, as they are written."""
    return tuple(v for v in cells if v is not None and v.lower() in NOTHING)


def levels_of(values: Iterable[str | None]) -> list[str]:
    """Return the levels of a scale, lowest first; none where they are words, too many, or not in equal steps.

    In 1, 2, 4, 5 nobody may have chosen 3, or it was no level: only a person knows.
    """
    found = {canonical(v) for v in values if v is not None and v.lower() not in NOTHING}
    try:
        ordered = sorted(found, key=float)
    except ValueError:
        return []
    numbers = [float(v) for v in ordered]
    steps = [b - a for a, b in pairwise(numbers)]
    even = all(isfinite(s) and isclose(s, steps[0], rel_tol=0.05) for s in steps)  # thirds are written .33 and .67
    even = even and steps != [] and (len(steps) > 1 or steps[0] <= 1)  # of 1 and 3, too
    return ordered if even and 2 <= len(ordered) <= MOST_LEVELS else []


def _by_name(names: Sequence[str], columns: Sequence[str], given: Mapping[str, str]) -> str | None:
    taken = [given.get(role) for role in NAMES]  # an item's text may be its id
    free = {re.sub(r"[\W_]", "", c.lower()): c for c in columns if c not in taken}
    return next((free[n] for n in names if n in free), None)


def _text(sample: pl.DataFrame, item: str | None, columns: Sequence[str]) -> str | None:
    """Return the longest column that is one and the same in all rows of an item."""
    if not columns:
        return None
    lengths = sample.select(pl.col(columns).str.len_chars().mean()).row(0, named=True)
    likely = sorted((c for c in columns if (lengths[c] or 0) >= TEXT), key=lambda c: -lengths[c])
    return next((c for c in likely if item and _constant(sample, c, item)), None)


def _axes(sample: pl.DataFrame, rater: str | None, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that say one thing of each rater, and the same thing of several."""
    if not rater:
        return ()
    n_raters = sample[rater].n_unique()
    few = [c for c in columns if 2 <= sample[c].drop_nulls().n_unique() <= min(MOST_GROUPS, n_raters / 2)]
    return tuple(c for c in few if _constant(sample, c, rater))


def _constant(sample: pl.DataFrame, column: str, by: str) -> bool:
    return bool((sample.group_by(by).agg(pl.col(column).n_unique())[column] == 1).all())
