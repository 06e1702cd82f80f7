from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lm_plural.harness.errors import PluralError, UsageError, at, did_you_mean
from lm_plural.harness.files import cache_dir, made_beside, sha256_file, to_json, write_atomic


def test_a_file_is_written_whole_with_its_folders_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_atomic(path, "one")
    write_atomic(path, "zwei ü\n")
    assert path.read_bytes() == "zwei ü\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


@pytest.mark.parametrize("name", [".", "folder", "file/below.txt", "x" * 300, "/", "/dev/null/x"])
def test_a_path_that_cannot_be_written_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PluralError, match="cannot write: ") as caught:
        write_atomic(tmp_path / name, "text")
    assert caught.value.exit_code == 1
    assert {p.name for p in tmp_path.iterdir()} == {"folder", "file"}


def test_a_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "old")
    with pytest.raises(PluralError, match="cannot write"):
        write_atomic(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_running_one_makes_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    make = "import sys, time; from pathlib import Path; from lm_plural.harness.files import made_beside as beside\n"
    make += "with beside(Path(sys.argv[1])) as b: b.mkdir(); print(b.name, flush=True); time.sleep(60)"
    running, killed = (
        subprocess.Popen([sys.executable, "-c", make, path], stdout=subprocess.PIPE, text=True) for _ in range(2)
    )
    with running, killed:
        names = [p.stdout.readline().strip() for p in (running, killed) if p.stdout]
        killed.kill()
        killed.wait()
        assert {p.name for p in tmp_path.iterdir()} == set(names)
        write_atomic(path, "whole")
        assert {p.name for p in tmp_path.iterdir()} == {names[0], "a.txt"}
        running.kill()
    write_atomic(path, "again")
    assert list(tmp_path.iterdir()) == [path]


def _write_until_interrupted(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_text("a")
    raise KeyboardInterrupt


def test_an_interruption_leaves_nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_fd: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.txt", "text")
    with pytest.raises(KeyboardInterrupt), made_beside(tmp_path / "folder") as beside:
        _write_until_interrupted(beside)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_a_number_json_has_no_word_for_is_refused_by_its_place(bad: float) -> None:
    with pytest.raises(PluralError, match=rf"cannot be written as JSON: axes\.g\.1: {bad}"):
        to_json({"fine": 1.0, "axes": {"g": [0, bad]}})
    assert to_json({"ü": (1, None)}) == '{\n  "ü": [\n    1,\n    null\n  ]\n}\n'


def test_the_current_folder_is_no_file() -> None:
    with pytest.raises(PluralError, match="cannot write"):
        write_atomic(Path(), "text")


def test_checksum_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("LM_PLURAL_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "lm-plural"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "lm-plural"


def test_an_error_is_one_line_with_its_exit_code() -> None:
    assert str(PluralError("a\n  b\t c")) == "a b c"
    assert (PluralError.exit_code, UsageError.exit_code) == (1, 2)
    assert at("f", 3, "m") == "f:3: m"
    assert at("f", None, "m") == "f: m"


def test_suggestions_are_near_words_only() -> None:
    assert did_you_mean("gendr", ["gender", "race"]) == "; did you mean 'gender'?"
    assert did_you_mean("xyz", ["gender"]) == ""
