"""Files of every kind as published: records, mixed kinds, odd text; and one line for what is not of its kind."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.data.files.frames import MARKS
from lm_plural.harness.data.files.lines import locate
from lm_plural.harness.data.files.scan import columns_of, scan, stacked
from lm_plural.harness.errors import PluralError
from tests.data.small import done, said, small
from tests.suite import quick


def table(folder: Path, name: str, content: str | bytes, *args: Any) -> pl.DataFrame:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return scan(path, *args).collect().drop(MARKS)


def refused(folder: Path, name: str, content: str | bytes, *args: Any) -> str:
    with pytest.raises(PluralError) as e:
        table(folder, name, content, *args)
    assert e.value.exit_code == 1
    return str(e.value).replace(f"{folder}/", "")


# ---- JSON records ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [None, ".", "data.rows"])
def test_records_are_found_by_their_path(tmp_path: Path, where: str | None) -> None:
    rows: Any = [{"a": 1, "b": None}, {"a": "x", "b": True}]
    value = {"data": {"rows": rows}} if where == "data.rows" else rows
    for name in ("r.json", "r.json.gz", "R.JSON"):
        content = json.dumps(value).encode()
        found = table(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content, where)
        assert found.rows() == [("1", None), ("x", "true")]


@pytest.mark.parametrize(
    ("content", "where", "expected"),
    [
        ('{"data": []}', "data.rows", "r.json: no 'rows' on the way to the records 'data.rows'"),
        ('{"data": {"rows": 5}}', "data.rows", "r.json: expected a list or mapping of records at 'data.rows'"),
        ('[{"a": 1}, 5]', None, "r.json: expected a list or mapping of records at '.'"),
        ('{"x": {"a": 1}, "y": 5}', None, "r.json: expected a list or mapping of records at '.'"),
        ("[]", None, "r.json: expected a list or mapping of records at '.'"),
        ("", None, "r.json:1: cannot read: Expecting value"),
        ('{"a":', None, "r.json:1: cannot read: "),
        ("[" * 100_000, None, "r.json: cannot read: maximum recursion depth"),
        (b'[{"a": "\xe4"}]', None, "r.json: cannot read: 'utf-8' codec"),
        ('[{"a": "\\ud800"}]', None, "r.json: row 1: column 'a' holds half a character; expected text"),
        ("<!doctype html>", None, "r.json:1: cannot read: Expecting value"),
    ],
)
def test_what_is_no_list_of_records_is_one_line(
    tmp_path: Path, content: str | bytes, where: str | None, expected: str
) -> None:
    line = refused(tmp_path, "r.json", content, where)
    assert line.startswith(expected)
    assert len(line) < 300


def test_the_keys_of_a_mapping_of_records_are_a_column(tmp_path: Path) -> None:
    found = table(tmp_path, "r.json", '{"x": {"a": 1}, "7": {"a": 2}}', None, "id")
    assert found.select("id", "a").rows() == [("x", "1"), ("7", "2")]
    clash = refused(tmp_path, "r.json", '{"x": {"id": 1}}', None, "id")
    assert clash == "r.json: records have a field 'id'; expected another name for the keys"


def test_records_inside_records_are_columns_with_dotted_names(tmp_path: Path) -> None:
    content = '{"a": {"b": {"c": 1}, "d": ["x", "y"]}}\n{"a": {"b": null}}\n'
    found = table(tmp_path, "r.jsonl", content)
    assert dict(zip(found.columns, found.row(0), strict=True)) == {"a.d": ["x", "y"], "a.b.c": "1"}
    assert found.row(1) == (None, None)
    clash = refused(tmp_path, "r.jsonl", '{"a": {"b": 1}, "a.b": 2}\n')
    assert clash == "r.jsonl:1: column 'a.b' stands twice; expected once"


def test_lists_of_records_are_taken_apart_by_explode(tmp_path: Path) -> None:
    content = json.dumps([{"item": "i", "marks": [{"by": 1, "level": 2}, {"by": "x", "level": None}]}])
    (tmp_path / "r.json").write_text(content)
    steps = [{"explode": {"columns": ["marks"]}}, {"fill": {"into": "group", "value": "g"}}]
    ratings = {"dimensions": {"harm": {"column": "marks.level", "scale": "five"}}, "item": "item", "rater": "marks.by"}
    keys = {
        "raters": {"file": "table", "id": "marks.by", "axes": {"group": "group"}},
        "ratings": ratings | {"file": "table"},
    }
    found = small(tmp_path, content, *steps, name="r.json", **keys).table("harm")
    assert found.ratings.select("item_id", "rater_id", "level").rows() == [("i", "1", 1)]


def test_a_wrong_level_in_json_is_named_with_its_record(tmp_path: Path) -> None:
    rows = [{"item": n, "rater": "x", "rating": 1 + 8 * (n == 2), "group": "g"} for n in range(4)]
    for content in (json.dumps(rows), json.dumps({"k": rows[2]})):
        row = 3 if content[0] == "[" else 1
        assert said(small(tmp_path, content, name="r.json")).startswith(f"r.json: row {row}: rating '9' of harm")


# ---- cells ----------------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.floats() | st.text('abc é"\\\n,', max_size=5)


@quick
@given(st.lists(st.fixed_dictionaries({"a": scalars, "b": scalars}), min_size=1, max_size=5))
def test_json_and_json_lines_are_the_same_table_whatever_they_mix(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = table(folder, "mix.json", json.dumps(rows))
    lines = table(folder, "mix.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    for row, one, other in zip(rows, whole.rows(named=True), lines.rows(named=True), strict=True):
        for name, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
                assert float(one[name]) == float(other[name]) == value
            else:
                text = str(value).lower() if isinstance(value, bool) else str(value or "").strip()
                assert one[name] == other[name] == (None if value != value else text or None)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_not_a_number_is_an_empty_cell(tmp_path: Path, mark: str, end: str) -> None:
    content = f'{mark}{{"a": NaN, "b": 1}}{end}{{"a": 2.5, "b": 2}}'
    assert table(tmp_path, "r.jsonl", content).rows() == [(None, "1"), ("2.5", "2")]
    frame = pl.DataFrame({"a": [float("nan"), 2.5], "b": [[float("nan"), 1.0], []]})
    frame.write_parquet(tmp_path / "r.parquet")
    found = scan(tmp_path / "r.parquet").collect().drop(MARKS)
    assert found.rows() == [(None, [None, "1"]), ("2.5", [])]


def test_cells_that_are_no_text_are_left_as_they_are_until_they_are_needed(tmp_path: Path) -> None:
    pl.DataFrame({"item": [b"x"], "rater": ["r"], "rating": [1], "group": ["g"]}).write_parquet(tmp_path / "s.parquet")
    line = said(small(tmp_path, (tmp_path / "s.parquet").read_bytes(), name="r.parquet"))
    assert line == "r.parquet:1: column 'item' holds Binary; expected text or numbers"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", gzip.compress(b"a,b\n1,2\n", mtime=0)),
        ("r.csv.gz", b"a,b\n1,2\n"),
        ("r.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)),
        ("R.CSV", b"\xef\xbb\xbfa,b\r\n1,2"),
        ("r", b"a,b\n1,2\n"),
        ("R.TSV", b"a\tb\n1\t2\n"),
        ("r.tsv.gz", gzip.compress(b"a\tb\n1\t2\n", mtime=0)),
        ("r[1].csv", b"a,b\n1,2\n"),
        ("r*.jsonl", b'{"a": 1, "b": 2}'),
        ("r.ndjson.gz", gzip.compress(b'{"a": 1, "b": 2}\n', mtime=0)),
    ],
)
def test_the_ending_tells_the_kind_and_the_bytes_tell_gzip(tmp_path: Path, name: str, content: bytes) -> None:
    assert table(tmp_path, name, content).rows() == [("1", "2")]
    assert columns_of(tmp_path / name) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("r.csv", b"PK\x03\x04" + bytes(99), "r.csv: cannot read: it is a zip archive or spreadsheet; expected UTF-8"),
        ("r.xlsx", b"PK\x03\x04,,,\n1,2", "r.xlsx: cannot read: it is a zip archive or spreadsheet; expected UTF-8"),
        ("r.csv", "a,b\n1,2\n".encode("utf-16"), "r.csv:1: cannot read: it is UTF-16 text; expected UTF-8 text"),
        ("r.csv", "a,b\n1,2\n".encode("utf-16-le"), "r.csv:1: cannot read: a NUL; expected text"),
        ("r.csv", b"item,rater,rating,group\n\n\na,b,1,\xe4\n", "r.csv:4: cannot read: "),
        ("r.jsonl", b'{"a": 1}\n{"a": "\xe4"}\n', "r.jsonl:2: cannot read: "),
        ("r.csv", gzip.compress(bytes(9999), mtime=0)[:-9], "r.csv: cannot read: "),
        ("r.csv.gz", gzip.compress(b"a,b\n" * 9999, mtime=0)[:-9], "r.csv.gz: cannot read: Compressed file ended"),
        ("r.csv", b"", "r.csv: cannot read: empty CSV"),
        ("r.jsonl", b"[1]\n", "r.jsonl:1: cannot read: "),
        ("r.jsonl", b'{"a": 1} {"a": 2}\n', "r.jsonl:1: cannot read: "),
        ("r.jsonl", b'{\n"a": 1\n}\n', "r.jsonl:1: cannot read: "),
        ("r.parquet", b"a,b\n1,2\n", "r.parquet: cannot read: "),
    ],
)
def test_a_file_that_is_not_of_its_kind_is_one_line(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    with pytest.raises(PluralError) as e:
        small(tmp_path, content, name=name).table("harm")
    line = str(e.value).replace(f"{tmp_path}/", "")
    assert line.startswith(expected)
    assert len(line) < 250


def test_a_folder_a_missing_file_and_a_circle_of_links_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "circle.csv").symlink_to(tmp_path / "circle.csv")
    for name, words in (
        ("folder.csv", "a folder; expected a file"),
        ("circle.csv", "No such"),
        ("gone.json", "No such"),
    ):
        with pytest.raises(PluralError, match=f"^{tmp_path / name}: cannot read: {words}"):
            scan(tmp_path / name)


def test_a_file_whose_name_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a\udcffb.csv").write_text("a,b\n1,2\n")
    with pytest.raises(PluralError, match="cannot read: 'utf-8' codec can't encode"):
        scan(tmp_path / "a\udcffb.csv")


@pytest.mark.parametrize("name", ["r.csv", "r", "R.CSV", "r.txt", "r.csv.gz"])
def test_lines_are_counted_in_every_file_of_cells(tmp_path: Path, name: str) -> None:
    content = b'a,b\n"1\n1",2\n3,4\n'
    table(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)
    assert [locate(tmp_path / name, n) for n in range(3)] == [f"{tmp_path / name}:{line}" for line in (2, 4, 5)]


@pytest.mark.parametrize("name", ["row", "_rule", "_fault"])
def test_a_column_of_a_reserved_name_harms_nobody_until_it_is_needed(tmp_path: Path, name: str) -> None:
    text = f"item,rater,rating,group,{name}\na,x,1,woman,7\n"
    assert small(tmp_path, text).table("harm").ratings.height == 1
    ratings = {
        "file": "table",
        "item": name,
        "rater": "rater",
        "dimensions": {"harm": {"column": "rating", "scale": "five"}},
    }
    assert said(small(tmp_path, text, ratings=ratings)) == f"r.csv:1: column {name!r} needs another name"
    with pytest.raises(ValueError, match="an axis needs another name"):
        small(tmp_path, text, raters={"file": "table", "id": "rater", "axes": {"row": "group"}})


def test_a_column_that_stands_twice_harms_nobody_until_it_is_needed(tmp_path: Path) -> None:
    text = "item,rater,rating,group,note,note\na,x,1,woman,7,8\n"
    assert small(tmp_path, text).table("harm").ratings.height == 1
    line = said(small(tmp_path, text.replace("note", "group")))
    assert line == "r.csv:1: column 'group' stands twice; expected once"


def test_a_file_of_thousands_of_columns_is_told_of_shortly(tmp_path: Path) -> None:
    text = ",".join(f"column_{n}" for n in range(5000)) + "\n" + ",".join(["1"] * 5000) + "\n"
    line = said(small(tmp_path, text))
    assert line.endswith("column_29, ... (5000 in all)")


@quick
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_a_row_of_stacked_tables_knows_its_table(sizes: list[int]) -> None:
    frames = [done([{"a": str(k)}] * max(1, n)).head(n).lazy() for k, n in enumerate(sizes)]
    found = stacked(frames).collect()
    assert found["a"].to_list() == [str(k) for k, n in enumerate(sizes) for _ in range(n)]
    if len(sizes) > 1:
        assert [(r >> 40, r & (2**40 - 1)) for r in found["row"]] == [
            (k, n) for k, s in enumerate(sizes) for n in range(s)
        ]
