"""Rows that people bring: a file, or a frame of polars or pandas, read as one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from lm_plural.harness.data.files import lines
from lm_plural.harness.data.files.frames import MARKS, ROW, some, unnested
from lm_plural.harness.data.files.scan import chosen, columns_of, read_columns
from lm_plural.harness.errors import PluralError, UsageError, at, did_you_mean


class OtherFrame(Protocol):
    """A frame of another library, such as pandas, which is no dependency."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return its columns, for exchange between libraries."""
        ...


#: A path, or a frame of polars or pandas.
Rows = str | os.PathLike[str] | pl.DataFrame | pl.LazyFrame | OtherFrame


@dataclass(frozen=True)
class Source:
    """Where rows come from, and what an error calls them.

    Parameters
    ----------
    name : str
        The path, or what a frame is given as.
    path : Path or None
    frame : LazyFrame or None
        Cells as :func:`~.files.scan.scan` returns those of a file.
    """

    name: str
    path: Path | None
    frame: pl.LazyFrame | None

    @classmethod
    def of(cls, rows: Rows | Source, name: str) -> Source:
        """Return the source of some rows; `name` is what they are given as.

        Raises
        ------
        UsageError
            If it is neither a path nor a frame.
        PluralError
            If a column of the frame cannot be read.
        """
        if isinstance(rows, Source):
            return rows
        if isinstance(rows, str | os.PathLike):
            return cls(os.fspath(rows), Path(rows), None)
        with _named(name):
            frame = _polars(rows)
            frame = frame.drop(c for c in MARKS if c in frame.collect_schema())
            return cls(name, None, unnested(frame.with_row_index(ROW)))

    def __str__(self) -> str:
        return self.name

    def columns(self) -> list[str]:
        """Return the names of the columns."""
        if self.path is not None:
            return columns_of(self.path)
        return [c for c in self._frame.collect_schema().names() if c not in MARKS]

    def read(self, columns: list[str], optional: Sequence[str] = ()) -> pl.DataFrame:
        """Read columns as :func:`~.files.scan.read_columns` reads them.

        Raises
        ------
        PluralError
            If a column is missing or holds no text or numbers, or there are no rows.
        """
        if self.path is not None:
            return read_columns(self.path, columns, optional)
        with _named(self.name):
            there = self._frame.collect_schema()
            wanted = [*columns, *(c for c in optional if c in there)]
            rows = chosen(self._frame, wanted).select(ROW, *dict.fromkeys(wanted)).collect()
            if rows.is_empty():
                raise PluralError("a frame without rows; expected one or more")
            return rows

    def locate(self, row: int) -> str:
        """Return what an error calls a row, 0-based."""
        return f"{self.name}: row {row + 1}" if self.path is None else lines.locate(self.path, row)

    def error(self, message: str) -> str:
        """Return a message on the header."""
        return at(self.name, None if self.path is None else 1, message)

    def refuse_unknown(self, columns: Iterable[str], needed: Iterable[str] = ()) -> None:
        """Refuse columns that somebody names and that are not there.

        Rows without the columns `needed` by themselves are of another kind, which their reader says better.

        Raises
        ------
        UsageError
        """
        header = self.columns()
        for name in columns if set(header) >= set(needed) else ():
            if name not in [*header, *MARKS]:  # which are refused where columns are read
                hint = did_you_mean(name, header)
                raise UsageError(self.error(f"no column {name!r}{hint}; there are {some(header)}"))

    @property
    def _frame(self) -> pl.LazyFrame:
        assert self.frame is not None
        return self.frame


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put the name of a frame before whatever is wrong with it."""
    try:
        yield
    except PluralError as e:
        raise type(e)(f"{name}: {e}") from e
    except (pl.exceptions.PolarsError, TypeError, ValueError, ImportError) as e:  # pyarrow's are the middle two
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise PluralError(f"{name}: cannot read the frame: {reason}") from e


def _polars(rows: Any) -> pl.LazyFrame:
    if isinstance(rows, pl.DataFrame | pl.LazyFrame):
        return rows.lazy()
    if type(rows).__module__.split(".")[0] == "pandas" and hasattr(rows, "columns"):
        return _from_pandas(rows).lazy()
    if hasattr(rows, "__arrow_c_stream__"):
        return pl.DataFrame(rows).lazy()
    raise UsageError(f"{type(rows).__name__} {rows!r:.40}: expected a path, or a frame of polars or pandas")


def _from_pandas(rows: Any) -> pl.DataFrame:
    """Return a frame of pandas, whose index is not looked at; slower where pyarrow is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        cells = rows.astype(object).where(rows.notna(), None)
        return pl.DataFrame({str(name): cells[name].to_list() for name in cells.columns}, strict=False)
    return pl.from_pandas(rows)
