"""Data files: found, checked, read; each trouble is one finding with its line."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lm_plural.harness.data.files.lines import locate
from lm_plural.harness.data.files.scan import read_columns
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.clean import levels
from tests.suite import Suite

LAST = 18  # the line after the last rating


def rate(line: str) -> Callable[[Suite], None]:
    def change(suite: Suite) -> None:
        suite.ratings += line + "\n"

    return change


def replace(**parts: str) -> Callable[[Suite], None]:
    def change(suite: Suite) -> None:
        for name, text in parts.items():
            setattr(suite, name, text)

    return change


def item(**keys: object) -> Callable[[Suite], None]:
    return lambda suite: suite.items.append({"item_id": "i5", "prompt_id": "p", "text": "x", "lang": "en"} | keys)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (rate("i1,r1,6"), f"ratings.csv:{LAST}: rating '6' of harm is not on its scale; expected one of 1, 2, 3, 4, 5"),
        (rate("i1,r1,3"), f"ratings.csv:{LAST}: a second rating of item 'i1' by rater 'r1' on harm"),
        (rate("i9,r1,3"), f"ratings.csv:{LAST}: unknown item 'i9'"),
        (rate("i1,r9,3"), f"ratings.csv:{LAST}: unknown rater 'r9'"),
        (rate(",r1,3"), f"ratings.csv:{LAST}: no item in column 'item_id'"),
        (rate("i1,,3"), f"ratings.csv:{LAST}: no rater in column 'rater_id'"),
        (rate("i1,r1,3,4"), f"ratings.csv:{LAST}: cannot read: 4 cells; expected 3, one for each column"),
        (rate("\n\ni1,r1,7"), f"ratings.csv:{LAST + 2}: rating '7' of harm"),
        (rate('"i1\n",r1,7'), f"ratings.csv:{LAST}: rating '7' of harm"),
        (replace(ratings="item_id,rater_id,harm\n"), "ratings.csv:2: no ratings in the file"),
        (replace(ratings=""), "ratings.csv: cannot read: empty CSV"),
        (replace(ratings="item_id,rater_id\ni1,r1\n"), "ratings.csv:1: no column 'harm'; there are item_id, rater_id"),
        (replace(raters="rater_id,gender\nr1,man\n"), "raters.csv:1: no column 'race'; there are rater_id, gender"),
        (replace(raters="rater_id,gender,race\nr1,man,a\nr1,woman,a\n"), "raters.csv:3: rater 'r1' has two profiles"),
        (item(item_id=None), "items.jsonl:5: an item without item_id"),
        (item(item_id="i1"), "items.jsonl:5: item 'i1' stands twice with different fields"),
    ],
)
def test_trouble_in_the_data_is_one_finding_at_its_line(
    suite: Suite, change: Callable[[Suite], None], expected: str
) -> None:
    change(suite)
    (found,) = suite.findings()
    assert found.startswith(expected)


def test_a_rating_on_an_unknown_scale_is_found(suite: Suite) -> None:
    suite.recipe["ratings"]["scale_column"] = "scale"
    suite.ratings = "item_id,rater_id,harm,scale\ni1,r1,1,bad\ni1,r2,1,god\n"
    assert suite.findings() == ["ratings.csv:3: unknown scale in column 'scale'; there are bad, found 'god'"]


@pytest.mark.parametrize(
    "columns", [["text", "row"], ["text"]], ids=["a column that has the reserved name", "a column of lists"]
)
def test_a_column_that_cannot_be_used_is_found(suite: Suite, columns: list[str]) -> None:
    suite.recipe["items"]["fields"] = columns
    suite.items = [{"item_id": "i1", "text": ["a"] if columns == ["text"] else "a", "row": 1}]
    (found,) = suite.findings()
    assert found.startswith(f"items.jsonl:1: column {columns[-1]!r}")


def test_a_missing_file_is_found_in_the_recipe_with_the_places_looked_at(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    suite.recipe["files"]["items.jsonl"] = {"path": "gone.csv", "sha256": "0" * 64, "url": "https://x.org/gone.csv"}
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", str(tmp_path / "mirror"))
    (found,) = suite.findings()
    assert found.startswith(f"dataset.yaml:{suite.line('items.jsonl:', suite.recipe_path)}: data set 'tiny': no file")
    for part in ("gone.csv", "https://x.org/gone.csv", f"{tmp_path}/mirror/tiny/gone.csv"):
        assert part in found


def test_every_file_with_another_checksum_is_found_at_its_place_in_the_recipe(suite: Suite) -> None:
    suite.write()
    suite.items.append({"item_id": "i9"})
    suite.ratings += "i1,r1,6\n"
    findings = suite.findings()
    assert [f.split(": ")[0] for f in findings] == [
        f"dataset.yaml:{suite.line(name, suite.recipe_path)}" for name in ("items.jsonl:", "ratings.csv:")
    ]
    assert all("sha256 is" in f for f in findings)


def test_a_file_in_the_mirror_is_used_and_checked(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    suite.write()
    away = tmp_path / "mirror" / "tiny" / "far.csv"
    away.parent.mkdir(parents=True)
    away.write_text(suite.ratings)
    suite.recipe["files"]["ratings.csv"]["path"] = "far.csv"
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", str(tmp_path / "mirror"))
    assert suite.findings() == []
    away.write_text(suite.ratings + "i1,r1,1\n")
    assert "sha256 is" in suite.findings()[0]


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("i.parquet", b"garbage", ""),
        ("i.parquet", b"PAR1" + bytes(100) + b"PAR1", ""),
        ("i.csv.gz", b"\x1f\x8bgarbage", ""),
        ("i.csv", b"item_id,prompt_id,text,lang\na,b,\xff\xfe,c\n", ":2"),
        ("i.csv", b'item_id,prompt_id,text,lang\n"i1,c\n', ":2"),
        ("i.jsonl", b"[1, 2]\n", ":1"),
        ("i.jsonl", b'{"a": 1}\n\n{oops\n', ":3"),
        ("i.jsonl", b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}\n", ":1"),
        ("i.jsonl", b"", ""),
    ],
)
def test_a_file_that_is_not_of_its_kind_is_one_finding(suite: Suite, name: str, data: bytes, line: str) -> None:
    suite.write()
    suite.recipe["files"]["items.jsonl"] = {"path": name, "sha256": hashlib.sha256(data).hexdigest()}
    (suite.folder / name).write_bytes(data)
    (found,) = suite.findings()
    assert found.startswith(f"{name}{line}: cannot read: ")


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("a.csv", "x,y\n1,2\n3,4\n", [2, 3]),
        ("a.csv", 'x,y\n"1\n1",2\n"3\n3\n3",4\n5,6\n', [2, 4, 7]),
        ("a.csv", "x,y\r\n1,2\r\n3,4\r\n", [2, 3]),
        ("a.csv", f"x,y\n{'a' * 200_000},2\n3,4\n", [2, 3]),
        ("a.tsv", 'x\ty\n"1\n1"\t2\n3\t4\n', [2, 4]),
        ("a.csv.gz", 'x,y\n"1\n1",2\n3,4\n', [2, 4]),
        ("a.jsonl", '{"x": 1, "y": 2}\n\n{"x": 3, "y": 4}\n', [1, 3]),
    ],
)
def test_a_row_is_found_on_the_line_where_it_begins(tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    rows = read_columns(path, ["x", "y"])["row"]
    assert [locate(path, row) for row in rows] == [f"{path}:{line}" for line in lines]


def test_empty_rows_are_no_rows_but_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y,z\n\n1,2,3\n,,9\n\n4,,\n")
    frame = read_columns(path, ["x", "y"])
    assert [locate(path, r) for r in frame["row"]] == [f"{path}:3", f"{path}:6"]
    assert frame["y"].to_list() == ["2", None]


def test_cells_of_every_kind_of_file_are_the_same_text(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": ["a", " b ", "", None], "n": [1, 2, 3, 4]})
    frame.write_parquet(tmp_path / "f.parquet")
    frame.write_ndjson(tmp_path / "f.jsonl")
    frame.write_csv(tmp_path / "f.csv")
    frame.write_csv(tmp_path / "f.tsv", separator="\t")
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress((tmp_path / "f.csv").read_bytes()))
    for name in ("f.parquet", "f.jsonl", "f.csv", "f.tsv", "f.csv.gz"):
        found = read_columns(tmp_path / name, ["x", "n"])
        assert found["x"].to_list() == ["a", "b", None, None], name
        assert found["n"].to_list() == ["1", "2", "3", "4"], name


@pytest.mark.parametrize("start", ["﻿", ""], ids=["with a byte order mark", "without"])
def test_a_byte_order_mark_does_not_change_the_first_column(tmp_path: Path, start: str) -> None:
    (tmp_path / "a.csv").write_text(f"{start}x\n1\n", encoding="utf-8")
    assert read_columns(tmp_path / "a.csv", ["x"])["x"].to_list() == ["1"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("woman", ["woman"]),
        ("woman|man", ["woman", "man"]),
        (" woman | man ", ["woman", "man"]),
        ("woman|woman", ["woman"]),
        ("|woman||", ["woman"]),
        ("|", ["undeclared"]),
        ("n/a", ["undeclared"]),
        (None, ["undeclared"]),
    ],
)
def test_a_cell_holds_each_of_its_levels_once_and_no_empty_one(cell: str | None, expected: list[str]) -> None:
    frame = pl.DataFrame({"c": [cell, "x"]}, schema={"c": pl.String})
    assert frame.select(levels(pl.col("c"), "|", ["n/a"]))["c"][0].to_list() == expected


def test_without_a_separator_a_cell_is_one_level() -> None:
    frame = pl.DataFrame({"c": ["a|b", None]})
    assert frame.select(levels(pl.col("c"), None, []))["c"].to_list() == [["a|b"], ["undeclared"]]


def test_a_rater_of_two_levels_counts_in_both(suite: Suite) -> None:
    sizes = suite.load().table.group_sizes("gender")
    assert sizes == {"woman": 2, "non_binary": 1, "man": 2}
    assert suite.load().table.group_sizes("race")["undeclared"] == 1


def test_an_unknown_dimension_is_an_error_that_lists_the_known_ones(suite: Suite) -> None:
    with pytest.raises(PluralError, match="no ratings on 'hram'; did you mean 'harm'"):
        suite.load().dataset.table("hram")
