"""JSON as text: numbers as they are written, so that ids stay apart; one kind of thing in a column."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.data.files import jsontext, lines
from lm_plural.harness.data.files.frames import MARKS
from lm_plural.harness.data.files.scan import reading, scan
from lm_plural.harness.errors import PluralError
from tests.suite import quick

IDS = [
    "3",
    "3.0",
    "3.00",
    "30e-1",
    "9007199254740993",
    "9007199254740992",
    "-0",
    "123456789012345678901234567890",
    "1e400",
]


def read(path: Path, *args: Any) -> pl.DataFrame:
    with reading(path):
        return scan(path, *args).drop(MARKS).collect()


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(PluralError) as e:
        read(path)
    return str(e.value).removeprefix(str(path))


def test_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    records = [f'{{"id": {n}, "inner": {{"id": {n}}}, "all": [{n}, "{n}"]}}' for n in IDS]
    for path in (
        written(tmp_path / "r.jsonl", "\n".join(records)),
        written(tmp_path / "r.jsonl.gz", gzip.compress("\r\n\r\n".join(records).encode())),
        written(tmp_path / "r.json", f" \n[{','.join(records)}]\n"),
    ):
        found = read(path)
        assert found["id"].to_list() == found["inner.id"].to_list() == IDS
        assert found["all"].to_list() == [[n, n] for n in IDS]


def test_a_float_column_of_parquet_has_the_ids_of_a_file_of_integers(tmp_path: Path) -> None:
    pl.DataFrame({"id": [3.0, None, 2.5, -0.0, float("nan"), 2.0**53]}).write_parquet(tmp_path / "r.parquet")
    assert read(tmp_path / "r.parquet")["id"].to_list() == ["3", None, "2.5", "0", None, "9007199254740992.0"]


@pytest.mark.parametrize("batch", [1, 2, 50_000])
@pytest.mark.parametrize(
    ("records", "message"),
    [
        (['{"a": 1}', '{"a": [1]}'], ":2: column 'a' holds a list here and text before; expected one or the other"),
        (['{"a": {"b": 1}}', '{"a": "x"}'], ":2: column 'a' holds text here and a record before; expected one or"),
        (['{"a": null}', '{"a": [["x"]]}', '{"a": ["x"]}'], ":3: column 'a' holds text here and a list before"),
        (['{"a": {"b": 1}}', '{"a.b": 1}'], ":2: column 'a.b' stands twice; expected once"),
        (['{"a": 1}', '{"a": 1, "b": 2, "a": 2}'], ":2: cannot read: two fields 'a' in a record; expected one"),
        (['{"a": "x"}', '{"a": ["\\ud83d"]}'], ":2: column 'a' holds"),
        (['{"a": "x"}', '{"a": "\\ud83d"}'], ":2: column 'a' holds half a character; expected text"),
        (['{"a": "x"}', '{"a": ' + "[" * 99 + "]" * 99 + "}"], ":2: column 'a' holds"),
        (['{"a": 1}', '{"a": ' * 99 + "1" + "}" * 99], ":2: column 'a"),
        (['{"a": 1}', '{"a": ' * 9999 + "1" + "}" * 9999], ":2: cannot read: maximum recursion"),
        (['{"a": 1}', '{"a": 1} {"a": 2}'], ":2: cannot read: A second value; expected one, at character 9"),
        (['{"a": 1}', '{"a": 1\x00}'], ":2: cannot read: "),
        (['{"a": 1}', '{"a": "'], ":2: cannot read: Unterminated string"),
    ],
)
def test_what_cannot_be_one_column_of_text_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, records: list[str], message: str
) -> None:
    monkeypatch.setattr(jsontext, "BATCH", batch)
    line = refused(written(tmp_path / "r.jsonl", "\n".join(records)))
    assert line.startswith(message)
    assert len(line) < 200


def test_fields_that_come_late_are_columns_and_those_that_are_records_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsontext, "BATCH", 1)
    content = '{}\n{"a": null, "l": null}\n{"a": {"b": true}, "l": [{"x": 1}]}\n{"c": "z", "l": [{"y": false}, null]}\n'
    found = read(written(tmp_path / "r.jsonl", content))
    assert found.to_dict(as_series=False) == {
        "l": [None, None, [{"x": "1", "y": None}], [{"x": None, "y": "false"}, None]],
        "a.b": [None, None, "true", None],
        "c": [None, None, None, "z"],
    }


def test_what_is_unpacked_into_memory_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST", 1000)
    monkeypatch.setattr(lines, "MOST_LINE", 1000)
    bomb = gzip.compress(b'[{"a": "' + b" " * 10**6 + b'"}]')
    assert refused(written(tmp_path / "r.json.gz", bomb)).startswith(": cannot read: more than 1000 bytes of JSON")
    bomb = gzip.compress(b'{"a": 1}\n{"a": "' + b" " * 10**6 + b'"}')
    assert refused(written(tmp_path / "r.jsonl.gz", bomb)).startswith(":2: cannot read: a line of more than 1000 bytes")


@pytest.mark.parametrize("place", [4, 25, 172])  # at the last one polars 2.1 asks for 2 ** 61 bytes, and aborts
def test_a_damaged_parquet_file_is_read_or_one_line(
    tmp_path: Path, place: int, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = pl.DataFrame({"a": [1.0, 2.5] * 200, "b": ["x", "y"] * 200})
    frame.write_parquet(tmp_path / "r.parquet")
    content = bytearray((tmp_path / "r.parquet").read_bytes())
    content[place] ^= 0x55
    with suppress(PluralError):
        read(written(tmp_path / "r.parquet", bytes(content)))
    assert capfd.readouterr() == ("", "")


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('aé"\\ \x1c', max_size=3)


@quick
@given(st.lists(st.dictionaries(st.sampled_from("ab"), leaves, max_size=2), min_size=1, max_size=6), st.integers(1, 7))
def test_scalars_come_back_as_they_are_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], batch: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsontext, "BATCH", batch)
        found = read(path)
    for name in found.columns:
        expected = [r.get(name) for r in rows]
        texts = [v.strip(" ") if isinstance(v, str) else None if v is None else json.dumps(v) for v in expected]
        assert found[name].to_list() == [t or None for t in texts]


def test_only_the_white_space_of_json_is_skipped() -> None:
    assert jsontext.decoded(' \t\r\n{"a": 1}') == {"a": "1"}
    for blank in "\u2028\u00a0\x0b\x1c":
        with pytest.raises(json.JSONDecodeError):
            jsontext.decoded(f'{blank}{{"a": 1}}')
