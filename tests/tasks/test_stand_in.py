"""Where DICES-350 is not at hand, the JUDGE-BENCH copy stands in: what that says, and what it cannot do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from lm_plural.harness.cli.main import main
from lm_plural.harness.documents import load_yaml
from lm_plural.harness.errors import PluralError
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import LoadedTask, load_task
from tests.conftest import ROOT
from tests.tasks.figures import NO_OR_YES, described, equal, reference

FILE = "diverse_safety_adversarial_dialog_350.csv"
FILTER = "removed_raters"


@pytest.fixture
def copied(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with the copy, without the authors' own file."""
    if (mirror / "dices_350" / FILE).exists() or (mirror / FILE).exists():
        pytest.skip("the authors' own file is at hand: nothing stands in for it")
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", str(mirror))
    return mirror


def safety(folder: Path, **keys: object) -> LoadedTask:
    """Return the safety task with other keys."""
    include = shutil.copy(ROOT / "tasks" / "dices_350" / "safety.yaml", folder / "_safety.yaml")
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"include": Path(include).name, "task": "own", **keys}))
    return load_task(load_yaml(path), Index())


@pytest.mark.usefixtures("copied")
def test_the_run_from_the_copy_says_so_and_gives_all_raters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["run", "--model", "dummy", "-t", "dices_350_safety", "--limit", "20", "-o", str(tmp_path), "--tables"])
        == 0
    )
    out = " ".join(capsys.readouterr().out.split())
    note = "data set 'dices_350_overall' stands in for 'dices_350', whose files are not at hand: it has no gender, race"
    assert note in out
    assert "all raters 123 0.36" in out
    assert "[gender]" not in out


@pytest.mark.usefixtures("copied")
def test_axes_and_filters_that_the_copy_lacks_are_named(tmp_path: Path) -> None:
    task = safety(tmp_path, filters={FILTER: True})
    assert task.task.groups.axes == []
    assert "it has no gender, race, age, education, gender & race, filter removed_raters" in task.notes[0]
    assert len(task.docs()) == 350


@pytest.mark.parametrize("gold", ["Yes", "No"])
def test_a_task_can_ask_about_what_experts_call_unsafe(copied: Path, tmp_path: Path, gold: str) -> None:
    known = reference(copied, "dices350")["groups"]["gold"][gold]
    task = safety(tmp_path, items={"safety_gold": gold})
    equal(described(task.table, (), NO_OR_YES)["overall"], known, ">=Yes")


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("keys", [{"dimension": "unfair_bias"}, {"steer": "race"}])
def test_what_the_copy_cannot_do_needs_the_authors_file(tmp_path: Path, keys: dict[str, object]) -> None:
    task = safety(tmp_path, **keys)
    with pytest.raises(PluralError, match=f"no file {FILE}: lm-plural data fetch dices_350"):
        _ = task.table
