"""What goes to a terminal moves no cursor, turns no text and holds no secret."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tqdm import tqdm

from lm_plural.harness.cli.main import main
from lm_plural.harness.redact import message
from lm_plural.harness.report.layout import visible
from lm_plural.harness.report.terminal import Door, doors
from tests.suite import Suite

Capture = pytest.CaptureFixture[str]
#: Clears the screen, rings, goes back, and turns what follows; as a C1 control, too.
NASTY = "\x1b[2Jwo\x07m\x08an\x9b31m\u202enamow\u2066"
SHOWN = r"\u001b[2Jwo\u0007m\u0008an\u009b31m\u202enamow\u2066"


def dangerous(text: str) -> set[str]:
    return {c for c in text if visible(c) != c}


@pytest.fixture
def nasty(suite: Suite) -> Suite:
    """Groups, fields and texts with nasty names."""
    suite.raters = suite.raters.replace("woman", NASTY)
    suite.recipe |= {"title": NASTY, "citation": NASTY, "licence": f"x{NASTY}", "warning": NASTY}
    return suite.write()


@pytest.mark.parametrize("words", [["data", "show", "tiny"], ["ls", "axes"], ["ls", "datasets"], ["data", "ls"]])
def test_names_are_shown_with_their_control_characters_written_out(
    nasty: Suite, words: list[str], capsys: Capture
) -> None:
    assert main([*words, "--include_path", str(nasty.root)]) == 0
    out, err = capsys.readouterr()
    assert SHOWN in out
    assert not dangerous(out + err)


@pytest.mark.parametrize("words", [["data", "show", "tiny"], ["ls", "axes"], ["ls", "datasets"], ["data", "ls"]])
def test_json_is_still_json_and_says_the_same(nasty: Suite, words: list[str], capsys: Capture) -> None:
    assert main([*words, "--json", "--include_path", str(nasty.root)]) == 0
    out, _ = capsys.readouterr()
    assert not dangerous(out)
    assert repr(NASTY)[1:-1] in repr(json.loads(out))


@pytest.mark.parametrize(
    "words",
    [
        ["run", "-t", NASTY],
        [NASTY],
        ["run", f"--{NASTY}"],
        ["data", "show", NASTY],
        ["validate", f"/{NASTY}/x.yaml"],
        ["disaggregate", "--ratings", f"/{NASTY}.csv", "--scale", "1,2"],
        ["run", "-t", "tiny_rate", "-M", "dummy", "--axes", NASTY],
        ["run", "-t", "tiny_rate", "--model_args", f"pretrained={NASTY}"],
        ["score", f"/tmp/{NASTY}"],
    ],
)
def test_errors_show_what_they_quote(nasty: Suite, words: list[str], tmp_path: Path, capsys: Capture) -> None:
    more = ["--include_path", str(nasty.root), "-o", str(tmp_path / "out")] if words[:1] == ["run"] else []
    assert main([*words, *more]) in (1, 2)
    out, err = capsys.readouterr()
    assert not dangerous(out + err)
    assert "Traceback" not in err
    assert "1b[2Jwo" in out + err


def test_a_nasty_column_and_file_name(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / f"a{NASTY}.csv"
    path.write_text(f"item_id,rater_id,rating,{NASTY}\n" + "".join(f"i{n},r{m},{n}\n" for n in (1, 2) for m in (1, 2)))
    for words in (["--columns", "text=nope"], ["--axes", "nope"]):
        assert main(["data", "import", str(path), "--to", str(tmp_path / "to"), *words]) in (1, 2)
        out, err = capsys.readouterr()
        assert not dangerous(out + err)


def test_a_progress_bar_keeps_its_carriage_returns_and_a_name_gets_none() -> None:
    stream = io.StringIO()
    door = Door(stream, message, bars=True)
    with tqdm(total=3, file=door, desc="task", ascii=True, mininterval=0) as bar:  # type: ignore[type-var]
        for _ in range(3):
            bar.update()
    print("a\rb", file=door)  # type: ignore[call-overload]
    text = stream.getvalue()
    assert text.startswith("\rtask:   0%|")
    assert text.count("\r") >= 4
    assert text.endswith("\na\\u000db\n")


def test_what_a_door_leaves_alone() -> None:
    text = "größe\t→ 日本語 \U0001f469‍\U0001f4bb עברית\n"
    assert visible(text) == text


def test_the_streams_are_put_back_whatever_happens() -> None:
    before = (sys.stdout, sys.stderr)
    with pytest.raises(ZeroDivisionError), doors():
        1 / 0  # noqa: B018
    assert (sys.stdout, sys.stderr) == before


def test_a_fault_of_ours_shows_its_traceback_without_the_secrets_in_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from lm_plural.harness.cli.looking import schema

    def fail(_: object) -> int:
        raise KeyError("http://user:Pl4nt-word@host", NASTY)

    monkeypatch.setattr(schema, "execute", fail)
    assert main(["schema", "task"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "http://***@host" in err
    assert "Pl4nt" not in err
    assert not dangerous(err)


ENCODINGS = [
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252:strict"},
]


@pytest.mark.parametrize("env", ENCODINGS)
def test_no_encoding_of_a_terminal_stops_a_command(env: dict[str, str], suite: Suite) -> None:
    suite.raters = suite.raters.replace("woman", "größe日本")
    suite.write()
    for words, code in (
        (["data", "show", "tiny", "--include_path", str(suite.root)], 0),
        (["validate", "größe日本"], 2),
    ):
        words = [sys.executable, "-m", "lm_plural", *words]
        done = subprocess.run(words, capture_output=True, timeout=60, env=os.environ | env, check=False)
        assert done.returncode == code, done.stderr
        assert code or rb"\u65e5\u672c" in done.stdout
        assert b"Traceback" not in done.stderr


def columns_of(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text; what crosses the gap between two columns is an error."""
    rows, spans = [], list[tuple[int, int]]()
    for line in text.splitlines():
        if re.fullmatch("-+(  -+)+", line):
            spans = [m.span() for m in re.finditer("-+", line)]
        elif not line:
            spans = []
        elif spans and not line.startswith("["):
            assert not any(line[end : end + 2].strip() for _, end in spans[:-1]), line
            rows.append([line[begin:end].strip() for begin, end in spans])
    return rows


@pytest.mark.parametrize("env", [*ENCODINGS[:2], {"PYTHONIOENCODING": "utf-8"}])
def test_columns_stay_columns_whatever_the_encoding(env: dict[str, str], suite: Suite, tmp_path: Path) -> None:
    suite.raters = suite.raters.replace("woman", "größe").replace("black", "ñ")
    suite.recipe |= {"title": "größe", "licence": "größe"}
    suite.task["tag"] = ["größe"]
    suite.write()
    many, run = ["--include_path", str(suite.root)], ["--model", "dummy", "--draws", "100", "--permutations", "10"]
    assert main(["run", "-t", "tiny_rate", *many, *run, "-o", str(tmp_path / "out")]) == 0
    (results,) = (tmp_path / "out").iterdir()
    shown = "größe" if env == {"PYTHONIOENCODING": "utf-8"} else r"gr\xf6\xdfe"
    for words in (
        ["ls", "tasks", *many],
        ["ls", "axes", *many],
        ["ls", "datasets", *many],
        ["data", "ls", *many],
        ["data", "show", "tiny", *many],
        ["show", str(results)],
    ):
        words = [sys.executable, "-m", "lm_plural", *words]
        done = subprocess.run(words, capture_output=True, timeout=60, env=os.environ | env, check=True)
        cells = [cell for row in columns_of(done.stdout.decode()) for cell in row]
        assert shown in cells, words


def test_bytes_that_are_no_text_on_the_command_line(suite: Suite, tmp_path: Path) -> None:
    suite.write()
    base = [sys.executable, "-m", "lm_plural", "run", "-t", "tiny_rate", "--include_path", str(suite.root)]
    for words in ([b"--model_args", b"pretrained=\xff"], [b"--system_instruction", b"\xff", b"-M", b"dummy"]):
        out = ["-o", str(tmp_path / "out")]
        done = subprocess.run([*base, *out, *words], capture_output=True, timeout=120, check=False)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        assert done.returncode in (1, 2)
        assert len(done.stderr.splitlines()) == 1
