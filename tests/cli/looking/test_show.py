"""``lm-plural show``: the tables of a results file, of a run's folder and of what ``disaggregate`` wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.report.summary import LINES

Capture = pytest.CaptureFixture[str]
TASKS = ["plural_demo_toxicity", "plural_demo_sensitivity"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("show")
    words = ["run", "--model", "dummy", "-t", *TASKS, "--limit", "3", "--axes", "gender", "politics", "--draws", "100"]
    assert main([*words, "--permutations", "10", "-o", str(out)]) == 0
    (folder,) = out.iterdir()
    return folder


def shown(words: list[object], capsys: Capture) -> str:
    assert main(["show", *map(str, words)]) == 0
    return capsys.readouterr().out


def refused(words: list[object], code: int, capsys: Capture) -> str:
    assert main(["show", *map(str, words)]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_a_folder_shows_what_the_same_command_prints_with_tables(finished: Path, capsys: Capture) -> None:
    words = ["score", str(finished), "--axes", "gender", "politics", "--draws", "100", "--permutations", "10"]
    assert main(words) == 0
    assert len(capsys.readouterr().out.splitlines()) <= LINES
    assert main([*words, "--tables"]) == 0
    printed = capsys.readouterr().out
    assert printed.partition("\n\nnothing new")[0] + "\n" == shown([finished], capsys)
    (file,) = finished.glob("results_*.json")
    assert shown([file], capsys) == shown([finished], capsys)


def test_one_task_and_one_axis(finished: Path, capsys: Capture) -> None:
    out = shown([finished, "--task", TASKS[0], "--axis", "gender"], capsys)
    assert f"{TASKS[0]} (rate)" in out
    assert TASKS[1] not in out
    assert "[gender]" in out
    assert "[politics]" not in out


def test_names_that_are_not_there_are_one_line_with_what_is(finished: Path, capsys: Capture) -> None:
    said = refused([finished, "--task", "plural_demo_toxicit"], 2, capsys)
    assert "did you mean 'plural_demo_toxicity'" in said
    assert "did you mean 'gender'?; there are gender, politics" in refused([finished, "--axis", "gende"], 2, capsys)


def test_what_disaggregate_wrote_and_its_screen(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"i{i},r{r},{(i + r) % 3 + 1},{'ab'[r % 2]}\n" for i in range(4) for r in range(24)]
    Path("r.csv").write_text("item_id,rater_id,rating,side\n" + "".join(rows))
    words = ["disaggregate", "--ratings", "r.csv", "--scale", "1,2,3", "--axes", "side", "--output_path", "out.json"]
    assert main(words) == 0
    screen = capsys.readouterr().out.splitlines()
    assert screen[0] == "groups of raters against each other"
    assert screen[-2:] == ["results written to out.json", "all tables: --tables, or lm-plural show out.json"]
    assert len(screen) <= LINES
    assert "[side]" in shown(["out.json", "--axis", "side"], capsys)
    assert "has no tasks" in refused(["out.json", "--task", "x"], 2, capsys)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"disaggregated": 1', "\x00"])
def test_what_is_no_results_file_is_one_line_that_names_it(content: str, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "results_x.json"
    file.write_text(content)
    assert str(file) in refused([file], 1, capsys)
    assert str(file) in refused([tmp_path], 1, capsys)


def test_a_folder_without_results_and_a_file_that_is_not_there(tmp_path: Path, capsys: Capture) -> None:
    assert f"{tmp_path}: no results here" in refused([tmp_path], 1, capsys)
    assert "gone.json" in refused([tmp_path / "gone.json"], 1, capsys)
