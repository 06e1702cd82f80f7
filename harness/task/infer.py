"""What a file of ratings says about itself: which columns are items, raters, ratings, texts and axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lm_plural.harness.ratings.scale import canonical

#: Names columns go by, the likeliest first.
NAMES = {
    "item_id": ("item_id", "item", "instance_id", "comment_id", "post_id", "text_id", "question_id", "prompt_id", "id"),
    "rater_id": (
        "rater_id",
        "rater",
        "annotator_id",
        "annotator",
        "worker_id",
        "worker",
        "workerid",
        "user_id",
        "user",
    ),
    "rating": ("rating", "score", "label", "annotation", "value", "answer", "toxicity", "offensiveness", "hate"),
}
#: Most levels of a scale, and most groups of an axis, that are guessed.
MOST_LEVELS, MOST_GROUPS = 11, 50
#: Characters from which on a cell reads like a text.
TEXT = 20


@dataclass(frozen=True)
class Guess:
    """What could be told from a file; None or empty: it could not."""

    columns: Mapping[str, str | None]
    text: str | None
    axes: tuple[str, ...]
    separator: str | None


def guess(sample: pl.DataFrame, given: Mapping[str, str | None]) -> Guess:
    """Guess from a sample of rows, all text.

    Parameters
    ----------
    sample : DataFrame
    given : mapping
        Columns the user named: ``item_id``, ``rater_id``, ``rating``, ``text``.
    """
    columns = {role: given.get(role) or _by_name(names, sample.columns, given) for role, names in NAMES.items()}
    taken = [c for c in columns.values() if c]
    rest = [c for c in sample.columns if c not in taken]
    text = given.get("text") or _text(sample, columns["item_id"], rest)
    axes = _axes(sample, columns["rater_id"], [c for c in rest if c != text])
    many = any(sample[a].drop_nulls().str.contains("|", literal=True).any() for a in axes)
    return Guess(columns, text, axes, "|" if many else None)


def levels_of(values: Iterable[str | None]) -> list[str]:
    """Return the levels of a scale, lowest first, or an empty list where they are words or too many to guess."""
    found = {canonical(v) for v in values if v is not None}
    try:
        ordered = sorted(found, key=float)
    except ValueError:
        return []
    return ordered if 2 <= len(ordered) <= MOST_LEVELS else []


def _by_name(names: Sequence[str], columns: Sequence[str], given: Mapping[str, str | None]) -> str | None:
    taken = [given.get(role) for role in NAMES]
    free = {c.lower(): c for c in columns if c not in taken}
    return next((free[n] for n in names if n in free), None)


def _text(sample: pl.DataFrame, item: str | None, columns: Sequence[str]) -> str | None:
    """Return the longest column that is one and the same in all rows of an item."""
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
