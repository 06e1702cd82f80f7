"""Every step of a recipe that meets what it did not expect: one line that names the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lm_plural.harness.data.apply import DO
from lm_plural.harness.data.steps import Step
from lm_plural.harness.errors import PluralError
from tests.data.small import done, said, small

HEAD = "item,rater,rating,group\n"
GOOD = HEAD + "a,x,1,woman\nb,x,2,woman\na,y,5,man\n"

#: One valid use of each step on the columns of GOOD.
USES: dict[str, dict[str, Any]] = {
    "split": {"columns": ["group"]},
    "explode": {"columns": ["group"]},
    "unpivot": {"columns": ["group"], "names": "n", "values": "v"},
    "literal": {"column": "group", "values": "v"},
    "recode": {"column": "group", "levels": {"woman": "w"}},
    "bin": {"column": "group", "edges": [1], "labels": ["low", "high"], "into": "v"},
    "one_hot": {"columns": {"group": "woman"}, "into": "v"},
    "pairs": {
        "columns": {"a": "group", "b": "item"},
        "chosen": "rating",
        "first": "v",
        "second": "w",
        "preferred": "u",
        "rule": "no choice",
    },
    "concat": {"columns": ["group"], "into": "v"},
    "digest": {"columns": ["group"], "into": "v"},
    "drop": {"rule": "men", "where": {"group": "man"}},
    "keep": {"rule": "men", "where": {"group": "woman"}},
    "join": {"table": "other", "by": ["group"], "columns": ["v"]},
    "once": {"columns": ["group"], "rule": "again"},
    "fill": {"into": "v", "value": "x"},
}


def use(name: str, old: str = "", new: str = "") -> dict[str, Any]:
    """Return the use of a step with one name replaced by another."""

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {renamed(k) if name in ("drop", "keep", "one_hot") else k: renamed(v) for k, v in value.items()}
        return [renamed(v) for v in value] if isinstance(value, list) else new if value == old else value

    return {name: renamed(USES[name])}


def test_every_step_is_done_and_tested() -> None:
    assert set(Step.model_fields) == {*DO, "join"} == set(USES)


@pytest.mark.parametrize("name", [n for n in USES if n not in ("fill", "join")])
def test_a_missing_column_is_named_with_the_file_and_a_suggestion(tmp_path: Path, name: str) -> None:
    line = said(small(tmp_path, GOOD, use(name, "group", "gruop")))
    assert line == "r.csv:1: no column 'gruop'; did you mean 'group'?; there are item, rater, rating, group"


@pytest.mark.parametrize(
    ("name", "made"),
    [(n, "v") for n in USES if n not in ("split", "explode", "drop", "keep", "once", "recode")]
    + [("unpivot", "n"), ("pairs", "w"), ("pairs", "u")],
)
@pytest.mark.parametrize("taken", ["item", "row", "_rule", "_fault"])
def test_a_new_column_that_is_there_is_refused(name: str, made: str, taken: str) -> None:
    row = {"item": "a", "rating": "a", "group": "[]" if name == "literal" else "1"}
    with pytest.raises(PluralError, match=f"'{taken}', which is there|column '{taken}' needs another name"):
        done([row], use(name, made, taken), other=[{"group": "1", "v": "x", "item": "x"}])


@pytest.mark.parametrize(
    "step",
    [
        {"unpivot": {"columns": ["a", "b"], "names": "n", "values": "n"}},
        {"literal": {"column": "a", "values": "n", "names": "n"}},
        {"literal": {"column": "a", "values": "a", "names": "a"}},
    ],
)
def test_two_new_columns_of_one_name_are_refused(step: dict[str, Any]) -> None:
    with pytest.raises(PluralError, match="which is there; expected another name"):
        done([{"a": "[1]", "b": "x"}], step)


@pytest.mark.parametrize("name", [n for n in USES if n not in ("explode", "once", "fill")])
def test_a_step_on_text_refuses_lists(name: str) -> None:
    with pytest.raises(PluralError, match=r"column 'group' holds List\(String\); expected text or numbers"):
        done([{"group": ["a"], "item": "x", "rating": "a"}], use(name), other=[{"group": "a", "v": "x"}])


def test_exploding_what_holds_no_lists_names_the_steps_that_make_them(tmp_path: Path) -> None:
    line = said(small(tmp_path, GOOD, use("explode")))
    assert line == "r.csv:1: column 'group' holds no lists; expected them (see the steps split and literal)"


BOTH = ["rating", "group"]


@pytest.mark.parametrize(
    ("cells", "steps", "expected"),
    [
        ("1,2|3", [{"split": {"columns": BOTH, "separator": "|"}}, {"explode": {"columns": BOTH}}],
         "lists of different lengths: rating 1, group 2"),
        ("(1),x", [{"literal": {"column": "rating", "values": "v"}}], "rating is no Python list or dict: (1)"),
        ("1,robot", [{"recode": {"column": "group", "levels": {"woman": "w", "man": "m"}}}],
         "unknown level 'robot' of group; expected one of woman, man"),
        ("1,nan", [{"bin": {"column": "group", "edges": [1], "labels": ["low", "high"]}}], "group 'nan' is no number"),
        ("1,7", [{"bin": {"column": "group", "edges": [1], "labels": ["low", "high"], "least": 0, "most": 5}}],
         "group '7' is no number from 0 to 5"),
        ("1,Yes", [{"one_hot": {"columns": {"group": "w"}, "into": "g"}}], "group 'Yes' is neither true nor false"),
        ("1,c", [{"pairs": USES["pairs"] | {"chosen": "group", "columns": {"a": "item", "b": "rater"}}}],
         "unknown choice 'c' of group; expected one of a, b"),
        ("{},x", [{"recode": {"column": "rating", "levels": {"{0}": "w"}}}],
         "unknown level '{}' of rating; expected one of {0}"),
    ],
)  # fmt: skip
def test_a_fault_stops_with_the_line_where_it_stands(
    tmp_path: Path, cells: str, steps: list[dict[str, Any]], expected: str
) -> None:
    good = {"split": "1,1", "literal": "[],1", "one_hot": "1,1", "bin": "1,1", "pairs": "1,a", "recode": "{0},woman"}
    first = next(iter(steps[0]))
    text = f"{HEAD}a,x,{good[first]}\n\nb,y,{cells}\n"
    assert said(small(tmp_path, text, *steps)).startswith(f"r.csv:4: {expected}")


@pytest.mark.parametrize("column", ["{}", "{0}", "a b", "größe", "%s", '"'])
def test_odd_column_names_are_columns_like_others(column: str) -> None:
    rows = [{column: "x", "b": "y"}]
    (row,) = done(rows, {"recode": {"column": column, "levels": {"{}": "z"}}}).rows(named=True)
    assert row["_fault"] == f"unknown level 'x' of {column}; expected one of {{}}"
    (row,) = done(rows, {"bin": {"column": column, "edges": [1], "labels": ["l", "h"]}}).rows(named=True)
    assert row["_fault"] == f"{column} 'x' is no number"


def test_a_fault_shows_the_beginning_of_a_huge_cell(tmp_path: Path) -> None:
    text = f"{HEAD}a,x,1,{'v' * 100_000}\n"
    assert len(said(small(tmp_path, text, {"recode": {"column": "group", "levels": {"w": "w"}}}))) < 200
    assert len(said(small(tmp_path, f"{HEAD}a,x,{'9' * 100_000},w\n"))) < 200
    many = {f"level {n}": "x" for n in range(500)}
    assert len(said(small(tmp_path, f"{HEAD}a,x,1,w\n", {"recode": {"column": "group", "levels": many}}))) < 600


def test_a_fault_in_a_row_that_a_rule_leaves_out_is_no_fault(tmp_path: Path) -> None:
    text = GOOD + "c,z,1,robot\n"
    drop = {"drop": {"rule": "robots", "where": {"group": "robot"}}}
    table = small(tmp_path, text, drop, {"recode": {"column": "group", "levels": {"woman": "w", "man": "m"}}}).table(
        "harm"
    )
    assert list(map(str, table.exclusions)) == ["1 ratings left out: robots"]


def test_a_fault_is_found_whatever_row_of_the_rater_it_is_in(tmp_path: Path) -> None:
    """The unknown level becomes empty, and so equals the empty cell above it."""
    recode = {"recode": {"column": "group", "levels": {"man": "m"}}}
    text = f"{HEAD}a,x,1,\n" + "".join(f"i{n},x,1,\n" for n in range(50)) + "b,x,1,robot\n"
    dataset = small(tmp_path, text, recode)
    with pytest.raises(PluralError, match=r"r.csv:53: unknown level 'robot' of group"):
        dataset._reader._read_raters()
    with pytest.raises(PluralError, match=r"r.csv:53: unknown level 'robot' of group"):
        dataset.items  # noqa: B018


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({}, "a step is one of split, explode"),
        ({"fill": {"into": "a", "value": 1}, "split": {"columns": ["a"]}}, "found 2"),
        ({"split": {"columns": []}}, "at least 1 item"),
        ({"split": {"columns": ["a", "a"]}}, "a stands twice"),
        ({"split": {"columns": ["a"], "separator": ""}}, "at least 1 character"),
        ({"bin": {"column": "a", "edges": [2, 1], "labels": ["x", "y", "z"]}}, "edges must increase"),
        ({"bin": {"column": "a", "edges": [2], "labels": ["x", "y"], "least": 3, "most": 1}}, "least 3 is above"),
        ({"bin": {"column": "a", "edges": [1], "labels": ["x"]}}, "expected 2 labels"),
        ({"bin": {"column": "a", "edges": [float("nan")], "labels": ["x", "y"]}}, "finite number"),
        ({"recode": {"column": "a", "levels": {True: "x"}}}, "YAML reads a key as true"),
        ({"recode": {"column": "a", "levels": {}, "other": "drop"}}, "expected keep, missing, error or =LEVEL"),
        ({"drop": {"rule": " ", "where": {"a": 1}}}, "must say something"),
        ({"drop": {"rule": "x", "where": {}}}, "at least 1 item"),
        ({"drop": {"rule": "x", "where": {"a": []}}}, "at least one cell"),
        ({"drop": {"rule": "x", "where": {"a": True}}}, "write it in quotes"),
        ({"fill": {"into": "a", "value": None}}, "valid string"),
        ({"explode": {"columns": ["a"], "postion": "x"}}, "Extra inputs"),
    ],
)  # fmt: skip
def test_a_step_that_says_something_impossible_is_refused(step: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as e:
        Step.model_validate(step)
    assert words in str(e.value)
