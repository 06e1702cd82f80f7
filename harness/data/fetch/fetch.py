"""Downloading a recipe's file: https only, checked, taken up again where it stopped, never half in its place."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from lm_plural.harness.data.fetch.download import Download, Progress
from lm_plural.harness.data.fetch.partial import Part
from lm_plural.harness.documents import stays_inside
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import is_file, sha256_file

if TYPE_CHECKING:
    import requests


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    size: int | None = None,
    most: int = 8 * 2**30,
    private: bool = False,
    progress: Progress | None = None,
    session: requests.Session | None = None,
) -> str:
    """Download a file over https and return its sha256.

    The bytes go to ``<target>.part``, which stays when the download is interrupted; the next call goes on where it
    stopped if the file is still the same (Range and If-Range, RFC 9110 sections 13.1.5 and 14.2). A second fetch of
    the same target waits for the first. If `target` already has `sha256`, the server is not asked.

    Parameters
    ----------
    url : str
    target : Path
        Its folder is made; the caller has checked that it is the right one (see `within`).
    sha256 : str or None
        Of the file's bytes; None checks nothing.
    size : int, optional
        Expected length in bytes.
    most : int
        Length of the longest file accepted, in bytes.
    private : bool
        Whether `url` may lead into a private network.
    progress : callable, optional
        Called with the bytes so far and the length, None if unknown.
    session : requests.Session, optional

    Raises
    ------
    PluralError
        If the file does not come, is not the expected one, or cannot be written; `target` is then as it was.
    """
    import filelock
    import requests

    part = Part(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(part.lock):
            if sha256 and is_file(target) and sha256_file(target) == sha256:
                return sha256
            with nullcontext(session) if session else requests.Session() as http:
                download = Download(url, part, size, most, progress, http, private)
                download.run()
            return download.publish(sha256)
    except OSError as e:
        kept = f"; {part.held} bytes are kept in {part.path.name}" if part.held else ""
        raise PluralError(f"{target}: cannot write: {e.strerror or e}{kept}") from e


def within(folder: Path, relative: str) -> Path:
    """Return ``folder / relative``.

    Raises
    ------
    PluralError
        If that leaves the folder, also through a symbolic link inside it.
    """
    path = folder / relative
    try:
        inside = stays_inside(relative) and path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle
        inside = False
    if not inside:
        raise PluralError(f"{relative!r} leads out of {folder}; expected a relative path that stays in it")
    return path
