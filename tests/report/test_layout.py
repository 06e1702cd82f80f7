"""Columns stay columns: whatever the names, the terminal and its encoding."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.report.layout import (
    bold,
    columns,
    grid,
    listing,
    page_width,
    paragraphs,
    plain,
    visible,
    wrapped,
)
from lm_plural.harness.report.terminal import Door
from tests.suite import quick

HEADER = ["group", "raters", "bias"]
CJK, LONG = "日本語話者の回答者", "People who were born in a country that is not here any more"


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8", *, tty: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="backslashreplace", newline="\n")
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def shown(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


def starts(table: str) -> set[int]:
    """Return where the last column ends, in columns of the terminal."""
    return {columns(line) for line in table.splitlines() if line.rstrip()[-1:].isdigit() or line.startswith("-")}


def test_a_table_is_as_narrow_as_its_content() -> None:
    assert grid([["man", "10", "1.5"], ["woman", "9", "-"]], HEADER).splitlines() == [
        "group  raters  bias",
        "-----  ------  ----",
        "man        10   1.5",
        "woman       9     -",
    ]


@pytest.mark.parametrize("name", [LONG, CJK * 9, "x" * 200])
def test_a_long_name_wraps_inside_its_column_and_nothing_is_lost(name: str) -> None:
    table = grid([[name, "10", "1"], ["man", "9", "2"]], HEADER, width=40)
    assert max(map(columns, table.splitlines())) <= 40
    assert "".join(line.split("  ")[0] for line in table.splitlines()[2:-1]).replace(" ", "") == name.replace(" ", "")
    assert len(starts(table)) == 1


def test_a_long_name_is_broken_where_its_parts_join() -> None:
    assert wrapped("plural_demo_stereotypical_bias", 20) == ["plural_demo_", "stereotypical_bias"]
    assert wrapped("a plural_demo_stereotypical_bias b", 20) == ["a plural_demo_", "stereotypical_bias b"]
    assert wrapped("x" * 21, 20) == ["x" * 20, "x"]


def test_a_list_fits_a_terminal_and_has_a_line_a_row_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["plural_demo_stereotypical_bias", "what it is, said in many more words than have room in one line", "en"]]
    header = ["task", "what", "languages"]
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdout", Terminal(tty=False))
    assert len(listing(rows, header).splitlines()) == 3
    monkeypatch.setattr(sys, "stdout", Terminal())
    table = listing(rows, header).splitlines()
    assert max(map(columns, table)) <= 80
    assert "plural_demo_stereotypical_bias" in table[2]
    assert table[2].endswith("en"), "texts stand to the left"
    monkeypatch.setattr(sys, "stdout", None)
    assert len(listing(rows, header).splitlines()) == 3


def test_where_the_page_is_too_narrow_for_intervals_they_stand_on_two_lines() -> None:
    rows = [[f"group {n}", "100", "0.073 [.047,.105]", "-0.36 [-.77,+.05]"] for n in range(2)]
    table = grid(rows, ["group", "raters", "divergence", "bias"], width=50)
    assert max(map(columns, table.splitlines())) <= 50
    assert "0.073" in table.splitlines()[2]
    assert "[.047,.105]" in table.splitlines()[3]


def test_what_the_terminal_cannot_hold_is_written_out_before_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal("latin-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    print(grid([["žena", "10", "1"], ["Straße", "9", "2"], [CJK, "8", "3"]], HEADER))
    table = terminal.shown()
    assert "\\u017eena" in table
    assert "Straße" in table
    assert {len(line) for line in table.splitlines()} == {len(table.splitlines()[0])}


def test_control_characters_and_our_own_marks_are_written_out_before_they_are_measured() -> None:
    table = grid([["a\x1b[2Jb", "10", "1"], ["\ufdd0x", "9", "2"]], HEADER)
    assert "a\\u001b[2Jb" in table
    assert "\\ufdd0x" in table
    assert {len(line) for line in table.splitlines()} == {len(table.splitlines()[0])}


@pytest.mark.parametrize(
    ("tty", "environment", "on"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_bold_is_for_terminals_that_can(
    tty: bool, environment: dict[str, str], on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal(tty=tty)
    Door(terminal, str).write(f"a {bold('b')} c\x1b[2J\ufdd0d\n")
    shown = "\x1b[1mb\x1b[0m" if on else "b"
    assert terminal.shown() == f"a {shown} c\\u001b[2J\\ufdd0d\n"


def test_bold_takes_no_room_and_is_kept_line_by_line() -> None:
    text = paragraphs([bold("    man - all others, and some more words")], hang=6, width=24)
    assert plain(text).splitlines() == ["    man - all others,", "      and some more", "      words"]
    assert text.splitlines()[1] == f"      {bold('and some more')}"
    assert columns(bold("abc")) == 3


@pytest.mark.parametrize(("said", "width"), [("40", 80), ("120", 120), ("400", 160)])
def test_the_page_is_the_terminal_within_limits(said: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", said)
    assert page_width() == width


NAMES = st.text(max_size=70) | st.text("日本é́e \t", max_size=70) | st.just(LONG)


@quick
@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=5), st.integers(80, 160))
def test_any_table_fits_its_page_unless_words_do_not(rows: list[list[str]], width: int) -> None:
    table = grid([[r[0], *(cell[:20] for cell in r[1:])] for r in rows], HEADER, width=width)
    words = [columns(visible(w)) for r in rows for cell in r[1:] for w in cell[:20].split()]
    assert max(map(columns, table.split("\n"))) <= max(width, 2 * max(words, default=0) + 6)
    assert visible(table) == table


@quick
@given(NAMES, st.integers(20, 100), st.integers(0, 6))
def test_any_paragraph_fits(text: str, width: int, hang: int) -> None:
    lines = wrapped(text, width, hang=hang)
    assert lines
    assert max(map(columns, lines)) <= width
    assert visible("".join("".join(text.split()))) == "".join("".join(lines).split())
