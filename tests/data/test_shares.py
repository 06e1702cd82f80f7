"""Reading shares of answers: what becomes of each trouble, and what a recipe may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.cli.main import main
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.files.scan import scan
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.errors import PluralError, UsageError
from tests.opinions import ITEMS, OPTIONS, SHARES, Opinions
from tests.suite import Suite, quick
from tests.task.json_schema import errors


@pytest.fixture
def opinions(tmp_path: Path) -> Opinions:
    return Opinions(tmp_path / "tasks")


def shares_of(loaded: Any) -> dict[tuple[str, str], list[float]]:
    rows = loaded.shares.cells.select("item_id", "group", "shares").iter_rows()
    return {(item, group): [round(v, 9) for v in shares] for item, group, shares in rows}


def test_shares_stand_in_the_order_of_the_options(opinions: Opinions) -> None:
    loaded = opinions.load()
    found = shares_of(loaded)
    assert found["q1", "There"] == [0.1, 0.2, 0.7]
    assert found["q4", "Here"] == [1, 0], "nobody chose what has no row"
    assert ("q3", "There") not in found
    assert loaded.shares.groups("country") == {"Here": {"q1", "q2", "q3", "q4"}, "There": {"q1", "q2", "q4"}}
    places = dict(loaded.shares.options.select("item_id", "positions").iter_rows())
    assert places["q3"] == [1, 2, 1.5]
    assert places["q4"] == [None, None]
    assert loaded.notes == [
        f"{name}.csv: no checksum is known for this file" for name in ("items", "options", "shares")
    ]


def test_each_item_is_asked_with_its_own_options(opinions: Opinions) -> None:
    loaded = opinions.load()
    docs = loaded.docs()
    assert [d.id for d in docs] == ["q1", "q2", "q3", "q4"]
    assert [loaded.scale_of(d).labels for d in docs[:2]] == [("yes", "maybe", "no"), ("yes", "no")]
    assert docs[0].fields["options"] == '["yes", "maybe", "no"]'


def test_a_filter_leaves_out_options_and_the_others_sum_to_1(opinions: Opinions) -> None:
    opinions.task["filters"] = {"no_maybe": True}
    loaded = opinions.load()
    found = shares_of(loaded)
    assert found["q1", "Here"] == pytest.approx([2 / 3, 1 / 3])
    assert found["q1", "There"] == pytest.approx([1 / 8, 7 / 8])
    assert loaded.notes[0] == "1 option left out: filter no_maybe"
    assert loaded.scale_of(loaded.docs()[0]).labels == ("yes", "no")
    plain = Opinions(opinions.root).load()
    assert plain.hash != loaded.hash
    assert plain.docs()[0].fields != loaded.docs()[0].fields, "other options are another question"


@pytest.mark.parametrize(
    ("file", "more", "expected"),
    [
        ("shares", "q1,country,Here,a,0.5\n", "shares.csv:18: a second share of 'q1', 'country', 'Here', 'a'"),
        ("shares", "q2,country,New,a,-1\n", "shares.csv:18: share '-1'; expected a number from 0 on"),
        ("shares", "q2,country,New,a,half\n", "shares.csv:18: share 'half'; expected a number from 0 on"),
        ("shares", "q2,country,New,a,inf\n", "shares.csv:18: share 'inf'; expected a number from 0 on"),
        ("shares", "q2,country,New,a,nan\n", "shares.csv:18: share 'nan'; expected a number from 0 on"),
        ("shares", "q2,,New,a,1\n", "shares.csv:18: no axis; expected one in every row"),
        ("shares", ",country,New,a,1\n", "shares.csv:18: no item; expected one in every row"),
        ("shares", "q2,country,New,,1\n", "shares.csv:18: no option; expected one in every row"),
        ("options", "q1,a,yes,4\n", "options.csv:12: a second option of 'q1', 'a'; expected one"),
        ("options", "q1,d,yes,far\n", "options.csv:12: position 'far' in column 'place'; expected a number"),
        ("options", ",d,yes,1\n", "options.csv:12: no item; expected one in every row"),
    ],
)
def test_a_fault_is_one_line_with_its_place(opinions: Opinions, file: str, more: str, expected: str) -> None:
    setattr(opinions, file, getattr(opinions, file) + more)
    (found,) = opinions.findings()
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("file", "text", "note", "left"),
    [
        ("shares", SHARES + "q9,country,Here,a,1\n", "1 (item, group) pair left out: of an item that is not asked", 7),
        ("shares", SHARES + "q2,country,New,a,0.5\n", "1 (item, group) pair left out: shares that do not sum to", 7),
        ("shares", SHARES + "q2,country,New,a,0\n", "1 (item, group) pair left out: shares that do not sum to", 7),
        ("shares", SHARES + "q2,country,New,a,\n", "1 (item, group) pair left out: shares that do not sum to", 7),
        ("shares", SHARES + "q2,country,Here,z,0.01\n", "1 share left out: of an answer that is no option ('z')", 7),
        ("options", OPTIONS.replace("q2,b,no,2\n", ""), "1 item left out: fewer than 2 options are left", 5),
        ("options", OPTIONS.replace("q2,b,no", "q2,b,"), "1 item left out: an option without words", 5),
        (
            "options",
            OPTIONS + "".join(f"q2,x{n},word {n},\n" for n in range(25)),
            "1 item left out: more than 26 options, which letters cannot name",
            5,
        ),
    ],
)
def test_what_is_left_out_is_counted(opinions: Opinions, file: str, text: str, note: str, left: int) -> None:
    setattr(opinions, file, text)
    loaded = opinions.load()
    assert loaded.notes[0].startswith(note)
    assert len(loaded.shares.cells) == left


def test_rounded_shares_are_made_to_sum_to_1(opinions: Opinions) -> None:
    opinions.shares = SHARES.replace("q2,country,Here,a,0.8", "q2,country,Here,a,0.77")
    assert shares_of(opinions.load())["q2", "Here"] == pytest.approx([0.77 / 0.97, 0.2 / 0.97])


def test_an_empty_group_is_undeclared(opinions: Opinions) -> None:
    opinions.shares = SHARES.replace("There", "")
    assert set(opinions.load().shares.groups("country")) == {"Here", "undeclared"}


def test_items_without_shares_are_counted(opinions: Opinions) -> None:
    opinions.items = ITEMS + "q5,INVENTED question 5\n"
    loaded = opinions.load()
    assert loaded.notes[0] == "1 of 5 items left out: no shares of answers"
    assert len(loaded.docs()) == 4


def test_nothing_left_is_an_error_with_the_reasons(opinions: Opinions) -> None:
    opinions.shares = "item,axis,group,option,share\nq1,country,Here,a,0.1\n"
    (found,) = opinions.findings()
    assert found.endswith("no shares are left: 1 (item, group) pair left out: shares that do not sum to 0.95 to 1.05")


def test_of_counts_the_number_of_answers_is_known_and_levels_that_were_folded_add_up(opinions: Opinions) -> None:
    opinions.recipe["shares"]["counts"] = True
    opinions.shares = "item,axis,group,option,share\nq2,sex,man,a,3\nq2,sex,man,b,1\nq2,sex,man,a,4\nq1,sex,man,c,2\n"
    opinions.shares += "q1,sex,woman,a,0\n"
    loaded = opinions.load()
    assert shares_of(loaded) == {("q2", "man"): [7 / 8, 1 / 8], ("q1", "man"): [0, 0, 1]}
    assert dict(loaded.shares.cells.select("item_id", "answers").iter_rows()) == {"q2": 8, "q1": 2}
    assert loaded.notes[0] == "1 (item, group) pair left out: no answer to an option that is kept"
    few, lost = loaded.shares.answered(5)
    assert (few.cells["item_id"].to_list(), lost) == (["q2"], 1)
    assert loaded.shares.answered(2)[1] == 0


@pytest.mark.parametrize(
    ("place", "value", "line", "expected"),
    [
        (["file"], "share", "file: share", "shares.file: no file 'share'; did you mean 'shares'?"),
        (
            ["options", "file"],
            "option",
            "file: option",
            "shares.options.file: no file 'option'; did you mean 'options'?",
        ),
        (["option"], None, "shares:", "missing key 'shares.option'"),
        (["optoin"], "x", "optoin", "unknown key 'shares.optoin'; did you mean 'option'"),
        (["options", "lable"], "x", "lable", "unknown key 'shares.options.lable'; did you mean 'label'?"),
        (["counts"], "perhaps", "counts", "shares.counts: "),
    ],
)
def test_a_wrong_recipe_is_one_finding(
    opinions: Opinions, place: list[str], value: str | None, line: str, expected: str
) -> None:
    *parents, last = place
    spec = opinions.recipe["shares"]
    for part in parents:
        spec = spec[part]
    spec[last] = value
    if value is None:
        del spec[last]
    (found,) = opinions.findings()
    where = 1 + opinions.recipe_lines().index("shares:") if value is None else opinions.line(line, "dataset")
    assert found.startswith(f"dataset.yaml:{where}: {expected}")


def test_a_column_that_is_not_there_is_named(opinions: Opinions) -> None:
    opinions.recipe["shares"]["share"] = "chare"
    assert opinions.findings() == [
        "shares.csv:1: no column 'chare'; did you mean 'share'?; there are item, axis, group, option, share"
    ]


def test_a_recipe_has_ratings_or_shares_not_both(opinions: Opinions) -> None:
    opinions.recipe["scales"] = {"s": {"levels": [1, 2], "direction": "lower"}}
    opinions.recipe["raters"] = {"file": "items", "id": "item", "axes": {}}
    found = opinions.findings()
    assert [f.split(": ", 1)[1] for f in found] == [
        f"{key}: shares of answers have none; expected one or the other" for key in ("scales", "raters")
    ]


def test_a_recipe_of_neither_lacks_all_three(opinions: Opinions) -> None:
    del opinions.recipe["shares"]
    assert opinions.findings() == [f"dataset.yaml:1: missing key '{key}'" for key in ("scales", "raters", "ratings")]


def test_a_misspelt_key_of_raters_is_still_suggested(suite: Suite) -> None:
    suite.recipe["raters"]["seperator"] = "|"
    suite.recipe["ratters"] = {}
    found = suite.findings()
    assert any("unknown key 'raters.seperator'; did you mean 'separator'?" in f for f in found)
    assert any("unknown key 'ratters'; did you mean 'raters'" in f for f in found)


def test_who_asks_for_raters_is_told_that_there_are_none(opinions: Opinions) -> None:
    opinions.write()
    dataset = Dataset(load_recipe(opinions.folder / "dataset.yaml"), opinions.folder)
    for ask in (lambda: dataset.recipe.raters, lambda: dataset.recipe.ratings, lambda: dataset.table("opinion")):
        with pytest.raises(UsageError, match="'opinions' has no raters: it publishes shares of answers by group"):
            ask()


def test_who_asks_for_shares_of_ratings_is_told_so(suite: Suite) -> None:
    dataset = suite.load().dataset
    with pytest.raises(UsageError, match="'tiny' has ratings, not shares of answers by group"):
        _ = dataset.shares


@pytest.mark.parametrize(
    ("key", "value", "line", "expected"),
    [
        ("doc_to_choice", ["a", "b"], "doc_to_choice", "every item has options of its own; expected none for all"),
        (
            "elicitation",
            {"codings": ["letters", "words"]},
            "elicitation",
            "every item has options of its own; expected",
        ),
        ("reference", "majority", "reference", "needs raters; with shares of answers, expected reference: all"),
        ("weights", "pairs", "weights", "needs raters; with shares of answers, expected weights: items"),
        ("coarsen", {"levels": 3}, "coarsen", "needs raters; with shares of answers, expected coarsen: nothing"),
        (
            "dimension",
            "opinoin",
            "dimension",
            "data set 'opinions' has no shares on 'opinoin'; did you mean 'opinion'?",
        ),
        ("groups", {"axes": ["contry"]}, "- contry", "no axis 'contry'; did you mean 'country'?; there are country"),
        (
            "groups",
            {"axes": [["country", "axis"]]},
            "- - country",
            "axis 'country & axis': shares are published axis by",
        ),
        ("steer", "contry", "steer", "no axis 'contry'; did you mean 'country'?"),
        ("steer", {"axis": "country", "groups": ["Theer"]}, "- Theer", "no group 'Theer' of 'country'; did you mean"),
        ("doc_to_text", "{{ questoin }}", "doc_to_text", "template: no field 'questoin'; did you mean 'question'?"),
        (
            "filters",
            {"no_mabe": True},
            "filters",
            "data set 'opinions' has no filter 'no_mabe'; did you mean 'no_maybe'?",
        ),
    ],
)
def test_a_task_that_does_not_fit_is_one_finding(
    opinions: Opinions, key: str, value: Any, line: str, expected: str
) -> None:
    opinions.task[key] = value
    (found,) = opinions.findings()
    assert found.startswith(f"opinion.yaml:{opinions.line(line)}: ")
    assert expected in found


def test_nobody_rated_a_response(opinions: Opinions) -> None:
    opinions.task |= {"mode": "respond", "doc_to_text": "{{ question }}", "scorers": ["profanity"]}
    for key in ("elicitation", "target_delimiter"):
        opinions.task.pop(key)
    (found,) = opinions.findings()
    assert found == f"opinion.yaml:{opinions.line('mode')}: without raters nobody rated a response; expected mode: rate"


def test_lists_of_different_length_are_left_out_by_a_rule_of_the_recipe(opinions: Opinions) -> None:
    cells = "item,axis,group,options,shares\nq2,country,Here,a;b,0.5;0.5\nq2,country,There,a;b,1\nq2,country,New,a;b,\n"
    step = {"explode": {"columns": ["options", "shares"]}}
    opinions.shares = cells
    opinions.recipe["tables"] = {
        "long": {"file": "shares", "steps": [{"split": {"columns": ["options", "shares"], "separator": ";"}}, step]}
    }
    opinions.recipe["shares"] |= {"file": "long", "option": "options", "share": "shares"}
    (found,) = opinions.findings()
    assert found.startswith("shares.csv:3: lists of different lengths: options 2, shares 1")
    step["explode"]["uneven"] = "as many shares as options are needed"
    loaded = opinions.load()
    assert shares_of(loaded) == {("q2", "Here"): [0.5, 0.5]}
    assert loaded.notes[0] == "2 (item, group) pairs left out: as many shares as options are needed"


@quick
@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3),
        st.dictionaries(st.text("xyz", min_size=1, max_size=2), st.integers(0, 9), max_size=3),
        max_size=4,
    )
)
def test_values_at_the_bottom_of_mappings_become_rows(tmp_path_factory: pytest.TempPathFactory, content: dict) -> None:
    path = tmp_path_factory.getbasetemp() / "nested.json"
    path.write_text(json.dumps({**content, "text": "ends too early"}))
    expected = [(a, b, str(v)) for a, inner in content.items() for b, v in inner.items()]
    if not expected:
        with pytest.raises(PluralError, match="expected a list or mapping of records"):
            scan(path, key=["outer", "inner"])
        return
    frame = scan(path, key=["outer", "inner"]).collect()
    assert frame.select("outer", "inner", "value").rows() == expected


def test_the_schema_for_editors_takes_either_kind(
    opinions: Opinions, suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", "dataset"]) == 0
    top = json.loads(capsys.readouterr().out)
    suite.write()
    for recipe in (opinions.recipe, suite.recipe):
        assert not list(errors(recipe, top, top))
    for recipe, key in ((opinions.recipe, "shares"), (suite.recipe, "ratings")):
        assert list(errors({k: v for k, v in recipe.items() if k != key}, top, top))
