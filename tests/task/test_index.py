from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lm_plural.harness.documents import InvalidFileError
from lm_plural.harness.errors import UsageError
from lm_plural.harness.task.index import Index, builtin_tasks


def add(folder: Path, name: str, file: str | None = None, **keys: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (file or f"{name}.yaml")
    path.write_text(yaml.safe_dump({"task": name, **keys}))
    return path


def names(index: Index, *patterns: str) -> list[str]:
    return [d.data["task"] for d in index.select(patterns)]


def test_names_tags_globs_and_paths_select_each_task_once_in_the_order_asked(tmp_path: Path) -> None:
    add(tmp_path, "one", tag=["odd", "all"])
    add(tmp_path / "below", "two", tag=["all"])
    other = add(tmp_path / "elsewhere", "three")
    index = Index([tmp_path])
    assert names(index, "two") == ["two"]
    assert names(index, "all") == ["one", "two"]
    assert names(index, "t?o", "o?e") == ["two", "one"]
    assert names(index, "two", "all", "o?e") == ["two", "one"]
    assert names(index, str(other), "three") == ["three"]
    assert names(index, str(other.parent / ".." / "elsewhere" / "three.yaml"), str(other)) == ["three"]


def test_a_yaml_path_needs_no_include_path(tmp_path: Path) -> None:
    assert names(Index(), str(add(tmp_path, "away"))) == ["away"]


def test_built_in_tasks_are_there_without_any_path() -> None:
    assert len(names(Index(), "plural_demo")) == 6


def test_recipes_partial_files_and_other_files_are_no_tasks(tmp_path: Path) -> None:
    add(tmp_path, "a", "dataset.yaml")
    add(tmp_path, "b", "_b.yaml")
    add(tmp_path, "c", "c.txt")
    (tmp_path / "folder.yaml").mkdir()
    index = Index([tmp_path])
    assert set(index.tasks) == set(Index().tasks)
    assert not index.broken


def test_what_lies_in_hidden_folders_or_is_installed_is_not_looked_at(tmp_path: Path) -> None:
    for folder in (".venv/lib", "lib/site-packages/lm_eval/tasks", "node_modules"):
        add(tmp_path / folder, "not_ours", dataset="x")
        add(tmp_path / folder / "data", "not_ours", "dataset.yaml")
    add(tmp_path / "lib" / "mine", "mine")
    index = Index([tmp_path])
    assert set(index.tasks) - set(Index().tasks) == {"mine"}
    assert index.recipes() == Index().recipes()


def test_several_include_paths_add_up_and_the_first_wins(tmp_path: Path) -> None:
    add(tmp_path / "x", "same", note="x")
    add(tmp_path / "y", "same", note="y")
    add(tmp_path / "y", "other")
    index = Index([tmp_path / "x", tmp_path / "y"])
    assert index.tasks["same"].data["note"] == "x"
    assert "other" in index.tasks


def test_an_included_task_replaces_a_built_in_one(tmp_path: Path) -> None:
    path = add(tmp_path, "plural_demo_toxicity")
    assert Index([tmp_path]).tasks["plural_demo_toxicity"].path == path
    assert Index().tasks["plural_demo_toxicity"].path.is_relative_to(builtin_tasks())


def test_one_name_twice_in_one_folder_is_an_error_that_names_both_files(tmp_path: Path) -> None:
    first, second = add(tmp_path, "same", "a.yaml"), add(tmp_path / "b", "same", "b.yaml")
    with pytest.raises(UsageError) as caught:
        _ = Index([tmp_path]).tasks
    assert str(caught.value) == f"{second}:1: task 'same' is also defined in {first}"


def test_a_broken_file_hides_no_other_and_is_reported_when_it_is_asked_for(tmp_path: Path) -> None:
    add(tmp_path, "good")
    (tmp_path / "bad.yaml").write_text("task: [")
    (tmp_path / "nameless.yaml").write_text("mode: rate")
    index = Index([tmp_path])
    assert names(index, "good") == ["good"]
    assert {p.name for p in index.broken} == {"bad.yaml", "nameless.yaml"}
    with pytest.raises(InvalidFileError, match=r"bad\.yaml:1: not valid YAML"):
        index.select(["bad"])
    with pytest.raises(InvalidFileError, match=r"nameless\.yaml:1: missing key 'task'"):
        index.select(["nameless"])
    with pytest.raises(UsageError, match="unknown task 'ba'"):  # part of a broken file's name
        index.select(["ba"])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("plural_demo_toxicty", "unknown task 'plural_demo_toxicty'; did you mean 'plural_demo_toxicity'"),
        ("pluralistic_safty", "unknown task 'pluralistic_safty'; did you mean 'pluralistic_safety'"),
        ("zzz*", r"unknown task 'zzz\*' \(lm-plural ls tasks\)"),
        ("", "unknown task ''"),
        ("[", r"unknown task '\['"),
        ("none/none.yaml", "cannot read: No such file or directory"),
        ("none/none.yml", "cannot read: No such file or directory"),
    ],
)
def test_an_unknown_name_is_an_error_with_a_suggestion_where_one_is_near(pattern: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        Index().select([pattern])


def test_an_include_path_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(UsageError, match=f"^include_path {path}: no such folder"):
            Index([path])


@pytest.mark.timeout(20)
def test_links_in_a_circle_end(tmp_path: Path) -> None:
    add(tmp_path / "a", "one")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.yaml").symlink_to(tmp_path / "self.yaml")
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    index = Index([tmp_path])
    assert "one" in index.tasks
    assert not index.broken
    index.recipes()


@pytest.mark.parametrize("tag", ["word", 5, ["word", 5], {"a": "b"}, None, [None]])
def test_a_tag_of_any_type_breaks_nothing(tmp_path: Path, tag: object) -> None:
    add(tmp_path, "one", tag=tag)
    assert "one" in Index([tmp_path]).tasks
    assert all(isinstance(t, str) for t in Index([tmp_path]).tags)


def test_the_recipe_beside_a_task_wins_over_others_of_its_name(tmp_path: Path) -> None:
    for folder in ("x/data", "y/data"):
        add(tmp_path / folder, "r", "dataset.yaml")
    task = add(tmp_path / "y" / "data", "t")
    index = Index([tmp_path / "x"])
    assert index.recipe_path("data", task) == task.parent / "dataset.yaml"
    assert index.recipe_path("data", tmp_path / "t.yaml") == tmp_path / "x" / "data" / "dataset.yaml"
    with pytest.raises(UsageError, match="unknown dataset 'dat'; did you mean 'data'"):
        index.recipe_path("dat", task)
