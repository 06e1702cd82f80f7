"""Whether a file of cells (CSV, TSV) is whole, found out before it is read, so that nothing of it is lost or guessed.

A file means what RFC 4180 says, as Python's ``csv`` reads it: a cell that begins with a quote ends with one, and quotes
inside it are doubled; a quote inside a cell that begins without one is a character like any other. Polars, which reads
the files, is looser: it fills up short rows, looks only at columns it is asked for, and takes every quote for the
beginning or the end of a cell. So the bytes are looked at once before, in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lm_plural.harness.data.files.lines import BOM, MOST_LINE, opened, records, separator_of, unreadable
from lm_plural.harness.errors import PluralError

#: Bytes looked at together.
BLOCK = 2**20
NEWLINE, RETURN, QUOTE = b'\n\r"'

#: What quotes are in a file: they enclose cells, or are characters of cells, or the one here and the other there.
Quotes = Literal["enclose", "characters", "both"]
Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]


class _InsideError(Exception):
    """A quote inside a cell that began without one."""


class _BeginsError(Exception):
    """A cell that begins with a quote, where quotes were taken for characters."""


def quotes_of(path: Path) -> Quotes:
    """Return what quotes are in a file of cells, after looking at all of it.

    Raises
    ------
    PluralError
        With its line, for the first row with more or fewer cells than the header (an empty line is no row), quoted cell
        that does not end where a cell can end, carriage return that ends no line, or NUL.
    """
    try:
        _Rows(path, enclosing=True).look()
        return "enclose"
    except _InsideError:
        pass
    try:
        _Rows(path, enclosing=False).look()
        return "characters"
    except _BeginsError:
        _look_slowly(path)
        return "both"


@dataclass
class _Rows:
    """The rows of a file, block by block; a place is counted from the first byte of the block, the file's `offset`-th.

    `row` and `cell` are where the current row and the last quoted cell begin, `separators` how many the row had in
    earlier blocks, `inside` whether the block begins in a quoted cell, `expected` how many separators the header has.
    """

    path: Path
    enclosing: bool
    offset: int = 0
    row: int = 0
    cell: int = 0
    separators: int = 0
    inside: bool = False
    expected: int | None = None

    def look(self) -> None:
        """Stop at the first fault."""
        before = b"\n"
        for block, after in _blocks(self.path):
            self._block(np.frombuffer(before + block + after, np.uint8), block)
            self.offset += len(block)
            self.row -= len(block)
            self.cell -= len(block)
            before = block[-1:]
            if -self.row > MOST_LINE:
                raise self._fault(self.row, f"a row of more than {MOST_LINE} bytes; expected at most that")
        if self.inside:
            raise self._fault(self.cell, "the cell that begins with a quote here has no end; expected a second quote")

    def _block(self, around: Bytes, block: bytes) -> None:
        """Look at a block; `around` has one byte more on either side."""
        separator = ord(separator_of(self.path))
        quotes = np.flatnonzero(around[1:-1] == QUOTE) if b'"' in block else np.zeros(0, np.intp)
        if not self.enclosing:
            if np.isin(around[quotes], (separator, NEWLINE)).any():
                raise _BeginsError
            quotes = quotes[:0]
        end, fault = self._first_fault(around, block, quotes, separator)
        ends = np.flatnonzero((around[1:-1] == NEWLINE) | (around[1:-1] == separator))
        self._count(around, self._outside(ends, quotes), end)
        if fault:
            raise fault
        self.inside ^= len(quotes) % 2 == 1

    def _outside(self, places: Places, quotes: Places) -> Places:
        """Return the places that are in no quoted cell: before them stands an even number of quotes."""
        if not (len(quotes) or self.inside):
            return places
        outside: npt.NDArray[np.bool_] = (np.searchsorted(quotes, places) + self.inside) % 2 == 0
        return places[outside]

    def _first_fault(self, around: Bytes, block: bytes, quotes: Places, separator: int) -> tuple[int, Exception | None]:
        """Return the place and the error of the first fault that is none of counting; the block's end without one."""
        faults: list[tuple[int, Exception | None]] = [(len(block), None)]
        if 0 in block:
            faults.append((p := block.index(0), self._fault(p, "a NUL; expected text")))
        if b"\r" in block:
            returns = self._outside(np.flatnonzero(around[1:-1] == RETURN), quotes)
            message = "a carriage return inside a line; expected lines that end with \\n or \\r\\n"
            faults += [(p, self._fault(p, message)) for p in _first(returns, around[returns + 2] != NEWLINE)]
        if len(quotes):
            faults += self._misplaced(around, quotes, separator)
        return min(faults, key=lambda f: f[0])

    def _misplaced(self, around: Bytes, quotes: Places, separator: int) -> Iterator[tuple[int, Exception]]:
        """Yield the first quote inside a cell that began without one, and the first that ends a cell too early."""
        opens = (np.arange(len(quotes)) + self.inside) % 2 == 0
        before, after = around[quotes], around[quotes + 2]
        begins = opens & ((before == separator) | (before == NEWLINE))
        yield from ((p, _InsideError()) for p in _first(quotes, opens & ~begins & (before != QUOTE)))  # not doubled
        cells = quotes[begins]
        for p in _first(quotes, ~opens & ~np.isin(after, (separator, NEWLINE, RETURN, QUOTE))):
            cell = int(cells[n - 1]) if (n := int(np.searchsorted(cells, p))) else self.cell
            yield p, self._fault(cell, "the cell that begins with a quote here goes on after the quote that ends it")
        if len(cells):
            self.cell = int(cells[-1])

    def _count(self, around: Bytes, ends: Places, stop: int) -> None:
        """Count the cells of the rows that end before `stop`; `ends` are the places where cells and rows end."""
        at_line = np.flatnonzero(around[ends + 1] == NEWLINE)
        separators = np.diff(at_line, prepend=-1 - self.separators) - 1
        if not (separators == self.expected).all():
            self._uneven(around, ends[at_line], separators, stop)
        if len(at_line):
            self.row, self.separators = int(ends[at_line[-1]]) + 1, 0
        self.separators += len(ends) - 1 - int(at_line[-1]) if len(at_line) else len(ends)

    def _uneven(self, around: Bytes, lines: Places, separators: Places, stop: int) -> None:
        """Stop at the first row that is not empty and has not the header's number of cells."""
        starts = np.concatenate([[self.row], lines[:-1] + 1])
        empty = (separators == 0) & (lines - starts <= (around[lines] == RETURN))
        rows = np.flatnonzero(~empty & (lines < stop))
        if self.expected is None and len(rows):
            self.expected = int(separators[rows[0]])
            if (start := int(starts[rows[0]])) >= 0:  # polars reads other names than stand there, and does not stop
                bytes(around[start + 1 : int(lines[rows[0]]) + 1]).decode()
        for n in _first(rows, separators[rows] != self.expected):
            raise self._fault(int(starts[n]), _ragged(int(separators[n]) + 1, (self.expected or 0) + 1))

    def _fault(self, place: int, message: str) -> PluralError:
        """Return the error of a fault; its line is counted only now."""
        line, left = 1, self.offset + place
        for block, _ in _blocks(self.path):
            line += block[: max(0, left)].count(b"\n")
            left -= len(block)
        return unreadable(self.path, line, message)


def _first(places: Places, where: npt.NDArray[np.bool_]) -> list[int]:
    """Return the first of the places where something holds, if there is one."""
    return [int(places[np.argmax(where)])] if where.any() else []


def _ragged(found: int, expected: int) -> str:
    return f"{found} cell{'s' * (found != 1)}; expected {expected}, one for each column"


def _blocks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the file in blocks, each with the byte that follows; the last line ends, also where the file's does not."""
    with opened(path) as f:
        block = f.read(BLOCK).removeprefix(BOM)
        while block:
            following = f.read(BLOCK)
            if not following and not block.endswith(b"\n"):
                block += b"\n"
            yield block, following[:1] or b"\n"
            block = following


def _look_slowly(path: Path) -> None:
    """Let Python count the cells; raises as `quotes_of`."""
    expected = 0
    for line, record in records(path):
        expected = expected or len(record)
        if record and len(record) != expected:
            raise unreadable(path, line, _ragged(len(record), expected))
