"""Files that Potato 2.12.1 and Label Studio 1.23.2 wrote when they were really started (``data/README.md``)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lm_plural.harness.annotate import label_studio, potato, sheet
from lm_plural.harness.annotate.collected import checked, read_returned
from lm_plural.harness.annotate.form import read_form
from lm_plural.harness.annotate.manifest import Check, read_manifest
from lm_plural.harness.annotate.people import Submissions, hashed
from lm_plural.harness.errors import PluralError
from tests.annotate.scripted import CARELESS, RATERS, Opinions

DATA = Path(__file__).parent / "data"
M, FORM = read_manifest(DATA), read_form(DATA / "form.yaml")
OPINIONS = Opinions(M, FORM)
KEY = bytes(32)


@pytest.mark.parametrize("tool", ["potato", "label_studio"])
def test_identical_ratings(tool: str) -> None:
    found, called = read_returned(DATA / tool, M, FORM)
    assert called == tool
    assert {row.rater for row in found.rows} > {RATERS[0]}
    for row in found.rows:
        assert row.value == OPINIONS.level(row.rater, row.item, row.dimension), row
    for rater, said in found.about.items():
        assert said == {axis: [OPINIONS.about(rater, axis)] for axis in M.axes}
    assert RATERS[0] in found.about
    of_first = {row.item: row for row in found.rows if row.rater == RATERS[0]}
    block = M.by_id[next(iter(of_first))].block
    assert set(of_first) == {one.id for one in M.by_id.values() if one.block == block}
    assert [of_first[i].order for i in sorted(of_first, key=lambda i: M.by_id[i].position)] == list(range(1, 10))


@pytest.mark.parametrize("tool", ["potato", "label_studio"])
def test_whoever_fails_checks_is_left_out(tool: str) -> None:
    found, _ = read_returned(DATA / tool, M, FORM)
    careless = {row.rater for row in found.rows} & {CARELESS}
    good = checked(found, M, FORM, tool, Submissions(), KEY)
    assert {r["rater_id"] for r in good.ratings} >= {hashed(RATERS[0], KEY)}
    assert [one["rater_id"] for one in good.excluded] == [hashed(r, KEY) for r in careless]
    assert not any(isinstance(M.by_id[r["item_id"]], Check) for r in good.ratings)


def test_seconds_of_label_studio() -> None:
    found, _ = read_returned(DATA / "label_studio", M, FORM)
    assert {row.seconds for row in found.rows} == {4.2}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    shutil.copytree(DATA / "potato", tmp_path / "out")
    return tmp_path / "out" / "p01" / "user_state.json"


def changed(path: Path, **keys: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_two_clicks_that_an_older_potato_kept(state: Path) -> None:
    label = {"schema": "toxicity", "name": "1"}, {"schema": "toxicity", "name": "4"}
    changed(state, instance_id_to_label_to_value={M.items[0].id: [[label[0], "1"], [label[1], "4"]]})
    with pytest.raises(PluralError, match=r"p01/user_state.json: item '\w+' has 2 levels of toxicity; Potato 2.7.1"):
        potato.read(state, M, FORM)


def test_time_on_an_item_where_a_browser_told_it(state: Path) -> None:
    item = json.loads(state.read_text())["instance_id_ordering"][2]
    changed(state, instance_id_to_behavioral_data={item: {"total_time_ms": 2500}, "other": {"total_time_ms": 0}})
    rows = potato.read(state, M, FORM).rows
    assert {row.seconds for row in rows if row.item == item} == {2.5}
    assert {row.seconds for row in rows if row.item != item} == {None}


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"user_id": 1, "instance_id_to_label_to_value": 3}', "null"])
def test_no_state(state: Path, text: str) -> None:
    state.write_text(text)
    with pytest.raises(PluralError, match=r"p01/user_state.json: not "):
        read_returned(state.parent.parent, M, FORM)


def test_a_group_nobody_could_choose(state: Path) -> None:
    page = {"poststudy": {"poststudy": [[{"schema": "gender", "name": "wombat"}, "wombat"]]}}
    changed(state, phase_to_page_to_label_to_value=page)
    with pytest.raises(PluralError, match=r"user_state.json: gender is 'wombat'; expected one of"):
        potato.read(state, M, FORM)


def test_potatos_csv(tmp_path: Path) -> None:
    a, b = (i.id for i in M.items[:2])
    path = tmp_path / "annotations.csv"
    path.write_text(f"instance_id,user_id,toxicity.2,toxicity.5,helpfulness.1\n{a},P1,2,,1\n{b},P1,,5,\n")
    found = sheet.read(path, M, FORM)
    assert [(r.rater, r.item, r.dimension, r.value) for r in found.rows] == [
        ("P1", a, "toxicity", "2"),
        ("P1", a, "helpfulness", "1"),
        ("P1", b, "toxicity", "5"),
    ]
    assert "says nothing of raters" in found.notes[0]


@pytest.fixture
def back(tmp_path: Path) -> Path:
    shutil.copytree(DATA / "label_studio", tmp_path / "back")
    return tmp_path / "back"


def test_what_was_cancelled_does_not_count(back: Path) -> None:
    path = back / "block_01.json"
    content = json.loads(path.read_text())
    content[0]["annotations"][0]["was_cancelled"] = True
    path.write_text(json.dumps(content))
    all_of_it, found = (read_returned(p, M, FORM)[0] for p in (DATA / "label_studio", back))
    assert len(found.rows) == len(all_of_it.rows) - 2
    assert "block_01.json: 1 cancelled annotations left out" in found.notes


def test_without_users_raters_are_numbers(back: Path) -> None:
    (back / "users.json").unlink()
    found, _ = read_returned(back, M, FORM)
    assert all(row.rater.startswith("user ") for row in found.rows)
    assert any("no users.json" in note for note in found.notes)


def test_json_min_is_refused(back: Path) -> None:
    text = json.dumps([{"id": 1, "item_id": M.items[0].id, "toxicity": "agree", "annotator": 2}])
    (back / "block_01.json").write_text(text)
    with pytest.raises(PluralError, match=r"block_01.json: not an export of Label Studio 1.23 .* exportType=JSON"):
        read_returned(back, M, FORM)


def test_words_or_alias(back: Path) -> None:
    path = back / "block_01.json"
    path.write_text(path.read_text().replace('"choices": ["5"]', '"choices": ["strongly agree"]'))
    found, _ = read_returned(back, M, FORM)
    good = checked(found, M, FORM, "label_studio", Submissions(), KEY)
    assert {r["rating"] for r in good.ratings} <= {"1", "2", "3", "4", "5"}


def test_users_of_the_api() -> None:
    content = json.loads((DATA / "label_studio" / "users.json").read_text())
    users = label_studio.users_of([*content, content[-1]])  # which lists one twice now and then
    assert users is not None
    assert RATERS[0] in users.values()
    assert label_studio.users_of([{"id": 1}]) is None
