"""The append-only file of JSON lines that nothing is lost from.

A batch is written in one piece and synced. A torn last line, left by a kill or a full disk, is dropped when the
journal is opened again; anything else that does not parse is an error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
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
        self._keep = 0
        self.records: dict[str, Record] = {r["key"]: r for r in self._read()}

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
            except (ValueError, TypeError, KeyError) as e:
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
        blob = "".join(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in new).encode()
        try:
            if self._file is None:
                self._file = self._open()
            self._file.write(blob)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as e:
            raise PluralError(at(self.path, None, f"cannot write: {e.strerror}; answers so far are kept")) from e
        self.records.update((r["key"], r) for r in new)

    def _open(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size > self._keep:
            os.truncate(self.path, self._keep)
        return self.path.open("ab", buffering=0)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
