"""A file on its way: the bytes so far (``<target>.part``) and a note of what they are the beginning of."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import write_atomic


class Source(BaseModel):
    """What the server said about the file when its first byte came."""

    url: str
    #: Strong ETag or Last-Modified, for If-Range; None if the server names none: such a file cannot be resumed.
    validator: str | None
    #: Length in bytes, None if not announced.
    total: int | None


class Part:
    """The unfinished file beside `target`; callers hold `lock`.

    Raises
    ------
    PluralError
        If one of the names is taken by a folder or a symbolic link, which could lead anywhere.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self.note = target.with_name(f"{target.name}.part.json")
        self.lock = target.with_name(f".{target.name}.lock")
        for path in (self.target, self.path, self.note, self.lock):
            if _misleads(path):
                raise PluralError(f"{path}: is a symbolic link or a folder; expected a plain file or nothing")

    @property
    def held(self) -> int:
        """Bytes so far."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def source(self, url: str) -> Source | None:
        """Return what the bytes so far are the beginning of; None without bytes or if they are of another url."""
        try:
            source = Source.model_validate_json(self.note.read_bytes())
        except (OSError, ValueError):
            return None
        fits = source.url == url and 0 < self.held <= (self.held if source.total is None else source.total)
        return source if fits else None

    def restart(self, source: Source) -> None:
        """Begin from the first byte; old bytes go before the new note comes, so that a kill never mixes them."""
        self.path.unlink(missing_ok=True)
        write_atomic(self.note, source.model_dump_json())

    def discard(self) -> None:
        """Forget the bytes so far."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def publish(self) -> None:
        """Put the whole file in its place: fsync, then rename.

        The note goes first: a kill in between costs the bytes, which come again, and leaves nothing for good.
        """
        with self.path.open("rb+") as f:
            os.fsync(f.fileno())
        self.note.unlink(missing_ok=True)
        self.path.replace(self.target)


def _misleads(path: Path) -> bool:
    try:
        return path.is_symlink() or path.is_dir()
    except OSError as e:
        raise PluralError(f"{path}: cannot write: {e.strerror}") from e
