"""Tags and patterns take what is at hand; what is asked for by name must be there, whole and the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_plural.harness.cli.main import main
from tests.suite import Suite


@pytest.fixture
def two(suite: Suite, tmp_path: Path) -> tuple[Suite, Suite]:
    """Two data sets under one tag."""
    other = Suite(tmp_path / "other")
    other.task |= {"task": "other_rate"}
    return suite.write(), other.write()


def run(two: tuple[Suite, Suite], *tasks: str) -> int:
    words = [w for s in two for w in ("--include_path", str(s.root))]
    out = str(two[0].root.parent / "out")
    return main(
        ["run", "--model", "dummy", "--tasks", *tasks, *words, "--output_path", out, "--permutations", "9", "--tables"]
    )


def test_a_tag_leaves_out_what_is_not_at_hand_and_says_so(
    two: tuple[Suite, Suite], capsys: pytest.CaptureFixture[str]
) -> None:
    (two[1].folder / "ratings.csv").unlink()
    assert run(two, "tiny_tag") == 0
    shown = capsys.readouterr()
    assert "1 tasks left out, data not at hand (lm-plural data ls): tiny\n" in shown.err
    assert "tiny_rate (rate)" in shown.out
    assert "other_rate (rate)" not in shown.out


def test_a_task_asked_for_by_name_must_be_at_hand(two: tuple[Suite, Suite], capsys: pytest.CaptureFixture[str]) -> None:
    (two[1].folder / "ratings.csv").unlink()
    assert run(two, "tiny_tag", "other_rate") == 1
    assert "no file ratings.csv: " in capsys.readouterr().err


def test_nothing_at_hand_is_one_line(two: tuple[Suite, Suite], capsys: pytest.CaptureFixture[str]) -> None:
    for s in two:
        (s.folder / "ratings.csv").unlink()
    assert run(two, "tiny_tag") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_another_file_than_the_recipe_describes_is_no_fault_of_the_task(
    two: tuple[Suite, Suite], capsys: pytest.CaptureFixture[str]
) -> None:
    (two[0].folder / "ratings.csv").write_text(two[0].ratings + "i1,r1,1\n")
    assert run(two, "tiny_rate") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "sha256 is" in line


def test_a_mirror_in_the_environment_must_be_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", "/nowhere")
    assert main(["data", "ls"]) == 2
    assert capsys.readouterr().err == "lm-plural data: error: LM_PLURAL_DATA_MIRROR=/nowhere: no such folder\n"


def test_the_name_of_a_shipped_data_set_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "popquorn.csv"
    path.write_text(
        "item_id,rater_id,rating,text\n" + "".join(f"a,r{n},{n % 2},some invented text here\n" for n in range(8))
    )
    assert main(["data", "import", str(path), "--direction", "lower", "--to", str(tmp_path)]) == 2
    assert "data set 'popquorn' comes with lm-plural; choose another --dataset" in capsys.readouterr().err
