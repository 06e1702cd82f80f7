"""Files of cells: all of their rows, as Python's csv reads them, or one line that says where they are not whole."""

from __future__ import annotations

import csv
import gzip
import io
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lm_plural.harness.data.files import wellformed
from lm_plural.harness.data.files.frames import MARKS
from lm_plural.harness.data.files.scan import read_columns, reading, scan
from lm_plural.harness.errors import PluralError

RETURN = "a carriage return inside a line; expected lines that end with \\n or \\r\\n"
ENDLESS = "the cell that begins with a quote here has no end; expected a second quote"
BEYOND = "the cell that begins with a quote here goes on after the quote that ends it"
#: Blocks so short that everything lies across their borders, and those of every day.
blocks = pytest.mark.parametrize("block", [4, 5, 7, wellformed.BLOCK])
Rows = list[tuple[str | None, ...]]


def written(folder: Path, content: str | bytes, name: str = "r.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path) -> Rows:
    with reading(path):
        return scan(path).drop(MARKS).collect().rows()


@blocks
@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\n1,6'4\"\n2,x", [("1", "6'4\""), ("2", "x")]),
        ('a,b\n1,x "y" z\n2,"\n', None),
        ('a,b\n"1","x, ""y""\nz"\n2,\n', [("1", 'x, "y"\nz'), ("2", None)]),
        ('a,b\n"1",6\'4"\n\n"""2""",x "y" z\n', [("1", "6'4\""), (None, None), ('"2"', 'x "y" z')]),
        ('a,b\r\n"1\r\n2",""\r\n\r\n3,"4"', [("1\r\n2", None), (None, None), ("3", "4")]),
        ('\ufeff"a",b\n1,2\n', [("1", "2")]),
        ("\n\r\n\na,b\n\n1,2\n\n", [(None, None), ("1", "2"), (None, None)]),
        ("a\n1\n\n2\n", [("1",), (None,), ("2",)]),
        ("a,b\n1,2\x1c\u2028\n3,4\r", [("1", "2\x1c"), ("3", "4")]),
        ("a,b\n", []),
    ],
)
def test_a_whole_file_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, content: str, rows: Rows | None
) -> None:
    monkeypatch.setattr(wellformed, "BLOCK", block)
    for name, text in (
        ("r.csv", content.encode()),
        ("r.csv.gz", gzip.compress(content.encode())),
        ("r.tsv", content.replace(", ", "; ").replace(",", "\t").encode()),
    ):
        path = written(tmp_path, text, name)
        if rows is None:
            with pytest.raises(PluralError):
                read(path)
        else:
            assert [tuple(c and c.replace(";", ",") for c in row) for row in read(path)] == rows


@blocks
@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('a,b\n1,"x\n2,y\n3,z\n', 2, ENDLESS),
        ('a,b\n1,"x\n2,"y"\n3,z\n', 2, BEYOND),
        ('a,b\n"1","2"x\n', 2, BEYOND),
        ('a,b\n1,2\n"', 3, ENDLESS),
        ('a,b\n"q",1\n1,x"y\n1,"x\n2,y\n', 4, "cells that cannot be told apart: unexpected end of data"),
        ("a,b\n1,2\n3\n4,5\n", 3, "1 cell; expected 2, one for each column"),
        ('a,b\n"1\n\n","2"\n\n3,4,5', 6, "3 cells; expected 2, one for each column"),
        ('a,b\n1,x "y, z" u\n', 2, "3 cells; expected 2, one for each column"),
        ('a,b\n"1",x "y, z" u\n', 2, "3 cells; expected 2, one for each column"),
        ("a,b\n1,2\n\x1a", 3, "1 cell; expected 2, one for each column"),
        ("a\n1\n2,\n", 3, "2 cells; expected 1, one for each column"),
        ("a,b\r1,2\r", 1, RETURN),
        ("a,b\r\n1,2\r\n3,x\ry\r\n", 3, RETURN),
        ('a,b\n"1\r","\r\n"\n\n2,"3"\r\r\n', 5, RETURN),
        ("a,b\n1,2\n\n3,\0\n", 4, "a NUL; expected text"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_its_line_whatever_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, content: str, line: int, message: str
) -> None:
    monkeypatch.setattr(wellformed, "BLOCK", block)
    for name, text in (("r.csv", content.encode()), ("r.csv.gz", gzip.compress(content.encode()))):
        path = written(tmp_path, text, name)
        with pytest.raises(PluralError, match=f"^{re.escape(f'{path}:{line}: cannot read: {message}')}"):
            read_columns(path, ["a"])


def test_a_cell_and_a_row_may_be_longer_than_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wellformed, "BLOCK", 8)
    text = '""\n,' * 50
    path = written(tmp_path, f'a,b\n1,"{text}"\n2,x\n3\n')
    with pytest.raises(PluralError, match=r"r\.csv:54: cannot read: 1 cell; expected 2"):
        read(path)
    assert read(written(tmp_path, f'a,b\n1,"{text}"\n2,x\n'))[0][1] == text.replace('""', '"').strip()


def test_a_row_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wellformed, "MOST_LINE", 2**21)
    for text in ("x" * 2**24, '"' + "\n" * 2**24):
        path = written(tmp_path, gzip.compress(f"a,b\n1,2\n1,{text}".encode()), "r.csv.gz")
        with pytest.raises(PluralError, match=r"r\.csv\.gz:3: cannot read: a row of more than 2097152 bytes"):
            read(path)


def test_a_column_that_nobody_asks_for_cannot_swallow_rows(tmp_path: Path) -> None:
    rows = "".join(f"i{n},{n}\n" for n in range(60))
    path = written(tmp_path, "item,note\n" + rows.replace("i34,34", "i34,6'4\"").removesuffix("\n"))
    assert len(read_columns(path, ["item"])) == 60


def read_late(path: Path, change: Callable[[], object]) -> None:
    with reading(path):
        frame = scan(path)
        change()
        frame.select("a").collect()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n")
    with pytest.raises(PluralError, match=r"r\.csv: was changed while it was read"):
        read_late(path, lambda: path.write_text("a,b\n1,2\n3,4,5\n"))
    written(tmp_path, "a,b\n1,2\n")
    with pytest.raises(PluralError, match=r"r\.csv: cannot read: "):
        read_late(path, path.unlink)


def test_what_is_no_file_is_said_to_be_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/null"), Path("/dev/zero")):
        with pytest.raises(PluralError, match=f"^{path}: cannot read: a pipe or device; expected a file"):
            scan(path)


# ---- as Python's csv does ------------------------------------------------------------------------------------------

CELLS = [
    "",
    "1",
    "é",
    "6'4\"",
    '"',
    '""',
    'x "y" z',
    '"x"',
    '"x"y',
    " ",
    ' "q"',
    "x,y",
    "x\ty",
    "x\ny",
    "x\r\ny",
    "\x1c",
]


def invented(rng: random.Random) -> tuple[str, bytes]:
    """Return the name and the bytes of a file of cells, sound or damaged."""
    sep, end = rng.choice([",", ",", "\t"]), rng.choice(["\n", "\n", "\r\n"])
    width, careful = rng.randint(1, 4), rng.random() < 0.6

    def cell() -> str:
        text = rng.choice(CELLS)
        odd = any(c in text for c in (sep, '"', "\r", "\n"))
        quoted = (odd and (careful or rng.random() < 0.5)) or rng.random() < 0.1
        return '"{}"'.format(text.replace('"', '""')) if quoted else text

    lines = [sep.join("abcd"[:width])]
    for _ in range(rng.choice([0, 1, 5, 40])):
        n = width + rng.choice([-1, 1]) if rng.random() < 0.02 else width
        lines.append(sep.join(cell() for _ in range(n)) if rng.random() < 0.97 else "")
    content = bytearray((rng.choice(["", "", "\ufeff"]) + end.join(lines) + rng.choice(["", end])).encode())
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        at = rng.randrange(len(content) + 1)
        content[at : at + rng.choice([0, 0, 1, 9])] = rng.choice([b"", b'"', b",", b"\n", b"\r", b"\0", b"\xff"])
    return "r.tsv" if sep == "\t" else "r.csv", bytes(content)


def as_python_reads(name: str, content: bytes) -> Rows:
    text = io.StringIO(content.decode("utf-8-sig"), newline="\n")
    rows = list(csv.reader(text, delimiter="\t" if name == "r.tsv" else ",", strict=True))
    while not rows[0]:
        del rows[0]
    width = len(rows[0])
    assert {len(row) for row in rows} <= {0, width}
    cells = pl.DataFrame([row or [""] * width for row in rows[1:]], [str(n) for n in range(width)], orient="row")
    stripped = pl.all().cast(pl.String).str.strip_chars()
    return cells.select(pl.when(stripped != "").then(stripped)).rows() if len(cells) else []


def found_in(path: Path) -> tuple[Rows, Rows] | str:
    """Return all columns and the last one, or the error."""
    try:
        with reading(path):
            frame = scan(path).drop(MARKS)
            return frame.collect().rows(), frame.select(pl.last()).collect(engine="streaming").rows()
    except PluralError as e:
        return str(e)


@pytest.mark.parametrize("seed", range(10))
def test_the_rows_are_those_of_pythons_csv_or_there_are_none(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, whole, refused = random.Random(seed), 0, 0
    for _ in range(1_000):
        monkeypatch.setattr(wellformed, "BLOCK", rng.choice([64, 99, 2**20]))
        name, content = invented(rng)
        path = written(tmp_path, content, name)
        found = found_in(path)
        if isinstance(found, str):
            refused += 1
            assert re.match(rf"{re.escape(str(path))}:\d+: |.*empty CSV$", found), (found, content)
        else:
            whole += 1
            rows = as_python_reads(name, content)
            assert found == (rows, [row[-1:] for row in rows]), content
    assert min(whole, refused) > 250
