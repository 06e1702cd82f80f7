"""Signs of life where there is no terminal, and a bar where there is one."""

from __future__ import annotations

import io
import sys
import time

import pytest

from lm_plural.harness.run.progress import Progress, about


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_task_has_a_line_at_its_start_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(30, 10) as progress:
        progress.wait_for("loading the model")
        progress.begin("first", 20, 10)
        time.sleep(0.05)
        progress.update(10)
        progress.end(10, "none empty")
        progress.begin("second", 10, 0)
        progress.update(10)
        progress.end(10, "")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "lm-plural run: loading the model"
    assert lines[1] == "lm-plural run: first: 20 requests, 10 of them answered before"
    assert lines[2] == "lm-plural run: first: 10 requests answered in 0 s, none empty; all 30 in about 0 s"
    assert lines[3:] == ["lm-plural run: second: 10 requests", "lm-plural run: second: 10 requests answered in 0 s"]


def test_lines_come_while_nothing_does(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(100, every=0.02) as progress:
        progress.wait_for("loading the model")
        time.sleep(0.1)
        progress.begin("slow", 100, 0)
        progress.update(40)
        time.sleep(0.1)
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("lm-plural run: loading the model: 0 s") >= 2
    assert sum(line.startswith("lm-plural run: slow: 40 of 100 requests, 0 s; all 100 in about") for line in lines) >= 2
    time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_the_bar_is_there_while_the_model_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(2, every=0.01) as progress:
        progress.wait_for("loading the model")
        assert "loading the model:   0%" in terminal.getvalue()
        progress.begin("task", 2, 0)
        progress.update(2)
        progress.end(2, "")
    assert "task: 100%" in terminal.getvalue()
    assert "lm-plural run: task: 2 requests answered in 0 s" in terminal.getvalue()


def test_what_is_known_of_answers() -> None:
    assert about([{"filtered_resps": ["x"]}, {"filtered_resps": [" "]}, {"filtered_resps": [None]}], rated=False) == (
        "2 of 3 empty"
    )
    halves = {"filtered_resps": [[-1.3862943611, -1.3862943611, float("-inf")]]}
    assert about([halves], rated=True) == "50% of its probability on no level"
    assert about([], rated=True) == ""
