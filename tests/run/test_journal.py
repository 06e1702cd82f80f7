"""The journal: nothing lost, nothing doubled, torn ends dropped, anything else refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.errors import PluralError
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.journal import Journal


def record(key: str, **more: object) -> dict:
    return {"key": key, **more}


def test_records_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "j.jsonl"
    first = Journal(path)
    first.append([record("a", text="ü\n\u2028"), record("b")])
    first.append([record("c", value=None)])
    first.close()
    assert list(Journal(path).records) == ["a", "b", "c"]
    assert Journal(path).records["a"]["text"] == "ü\n\u2028"


def test_a_known_key_is_not_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.append([record("a", n=1)])
    journal.append([record("a", n=2), record("b")])
    journal.close()
    assert len(path.read_text().splitlines()) == 2
    assert journal.records["a"]["n"] == 1


@given(cut=st.integers(min_value=0, max_value=400))
def test_a_kill_at_any_byte_loses_at_most_the_torn_line(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("j") / "j.jsonl"
    records = [record(f"k{i}", text="é" * i) for i in range(12)]
    whole = Journal(path)
    whole.append(records)
    whole.close()
    blob = path.read_bytes()
    path.write_bytes(blob[:cut])
    torn = Journal(path)
    complete = blob[:cut].count(b"\n")
    assert list(torn.records) == [r["key"] for r in records[:complete]]
    torn.append(records)
    torn.close()
    assert path.read_bytes() == blob


@pytest.mark.parametrize("bad", ['{"key": "a"', "[]", "{}", '"text"', "nonsense"])
def test_anything_else_that_does_not_parse_names_file_and_line(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text('{"key": "ok"}\n' + bad + '\n{"key": "later"}\n')
    with pytest.raises(PluralError, match=r"j\.jsonl:2: "):
        Journal(path)


def test_two_runs_cannot_write_one_folder(tmp_path: Path) -> None:
    first = RunFolder(tmp_path).locked()
    with first, pytest.raises(PluralError, match="another run is writing"), RunFolder(tmp_path).locked():
        pass
    with RunFolder(tmp_path).locked():
        pass


def test_run_json_that_is_not_json_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(PluralError, match=r"run\.json: not valid JSON"):
        RunFolder(tmp_path).read_run()


def test_a_journal_that_is_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.symlink_to("/dev/full")
    with pytest.raises(PluralError, match="is not a regular file"):
        Journal(path)
