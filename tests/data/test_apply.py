"""What every step of a recipe makes of its rows, and that no row is lost without a count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lm_plural.harness.data.files.frames import spelled
from lm_plural.harness.data.steps import Step
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.scale import canonical
from tests.data.small import done, said, small
from tests.suite import quick

HEAD = "item,rater,rating,group\n"
GOOD = HEAD + "a,x,1,woman\nb,x,2,woman\na,y,5,man\n"


# ---- lists ----------------------------------------------------------------------------------------------------------

cell = st.none() | st.text("ab 1{}", min_size=1).map(str.strip).filter(bool)
lists = st.lists(cell, min_size=1, max_size=4)


@quick
@given(st.lists(lists, min_size=1, max_size=6))
def test_split_and_explode_give_one_row_per_place(table: list[list[str | None]]) -> None:
    rows = [{"a": "|".join(c or "" for c in row), "b": "|".join(str(n) for n in range(len(row)))} for row in table]
    columns = ["a", "b"]
    split = {"split": {"columns": columns, "separator": "|"}}
    found = done(rows, split, {"explode": {"columns": columns, "position": "place"}})
    wanted = [(r, c, str(n), str(n)) for r, row in enumerate(table) for n, c in enumerate(row)]
    assert found.select("row", "a", "b", "place").rows() == wanted
    assert found["_fault"].null_count() == len(wanted)


def test_an_empty_cell_is_one_row_without_a_value() -> None:
    found = done(
        [{"a": None, "b": "x"}, {"a": "1,2", "b": "y"}], {"split": {"columns": ["a"]}}, {"explode": {"columns": ["a"]}}
    )
    assert found.select("a", "b").rows() == [(None, "x"), ("1", "y"), ("2", "y")]


@pytest.mark.parametrize(("a", "b"), [(None, "y"), ("1,2", None), ("1,2,3", "x,y")])
def test_parallel_lists_of_different_lengths_are_a_fault_or_left_out_by_a_rule(a: str | None, b: str | None) -> None:
    split = {"split": {"columns": ["a", "b"]}}
    (row,) = done([{"a": a, "b": b}], split, {"explode": {"columns": ["a", "b"]}}).rows(named=True)
    assert row["_fault"].startswith("lists of different lengths: a ")
    assert (row["a"], row["b"]) == (None, None)
    (row,) = done([{"a": a, "b": b}], split, {"explode": {"columns": ["a", "b"], "uneven": "uneven"}}).rows(named=True)
    assert (row["_fault"], row["_rule"]) == (None, "uneven")


@quick
@given(st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=6))
def test_unpivot_keeps_every_cell_with_its_row_and_column(table: list[tuple[str | None, ...]]) -> None:
    rows = [dict(zip("abc", cells, strict=True)) for cells in table]
    found = done(rows, {"unpivot": {"columns": ["a", "b"], "names": "which", "values": "value"}})
    wanted = {(n, row["c"], which, row[which]) for n, row in enumerate(rows) for which in "ab"}
    assert found.height == 2 * len(rows)
    assert set(found.select("row", "c", "which", "value").rows()) == wanted


@pytest.mark.parametrize(
    ("text", "values", "names"),
    [
        ("[1, 'a', None, 2.5, True]", ["1", "a", None, "2.5", "True"], None),
        ("[1, [2, 3], (4,)]", ["1", "2|3", "4"], None),
        ("{'x': 1, 'y': [1, 2], 3: None}", ["1", "1|2", None], ["x", "y", "3"]),
        ("defaultdict(<class 'list'>, {'x': [1, 2]})", ["1|2"], ["x"]),
        (" [ ] ", [], None),
    ],
)
def test_python_lists_and_dicts_are_read(text: str, values: list[str], names: list[str] | None) -> None:
    (row,) = done([{"a": text}], {"literal": {"column": "a", "values": "v", "names": "n"}}).rows(named=True)
    assert (row["v"], row["n"], row["_fault"]) == (values, names, None)


@pytest.mark.parametrize(
    "text",
    [
        "(1, 2)",
        "1",
        "{1, 2}",
        "[1",
        "{[]: 1}",
        "[float('nan')]",
        "__import__('os').abort()",
        "[" * 5000,
        "[1] * 9**9",
        "[\x00]",
    ],
)
def test_what_is_no_list_or_dict_is_a_fault_and_nothing_is_run(text: str) -> None:
    (row,) = done([{"a": text}], {"literal": {"column": "a", "values": "v", "names": "n"}}).rows(named=True)
    assert row["_fault"].startswith("a is no Python list or dict: ")
    assert (row["v"], row["n"]) == (None, None)


# ---- cells ----------------------------------------------------------------------------------------------------------

LEVELS = {"a": "x", "1": "one", "b b": None}


@quick
@given(st.lists(st.none() | st.sampled_from(["a", "A", "1", "1.0", "b b", "B-b", "c", "2"]), min_size=1))
@pytest.mark.parametrize("other", ["error", "keep", "missing", "=rest"])
def test_recode_renames_what_is_named_and_treats_the_rest_as_told(other: str, cells: list[str | None]) -> None:
    found = done([{"a": c} for c in cells], {"recode": {"column": "a", "levels": LEVELS, "other": other, "into": "b"}})
    rest = {"keep": lambda c: c, "=rest": lambda _: "rest"}.get(other, lambda _: None)
    names = [None if c is None else canonical(c) for c in cells]
    assert found["b"].to_list() == [
        None if c is None else LEVELS[n] if n in LEVELS else rest(c) for c, n in zip(cells, names, strict=True)
    ]
    faulty = [other == "error" and n is not None and n not in LEVELS for n in names]
    assert found["_fault"].is_not_null().to_list() == faulty
    assert found["a"].to_list() == cells


def test_recode_folds_case_spaces_and_signs() -> None:
    step = {"recode": {"column": "a", "levels": {"Non-Binary": "nb", "Überall": "ü", 1: "one"}, "fold": True}}
    found = done([{"a": c} for c in ("non binary", "NONBINARY", "überall!", "1.0", "other")], step)
    assert found["a"].to_list() == ["nb", "nb", "ü", "one", None]
    assert found["_fault"].to_list()[-1] == "unknown level 'other' of a; expected one of Non-Binary, Überall, 1"


def test_levels_that_fold_into_one_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"'Non-binary' and 'nonbinary' are one when folded"):
        Step.model_validate({"recode": {"column": "a", "levels": {"Non-binary": "x", "nonbinary": "y"}, "fold": True}})


def test_recode_of_several_values_in_a_cell() -> None:
    step = {"recode": {"column": "a", "levels": {"w": "White", "b": "Black", "?": None}, "separators": ",;"}}
    cells = ["w", "b; w", "w,w", '["w", "b"]', "?", "?,b", None, ",", "x", "w,x"]
    found = done([{"a": c} for c in cells], step)
    assert found["a"].to_list()[:8] == ["White", "Black|White", "White", "White|Black", None, "Black", None, None]
    assert found["_fault"].is_not_null().to_list() == [False] * 8 + [True, True]


@quick
@given(st.lists(st.none() | st.floats(-10, 10).map(str) | st.just("inf") | st.just("x"), min_size=1))
def test_bin_puts_a_number_into_the_band_that_holds_it(cells: list[str | None]) -> None:
    found = done(
        [{"a": c} for c in cells], {"bin": {"column": "a", "edges": [-1, 2.5], "labels": list("lmh"), "into": "b"}}
    )
    for c, band, fault in found.select("a", "b", "_fault").rows():
        if c is None or c in ("x", "inf"):
            assert (fault is None) == (c is None)
        else:
            assert (band, fault) == ("l" if float(c) < -1 else "m" if float(c) < 2.5 else "h", None)


def test_one_hot_joins_the_true_ones() -> None:
    rows = [("True", "1.0"), ("false", "0"), (None, "TRUE"), (None, None), ("1", "2")]
    found = done(
        [{"w": w, "b": b} for w, b in rows], {"one_hot": {"columns": {"w": "White", "b": "Black"}, "into": "race"}}
    )
    assert found["race"].to_list()[:4] == ["White|Black", None, "Black", None]
    assert found["_fault"].to_list() == [None] * 4 + ["b '2' is neither true nor false"]


def test_concat_leaves_out_empty_cells_and_digest_does_not() -> None:
    rows = [{"a": "x", "b": "y"}, {"a": None, "b": "y"}, {"a": "y", "b": None}, {"a": None, "b": None}]
    columns = {"columns": ["a", "b"]}
    found = done(rows, {"concat": {**columns, "separator": "-", "into": "c"}}, {"digest": {**columns, "into": "d"}})
    assert found["c"].to_list() == ["x-y", "y", "y", None]
    assert found["d"].n_unique() == 4
    assert found["d"].str.len_chars().to_list() == [16] * 4


def test_fill_writes_the_same_cell_everywhere() -> None:
    assert done([{"a": "x"}, {"a": "y"}], {"fill": {"into": "b", "value": 3}})["b"].to_list() == ["3", "3"]


numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=True, allow_infinity=True)


@quick
@given(
    st.lists(
        numbers.map(str) | st.text().map(str.strip) | st.sampled_from(["3.0", "1e3", "007", "+1", "1_0", "٣"]),
        min_size=1,
    )
)
def test_cells_and_levels_have_one_spelling(cells: list[str]) -> None:
    frame = pl.DataFrame({"a": cells})
    assert frame.select(spelled(pl.col("a")))["a"].to_list() == [canonical(c) for c in cells]


def test_long_ids_stay_apart() -> None:
    ids = ["123456789012345678", "123456789012345679"]
    found = done([{"a": i} for i in ids], {"drop": {"rule": "x", "where": {"a": int(ids[1])}}})
    assert found["_rule"].to_list() == [None, "x"]


# ---- rows -----------------------------------------------------------------------------------------------------------

WHERE = {"a": ["x", 1], "b": [None, "z"]}
pairs = st.lists(
    st.tuples(st.sampled_from(["x", "y", "1", "1.0", None]), st.sampled_from(["z", "x", None])), min_size=1
)


@quick
@given(pairs)
def test_drop_and_keep_mark_the_rows_that_hold_all_and_the_others(table: list[tuple[str | None, str | None]]) -> None:
    rows = [{"a": a, "b": b} for a, b in table]
    holds = [a in ("x", "1", "1.0") and b in (None, "z") for a, b in table]
    dropped = done(rows, {"drop": {"rule": "d", "where": WHERE}})
    kept = done(rows, {"keep": {"rule": "k", "where": WHERE}})
    assert dropped["_rule"].to_list() == ["d" if h else None for h in holds]
    assert kept["_rule"].to_list() == [None if h else "k" for h in holds]
    both = done(rows, {"drop": {"rule": "d", "where": WHERE}}, {"keep": {"rule": "k", "where": WHERE}})
    assert both["_rule"].to_list() == ["d" if h else "k" for h in holds], "the first rule counts"


@quick
@given(pairs)
def test_once_keeps_the_first_of_the_rows_that_no_rule_left_out(table: list[tuple[str | None, str | None]]) -> None:
    rows = [{"a": a, "b": b} for a, b in table]
    drop = {"drop": {"rule": "d", "where": {"b": "x"}}}
    rules = done(rows, drop, {"once": {"columns": ["a"], "rule": "again"}})["_rule"].to_list()
    seen: set[str | None] = set()
    for (a, b), rule in zip(table, rules, strict=True):
        assert rule == ("d" if b == "x" else "again" if a in seen else None)
        if b != "x":
            seen.add(a)


def test_what_rules_leave_out_is_counted_by_rule(tmp_path: Path) -> None:
    text = GOOD + "c,x,1,robot\nc,z,1,robot\na,x,1,woman\nd,x,,woman\n"
    steps = [
        {"drop": {"rule": "robots", "where": {"group": "robot"}}},
        {"once": {"columns": ["item", "rater"], "rule": "again"}},
    ]
    table = small(tmp_path, text, *steps).table("harm")
    counts = {e.rule: e.rows for e in table.exclusions}
    assert counts == {"robots": 2, "again": 1, "no rating in the cell": 1}
    assert table.ratings.height + sum(counts.values()) == 7


def test_a_quality_filter_is_off_or_on_by_name_and_counted(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"filters": {"men": {"about": "Men.", "where": {"group": "man"}}}}
    dataset = small(tmp_path, GOOD, **keys)
    assert dataset.table("harm").exclusions == ()
    on = type(dataset)(dataset.recipe, dataset.folder, {"men": True})
    assert [str(e) for e in on.table("harm").exclusions] == ["1 ratings left out: filter men"]
    with pytest.raises(PluralError, match="no filter 'mne'; did you mean 'men'"):
        type(dataset)(dataset.recipe, dataset.folder, {"mne": True})


# ---- other tables ---------------------------------------------------------------------------------------------------

JOIN = {"join": {"table": "other", "by": ["a"], "columns": ["v"]}}


def test_join_finds_equal_rows_and_leaves_the_others_empty() -> None:
    found = done([{"a": "x"}, {"a": "y"}, {"a": None}], JOIN, other=[{"a": "x", "v": "1"}, {"a": None, "v": "2"}])
    assert found.select("row", "a", "v", "_fault").rows() == [
        (0, "x", "1", None),
        (1, "y", None, None),
        (2, None, None, None),
    ]


def test_join_of_a_table_with_two_different_rows_for_one_is_a_fault() -> None:
    found = done(
        [{"a": "x"}, {"a": "y"}], JOIN, other=[{"a": "x", "v": "1"}, {"a": "x", "v": "2"}, {"a": "y", "v": "3"}]
    )
    assert found["_fault"].to_list() == ["several different rows of table other fit; a: x", None]
    again = done([{"a": "x"}], JOIN, other=[{"a": "x", "v": "1"}, {"a": "x", "v": "1"}])
    assert again.select("v", "_fault").rows() == [("1", None)]


def test_a_fault_of_a_joined_table_is_not_lost(tmp_path: Path) -> None:
    tables = {
        "people": {"file": "file", "steps": [{"recode": {"column": "group", "levels": {"woman": "w"}, "into": "sex"}}]},
        "table": {"file": "file", "steps": [{"join": {"table": "people", "by": ["rater"], "columns": ["sex"]}}]},
    }
    line = said(small(tmp_path, GOOD, tables=tables))
    assert line == "r.csv:4: table people: unknown level 'man' of group; expected one of woman"


def test_a_missing_column_of_a_joined_table_names_the_table(tmp_path: Path) -> None:
    tables = {
        "people": {"file": "file"},
        "table": {"file": "file", "steps": [{"join": {"table": "people", "by": ["rater"], "columns": ["sex"]}}]},
    }
    line = said(small(tmp_path, GOOD, tables=tables))
    assert line == "r.csv:1: table 'people': no column 'sex'; there are item, rater, rating, group"


def stacked(folder: Path, first: str, second: str, **keys: Any) -> str:
    (folder / "s.csv").write_text(second)
    files = {name: {"path": f"{name}.csv", "sha256": None} for name in ("r", "s")}
    return said(small(folder, first, files=files, tables={"table": {"file": ["r", "s"]}}, **keys))


def test_a_row_of_stacked_files_is_named_with_its_own_file(tmp_path: Path) -> None:
    assert stacked(tmp_path, GOOD, HEAD + "a,z,1,man\nb,z,9,man\n").startswith("s.csv:3: rating '9' of harm")
    assert stacked(tmp_path, GOOD, HEAD + "a,z,1,man\nb,,1,man\n") == "s.csv:3: no rater in column 'rater'"
    assert stacked(tmp_path, GOOD, HEAD + "a,z,1,man\nb,x,1,man\n").startswith("s.csv:3: rater 'x' has two profiles")
    assert stacked(tmp_path, GOOD, HEAD + "b,x,1,woman\n").startswith(
        "s.csv:2: a second rating of item 'b' by rater 'x'"
    )
    assert stacked(tmp_path, GOOD, HEAD + ",x,1,woman\n") == "s.csv:2: no item in column 'item'"


def test_a_changed_header_of_one_of_several_files_is_missed(tmp_path: Path) -> None:
    line = stacked(tmp_path, GOOD, GOOD.replace("group", "Group"))
    assert line == "r.csv:1: no column 'group'; there are item, rater, rating"


def test_the_number_of_published_rows_is_asserted_before_any_rule(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"dimensions": {"harm": {"column": "rating", "scale": "five"}}}
    ratings = {"file": "table", "item": "item", "rater": "rater", **keys}
    drop = {"drop": {"rule": "men", "where": {"group": "man"}}}
    assert small(tmp_path, GOOD, drop, ratings={**ratings, "rows": 3}).table("harm").ratings.height == 2
    assert (
        said(small(tmp_path, GOOD, drop, ratings={**ratings, "rows": 4}))
        == "r.csv: 3 ratings; expected the 4 that were published"
    )


def test_items_of_one_row_stand_in_the_same_order_every_time(tmp_path: Path) -> None:
    names = ",".join(f"i{n}" for n in range(200))
    steps = [{"split": {"columns": ["item"]}}, {"explode": {"columns": ["item"]}}]
    text = f'item,rater,rating,group\n"{names}",x,1,man\n'
    orders = {tuple(small(tmp_path, text, *steps)._reader.items()["item_id"]) for _ in range(5)}
    assert len(orders) == 1
