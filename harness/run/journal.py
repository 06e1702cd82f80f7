"""The append-only file of JSON lines that nothing is lost from.

A batch is written in one piece and synced; where that fails, what was written of it is taken back. A torn last line,
left by a kill, is dropped when the journal is opened again; anything else that does not parse is an error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from lm_plural.harness.errors import PluralError, at
from lm_plural.harness.redact import star_record

Record = dict[str, Any]


class Journal:
    """Records by key, and the file they are appended to.

    Parameters
    ----------
    path : Path
        Made with its folder when the first record is written.

    Attributes
    ----------
    records : dict of str to dict
        What the file holds, by ``key``, in file order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        #: Bytes of whole lines that are on disk.
        self._keep = 0
        self.records: dict[str, Record] = {}
        for number, record in enumerate(self._read(), start=1):
            if self.records.setdefault(record["key"], record) != record:
                raise PluralError(at(path, number, f"key {record['key']!r} again, with something else"))

    def _read(self) -> Iterable[Record]:
        if not self.path.exists():
            return
        if not self.path.is_file():  # reading a device may never end
            raise PluralError(at(self.path, None, "is not a regular file"))
        try:
            raw = self.path.read_bytes()
        except OSError as e:
            raise PluralError(at(self.path, None, f"cannot read: {e.strerror}")) from e
        self._keep = raw.rfind(b"\n") + 1
        for number, line in enumerate(raw[: self._keep].split(b"\n")[:-1], start=1):
            try:
                record = json.loads(line)
                if not isinstance(record["key"], str):
                    raise TypeError
            except (ValueError, TypeError, KeyError, RecursionError) as e:
                raise PluralError(
                    at(self.path, number, "not a line of this journal; expected a JSON object with a key")
                ) from e
            yield record

    def append(self, records: Iterable[Record]) -> None:
        """Write records and sync them to disk; records whose key is known are left out.

        Raises
        ------
        PluralError
            If the disk is full or the file cannot be written; what was written before stays.
        """
        new = [r for r in records if r["key"] not in self.records]
        for record in new:
            star_record(record)
        lines = "".join(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in new)
        # A lone surrogate is no UTF-8; the backslash form is JSON's own escape for it.
        blob = lines.encode("utf-8", "backslashreplace")
        try:
            if self._file is None:
                self._file = self._open()
            _write_whole(self._file, blob)
            os.fsync(self._file.fileno())
        except BaseException as e:
            self._take_back()
            if isinstance(e, OSError):
                raise PluralError(at(self.path, None, f"cannot write: {e.strerror}; answers so far are kept")) from e
            raise
        self._keep += len(blob)
        self.records.update((r["key"], r) for r in new)

    def _open(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size > self._keep:
            os.truncate(self.path, self._keep)
        return self.path.open("ab", buffering=0)

    def _take_back(self) -> None:
        """Cut off what a failed write left; if even that fails, the next write begins with it."""
        if self._file is not None:
            with suppress(OSError):
                self._file.truncate(self._keep)
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _write_whole(file: IO[bytes], blob: bytes) -> None:
    """Write all of `blob`; a nearly full disk takes a part first and says no to the rest only."""
    rest = memoryview(blob)
    while rest:
        rest = rest[file.write(rest) :]
