"""POPQUORN: its real file gives the independent figures, and what is wrong in a file is said in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lm_plural.harness.errors import PluralError
from tests.tasks.figures import described, equal, reference, shipped, truncated, whole, without_last_line
from tests.tasks.invented import findings, invented, with_invented

INVENTED = Path(__file__).parent / "invented" / "popquorn"
FILE = "offensiveness_raw_data.csv"
AXES = ["gender", "race", "age", "education", "occupation"]


def test_the_independent_figures_of_every_group_of_every_axis(real: Path) -> None:
    known = reference(real, "popquorn")
    table = shipped("popquorn").table("offensiveness")
    assert table.exclusions == ()
    block = described(table, AXES)
    equal(block["overall"], whole(known), ">=3")
    assert known["groups"].keys() == set(AXES)
    for axis, groups in known["groups"].items():
        if axis == "occupation":
            groups["undeclared"] = groups.pop("Prefer not to disclose")
        assert block["axes"][axis]["groups"].keys() == groups.keys()
        for name, figures in groups.items():
            equal(block["axes"][axis]["groups"][name], figures, ">=3")


@pytest.mark.usefixtures("real")
def test_a_truncated_file_is_refused_by_the_published_total(tmp_path: Path) -> None:
    cut = truncated("popquorn", "annotations", tmp_path, without_last_line)
    expected = f"{FILE}: 13035 ratings; expected the 13036 that were published"
    with pytest.raises(PluralError, match=f"^[^\n]*{re.escape(expected)}$"):
        cut.table("offensiveness")


def test_every_level_and_who_does_not_say() -> None:
    table = invented("popquorn", INVENTED).table("offensiveness")
    assert table.group_sizes("gender") == {"Man": 6, "Non-binary": 1, "Woman": 5}
    assert table.group_sizes("occupation") == {"Employed": 5, "Retired": 5, "Student": 1, "undeclared": 1}
    assert table.group_sizes("age") == {"18-24": 6, "54-59": 5, ">65": 1}
    assert set(table.ratings["level"]) == set(range(5))
    assert (table.scale.direction, table.scale.labels[0]) == ("lower", "not offensive at all")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("instance_id,", "instance,", ":1: no column 'instance_id'; did you mean 'instance'?"),
        (",offensiveness,", ",offence,", ":1: no column 'offensiveness'"),
        ('comma",4.0', 'comma",6.0', ":3: rating '6.0' of offensiveness is not on its scale; expected one of 1, 2, 3"),
        ("\n0,1,", "\n0,0,", ":3: a second rating of item '0' by rater '0' on offensiveness; expected one"),
        ("1.0,Woman", "1.0,Man", "rater '0' has two profiles (gender: Man and Woman"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = (INVENTED / FILE).read_text()
    assert old in text
    (tmp_path / FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(PluralError) as e:
        invented("popquorn", tmp_path).table("offensiveness")
    assert expected in str(e.value)
    assert "\n" not in str(e.value)


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    found = findings(with_invented("popquorn", INVENTED, tmp_path))
    assert found == {"popquorn_offensiveness": [], "popquorn_offensiveness_steer_gender": []}
