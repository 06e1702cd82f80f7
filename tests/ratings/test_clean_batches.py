"""Rows that come in batches give what they give at once: the same table, the same counts, the same line of an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.clean import clean
from lm_plural.harness.ratings.rules import CHOICES, Rules
from lm_plural.harness.ratings.scale import Scale
from tests.ratings.build import FIVE, Row, raters_of, rows_of, table
from tests.suite import quick

TWO = Scale(("no", "yes"))
PEOPLE = {"r1": {"gender": ["woman"]}, "r2": {"gender": ["man"]}, "r3": {"gender": ["man", "other"]}}
MET = [("r1", {"gender": ["woman"]}), ("r1", {"gender": ["undeclared"]}), ("r2", {"gender": ["man"]})]

ratings = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["r1", "r2", "r3", "r9"]),
    st.sampled_from(["1", "5.0", "3", "yes", None]),
    st.sampled_from(["five", "five", "five", "two"]),
)
rules = st.builds(
    Rules, **{name: st.sampled_from(get_args(kind)) for name, kind in get_type_hints(Rules).items()}
)  # fmt: skip


def batched(rows: pl.DataFrame, sizes: Sequence[int]) -> list[pl.DataFrame]:
    """Cut rows into batches of these sizes, the rest into one more; some may be empty."""
    out = []
    for size in sizes:
        out.append(rows.head(size))
        rows = rows.slice(size)
    return [*out, rows]


def outcome(batches: list[pl.DataFrame], rules: Rules, people: Any, items: list[str] | None) -> Any:
    """Return the table and counts, or the line of the error."""
    scales = {"five": FIVE, "two": TWO}
    known = None if items is None else pl.Series(items)
    try:
        found = clean(
            batches, raters_of(people), scales, items=known, rules=rules, locate=lambda row: f"r.csv:{row + 2}"
        ).table(scales)
    except PluralError as e:
        return str(e)
    counts = {e.rule: e.rows for e in found.exclusions}
    weights = found.ratings["weight"].to_list() if "weight" in found.ratings.columns else []
    columns = ["item_id", "rater_id", "scale", "level"]
    return found.ratings.select(columns).rows(), found.raters.rows(), counts, weights


@quick
@given(
    st.lists(ratings, min_size=1, max_size=12),
    st.lists(st.integers(0, 4), max_size=6),
    rules,
    st.sampled_from([PEOPLE, MET]),
    st.sampled_from([None, ["a", "b"]]),
    st.booleans(),
)
def test_batches_are_what_they_are_at_once(
    rows: list[Row], sizes: list[int], rules: Rules, people: Any, items: list[str] | None, weighted: bool
) -> None:
    whole = rows_of(*rows)
    if weighted:
        whole = whole.with_columns(weight=pl.col("row").cast(pl.String))
    once = outcome([whole], rules, people, items)
    split = outcome(batched(whole, sizes), rules, people, items)
    # which of two troubles is met first may depend on the batches; that there is one does not
    assert isinstance(once, str) == isinstance(split, str)
    if not isinstance(once, str):
        assert split == once
        assert len(once[0]) + sum(once[2].values()) == len(rows)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_second_rating_in_another_batch_is_found_with_its_line(size: int) -> None:
    rows = rows_of(*[(f"i{n}", "r1", "3") for n in range(6)], ("i2", "r1", "4"), ("i0", "r1", "5"))
    line = outcome(batched(rows, [size] * 8), Rules(), PEOPLE, None)
    assert line == "r.csv:8: a second rating of item 'i2' by rater 'r1' on tox; expected one"


@pytest.mark.parametrize("size", [1, 2, 8])
def test_of_ratings_repeated_across_batches_the_first_or_none_stay(size: int) -> None:
    rows = rows_of(("a", "r1", "1"), ("b", "r1", "2"), ("a", "r1", "3"), ("a", "r2", "4"), ("a", "r1", "5"))
    first = outcome(batched(rows, [size] * 5), Rules(duplicates="first"), PEOPLE, None)
    assert [r[:2] + r[3:] for r in first[0]] == [("a", "r1", 0), ("b", "r1", 1), ("a", "r2", 3)]
    assert first[2] == {"repeated (item, rater, dimension), first kept": 2}
    none = outcome(batched(rows, [size] * 5), Rules(duplicates="drop"), PEOPLE, None)
    assert [r[:2] for r in none[0]] == [("b", "r1"), ("a", "r2")]
    assert none[2] == {"repeated (item, rater, dimension), none kept": 3}


def test_a_later_batch_names_its_own_line() -> None:
    rows = rows_of(("a", "r1", "1"), ("b", "r1", "2"), ("c", "r1", "9"))
    assert outcome(batched(rows, [1, 1]), Rules(), PEOPLE, None).startswith("r.csv:4: rating '9'")


def test_raters_unknown_until_a_later_batch_stay_as_undeclared() -> None:
    rows = rows_of(("a", "r8", "1"), ("a", "r1", "2"), ("b", "r9", "3"), ("b", "r8", "4"))
    found = outcome(batched(rows, [1, 1, 1]), Rules(unknown_rater="undeclared"), PEOPLE, None)
    assert [r[1] for r in found[0]] == ["r8", "r1", "r9", "r8"]
    assert found[1] == [("r1", ["woman"]), ("r8", ["undeclared"]), ("r9", ["undeclared"])]


def test_empty_batches_are_no_rows() -> None:
    rows = rows_of(("a", "r1", "1"))
    assert outcome([rows.head(0), rows, rows.head(0)], Rules(), PEOPLE, None)[0] == [("a", "r1", "five", 0)]
    assert outcome([rows.head(0)], Rules(), PEOPLE, None) == "r.csv:2: no ratings in the file"
    assert outcome([], Rules(), PEOPLE, None) == "r.csv:2: no ratings in the file"


GOOD = [("a", "r1", "1"), ("a", "r2", "5"), ("b", "r1", "3")]


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [
        ([["woman"], ["undeclared"]], ["woman"]),
        ([["undeclared"], ["woman"], ["undeclared"]], ["woman"]),
        ([["woman"], ["man"]], ["undeclared"]),
        ([["undeclared"], ["woman"], ["man"]], ["undeclared"]),
        ([["woman", "other"], ["undeclared"]], ["other", "woman"]),
        ([["woman", "other"], ["woman"]], ["undeclared"]),
        ([["woman"], ["woman"]], ["woman"]),
    ],
)
def test_fill_takes_what_is_declared_once_and_nothing_where_profiles_differ(
    profiles: list[list[str]], expected: list[str]
) -> None:
    people = [*(("r1", {"gender": p, "race": ["x"]}) for p in profiles), ("r2", {"gender": ["man"], "race": ["y"]})]
    found = table(*GOOD, raters=people, profiles="fill").raters
    assert found.filter(pl.col("rater_id") == "r1").rows() == [("r1", expected, ["x"])]
    assert found.filter(pl.col("rater_id") == "r2").rows() == [("r2", ["man"], ["y"])]


def test_every_choice_of_a_rule_is_one_of_its_values() -> None:
    kinds = get_type_hints(Rules)
    for name, choices in CHOICES.items():
        assert choices == get_args(kinds[name])
        assert choices[0] == getattr(Rules(), name), "the first is the default"


def test_rows_a_recipe_marked_are_counted_before_any_other_rule_and_their_faults_are_none() -> None:
    rows = rows_of(("a", "r1", "1"), ("b", "r9", "9"), ("c", "r1", None)).with_columns(
        _rule=pl.Series([None, "bad", "bad"], dtype=pl.String), _fault=pl.Series([None, "wrong", None], dtype=pl.String)
    )
    found = outcome(batched(rows, [1, 1]), Rules(missing="error"), PEOPLE, None)
    assert (len(found[0]), found[2]) == (1, {"bad": 2})
    faulty = rows.with_columns(_rule=pl.lit(None, pl.String))
    assert outcome(batched(faulty, [1, 1]), Rules(), PEOPLE, None) == "r.csv:3: wrong"


@pytest.mark.parametrize("weight", ["-1", "nan", "inf", "x", None])
def test_a_weight_that_is_none_is_named_with_its_line(weight: str | None) -> None:
    rows = rows_of(*GOOD).with_columns(weight=pl.Series(["1", "0", weight], dtype=pl.String))
    line = outcome(batched(rows, [1, 1]), Rules(), PEOPLE, None)
    assert line == f"r.csv:4: weight {weight or ''!r}; expected a number from 0 on"
