"""How text is laid out on a terminal: widths, paragraphs, tables whose columns wrap, bold.

Whatever is measured here is first put into the form in which it is shown (control characters written out, characters
that the terminal cannot hold replaced), so that columns stay columns.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

#: Columns of a table between the narrowest and the widest terminal that is looked at; where there is no terminal.
NARROWEST, WIDEST, ANYWHERE = 80, 160, 100
#: The first column of a table, which names things, gets no narrower.
LEAST_NAME = 16
#: Around what is bold: characters that no text may hold. Whoever prints makes of them what the terminal understands.
OPEN, CLOSE = "\ufdd0", "\ufdd1"
BOLD = re.compile(f"{OPEN}([^{OPEN}{CLOSE}\n]*){CLOSE}")
#: Control characters but tab and newline, line separators, what turns the direction of writing (bidi), our own marks.
UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0\ufdd1]")
#: Where a long name may be broken: after what joins its parts.
JOINT = re.compile(r"[_/:-]+")
#: Stands for the second column of a wide character while lines are broken.
_SECOND = "\0"

Row = list[str]


def visible(text: str) -> str:
    r"""Return a text with its control characters written out, as ``\u001b``: what JSON writes, too."""
    return UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def page_width() -> int:
    """Return the columns of the terminal, at least 80 and at most 160; 100 where there is none."""
    return min(max(shutil.get_terminal_size((ANYWHERE, 24)).columns, NARROWEST), WIDEST)


def bold(text: str) -> str:
    """Return a text to be printed bold, line by line."""
    return "\n".join(f"{OPEN}{line}{CLOSE}" if line else line for line in text.split("\n"))


def plain(text: str) -> str:
    """Return a text without bold."""
    return BOLD.sub(r"\1", text)


def printable(text: str) -> str:
    """Return a text as the terminal shows it: one line, what it cannot show written out, bold kept."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    inside = BOLD.fullmatch(text)
    text = visible(" ".join((inside[1] if inside else text).split()))
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    return bold(text) if inside else text


def columns(text: str) -> int:
    """Return how many columns a terminal gives a text: two to wide characters, none to combining ones."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(c) for c in plain(text))


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return a text of one line in at most so many columns, what is too much cut out of its middle."""
    text = printable(text)
    if columns(text) <= width:
        return text
    head, tail = text, text
    while columns(head) > width // 2:
        head = head[:-1]
    while columns(tail) > width - columns(head) - 1:
        tail = tail[1:]
    return f"{head}…{tail}"


def wrapped(text: str, width: int, *, hang: int = 0) -> list[str]:
    """Return the lines of one paragraph, at least one; those after the first are indented by `hang`.

    Spaces at its beginning are kept.
    """
    bare = plain(text)
    indent = " " * (len(bare) - len(bare.lstrip(" ")))
    shown = printable(bare)
    padded = "".join(c + _SECOND * (_columns_of(c) == 2) for c in shown)
    # a line may end in the first half of a wide character
    room = max(width - (padded != shown), 2 + hang + len(indent))
    broken = " ".join(_pieces(word, room - max(hang, len(indent))) for word in padded.split(" "))
    found = textwrap.wrap(broken, room, initial_indent=indent, subsequent_indent=" " * hang)
    lines = [line.replace(_SECOND, "") for line in found] or [""]
    return lines if text == bare else [re.sub(r"^( *)(.+)$", lambda m: m[1] + bold(m[2]), line) for line in lines]


def paragraphs(lines: Iterable[str], *, hang: int = 0, width: int | None = None) -> str:
    """Return paragraphs one below the other, as wide as the page."""
    return "\n".join(line for x in lines for line in wrapped(x, width or page_width(), hang=hang))


def _pieces(word: str, room: int) -> str:
    """Return a word that is too long for a line with spaces where names have their joints."""
    pieces = []
    while len(word) > room and (joints := [m.end() for m in JOINT.finditer(word[:room])]):
        pieces.append(word[: joints[-1]])
        word = word[joints[-1] :]
    return " ".join([*pieces, word])


def _at_terminal() -> bool:
    return bool(sys.stdout and sys.stdout.isatty())


def on_terminal(lines: Iterable[str]) -> list[str]:
    """Return paragraphs as lines that fit a terminal; elsewhere as they are."""
    if not _at_terminal():
        return list(lines)
    return [line for x in lines for line in wrapped(x, page_width(), hang=2)]


def grid(rows: Sequence[Row], header: Row, *, width: int | None = None, rule: bool = True, numbers: bool = True) -> str:
    """Return a table that fits the page; where it would be wider, cells are broken into lines.

    The first column stands to the left, as do the others unless they hold `numbers`.
    """
    n, page = len(header), width or page_width()
    table = [[printable(cell) for cell in row] + [""] * (n - len(row)) for row in [header, *rows]]
    widths = _widths(table, page) if numbers else _of_words(table, page)
    cells = [[wrapped(c, w) if columns(c) > w else [c] for c, w in zip(r, widths, strict=True)] for r in table]
    widths = [max(columns(line) for row in cells for line in row[k]) for k in range(n)]
    lines = [_lines(row, widths, numbers=numbers) for row in cells]
    ruled = ["  ".join("-" * w for w in widths)] if rule else []
    return "\n".join([*lines[0], *ruled, *(line for row in lines[1:] for line in row)])


def listing(rows: Sequence[Row], header: Row, *, numbers: bool = False) -> str:
    """Return a table that fits a terminal; elsewhere with a line a row, however wide, as programs like to read.

    `numbers`: all columns but the first to the right.
    """
    if _at_terminal():
        return grid(rows, header, numbers=numbers)
    from tabulate import tabulate

    head, *body = ([printable(cell) for cell in row] for row in [header, *rows])
    aligned = ("left", *["right" if numbers else "left"] * (len(header) - 1))
    return str(tabulate(body, head, tablefmt="simple", disable_numparse=True, colalign=aligned if body else None))


def _widths(table: Sequence[Row], page: int) -> list[int]:
    """Return the width of each column: as its content asks, less where the table would be wider than the page."""
    widths = [max(map(columns, column)) for column in zip(*table, strict=True)]
    natural, least = widths[0], [max(map(columns, " ".join(column).split())) for column in zip(*table, strict=True)]

    def over() -> int:
        return sum(widths) + 2 * (len(widths) - 1) - page

    widths[0] = min(natural, LEAST_NAME) if over() > natural - LEAST_NAME else natural - max(over(), 0)
    while over() > 0 and (able := [k for k in range(1, len(widths)) if widths[k] > least[k]]):
        widest = max(able, key=lambda k: widths[k])
        widths[widest] = least[widest]
    widths[0] = max(min(natural, widths[0] - over()), 2)
    return widths


def _of_words(table: Sequence[Row], page: int) -> list[int]:
    """Return the width of each column of texts: the widest give way, but break no part of a name."""
    widths = [max(map(columns, column)) for column in zip(*table, strict=True)]
    parts = [JOINT.sub(lambda m: f"{m[0]} ", " ".join(column)).split() for column in zip(*table, strict=True)]
    least = [max(map(columns, p), default=0) for p in parts]
    while sum(widths) + 2 * (len(widths) - 1) > page and (able := [k for k, w in enumerate(widths) if w > least[k]]):
        widths[max(able, key=lambda k: widths[k])] -= 1
    return widths


def _lines(cells: Sequence[Sequence[str]], widths: Sequence[int], *, numbers: bool) -> list[str]:
    """Return the lines of one row."""
    out = []
    for n in range(max(map(len, cells))):
        parts = [lines[n] if n < len(lines) else "" for lines in cells]
        padded = [_padded(p, w, left=k == 0 or not numbers) for k, (p, w) in enumerate(zip(parts, widths, strict=True))]
        out.append("  ".join(padded).rstrip())
    return out


def _padded(text: str, width: int, *, left: bool) -> str:
    space = " " * (width - columns(text))
    return text + space if left else space + text
