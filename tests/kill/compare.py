"""What a command left, compared with what an uninterrupted one leaves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lm_plural.harness.result.details import DETAILS, TIMES
from tests.kill.process import plain

#: Files to which lines are appended.
JOURNALS = ("samples_", "scores_")
#: Mappings that are written anew, whole, with every entry that is added.
GROWING = "/batch_sizes.json"
#: What can go wrong, in the order of the report.
FAULTS = {
    "lost": "lost",
    "doubled": "doubled",
    "different": "different",
    "half": "half files",
    "files": "files different",
    "left": "left over",
    "unclean": "unclean ends",
}


@dataclass
class State:
    """The files of a folder: lines of journals, content of the others, in a form that can be compared."""

    journals: dict[str, list[bytes]] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> State:
        out = cls()
        for path in sorted(p for p in folder.rglob("*") if not p.is_dir() or not any(p.iterdir())):
            name = plain(str(path.relative_to(folder))) + "/" * path.is_dir()
            if path.name.startswith(JOURNALS):
                raw = path.read_bytes()
                out.journals[name] = raw[: raw.rfind(b"\n") + 1].splitlines()
            else:
                out.files.setdefault(name, []).append(_content(path, folder))
                out.files[name].sort()
        return out


def _content(path: Path, folder: Path) -> str:
    if path.is_symlink() or path.is_dir() or path.name.endswith(".lock"):
        return ""
    raw = path.read_bytes().replace(bytes(folder), b"PLACE")
    try:
        if path.name.startswith("results_"):
            return json.dumps({k: v for k, v in json.loads(raw).items() if k not in (*TIMES, DETAILS)})
        if path.parent.name == "sha256":
            return str(len(json.loads(raw)))  # it speaks of where and when a file was written
    except ValueError:
        return "not JSON"
    return raw.decode("latin-1")


def _outermost(name: str) -> str:
    """Return the first part of a path that is hidden, with what it lies in."""
    parts = name.split("/")
    hidden = [n for n, part in enumerate(parts, start=1) if part.startswith(".")]
    return "/".join(parts[: hidden[0]]) if hidden else name


def hidden(name: str) -> bool:
    """Return whether a file is one that nobody takes for a finished one."""
    return any(part.startswith(".") for part in name.split("/")) or name.endswith((".part", ".part.json"))


@dataclass(frozen=True)
class Judge:
    """What an uninterrupted command left, and what it began with.

    `ordered`: answers come in the same order every time; scores never need to.
    """

    before: State
    after: State
    ordered: bool = True

    def at_the_kill(self, found: State) -> list[tuple[str, str]]:
        """Return files that are there but are neither as they were nor as they will be."""
        out = []
        for name, contents in found.files.items():
            known = [*self.before.files.get(name, ()), *self.after.files.get(name, ())]
            if name.endswith(GROWING):
                known += [c for c in contents if any(_within(c, whole) for whole in known)]
            if not hidden(name) and not name.endswith("/") and any(c not in known for c in contents):
                out.append(("half", name))
        return out

    def at_the_end(self, found: State, kept: Mapping[str, list[bytes]]) -> list[tuple[str, str]]:
        """Return what differs from the uninterrupted run; `kept` are the lines that were whole at a kill."""
        out = []
        for name, lines in self.after.journals.items():
            out += self._lines(name, found.journals.get(name, []), kept.get(name, []), lines)
        out += [("files", name) for name, content in self.after.files.items() if found.files.get(name) != content]
        extra = (found.files.keys() - self.after.files.keys()) | (found.journals.keys() - self.after.journals.keys())
        return out + [("left", name) for name in sorted({_outermost(name) for name in extra})]

    def _lines(self, name: str, found: list[bytes], kept: list[bytes], wanted: list[bytes]) -> list[tuple[str, str]]:
        out = [("lost", f"{name}: {line[:80]!r}") for line in kept if line not in set(found)]
        times = Counter(map(_key, found))
        out += [("doubled", f"{name}: {key}") for key, n in times.items() if n > 1]
        out += [("lost", f"{name}: {_key(line)}") for line in wanted if _key(line) not in times]
        out += [("different", f"{name}: {_key(line)}") for line in found if line not in set(wanted)]
        if self.ordered and "scores_" not in name and found != wanted and sorted(found) == sorted(wanted):
            out.append(("different", f"{name}: the order"))
        return out


def _within(part: str, whole: str) -> bool:
    """Return whether a JSON mapping holds nothing that another does not hold."""
    try:
        return bool(json.loads(part).items() <= json.loads(whole).items())
    except (ValueError, AttributeError):
        return False


def _key(line: bytes) -> str:
    try:
        return str(json.loads(line)["key"])
    except (ValueError, KeyError, TypeError):
        return f"no line of a journal: {line[:80]!r}"
