"""OpinionQA on INVENTED counts in the published schema; of 15 waves one has the traps, the others one question each."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.shares import ShareTable
from tests.conftest import ROOT
from tests.tasks.invented import INVENTED, findings, invented, with_invented

NAME = "opinion_qa"
AXES = {"SEX": "sex", "AGE": "age", "RACE": "race", "EDUCATION": "education", "POLIDEOLOGY": "ideology"}
WAVE = "American_Trends_Panel_W27"


def filler(path: Path, wave: str) -> None:
    """Write a file of another wave."""
    if path.suffix == ".csv":
        with (INVENTED / NAME / "info.csv").open(newline="", encoding="utf-8") as f:
            header = next(csv.reader(f))
        row = [
            0,
            0,
            0,
            f"FILL_{wave}",
            "{}",
            f"INVENTED question of wave {wave}",
            "['Yes', 'No', 'Refused']",
            "[1.0, 2.0]",
        ]
        with path.open("w", newline="", encoding="utf-8") as f:
            csv.writer(f).writerows([header, row])
        return
    groups = json.loads((INVENTED / NAME / path.name).read_text())["SOUP1_W27"].keys() - {"MC_options", "question_text"}
    counts = {g: {"Yes": 30.0 + len(g), "No": 20.0, "Refused": 1.0} for g in sorted(groups)}
    path.write_text(json.dumps({f"FILL_{wave}": {"MC_options": ["Yes", "No"], "question_text": "?"} | counts}))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with all files of the recipe."""
    folder = tmp_path_factory.mktemp(NAME)
    for spec in load_recipe(ROOT / "tasks" / NAME / "dataset.yaml").files.values():
        path = folder / spec.path
        path.parent.mkdir(exist_ok=True)
        if path.parent.name == WAVE:
            shutil.copy(INVENTED / NAME / path.name, path)
        else:
            filler(path, path.parent.name.removeprefix("American_Trends_Panel_"))
    return folder


@pytest.fixture(scope="module")
def table(files: Path) -> ShareTable:
    return invented(NAME, files).shares


def counts_of(axis: str) -> Any:
    return json.loads((INVENTED / NAME / f"{axis}_data.json").read_text())


def cell(table: ShareTable, axis: str, group: str, item: str) -> tuple[list[float], float] | None:
    rows = table.of_axis(axis).filter(item_id=item, group=group).select("shares", "answers").rows()
    return rows[0] if rows else None


def test_there_are_five_axes_and_a_question_of_every_wave(table: ShareTable) -> None:
    assert sorted(table.axes) == sorted(AXES.values())
    assert len(table.item_ids) == 14 + 4
    assert [i for i in table.item_ids if i.endswith("_W27")] == ["SOUP1_W27", "SOUP2_W27", "TRADE_W27", "QUOTE_W27"]


@pytest.mark.parametrize("file", AXES)
def test_shares_are_the_counts_without_refusals(table: ShareTable, file: str) -> None:
    for item, one in counts_of(file).items():
        options = dict(table.options.select("item_id", "labels").iter_rows())[item]
        for group, counts in one.items():
            if group in ("MC_options", "question_text", "Refused", "DK/REF") or not counts:
                continue
            expected = np.array([counts.get(o, 0.0) for o in options])
            found = cell(table, AXES[file], group, item)
            if not expected.sum():
                assert found is None
                continue
            assert found is not None
            assert found[0] == pytest.approx(expected / expected.sum())
            assert found[1] == expected.sum()


def test_options_with_commas_are_not_split_as_in_the_files_own_list(table: ShareTable) -> None:
    assert dict(table.options.select("item_id", "labels").iter_rows())["SOUP2_W27"] == ["Yes, likely", "No, not likely"]
    assert counts_of("SEX")["SOUP2_W27"]["MC_options"][:2] == ["Yes", "likely"]


def test_options_stand_where_the_authors_put_them(table: ShareTable) -> None:
    places = dict(table.options.select("item_id", "positions").iter_rows())
    assert places["SOUP1_W27"] == [1, 2, 3, 1.5]
    assert places["TRADE_W27"] == [1, 1, 1], "all at one place: no order"


def test_who_did_not_say_is_undeclared_and_the_counts_of_both_spellings_add_up(table: ShareTable) -> None:
    assert set(table.groups("race")) == {"White", "Black", "Mixed Race", "undeclared"}
    race = counts_of("RACE")["SOUP2_W27"]
    both = [race["Refused"][o] + race["DK/REF"][o] for o in ("Yes, likely", "No, not likely")]
    assert cell(table, "race", "undeclared", "SOUP2_W27") == (pytest.approx([v / sum(both) for v in both]), sum(both))
    assert "nan" not in table.groups("age")


def test_small_groups_are_known_as_such(table: ShareTable) -> None:
    assert cell(table, "race", "Mixed Race", "SOUP1_W27") == ([1, 0, 0, 0], 2)
    _, lost = table.answered(5)
    assert lost == 4


def test_what_is_left_out_is_counted(table: ShareTable) -> None:
    assert table.notes == (
        "1 item left out: worded for the race of who was asked",
        "19 options left out: a refusal to answer",
        "1 share left out: of an answer that is no option ('It depends')",
        "1 (item, group) pair left out: no answer to an option that is kept",
    )


def test_an_answer_spelled_otherwise_than_its_option_is_counted(files: Path, table: ShareTable, tmp_path: Path) -> None:
    """As published, the option says "nor" and the files of answers say "noR"."""
    option = "neither better nor worse at making good policy decisions about scientific issues than other people"
    here = Path(shutil.copytree(files, tmp_path / NAME))
    for path in (here / WAVE).iterdir():
        spelled = option if path.suffix == ".csv" else option.replace("nor", "noR")
        path.write_text(path.read_text().replace("No, not likely", spelled))
    found = invented(NAME, here).shares
    assert all(found.of_axis(axis).equals(table.of_axis(axis)) for axis in AXES.values())


def test_a_changed_header_is_one_line(files: Path, tmp_path: Path) -> None:
    here = Path(shutil.copytree(files, tmp_path / NAME))
    info = here / WAVE / "info.csv"
    info.write_text(info.read_text().replace("option_ordinal", "ordinal_options", 1))
    with pytest.raises(PluralError, match=r"^[^\n]*info.csv:1: no column 'option_ordinal'[^\n]*$"):
        _ = invented(NAME, here).shares


def test_every_task_is_valid(files: Path, tmp_path: Path) -> None:
    found = findings(with_invented(NAME, files, tmp_path))
    assert found == {f"{NAME}_opinion": [], f"{NAME}_opinion_steer_ideology": []}
