"""Writing and checking files so that nothing is ever half-written."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from lm_plural.harness.errors import PluralError
from lm_plural.harness.hashing import digest
from lm_plural.harness.redact import starred


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write text (UTF-8; no secret of this command) or bytes beside `path`, fsync, and rename over it.

    Raises
    ------
    PluralError
        If the folder cannot be made or the file cannot be written whole.
    """
    beside = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as f:
            f.write(starred(content).encode() if isinstance(content, str) else content)
            f.flush()
            os.fsync(f.fileno())
        beside.replace(path)
    except (OSError, ValueError) as e:
        with suppress(OSError, ValueError):
            beside.unlink()
        raise PluralError(f"{path}: cannot write: {getattr(e, 'strerror', None) or e}") from e


def is_file(path: Path) -> bool:
    """Return whether `path` is a regular file; False also for names the system refuses, like overlong ones."""
    try:
        return path.is_file()
    except OSError:
        return False


def sha256_file(path: Path) -> str:
    """Return the hex sha256 of a file's bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def cache_dir() -> Path:
    """Return ``$LM_PLURAL_CACHE``, else ``$XDG_CACHE_HOME/lm-plural``, else ``~/.cache/lm-plural``."""
    if given := os.environ.get("LM_PLURAL_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lm-plural"


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
