"""One file out of a tar or zip archive, unpacked once beside what was fetched."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import made_beside
from lm_plural.harness.hashing import digest

#: Bytes a member may unpack to, and a whole tar archive: a few may unpack to anything.
MOST, WHOLE = 32 * 2**30, 128 * 2**30
#: Bytes read at once; names and headers inside an archive have to be shorter.
PIECE = 2**20
#: What unpacks a tar archive, by its first bytes.
PACKED: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
#: What reading a broken, encrypted or exotic archive raises; the last two from the zip module.
BROKEN = (OSError, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, zipfile.BadZipFile, RuntimeError)


def extracted(archive: Path, member: str, folder: Path) -> Path:
    """Return the unpacked member of an archive, found by its last name, whatever folder it lies in.

    The archive's own paths are never written to; what is unpacked goes into `folder`.

    Raises
    ------
    PluralError
        If it is no archive, has no such member or several, unpacks to more than `MOST`, or there is no room for it.
    """
    stat = archive.stat()
    name = PurePosixPath(member).name
    target = folder / f"{digest([str(archive.resolve()), stat.st_size, stat.st_mtime_ns, member])}-{name}"
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with made_beside(target) as beside:
            with _member(archive, name, shutil.disk_usage(folder).free) as source, beside.open("wb") as out:
                shutil.copyfileobj(source, out, PIECE)
                out.flush()
                os.fsync(out.fileno())
            beside.rename(target)
    except BROKEN as e:
        raise PluralError(f"{archive}: cannot unpack {member}: {e}") from e
    return target


@contextmanager
def _member(archive: Path, name: str, room: int) -> Iterator[IO[bytes]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            members = [i for i in z.infolist() if not i.is_dir()]
            if odd := [i for i in members if i.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]:
                # Python unpacks a piece of them whole into memory, whatever comes out
                raise ValueError(f"{odd[0].filename} is packed by method {odd[0].compress_type}; expected deflate")
            with z.open(_only(archive, name, [(i.filename, i.file_size) for i in members], room)) as f:
                yield f
        return
    with closing(_Bounded(archive)) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        files = [m for m in tar if m.isfile()]
        if holes := [m.name for m in files if m.issparse()]:
            raise ValueError(f"{holes[0]} is stored with holes; expected a plain file")
        found = tar.extractfile(_only(archive, name, [(m.name, m.size) for m in files], room))
        if found is None:
            raise PluralError(f"{archive}: {name} is no file")
        yield found
        while stream.read(PIECE):  # the checksum of what is compressed stands at its end
            pass


class _Bounded(io.RawIOBase):
    """A tar archive, unpacked, of which nobody gets more than `WHOLE` bytes, nor more than two pieces at once."""

    def __init__(self, archive: Path) -> None:
        with archive.open("rb") as f:
            unpack = PACKED.get(f.read(2))
        self.stream: IO[bytes] = unpack(archive) if unpack else archive.open("rb")

    def close(self) -> None:
        """Close the file."""
        self.stream.close()
        super().close()

    def tell(self) -> int:
        """Return the place."""
        return self.stream.tell()

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, counted from the beginning."""
        if whence != io.SEEK_SET or place > WHOLE:
            raise ValueError(f"it unpacks to more than {WHOLE} bytes; expected at most that")
        return self.stream.seek(place)

    def read(self, size: int = -1) -> bytes:
        """Read some bytes; a header that wants more than a piece is none."""
        if not 0 <= size <= 2 * PIECE:
            raise ValueError(f"a header of {size} bytes; expected at most {2 * PIECE}")
        if self.tell() > WHOLE:
            raise ValueError(f"it unpacks to more than {WHOLE} bytes; expected at most that")
        return self.stream.read(size)


def _only(archive: Path, name: str, inside: Sequence[tuple[str, int]], room: int) -> str:
    found = [(path, size) for path, size in inside if PurePosixPath(path).name == name]
    if len(found) != 1:
        shown = ", ".join(path for path, _ in inside[:10])
        raise PluralError(f"{archive}: {len(found)} files called {name!r}; expected one; there are {shown}")
    ((path, size),) = found
    if size > min(MOST, room):
        limit = f"expected at most {MOST}" if size > MOST else f"{room} are free"
        raise PluralError(f"{archive}: {path} unpacks to {size} bytes; {limit}")
    return path
