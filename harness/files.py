"""Writing and checking files so that nothing is ever half-written."""

from __future__ import annotations

import glob
import hashlib
import json
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lm_plural.harness.errors import PluralError
from lm_plural.harness.hashing import digest
from lm_plural.harness.redact import starred


@contextmanager
def made_beside(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` under which a file or folder is made before it is renamed to it.

    Nothing is there in the beginning, and at the end what was not renamed is removed, whatever happened. What a process
    left that was killed before its end is removed by the next one that makes the same.
    """
    start = f".{path.name}.{digest(platform.node())[:6]}-"
    for left in path.parent.glob(f"{glob.escape(start)}*.tmp"):
        if not _runs(left.name.removeprefix(start).removesuffix(".tmp")):
            _remove(left)
    beside = path.with_name(f"{start}{os.getpid()}.tmp")
    try:
        yield beside
    finally:
        _remove(beside)


def _runs(pid: str) -> bool:
    """Return whether another process of this machine has this number."""
    import psutil

    return pid.isdecimal() and int(pid) != os.getpid() and psutil.pid_exists(int(pid))


def _remove(path: Path) -> None:
    with suppress(OSError, ValueError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write text (UTF-8; no secret of this command) or bytes beside `path`, fsync, and rename over it.

    Raises
    ------
    PluralError
        If the folder cannot be made or the file cannot be written whole.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with made_beside(path) as beside:
            with beside.open("wb") as f:
                f.write(starred(content).encode() if isinstance(content, str) else content)
                f.flush()
                os.fsync(f.fileno())
            beside.replace(path)
    except (OSError, ValueError) as e:
        raise PluralError(f"{path}: cannot write: {getattr(e, 'strerror', None) or e}") from e


def to_json(content: Any) -> str:
    """Return content as indented JSON with a newline at the end.

    Raises
    ------
    PluralError
        If a number is NaN or infinite, which JSON has no word for; it is named by its place.
    """
    try:
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as e:
        raise PluralError(f"cannot be written as JSON: {_not_finite(content) or e}") from e


def _not_finite(content: Any, place: str = "") -> str:
    """Return the first number that is NaN or infinite with its place, such as ``axes.gender.tau: nan``."""
    if isinstance(content, float):
        return "" if math.isfinite(content) else f"{place}: {content}"
    parts: Iterable[tuple[Any, Any]]
    if isinstance(content, Mapping):
        parts = content.items()
    else:
        parts = enumerate(content) if isinstance(content, list | tuple) else ()
    return next((found for key, v in parts if (found := _not_finite(v, f"{place}.{key}".lstrip(".")))), "")


def is_file(path: Path) -> bool:
    """Return whether `path` is a regular file; False also for names the system refuses, like overlong ones."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def sha256_file(path: Path) -> str:
    """Return the hex sha256 of a file's bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def cache_dir() -> Path:
    """Return ``$LM_PLURAL_CACHE``, else ``$XDG_CACHE_HOME/lm-plural``, else ``~/.cache/lm-plural``.

    A user without a home folder (a number in a container) gets a place where nothing is and nothing can be written.
    """
    if given := os.environ.get("LM_PLURAL_CACHE"):
        return Path(given)
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        base = Path(os.devnull, "no-home")
    return base / "lm-plural"


def writable_cache() -> Path:
    """Return :func:`cache_dir`, made, for what cannot do without it.

    Raises
    ------
    PluralError
        If nothing can be written there.
    """
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as e:
        advice = "set LM_PLURAL_CACHE to a folder that can be written"
        raise PluralError(f"{folder}: cannot write the cache: {e.strerror or e}; {advice}") from e


def sha256_known(path: Path) -> str:
    """Return a file's sha256, remembered in the cache by size and time so that big weights are read once."""
    stat = path.stat()
    key = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    note = cache_dir() / "sha256" / f"{digest(key[0])}.json"
    try:
        known = json.loads(note.read_text())
        if known[:4] == key:
            return str(known[4])
    except (OSError, ValueError, IndexError, TypeError):
        pass
    found = sha256_file(path)
    with suppress(PluralError):  # a cache that cannot be written costs time, not truth
        write_atomic(note, json.dumps([*key, found]))
    return found
