"""The cache: read once, never out of date, never half, never needed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.data import cache as cached
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.reader import Reader
from lm_plural.harness.ratings.table import Compact
from tests.suite import Suite, quick

Rows = tuple[list[object], ...]

#: Loads the tiny data set in a process of its own; what it prints is what it read.
LOAD = """
import sys
from pathlib import Path
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
path = Path(sys.argv[1])
dataset = Dataset(load_recipe(path), path.parent)
table = dataset.table("harm")
print(dataset.items.rows(), sorted(table.ratings.rows()), table.raters.rows())
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def dataset(suite: Suite, **filters: bool) -> Dataset:
    """Return the data set with nothing of it read yet."""
    loaded = suite.load().dataset
    return Dataset(loaded.recipe, loaded.folder, filters)


def read(suite: Suite) -> Rows:
    found = dataset(suite)
    table = found.table("harm")
    return found.items.rows(), sorted(table.ratings.rows()), table.raters.rows(), list(map(str, table.exclusions))


def entries(cache: Path) -> list[Path]:
    return sorted(p for p in (cache / "normal" / "tiny").iterdir() if not p.name.startswith("."))


def never(*_: object) -> Compact:
    pytest.fail("the source files were read again")


def test_the_second_load_reads_no_source_file(suite: Suite, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.ratings += "i1,r1,\n"
    first = read(suite)
    assert len(entries(cache)) == 2
    monkeypatch.setattr(Reader, "source", never)
    for name in ("items.jsonl", "raters.csv", "ratings.csv"):
        (suite.folder / name).unlink()
    loaded = dataset_without_writing(suite)
    table = loaded.table("harm")
    again = loaded.items.rows(), sorted(table.ratings.rows()), table.raters.rows(), list(map(str, table.exclusions))
    assert again == first
    assert again[3] == ["1 ratings left out: no rating in the cell"]


def dataset_without_writing(suite: Suite) -> Dataset:
    from lm_plural.harness.data.recipe import load_recipe

    return Dataset(load_recipe(suite.recipe_path), suite.folder)


def test_another_recipe_filter_dimension_or_version_is_another_entry(
    suite: Suite, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.recipe["filters"] = {"blacks": {"about": "For the test.", "where": {"rater_id": "r1"}}}
    suite.recipe["ratings"]["dimensions"]["other"] = {"column": "harm", "scale": "bad"}
    found = dataset(suite)
    found.table("harm")
    assert len(entries(cache)) == 2, "items and one dimension"
    found.table("other")
    assert len(entries(cache)) == 3
    on = dataset(suite, blacks=True)
    assert on.table("harm").raters.height == found.table("harm").raters.height - 1
    assert len(entries(cache)) == 5
    suite.recipe["rules"] = {"duplicates": "first"}
    dataset(suite).table("harm")
    assert len(entries(cache)) == 7
    monkeypatch.setattr(cached, "VERSION", cached.VERSION + 1)
    dataset(suite).table("harm")
    assert len(entries(cache)) == 9


def test_a_file_without_a_checksum_is_another_entry_when_its_bytes_change(suite: Suite, cache: Path) -> None:
    suite.recipe["files"]["ratings.csv"]["sha256"] = None
    before = read(suite)
    suite.ratings = suite.ratings.replace("i1,r1,2", "i1,r1,5")
    after = read(suite)
    assert before != after
    assert len(entries(cache)) == 4


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def replaced(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["items.parquet", "raters.parquet", "ratings.parquet", cached.ABOUT])
@pytest.mark.parametrize("harm", [Path.unlink, emptied, cut, replaced])
def test_an_entry_that_is_not_as_it_was_written_is_made_again(
    suite: Suite, cache: Path, name: str, harm: Callable[[Path], None]
) -> None:
    first = read(suite)
    for folder in entries(cache):
        if (folder / name).exists():
            harm(folder / name)
    assert read(suite) == first
    for folder in entries(cache):
        assert all(p.is_file() and p.stat().st_size for p in folder.iterdir())


@quick
@given(st.integers(0, 2**32), st.integers(1, 20))
def test_flipped_bits_are_noticed(tmp_path_factory: pytest.TempPathFactory, seed: int, n: int) -> None:
    """Parquet would show them as other values."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.getbasetemp() / "flipped"
        patch.setenv("LM_PLURAL_CACHE", str(folder))
        suite = Suite(folder / "suite")
        first, chance = read(suite), random.Random(seed)
        path = chance.choice(sorted((folder / "normal").rglob("*.*")))
        content = bytearray(path.read_bytes())
        for _ in range(n):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(content))
        assert read(suite)[:3] == first[:3]


def test_a_note_of_other_exclusions_than_the_class_has_is_made_again(suite: Suite, cache: Path) -> None:
    first = read(suite)
    for folder in entries(cache):
        about = json.loads((folder / cached.ABOUT).read_text())
        (folder / cached.ABOUT).write_text(json.dumps(about | {"exclusions": [{"what": 1}]}))
    assert read(suite) == first


def test_a_cache_that_cannot_be_written_costs_time_only(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "file"))
    without = read(suite)
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "cache"))
    assert read(suite) == without
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_full_disk_leaves_nothing_behind(suite: Suite, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cached.os, "fsync", full)
        first = read(suite)
    assert list((cache / "normal" / "tiny").iterdir()) == []
    assert read(suite) == first


def start(code: str, suite: Suite) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", code, str(suite.recipe_path)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_at_once_read_the_same_and_leave_one_entry(suite: Suite, cache: Path) -> None:
    suite.write()
    both = [start(LOAD, suite), start(LOAD, suite)]
    said = [p.communicate(timeout=60) for p in both]
    assert [p.returncode for p in both] == [0, 0], said
    assert said[0] == said[1]
    assert len(entries(cache)) == len(list((cache / "normal" / "tiny").iterdir())) == 2
