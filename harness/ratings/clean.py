"""From raw rows to a rating table: every trouble is a clear error or a counted exclusion by an explicit rule.

Rows come in batches, so that a file larger than memory can be read: a batch is checked row by row and kept as small
codes; only what needs all rows, a second rating of one item by one rater, waits until the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.cleaning import Cleaning
from lm_plural.harness.ratings.compact import Compact
from lm_plural.harness.ratings.profiles import one_profile_each
from lm_plural.harness.ratings.rules import Locate, Rules
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import Exclusion, RatingTable


def build_table(
    rows: pl.DataFrame,
    raters: pl.DataFrame,
    scales: Mapping[str, Scale],
    *,
    items: pl.Series | None = None,
    rules: Rules | None = None,
    locate: Locate = lambda row: f"row {row + 1}",
) -> RatingTable:
    """Check raw rows and return the rating table; parameters and errors are those of :func:`clean`."""
    return clean([rows], raters, scales, items=items, rules=rules, locate=locate).table(scales)


def clean(
    batches: Iterable[pl.DataFrame],
    raters: pl.DataFrame,
    scales: Mapping[str, Scale],
    *,
    items: pl.Series | None = None,
    rules: Rules | None = None,
    locate: Locate = lambda row: f"row {row + 1}",
) -> Compact:
    """Check raw rows and return them as codes.

    Parameters
    ----------
    batches : iterable of DataFrame
        ``row`` (0-based place in the source), ``item_id, rater_id, dimension, scale, value`` (str, null: skipped), and
        ``weight`` (str), if the ratings have weights. Where the recipe has steps: ``_rule``, the rule that left the row
        out, and ``_fault``, what is wrong with it.
    raters : DataFrame
        ``rater_id`` (str) and one ``List[str]`` column per axis; repeated equal profiles are one. ``row``, too, where
        the profiles stand in the ratings' own file, to say in which line of it.
    scales : mapping
        Scales by the names in ``rows.scale``.
    items : Series of str, optional
        Known item ids.
    rules : Rules, optional
    locate : callable

    Raises
    ------
    PluralError
        For the first trouble whose rule says ``error``, naming file, line, the value and what was expected; and when
        no rating is left.
    """
    rules = rules or Rules()
    raters, bad = one_profile_each(raters, rules, locate)
    job = Cleaning(raters, bad, scales, items, rules, locate)
    parts = [job.codes(rows) for rows in batches if not rows.is_empty()]
    if not parts:
        raise PluralError(f"{locate(0)}: no ratings in the file")
    ratings = job.once(pl.concat(parts, rechunk=False))
    out = tuple(Exclusion(rule, n, detail) for rule, (n, detail) in job.out.items())
    if ratings.is_empty():
        raise PluralError(f"{locate(0)}: no ratings left: {'; '.join(map(str, out))}")
    return Compact(ratings.drop("row"), job.items.ids, job.raters, out)
