"""A choice of one text among several as one rating per pair of texts, and numbers cut into bands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.data.apply import apply_steps
from lm_plural.harness.data.steps import Step
from lm_plural.harness.errors import PluralError
from tests.suite import quick

COLUMNS = {"a": "text_a", "b": "text_b", "c": "text_c"}
PAIRS = {"columns": COLUMNS, "chosen": "best", "first": "x", "second": "y", "preferred": "which", "rule": "no choice"}


def done(rows: list[Mapping[str, str | None]], step: dict[str, Any]) -> pl.DataFrame:
    marks = {"_rule": None, "_fault": None}
    schema = dict.fromkeys([*rows[0], *marks], pl.String)
    frame = pl.DataFrame([{**r, **marks} for r in rows], schema=schema).lazy().with_row_index("row")
    return apply_steps(frame, [Step.model_validate(step)], lambda name: pytest.fail(name)).collect()


def chosen(best: str | None, a: str | None, b: str | None, c: str | None) -> dict[str, str | None]:
    return {"best": best, "text_a": a, "text_b": b, "text_c": c}


def preferences(table: pl.DataFrame) -> set[tuple[str, str]]:
    """Return (preferred, other)."""
    return {(x, y) if which == "first" else (y, x) for x, y, which in table.select("x", "y", "which").iter_rows()}


def test_the_chosen_text_is_preferred_to_each_other() -> None:
    table = done([chosen("b", "one", "two", "three")], {"pairs": PAIRS})
    assert preferences(table) == {("two", "one"), ("two", "three")}
    assert table["text_a"].to_list() == ["one", "one"], "the other columns stay"


@quick
@given(
    st.lists(st.text(min_size=1), min_size=3, max_size=3, unique=True), st.permutations("abc"), st.sampled_from("abc")
)
def test_the_order_of_a_pair_depends_on_its_texts_alone(texts: list[str], places: list[str], best: str) -> None:
    shown = dict(zip("abc", texts, strict=True))
    moved = {place: shown[place_before] for place, place_before in zip(places, "abc", strict=True)}
    moved_best = next(place for place, text in moved.items() if text == shown[best])
    here = done([chosen(best, *(shown[p] for p in "abc"))], {"pairs": PAIRS})
    there = done([chosen(moved_best, *(moved[p] for p in "abc"))], {"pairs": PAIRS})
    columns = ["x", "y", "which"]
    assert set(here.select(columns).iter_rows()) == set(there.select(columns).iter_rows())
    orders = {tuple(sorted(pair)): pair for pair in here.select("x", "y").iter_rows()}
    for other in "abc":  # whatever else is chosen, a pair keeps its order
        for pair in done([chosen(other, *(shown[p] for p in "abc"))], {"pairs": PAIRS}).select("x", "y").iter_rows():
            assert orders.setdefault(tuple(sorted(pair)), pair) == pair


def test_a_text_is_not_paired_with_itself_nor_twice_with_another() -> None:
    assert preferences(done([chosen("a", "one", "one", "two")], {"pairs": PAIRS})) == {("one", "two")}
    assert done([chosen("a", "one", "two", "two")], {"pairs": PAIRS}).height == 1
    assert preferences(done([chosen("a", "one", None, "two")], {"pairs": PAIRS})) == {("one", "two")}


@pytest.mark.parametrize("row", [chosen(None, "one", "two", "three"), chosen("a", "one", "one", None)])
def test_no_choice_is_left_out_by_the_rule(row: Mapping[str, str | None]) -> None:
    table = done([row], {"pairs": PAIRS})
    assert table.select("_rule", "_fault", "x", "which").rows() == [("no choice", None, None, None)]


def test_an_unknown_choice_is_a_fault() -> None:
    (row,) = done([chosen("d", "one", "two", "three")], {"pairs": PAIRS}).rows(named=True)
    assert row["_fault"] == "unknown choice 'd' of best; expected one of a, b, c"
    assert row["_rule"] is None, "a rule would hide the fault"


def test_a_missing_column_is_named() -> None:
    with pytest.raises(PluralError, match="no column 'text_c'"):
        done([{"best": "a", "text_a": "one", "text_b": "two"}], {"pairs": PAIRS})


def test_bands_within_a_range() -> None:
    step = {"bin": {"column": "n", "edges": [21], "labels": ["low", "high"], "least": 1, "most": 100}}
    table = done([{"n": n} for n in ("1", "20", "21", "100", None, "0", "101", "x")], step)
    assert table["n"].to_list()[:5] == ["low", "low", "high", "high", None]
    faults = [None] * 5 + [f"n '{n}' is no number from 1 to 100" for n in ("0", "101", "x")]
    assert table["_fault"].to_list() == faults
