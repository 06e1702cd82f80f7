"""``lm-plural ls --lm-eval-path``, and what lm-eval's next release will find without being told."""

from __future__ import annotations

import importlib.resources
import importlib.util
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager

from lm_plural.harness.cli.main import main
from lm_plural.harness.lm_eval_tasks.metrics import plural_count
from lm_plural.harness.lm_eval_tasks.task import PluralTask
from lm_plural.harness.task.index import Index
from tests.conftest import ROOT
from tests.suite import Suite

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def printed(capsys: Capture, *words: object) -> tuple[Path, list[str]]:
    """Return the folder printed, the only thing on stdout, and what was said on stderr."""
    assert main(["ls", "--lm-eval-path", *map(str, words)]) == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    return Path(line), err.splitlines()


def test_lm_eval_finds_every_task_and_tag_in_it(suite: Suite, capsys: Capture) -> None:
    suite.write()
    path, err = printed(capsys, "--include_path", suite.root)
    assert err == []
    index = Index([suite.root])
    manager = TaskManager(include_path=str(path), include_defaults=False)
    assert manager.all_subtasks == sorted(index.tasks)
    assert manager.all_tags == sorted(index.tags)
    assert set(manager.load(["tiny_tag"])["tasks"]) == {"tiny_rate"}
    assert len(manager.load(["plural_demo"])["tasks"]) == 6


def test_a_relative_include_path_works_from_anywhere(
    suite: Suite, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    suite.write()
    monkeypatch.chdir(suite.root.parent)
    path, _ = printed(capsys, "--include_path", suite.root.name)
    monkeypatch.chdir(tmp_path.parent)
    (task,) = TaskManager(include_path=str(path), include_defaults=False).load(["tiny_rate"])["tasks"].values()
    assert isinstance(task, PluralTask)
    assert task.config.tag == ["tiny_tag"]


def test_a_task_that_is_not_valid_is_left_out_with_a_warning(suite: Suite, capsys: Capture) -> None:
    suite.task["mode"] = "rat"
    suite.write()
    path, err = printed(capsys, "--include_path", suite.root)
    assert not (path / "tiny_rate.yaml").exists()
    assert (path / "plural_demo_toxicity.yaml").exists()
    (line,) = err
    at = f"{suite.task_path}:{suite.line('mode')}"
    assert line == f"lm-plural ls: warning: {at}: mode: expected 'rate' or 'respond', found 'rat'"


def test_the_same_tasks_are_the_same_folder_and_others_another(suite: Suite, capsys: Capture) -> None:
    suite.write()
    first, _ = printed(capsys, "--include_path", suite.root)
    before = {p.name: p.stat().st_mtime_ns for p in first.iterdir()}
    assert printed(capsys, "--include_path", suite.root)[0] == first
    assert {p.name: p.stat().st_mtime_ns for p in first.iterdir()} == before
    suite.task["tag"] = ["another"]
    suite.write()
    assert printed(capsys, "--include_path", suite.root)[0] != first


def test_a_folder_that_was_tampered_with_is_made_anew(suite: Suite, capsys: Capture) -> None:
    suite.write()
    path, _ = printed(capsys, "--include_path", suite.root)
    whole = {p.name: p.read_text() for p in path.iterdir()}
    (path / "tiny_rate.yaml").write_text("task: other\n")
    (path / "plural_demo_toxicity.yaml").unlink()
    assert printed(capsys, "--include_path", suite.root)[0] == path
    assert {p.name: p.read_text() for p in path.iterdir()} == whole
    assert list(path.parent.iterdir()) == [path]


def test_a_cache_that_cannot_be_written_is_one_line(capsys: Capture, cache: Path) -> None:
    cache.write_text("a file")
    assert main(["ls", "--lm-eval-path"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"lm-plural ls: error: {cache}: cannot write the cache: ")
    assert len(err.splitlines()) == 1


def entry_points(group: str) -> list[EntryPoint]:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][group]
    return [EntryPoint(name, value, group) for name, value in declared.items()]


def test_entry_points_name_what_lm_eval_will_look_for() -> None:
    from lm_eval.api.registry import get_aggregation, get_metric, get_metric_aggregation

    (metric,), (aggregation,) = entry_points("lm_eval.metrics"), entry_points("lm_eval.aggregations")
    payload = {"id": "a", "answers": [[-1.0]]}
    assert metric.load() is get_metric(metric.name)
    assert metric.load()(payload) == payload
    assert aggregation.load() is get_aggregation(aggregation.name) is get_metric_aggregation(metric.name)
    assert get_metric("acc"), "lm-eval's own metrics must be there, too"


def test_the_entry_point_for_tasks_is_a_package_with_a_file_per_built_in_task() -> None:
    (tasks,) = entry_points("lm_eval.tasks")
    spec = importlib.util.find_spec(tasks.value)
    assert spec
    (place,) = spec.submodule_search_locations or ()
    assert str(importlib.resources.files(tasks.value)) == str(Path(tasks.load().__file__).parent) == place
    assert TaskManager(include_path=place, include_defaults=False).all_subtasks == sorted(Index().tasks)


def test_payloads_are_counted_once_each() -> None:
    assert plural_count([{"id": "a"}, {"id": "b"}, {"id": "a"}]) == 2
