"""One file out of a tar or zip archive, unpacked once beside what was fetched."""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import made_beside
from lm_plural.harness.hashing import digest

#: Bytes a member may unpack to.
MOST = 32 * 2**30
#: What reading a broken, encrypted or exotic archive raises; the last two from the zip module.
BROKEN = (OSError, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, zipfile.BadZipFile, RuntimeError)


def extracted(archive: Path, member: str, folder: Path) -> Path:
    """Return the unpacked member of an archive, found by its last name, whatever folder it lies in.

    The archive's own paths are never written to; what is unpacked goes into `folder`.

    Raises
    ------
    PluralError
        If it is no archive, has no such member or several, or there is no room for it.
    """
    stat = archive.stat()
    name = PurePosixPath(member).name
    target = folder / f"{digest([str(archive.resolve()), stat.st_size, stat.st_mtime_ns, member])}-{name}"
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with made_beside(target) as beside:
            with _member(archive, name) as source, beside.open("wb") as out:
                shutil.copyfileobj(source, out, 2**20)
                out.flush()
                os.fsync(out.fileno())
            beside.rename(target)
    except BROKEN as e:
        raise PluralError(f"{archive}: cannot unpack {member}: {e}") from e
    return target


@contextmanager
def _member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            inside = [(i.filename, i.file_size) for i in z.infolist() if not i.is_dir()]
            with z.open(_only(archive, name, inside)) as f:
                yield f
        return
    with tarfile.open(archive) as tar:
        inside = [(m.name, m.size) for m in tar.getmembers() if m.isfile()]
        found = tar.extractfile(_only(archive, name, inside))
        if found is None:
            raise PluralError(f"{archive}: {name} is no file")
        yield found
        while tar.fileobj and tar.fileobj.read(2**20):  # the checksum of what is compressed stands at its end
            pass


def _only(archive: Path, name: str, inside: Sequence[tuple[str, int]]) -> str:
    found = [(path, size) for path, size in inside if PurePosixPath(path).name == name]
    if len(found) != 1:
        shown = ", ".join(path for path, _ in inside[:10])
        raise PluralError(f"{archive}: {len(found)} files called {name!r}; expected one; there are {shown}")
    ((path, size),) = found
    if size > MOST:
        raise PluralError(f"{archive}: {path} unpacks to {size} bytes; expected at most {MOST}")
    return path
