from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from lm_plural.harness.cli.main import main
from tests.suite import RATINGS, Suite

Capture = pytest.CaptureFixture[str]


def test_a_valid_task_is_exit_code_0(suite: Suite, capsys: Capture) -> None:
    assert suite.write().validate() == 0
    out, err = capsys.readouterr()
    assert out == "1 valid, 0 invalid tasks, 0 findings\n"
    assert err == ""


def test_every_finding_is_a_line_and_the_exit_code_is_2(suite: Suite, capsys: Capture) -> None:
    suite.task |= {"doc_to_choice": [1, 2], "groups": {"axes": ["gendr", "race"], "min_raters": 50}}
    assert suite.write().validate() == 2
    *findings, summary = capsys.readouterr().out.splitlines()
    assert len(findings) == 3
    assert all(f.startswith(f"{suite.task_path}:") for f in findings)
    assert summary == "0 valid, 1 invalid tasks, 3 findings"


@pytest.mark.parametrize("words", [["tiny_tag"], ["tiny_*"], ["--tasks", "tiny_rate,tiny_tag"], ["-t", "tiny_rate"]])
def test_tasks_are_named_as_for_a_run(suite: Suite, words: list[str], capsys: Capture) -> None:
    assert suite.write().validate(*words) == 0
    assert capsys.readouterr().out.startswith(("1 valid", "2 valid"))


def test_a_task_named_in_several_ways_is_checked_once(suite: Suite, capsys: Capture) -> None:
    assert suite.write().validate("tiny_rate", "tiny_tag", str(suite.task_path)) == 0
    assert capsys.readouterr().out.startswith("1 valid")


def test_a_yaml_file_is_checked_where_it_lies_with_the_recipe_beside_it(suite: Suite, capsys: Capture) -> None:
    suite.write()
    assert main(["validate", str(suite.task_path)]) == 0
    assert capsys.readouterr().out.startswith("1 valid")


def test_unknown_names_are_told_on_stderr_and_the_others_are_still_checked(suite: Suite, capsys: Capture) -> None:
    assert suite.write().validate("tiny_rat", "tiny_rate", "no/folder/x") == 2
    out, err = capsys.readouterr()
    assert out == "1 valid, 0 invalid tasks, 0 findings\n"
    assert "unknown task 'tiny_rat'; did you mean 'tiny_rate'" in err
    assert "unknown task 'no/folder/x'" in err
    assert len(err.splitlines()) == 2


def test_without_names_everything_at_hand_is_checked_recipes_and_broken_files_too(
    suite: Suite, capsys: Capture
) -> None:
    suite.write()
    (suite.folder / "broken.yaml").write_text("a: [")
    (suite.folder / "lost.yaml").write_text("mode: rate\n")
    (suite.root / "other").mkdir()
    (suite.root / "other" / "dataset.yaml").write_text("dataset: other\n")
    assert main(["validate", "--include_path", str(suite.root)]) == 2
    out = capsys.readouterr().out
    assert f"{suite.folder}/broken.yaml:1: not valid YAML" in out
    assert f"{suite.folder}/lost.yaml:1: missing key 'task'" in out
    assert f"{suite.root}/other/dataset.yaml:1: missing key 'licence'" in out
    assert str(suite.task_path) not in out


def test_a_broken_file_that_is_not_asked_for_does_not_matter(suite: Suite) -> None:
    suite.write()
    (suite.folder / "broken.yaml").write_text("a: [")
    assert suite.validate() == 0
    assert suite.validate("broken") == 2


def test_the_same_finding_of_two_tasks_is_told_once(suite: Suite, capsys: Capture) -> None:
    suite.recipe["licence"] = ""
    suite.write()
    (suite.folder / "second.yaml").write_text(suite.task_path.read_text().replace("tiny_rate", "tiny_two"))
    assert suite.validate("tiny_*") == 2
    assert capsys.readouterr().out.count("licence") == 1


def test_a_name_twice_in_one_folder_is_a_usage_error(suite: Suite, capsys: Capture) -> None:
    suite.write()
    (suite.folder / "second.yaml").write_text(suite.task_path.read_text())
    assert suite.validate() == 2
    assert "task 'tiny_rate' is also defined in" in capsys.readouterr().err


def test_items_without_a_rating_are_told_on_stderr(suite: Suite, capsys: Capture) -> None:
    suite.items.append({"item_id": "i5", "prompt_id": "p", "text": "x", "lang": "en"})
    assert suite.write().validate() == 0
    assert capsys.readouterr().err == (
        "lm-plural validate: note: tiny_rate: 1 of 5 items left out: no rating on harm\n"
    )


def test_notes_are_a_line_for_each_data_set_that_names_its_tasks(suite: Suite, capsys: Capture) -> None:
    suite.items.append({"item_id": "i5", "prompt_id": "p", "text": "x", "lang": "en"})
    again = suite.write().folder / "again.yaml"
    again.write_text(suite.task_path.read_text().replace("tiny_rate", "tiny_again"))
    assert suite.validate("tiny_rate", "tiny_again") == 0
    assert capsys.readouterr().err == (
        "lm-plural validate: note: tiny_rate, tiny_again: 1 of 5 items left out: no rating on harm\n"
    )


def broken(**files: str) -> Callable[[Suite], object]:
    """Break a file's text after the recipe was written, its checksum mended."""

    def change(suite: Suite) -> None:
        for name, text in files.items():
            setattr(suite, name, text)
            suite.recipe["files"][f"{name}.csv"].pop("sha256")

    return change


def recipe_file(**keys: str) -> Callable[[Suite], object]:
    return lambda suite: suite.recipe["files"]["raters.csv"].update(keys)


BAD_INPUT: dict[str, Callable[[Suite], object]] = {
    "unknown key": lambda s: s.task.update(grups={}),
    "unclosed template": lambda s: s.task.update(doc_to_text="a\n{{ text\n"),
    "missing data file": recipe_file(path="gone.csv"),
    "overlong path": recipe_file(path="x" * 300),
    "wrong checksum": recipe_file(sha256="0" * 64),
    "path out of its folder": recipe_file(path="../raters.csv"),
    "empty rating file": broken(ratings=""),
    "no ratings": broken(ratings="item_id,rater_id,harm\n"),
    "rating 6": broken(ratings=RATINGS + "i1,r1,6\n"),
    "no rated item": lambda s: s.task.update(items={"lang": "fr"}),
    "unknown scorer": lambda s: s.respond(scorers=["profnity"]),
    "unknown dataset": lambda s: s.task.update(dataset="tny"),
    "overlong dataset": lambda s: s.task.update(dataset="9" * 400),
    "overlong dimension": lambda s: s.task.update(dimension="é" * 400),
    "blank prompt": lambda s: s.task.update(doc_to_text="{% raw %}"),
    "broken YAML": lambda s: (s.folder / "_b.yaml").write_text("mode: [") and s.task.update(include="_b.yaml"),
}


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_input_is_one_clear_line_and_exit_code_2(suite: Suite, kind: str, capsys: Capture) -> None:
    BAD_INPUT[kind](suite.write())
    suite.write()
    assert main(["validate", str(suite.task_path)]) == 2
    out, err = capsys.readouterr()
    finding, summary = out.splitlines()
    assert finding.startswith(f"{suite.folder}/")
    assert summary == "0 valid, 1 invalid tasks, 1 findings"
    assert err == ""


def test_as_a_command_of_its_own(suite: Suite, command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    suite.task["num_fewshoot"] = 1
    suite.write()
    done = command("validate", suite.task_path)
    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == (
        f"{suite.task_path}:{suite.line('num_fewshoot')}: unknown key 'num_fewshoot'; did you mean 'num_fewshot'?"
    )
    assert done.stderr == ""
