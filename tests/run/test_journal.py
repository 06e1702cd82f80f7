"""The journal: nothing lost, nothing doubled, torn ends dropped, anything else refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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


IDENTITY = {
    "model": "hf",
    "weights": None,
    "model_args": {},
    "chat_template": None,
    "system_instruction": None,
    "gen_kwargs": {},
    "seed": 1,
}
TASK = {"path": "a.yaml", "include_path": [], "limit": None}
RUN: dict = {"identity": IDENTITY, "model_args": {}, "tasks": {"a": TASK}}


@pytest.mark.parametrize("content", ["{", "[" * 100_000, '{"a": ' + "1" * 5000 + "}", b"\xff", ""])
def test_run_json_that_is_not_json_is_one_line(tmp_path: Path, content: str | bytes) -> None:
    (tmp_path / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PluralError, match=r"run\.json: not valid JSON"):
        RunFolder(tmp_path).read_run()


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        *(({**RUN, "identity": {k: v for k, v in IDENTITY.items() if k != name}}, name) for name in IDENTITY),
        *(({**RUN, "tasks": {"a": {k: v for k, v in TASK.items() if k != name}}}, name) for name in TASK),
        *(({k: v for k, v in RUN.items() if k != name}, name) for name in RUN),
        *(({**RUN, "identity": {**IDENTITY, name: [3]}}, name) for name in IDENTITY),
        *(
            ({**RUN, "tasks": {"a": {**TASK, "limit": limit}}}, "limit")
            for limit in (0, -1, True, "3", [-1], [1.5], {})
        ),
        *(({**RUN, "tasks": {"a": {**TASK, "path": path}}}, "path") for path in ("", "a\0", "\ud83d")),
        ({**RUN, "tasks": {"a": None}}, "tasks.a"),
        ({**RUN, "tasks": {"a": {**TASK, "include_path": [None]}}}, "include_path.0"),
        (None, "the file"),
        ([], "the file"),
    ],
)
def test_a_run_json_with_a_wrong_field_is_one_line(tmp_path: Path, changed: object, where: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**RUN, "more": 1}))
    assert RunFolder(tmp_path).read_run() == {**RUN, "more": 1}
    path.write_text(json.dumps(changed))
    with pytest.raises(PluralError, match=rf"run\.json: not the file of a run: (\w+\.)*{where}"):
        RunFolder(tmp_path).read_run()


def test_a_journal_that_is_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.symlink_to("/dev/full")
    with pytest.raises(PluralError, match="is not a regular file"):
        Journal(path)


def test_a_short_write_is_taken_back_and_the_next_one_goes_on(small_disk: Callable[[int], Path]) -> None:
    """A disk with a little room takes the first part of a write and says so by its length alone."""
    disk = small_disk(64)
    first, second = [[record(f"{n}", text="x" * 100) for n in range(a, a + 320)] for a in (0, 320)]
    journal = Journal(disk / "j.jsonl")
    journal.append(first)
    whole = journal.path.read_bytes()
    with pytest.raises(PluralError, match="cannot write: No space left"):
        journal.append(second)
    assert journal.path.read_bytes() == whole
    assert len(journal.records) == 320
    small_disk(1024)
    journal.append(second)
    journal.close()
    assert list(Journal(journal.path).records) == [r["key"] for r in first + second]


def test_what_could_not_be_synced_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    journal.append([record("a")])

    def fail(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(PluralError, match="Input/output error"):
            journal.append([record("b")])
    assert journal.path.read_text() == '{"key": "a"}\n'
    journal.append([record("c")])
    journal.close()
    assert list(Journal(journal.path).records) == ["a", "c"]


def test_a_lone_surrogate_is_written_as_json_writes_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    journal.append([record("a", text="\ud83d and ü")])
    journal.close()
    assert Journal(journal.path).records["a"]["text"] == "\ud83d and ü"


@pytest.mark.parametrize("line", ["[" * 100_000, '{"key": 1}', '{"key": "b", "n": 1' + "0" * 5000 + "}", "null", "1"])
def test_odd_lines_are_one_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(f'{{"key": "a"}}\n{line}\n')
    with pytest.raises(PluralError, match=r"j\.jsonl:2: not a line of this journal"):
        Journal(path)


def test_a_key_may_come_again_with_the_same_only(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text('{"key": "a", "n": 1}\n{"key": "a", "n": 1}\n')
    assert Journal(path).records == {"a": {"key": "a", "n": 1}}
    path.write_text('{"key": "a", "n": 1}\n{"key": "b"}\n{"key": "a", "n": 2}\n')
    with pytest.raises(PluralError, match=r"j\.jsonl:3: key 'a' again, with something else"):
        Journal(path)


def test_what_a_killed_process_left_beside_a_file_is_removed(tmp_path: Path) -> None:
    for name in (".results_2026-01-01T00-00-00.000000.json.1.tmp", ".run.json.77.tmp", "results_2026.json"):
        (tmp_path / name).write_text("{")
    with RunFolder(tmp_path).locked():
        assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "results_2026.json"]
