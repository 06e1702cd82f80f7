"""``lm-plural data import``: any file of ratings becomes a task that runs, or one line says what is missing."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from lm_plural.harness.cli.main import main
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.task.template import render

HEAD = "item_id,rater_id,rating,text,gender\n"
ROWS = "".join(
    f"i{i},r{r},{(i * r) % 5 + 1},This is the text number {i} of all,{'woman' if r % 2 else 'man'}\n"
    for i in range(6)
    for r in range(12)
)
GOOD = HEAD + ROWS


class Import:
    """Imports a file; the folders are in a place of its own."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.to, self.capsys = root, root / "to", capsys

    def __call__(self, content: str | bytes | None, *words: str, name: str = "my.csv", code: int = 0) -> list[str]:
        """Return the lines of stdout, or the one of stderr."""
        if content is not None:
            (self.root / name).write_bytes(content.encode() if isinstance(content, str) else content)
        before = sorted(self.root.rglob("*"))
        assert main(["data", "import", str(self.root / name), "--to", str(self.to), *words]) == code
        out, err = self.capsys.readouterr()
        if not code:
            assert err == ""
            return out.splitlines()
        assert sorted(self.root.rglob("*")) == before, "something was left behind"
        assert out == ""
        (line,) = err.splitlines()
        assert len(line) < 1000
        return [line.removeprefix("lm-plural data: error: ").replace(f"{self.root}/", "")]

    def refused(self, content: str | bytes | None, *words: str, name: str = "my.csv", code: int = 1) -> str:
        return self(content, *words, name=name, code=code)[0]

    def recipe(self, name: str = "my") -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((self.to / name / "dataset.yaml").read_text())
        return found

    def table(self, name: str = "my", dimension: str = "rating") -> Any:
        path = self.to / name / "dataset.yaml"
        return Dataset(load_recipe(path), path.parent).table(dimension)

    def valid(self, name: str = "my", dimension: str = "rating") -> dict[str, Any]:
        """Return the task, after checking that it is valid."""
        path = self.to / name / f"{dimension}.yaml"
        assert main(["validate", str(path), "--include_path", str(self.to)]) == 0, self.capsys.readouterr()
        self.capsys.readouterr()
        found: dict[str, Any] = yaml.safe_load(path.read_text())
        return found


@pytest.fixture
def bring(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return Import(tmp_path, capsys)


LOWER = ("--direction", "lower")


def test_a_file_becomes_a_task_that_runs(bring: Import) -> None:
    out = bring(GOOD, *LOWER, "--licence", "CC0", "--citation", "Me (2026)", "--question", "How rude is it?")
    assert out == [
        "72 ratings of 6 items by 12 raters",
        "columns: item_id=item_id rater_id=rater_id rating=rating text=text",
        "levels: 1, 2, 3, 4, 5; lower is better",
        "axes: gender",
        "asked of a model: 'How rude is it?' with bare levels; --question and --labels say it in words",
        f"written to {bring.to}/my; next: lm-plural run --tasks my_rating --include_path {bring.to} ...",
    ]
    assert sorted(p.name for p in (bring.to / "my").iterdir()) == ["README.md", "dataset.yaml", "my.csv", "rating.yaml"]
    recipe = bring.recipe()
    assert (recipe["licence"], recipe["citation"]) == ("CC0", "Me (2026)")
    assert recipe["scales"] == {"rating": {"levels": list("12345"), "direction": "lower"}}
    assert "Survey. How rude is it?" in bring.valid()["doc_to_text"]
    words = ["--tasks", "my_rating", "--include_path", str(bring.to), "--output_path", str(bring.root / "out")]
    assert main(["run", "--model", "dummy", "--tables", *words]) == 0
    out = bring.capsys.readouterr().out
    assert "my_rating (rate)" in out
    assert "woman" in out
    assert main(["data", "show", "my", "--include_path", str(bring.to)]) == 0
    assert "72 ratings of 6 items by 12 raters" in bring.capsys.readouterr().out


def parquet(text: str) -> bytes:
    out = io.BytesIO()
    pl.read_csv(io.StringIO(text)).write_parquet(out)
    return out.getvalue()


def json_lines(text: str) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in pl.read_csv(io.StringIO(text)).iter_rows(named=True)).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("my.csv", "\ufeff" + GOOD),
        ("my.csv", GOOD.replace("\n", "\r\n")),
        ("my.csv", GOOD[:-1]),
        ("my.csv", GOOD.replace("i1,", '"i1\n",')),
        ("my.tsv", GOOD.replace(",", "\t")),
        ("my.csv.gz", gzip.compress(GOOD.encode(), mtime=0)),
        ("my.jsonl", json_lines(GOOD)),
        ("my.json", json.dumps([json.loads(line) for line in json_lines(GOOD).splitlines()])),
        ("my.parquet", parquet(GOOD)),
        ("my", GOOD),
        ("MY.CSV", GOOD),
    ],
)
def test_every_kind_of_file_gives_the_same_ratings(bring: Import, name: str, content: str | bytes) -> None:
    assert bring(content, *LOWER, name=name)[0] == "72 ratings of 6 items by 12 raters"
    table = bring.table()
    assert table.group_sizes("gender") == {"woman": 6, "man": 6}
    assert table.ratings["level"].sum() == sum((i * r) % 5 for i in range(6) for r in range(12))
    bring.valid()


def test_odd_column_names(bring: Import) -> None:
    head = "Item ID,{{worker}},a: b,Kommentar des Nutzers,Geschlecht (ä) 性别\n"
    columns = ("--columns", "rater_id={{worker}}", "rating=a: b", "--dimension", "Rude?")
    assert bring(head + ROWS, *LOWER, *columns, "--dataset", "My Data!")[3] == "axes: Geschlecht (ä) 性别"
    task = bring.valid("my_data", "rude")
    assert task["task"] == "my_data_rude"
    assert "{{ item_text }}" in task["doc_to_text"]
    path = bring.to / "my_data" / "dataset.yaml"
    items = Dataset(load_recipe(path), path.parent).items
    assert items.row(0) == ("i0", "This is the text number 0 of all")


@pytest.mark.parametrize("name", ["labels", "options", "in", "none", "a,b", "item_text", "text", "<<", "=", "yes", "1"])
def test_a_text_column_of_any_name_can_be_asked_about(bring: Import, name: str) -> None:
    content = GOOD.replace("text,gender", f'"{name}",gender')
    bring(content, *LOWER, "--columns", f"text={name}")
    bring.valid()


def test_several_values_in_a_cell(bring: Import) -> None:
    bring(GOOD.replace(",woman", ",woman|other").replace(",man", ",man|other"), *LOWER)
    assert bring.recipe()["raters"]["separator"] == "|"
    assert bring.table().group_sizes("gender") == {"woman": 6, "man": 6, "other": 12}
    bring.to.rename(bring.root / "first")
    bring(GOOD.replace(",woman", ",woman;other"), *LOWER, "--separator", ";")
    assert bring.table().group_sizes("gender") == {"woman": 6, "other": 6, "man": 6}


def test_words_are_levels_once_their_order_is_known(bring: Import) -> None:
    words = {"1": "low", "2": "mid", "3": "high", "4": "high", "5": "highest"}
    content = HEAD + "".join(
        ",".join([*cells[:2], words[cells[2]], *cells[3:]]) + "\n"
        for cells in (r.split(",") for r in ROWS.split("\n")[:-1])
    )
    line = bring.refused(content, *LOWER, code=2)
    assert line.endswith("give --scale (levels of rating, lowest first (high, highest, low, mid))")
    bring(content, *LOWER, "--scale", "low, mid,high ,highest", "--labels", "fine,so so,bad,very bad")
    scale = bring.recipe()["scales"]["rating"]
    assert scale == {
        "levels": ["low", "mid", "high", "highest"],
        "direction": "lower",
        "labels": ["fine", "so so", "bad", "very bad"],
    }
    assert bring.valid()["elicitation"] == {"codings": ["letters"]}, "high begins highest"


def test_yes_and_no_stay_words(bring: Import) -> None:
    content = GOOD.replace(",1,", ",no,").replace(",3,", ",no,").replace(",2,", ",yes,").replace(",4,", ",yes,")
    bring(content.replace(",5,", ",yes,"), *LOWER, "--scale", "no,yes")
    assert bring.recipe()["scales"]["rating"]["levels"] == ["no", "yes"]
    bring.valid()


def test_ten_levels_are_asked_by_letters(bring: Import) -> None:
    content = HEAD + "".join(
        f"i{i},r{r},{(i * r) % 10 + 1},The text number {i} of all,{'mw'[r % 2]}\n" for i in range(9) for r in range(12)
    )
    bring(content, "--direction", "higher")
    assert bring.valid()["elicitation"] == {"codings": ["letters"]}, "1 begins 10"


def test_missing_answers_as_programs_write_them(bring: Import) -> None:
    content = GOOD.replace("i1,r3,4,", "i1,r3,NA,").replace("i1,r4,5,", "i1,r4,nan,").replace("i1,r5,1,", "i1,r5,,")
    content = "".join(line.replace(",woman", ",NA") if ",r1," in line else line for line in content.splitlines(True))
    out = bring(content, *LOWER)
    assert out[4] == "read as no answer: NA, nan"
    assert out[5] == "3 ratings left out: no rating in the cell"
    assert bring.table().group_sizes("gender") == {"woman": 5, "man": 6, "undeclared": 1}
    bring.valid()


def test_a_rule_for_troublesome_rows_goes_into_the_recipe(bring: Import) -> None:
    again = GOOD + GOOD.splitlines()[1] + "\n"
    assert "a second rating of item" in bring(again, *LOWER, code=1)[0]
    out = bring(again, *LOWER, "--duplicates", "first")
    assert "1 ratings left out: repeated (item, rater, dimension), first kept" in out
    bring.valid()


def test_without_axes_there_is_a_recipe_but_no_task(bring: Import) -> None:
    content = "item_id,rater_id,rating,text\n" + "".join(
        ",".join(r.split(",")[:4]) + "\n" for r in ROWS.split("\n")[:-1]
    )
    out = bring(content, *LOWER)
    assert out[3] == "axes: none found, so there is no task: name columns with --axes"
    assert out[-1] == f"written to {bring.to}/my; next: lm-plural data show my --include_path {bring.to}"
    assert not (bring.to / "my" / "rating.yaml").exists()
    assert main(["data", "show", "my", "--include_path", str(bring.to)]) == 0


def test_one_rater_is_a_file_of_ratings_too(bring: Import) -> None:
    content = HEAD + "".join(f"i{i},r1,{i % 5 + 1},This is the text number {i},woman\n" for i in range(10))
    assert bring(content, *LOWER)[0] == "10 ratings of 10 items by 1 raters"
    bring.to.rename(bring.root / "first")
    bring(content, *LOWER, "--axes", "gender")
    assert bring.valid()["groups"] == {"axes": ["gender"], "min_raters": 1}


def test_a_question_is_asked_as_it_is_written(bring: Import) -> None:
    question = "Is {{ 7 * 7 }} rude?\n{% raw %} {# no #} {x}"
    bring(GOOD, *LOWER, "--question", question)
    bring.valid()
    prompt = yaml.safe_load((bring.to / "my" / "rating.yaml").read_text())["doc_to_text"]
    assert question in render(prompt, {"text": "x", "options": "(1)"})


NO_TABLE = "expected columns separated by commas (tabs in a .tsv), a row a line"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "my.csv: cannot read: empty CSV"),
        (HEAD, "my.csv: no ratings in column 'rating'"),
        (GOOD.replace(",", ";"), f"my.csv:1: found one column, 'item_id;rater_id;rating;text;gender'; {NO_TABLE}"),
        (
            GOOD.replace(",", "\t"),
            f"my.csv:1: found one column, 'item_id\\trater_id\\trating\\ttext\\tgender'; {NO_TABLE}",
        ),
        (GOOD.replace("\n", "\r"), "my.csv:1: cannot read: a carriage return inside a line; expected"),
        (
            "<html><body>not found</body></html>",
            f"my.csv:1: found one column, '<html><body>not found</body></html>'; {NO_TABLE}",
        ),
        (GOOD.encode("utf-16"), "my.csv:1: cannot read: it is UTF-16 text; expected UTF-8 text"),
        (GOOD.replace("number 3", "größe").encode("latin-1"), "my.csv:38: cannot read: invalid utf-8 sequence"),
        (GOOD.replace("gender", "gen\0der"), "my.csv:1: cannot read: a NUL; expected text"),
        (b"PK\x03\x04" + bytes(100), "my.csv: cannot read: it is a zip archive or spreadsheet; expected UTF-8 text"),
        (GOOD.replace("gender", "text"), "my.csv:1: column 'text' stands twice; expected once"),
        (
            GOOD + "i1,r1,2,This is the text number 1 of all,woman\n",
            "my.csv:74: a second rating of item 'i1' by rater 'r1'",
        ),
        (GOOD + "i9,r20,2,x,woman,1,2\n", "my.csv:74: cannot read: 7 cells; expected 5, one for each column"),
        (GOOD + ",r1,2,x,woman\n", "my.csv:74: an item without item_id"),
        (GOOD + "i9,,2,This is the text number 9 of all,\n", "my.csv:74: no rater in column 'rater_id'"),
    ],
    ids=range(15),
)
def test_a_file_that_is_no_table_of_ratings_is_one_line(bring: Import, content: str | bytes, expected: str) -> None:
    assert bring.refused(content, *LOWER).startswith(expected)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--axes", "gendr"], 2, "my.csv:1: no column 'gendr'; did you mean 'gender'?; there are item_id, rater_id"),
        (["--axes", "rater_id"], 2, "my.csv:1: column rater_id: an axis needs another name"),
        (["--columns", "rating=ratin"], 2, "my.csv:1: no column 'ratin'; did you mean 'rating' or 'rater_id'?"),
        (["--columns", "ratng=rating"], 2, "--columns ratng=rating: expected NAME=COLUMN, NAME one of item_id,"),
        (["--columns", "rating"], 2, "--columns rating: expected NAME=COLUMN, NAME one of item_id,"),
        (["--columns", "rating=rating", "rating=gender"], 2, "--columns rating=gender: rating is already rating"),
        (["--columns", "rating=item_id", "item_id=item_id"], 2, "column 'item_id' would be rating and item_id; "),
        (["--columns", "text=gender"], 1, "my.csv:3: item 'i0' stands twice with different fields"),
        (["--scale", "1,2,3"], 1, "my.csv:17: rating '4' of rating is not on its scale; expected one of 1, 2, 3"),
        (["--scale", "1"], 2, "--scale 1: expected the levels as the file spells them, lowest first, like 1,2,3,4,5"),
        (["--scale", "1,1.0,2,3,4,5"], 2, "scale ['1', '1', '2', '3', '4', '5']: at least two levels, all different"),
        (["--scale", ",,"], 2, "scale ['', '', '']: at least two levels, all different, none empty"),
        (["--labels", "a,b"], 2, "scale ['1', '2', '3', '4', '5']: 2 labels for 5 levels"),
        (["--direction", "up"], 2, "argument --direction: invalid choice: 'up'"),
        (["--licence", " "], 2, "licence: must say something, found ' '"),
        (["--dimension", "dataset"], 2, "my.csv, dataset.yaml: the recipe needs the name dataset.yaml"),
        (["--dataset", "x" * 300], 1, "to/xxxxx"),
        (["--dirction", "lower"], 2, "unknown option --dirction; did you mean '--direction'"),
        (["--to", "/proc/nowhere"], 1, "/proc/nowhere/my: cannot write: No such file or directory"),
        (["--to", "/dev/null"], 1, "/dev/null: cannot write: /dev/null is a file; expected a folder"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line(bring: Import, words: list[str], code: int, expected: str) -> None:
    assert bring.refused(GOOD, *LOWER, *words, code=code).startswith(expected)


@pytest.mark.parametrize("words", [["--columns", "rating=marks"], ["--axes", "marks"]])
def test_a_column_of_lists_is_refused(bring: Import, words: list[str]) -> None:
    content = b"".join(line[:-2] + b', "marks": ["1"]}\n' for line in json_lines(GOOD).splitlines(keepends=True))
    line = bring.refused(content, *LOWER, *words, name="my.jsonl")
    assert line == "my.jsonl:1: column 'marks' holds List(String); expected text or numbers"


def test_two_profiles_are_named_with_their_line(bring: Import) -> None:
    line = bring.refused(GOOD + "i9,r1,3,This is the text number 9 of all,man\n", *LOWER, "--axes", "gender")
    assert line == "my.csv:74: rater 'r1' has two profiles (gender: woman and man); expected one"


def test_a_huge_cell_is_not_repeated(bring: Import) -> None:
    assert bring(GOOD + f"i9,r20,3,{'x' * 2_000_000},woman\n", *LOWER)[0].startswith("73 ratings")
    bring.to.rename(bring.root / "first")
    wrong = GOOD + f"i9,r20,{'9' * 400_000},A text that is long enough,woman\n"
    bring.refused(wrong, *LOWER, code=2)
    bring.refused(wrong, *LOWER, "--scale", "1,2,3,4,5")


@pytest.mark.parametrize("make", [Path.mkdir, lambda p: p.symlink_to(p), lambda _: None, os.mkfifo])
def test_what_is_no_file_is_one_line(bring: Import, make: Callable[[Path], None]) -> None:
    make(bring.root / "my.csv")
    assert bring.refused(None, *LOWER).startswith("my.csv: cannot read: ")


@pytest.mark.parametrize("name", ["dataset.yaml", "README.md", "rating.yaml"])
def test_a_file_of_a_name_the_recipe_needs_is_refused(bring: Import, name: str) -> None:
    assert "choose another" in bring.refused(GOOD, *LOWER, name=name, code=2)


def test_a_folder_that_is_there_is_left_alone(bring: Import) -> None:
    bring(GOOD, *LOWER)
    assert bring.refused(GOOD, *LOWER, code=2) == "to/my: is there; choose another --dataset or --to, or remove it"
    bring(GOOD, *LOWER, "--dataset", "other")
    assert sorted(p.name for p in bring.to.iterdir()) == ["my", "other"]


def test_everything_that_is_missing_is_named_at_once(bring: Import) -> None:
    line = bring.refused("comment,who,level,body,sex\n" + ROWS, code=2)
    flags = [f"--columns {role}=" for role in ("item_id", "rater_id", "rating", "text")]
    for flag in (*flags, "--direction"):
        assert flag in line
    assert "[comment, who, level, body, sex]" in line
    words = ROWS.replace(",1,", ",low,")
    line = bring.refused("comment,rater,rating,body,sex\n" + words, code=2)
    for flag in ("--columns item_id=", "--columns text=", "--scale", "--direction"):
        assert flag in line
    assert "--columns rater_id=" not in line


def answer(words: list[str], answers: list[str]) -> tuple[int, str]:
    """Run on a terminal, answer each question, and return the exit code and what was shown."""
    main_end, end = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "lm_plural", *words], stdin=end, stdout=end, stderr=end)
    os.close(end)
    shown = b""
    while True:
        try:
            piece = os.read(main_end, 4096)
        except OSError:  # the other end is closed
            break
        shown += piece
        if shown.endswith(b": ") and answers:
            os.write(main_end, answers.pop(0).encode())
    os.close(main_end)
    assert answers == []
    return process.wait(timeout=60), shown.decode().replace("\r\n", "\n")


def test_a_terminal_is_asked_only_what_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text(GOOD.replace("rating", "offence").replace("item_id", "comment"))
    words = ["data", "import", str(path), "--to", str(tmp_path / "to")]
    code, shown = answer(words, ["coment\n", "comment\n", "offence\n", "up\n", "\n", "lower\n"])
    assert code == 0, shown
    assert [line.split("?")[0] for line in shown.splitlines() if line.startswith("which column")] == [
        "which column is the item_id",
        "which column is the item_id",
        "which column is the rating",
    ]
    assert shown.count("which end of the scale is better [lower, higher]: ") == 3
    assert "columns: item_id=comment rater_id=rater_id rating=offence text=text\n" in shown
    assert (tmp_path / "to" / "my" / "offence.yaml").is_file()


def test_no_answer_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(GOOD)
    code, shown = answer(["data", "import", str(tmp_path / "my.csv"), "--to", str(tmp_path / "to")], ["\x04"])
    assert code == 2
    assert shown.splitlines()[-1].endswith("lm-plural data: error: no answer; give --direction")
    assert "Traceback" not in shown
    assert not (tmp_path / "to").exists()
