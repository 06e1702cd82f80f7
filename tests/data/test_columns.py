"""Errors call columns what the user's file calls them, whatever they are to us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lm_plural as lp
from lm_plural.harness.cli.main import main
from tests.opinions import Opinions
from tests.suite import Suite

Capture = pytest.CaptureFixture[str]
OURS = {"item_id": "qid", "rater_id": "annotator", "rating": "score", "weight": "importance"}
HEAD = "qid,annotator,score,importance,sex,Body text\n"
GOOD = HEAD + "".join(
    f"q{i},a{r},{(i * r) % 3 + 1},1,{'fm'[r % 2]},Text number {i}\n" for i in (1, 2, 3) for r in (1, 2)
)
#: A line more, what else is said, what is answered; the line is the eighth.
LINES: list[tuple[str, dict[str, Any], str]] = [
    (",a1,2,1,f,x", {}, "no item in column 'qid'; expected one in every row"),
    ("q9,,2,1,f,x", {}, "no rater in column 'annotator'; expected one in every row"),
    ("q9,a1,7,1,f,x", {}, "rating '7' of score is not on its scale; expected one of 1, 2, 3"),
    ("q9,a1,,1,f,x", {"missing": "error"}, "no rating for score; expected one of its levels"),
    ("q1,a1,1,1,f,Text number 1", {}, "a second rating of item 'q1' by rater 'a1' on score; expected one"),
    ("q9,a1,1,-1,f,x", {}, "weight '-1' in column 'importance'; expected a number from 0 on"),
    ("q9,a1,1,,f,x", {}, "weight '' in column 'importance'; expected a number from 0 on"),
]
#: A person's own rater who is a woman and a man: of the axis it is said, too.
PROFILES = "rater 'a1' has two profiles (sex: m and f); expected one"


def refused(capsys: Capture, *words: object) -> str:
    """Return the one line that a command answers."""
    assert main(list(map(str, words))) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    return line.partition("error: ")[2]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("f.csv")


@pytest.mark.parametrize(("line", "rules", "expected"), LINES)
def test_of_a_file(file: Path, capsys: Capture, line: str, rules: dict[str, str], expected: str) -> None:
    file.write_text(f"{GOOD}{line}\n")
    flags = [word for rule, choice in rules.items() for word in (f"--{rule}", choice)]
    words = ["--columns", *(f"{ours}={theirs}" for ours, theirs in OURS.items()), "--scale", "1,2,3", *flags]
    assert refused(capsys, "disaggregate", "--ratings", file, *words) == f"f.csv:8: {expected}"


@pytest.mark.parametrize(("line", "rules", "expected"), LINES)
def test_of_a_frame(line: str, rules: dict[str, Any], expected: str) -> None:
    frame = pl.read_csv(f"{GOOD}{line}\n".encode(), infer_schema=False)
    with pytest.raises(lp.PluralError) as caught:
        lp.disaggregate(frame, scale=[1, 2, 3], columns=OURS, **rules)
    assert str(caught.value) == f"ratings: row 7: {expected}"


@pytest.mark.parametrize(
    ("columns", "axes", "expected"),
    [
        ({"item_id": "quid"}, "sex", "no column 'quid'; did you mean 'qid'?; there are qid, annotator, score"),
        ({}, "sx", "no column 'sx'; did you mean 'sex'?; there are qid, annotator, score"),
        ({"weight": "wt"}, "sex", "no column 'wt'; there are qid, annotator, score"),
    ],
)
def test_a_column_that_is_not_there(
    file: Path, capsys: Capture, columns: dict[str, str], axes: str, expected: str
) -> None:
    file.write_text(GOOD)
    words = [f"{ours}={theirs}" for ours, theirs in (OURS | columns).items()]
    line = refused(capsys, "disaggregate", "--ratings", file, "--scale", "1,2,3", "--axes", axes, "--columns", *words)
    assert line.startswith(f"f.csv:1: {expected}")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (",a1,2,1,f,x", "an item without qid"),
        ("q9,,2,1,f,x", "no rater in column 'annotator'"),
        ("q9,a1,7,1,m,x", "rating '7' of rudeness in column 'score' is not on its scale; expected one of 1, 2, 3"),
        ("q1,a9,1,1,m,Another", "item 'q1' stands twice with different fields (Body text); expected the same"),
        ("q9,a1,1,1,f,x", PROFILES),
    ],
)
def test_of_a_file_that_is_imported(file: Path, capsys: Capture, line: str, expected: str) -> None:
    file.write_text(f"{GOOD}{line}\n")
    roles = ["item_id=qid", "rater_id=annotator", "rating=score", "text=Body text"]
    words = ["--axes", "sex", "--direction", "lower", "--scale", "1,2,3", "--dimension", "rudeness", "--to", "to"]
    assert refused(capsys, "data", "import", file, *words, "--columns", *roles) == f"f.csv:8: {expected}"


@pytest.mark.parametrize(("name", "expected"), [("rater_id", "rater_id: an axis"), ("row", "'row'")])
def test_an_axis_whose_name_is_taken(file: Path, capsys: Capture, name: str, expected: str) -> None:
    file.write_text(GOOD.replace("sex", name))
    roles = ["item_id=qid", "rater_id=annotator", "rating=score", "text=Body text"]
    line = refused(capsys, "data", "import", file, "--axes", name, "--direction", "lower", "--columns", *roles)
    assert line == f"f.csv:1: column {expected} needs another name"


def foreign(suite: Suite) -> Suite:
    """Return a data set with other columns than a recipe has keys for."""
    suite.raters = suite.raters.replace("rater_id,gender", "who,sex")
    suite.ratings = "qid,who,Q3,importance,kind\n" + "".join(f"i{i},r1,1,1,bad\n" for i in range(1, 5))
    suite.recipe["raters"] |= {"id": "who", "axes": {"gender": "sex"}}
    suite.recipe["ratings"] |= {
        "item": "qid", "rater": "who", "weight": "importance", "scale_column": "kind",
        "dimensions": {"harm": {"column": "Q3", "scale": "bad"}},
    }  # fmt: skip
    suite.task["groups"]["axes"] = ["gender"]
    return suite


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (",r1,1,1,bad", "no item in column 'qid'"),
        ("i1,,1,1,bad", "no rater in column 'who'"),
        ("i9,r2,1,1,bad", "unknown item 'i9' in column 'qid'; expected an id of the items file"),
        ("i1,r9,1,1,bad", "unknown rater 'r9' in column 'who'; expected an id of the raters file"),
        ("i1,r2,9,1,bad", "rating '9' of harm in column 'Q3' is not on its scale; expected one of 1, 2, 3, 4, 5"),
        ("i1,r2,,1,bad", "no rating for harm in column 'Q3'; expected one of its levels"),
        ("i1,r2,1,x,bad", "weight 'x' in column 'importance'; expected a number from 0 on"),
        ("i1,r2,1,1,god", "unknown scale in column 'kind'; there are bad, found 'god'"),
    ],
)
def test_of_a_recipe(suite: Suite, line: str, expected: str) -> None:
    foreign(suite).ratings += f"{line}\n"
    suite.recipe["rules"] = {"missing": "error"}
    assert suite.findings() == [f"ratings.csv:6: {expected}"]


def test_of_the_profiles_of_a_recipe(suite: Suite) -> None:
    foreign(suite).raters += "r1,man,black\n"
    expected = "rater 'r1' has two profiles (gender in column 'sex': woman and man); expected one"
    assert suite.findings() == [f"raters.csv:6: {expected}"]


def test_of_the_fields_of_a_recipe(suite: Suite) -> None:
    suite.items.append(suite.items[0] | {"lang": "de", "text": "other"})
    expected = "item 'i1' stands twice with different fields (text, lang); expected the same"
    assert suite.findings() == [f"items.jsonl:5: {expected}"]


def renamed(opinions: Opinions) -> None:
    opinions.shares = opinions.shares.replace("item,axis,group,option,share", "qid,about,who,answer,percent")
    opinions.options = opinions.options.replace("item,option,label,place", "qid,answer,words,rank")
    spec = opinions.recipe["shares"]
    spec |= {"item": "qid", "axis": "about", "group": "who", "option": "answer", "share": "percent"}
    spec["options"] |= {"item": "qid", "option": "answer", "label": "words", "position": "rank"}


@pytest.mark.parametrize(
    ("add", "expected"),
    [
        (("shares", ",country,Here,a,1"), "shares.csv:18: no item in column 'qid'; expected one in every row"),
        (("shares", "q2,,Here,a,1"), "shares.csv:18: no axis in column 'about'; expected one in every row"),
        (("shares", "q2,country,Here,,1"), "shares.csv:18: no option in column 'answer'; expected one in every row"),
        (
            ("shares", "q2,country,New,a,half"),
            "shares.csv:18: share 'half' in column 'percent'; expected a number from",
        ),
        (("options", ",d,yes,1"), "options.csv:12: no item in column 'qid'; expected one in every row"),
        (("options", "q1,,yes,1"), "options.csv:12: no option in column 'answer'; expected one in every row"),
        (("options", "q1,d,yes,far"), "options.csv:12: position 'far' in column 'rank'; expected a number"),
    ],
)
def test_of_shares(tmp_path: Path, add: tuple[str, str], expected: str) -> None:
    opinions = Opinions(tmp_path / "tasks")
    renamed(opinions)
    file, line = add
    setattr(opinions, file, f"{getattr(opinions, file)}{line}\n")
    (found,) = opinions.findings()
    assert found.startswith(expected)


#: What a Python user may get wrong, and what the answer calls it: never a flag of the command line.
CALLS: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (lp.evaluate, {"model": "hf"}, "model hf needs model_args pretrained="),
    (
        lp.evaluate,
        {"model_args": {"pretrained": "smollm2-demo"}, "device": "quantum"},
        "device quantum: no such device",
    ),
    (lp.evaluate, {"model_args": {"pretrained": "smollm2-demo"}, "device": "cuda:99"}, "device cuda:99: not on this"),
    (
        lp.evaluate,
        {"model_args": {"pretrained": "smollm2-demo", "steer_path": "x.pt"}},
        "steer_path=x.pt: a pickle, which can run code; give a .csv, or trust_remote_code",
    ),
    (lp.evaluate, {"model": "dummy", "include_path": ["/none"]}, "include_path /none: no such folder"),
    (lp.audit, {"scorer": "profanity"}, "text, for this task one of prompt, response"),
    (
        lp.audit,
        {
            "scorer": "evaluate",
            "scorer_options": {"measurement": "x", "dimension": "y", "range": [0, 1]},
            "text": "response",
        },
        "allow that by trust_remote_code",
    ),
]


@pytest.mark.parametrize(("call", "told", "expected"), CALLS)
def test_python_is_told_of_arguments_not_of_flags(
    call: Callable[..., Any], told: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(lp.PluralError) as caught:
        call(tasks="plural_demo_toxicity", output_path=tmp_path, limit=2, **told)
    assert expected in str(caught.value)
    assert "--" not in str(caught.value)
