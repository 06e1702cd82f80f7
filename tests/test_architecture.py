"""The arrows between the rooms run one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: Everybody stands on these.
GROUND = {"errors", "arrays", "files", "hashing", "redact"}
_DATA = {"documents", "strict", "ratings"}
_TASK = _DATA | {"data", "scoring"}
_RUN = _TASK | {"task", "model"}
_RESULT = _RUN | {"run", "statistics", "pictures", "analysis"}
#: What each room may import of ours; a room may always import itself and the ground.
ALLOWED: dict[str, set[str]] = {
    "statistics": set(),
    "ratings": set(),
    "documents": set(),
    "strict": {"documents"},
    "scoring": set(),
    "model": set(),
    "data": _DATA,
    "task": _TASK,
    "pictures": {"ratings", "statistics"},
    "lens": {"strict", "ratings", "scoring", "statistics"},
    "analysis": {"ratings", "statistics", "pictures"},
    "report": {"ratings", "statistics", "analysis", "lens"},
    "run": _RUN,
    "result": _RESULT,
    "annotate": _RESULT | {"result"},
    "jobs": _RESULT | {"result", "annotate", "lens"},
    "lm_eval_tasks": _RESULT | {"result"},
    "cli": _RESULT | {"result", "report", "annotate", "lens", "jobs", "lm_eval_tasks"},
}
#: The same inside rooms of several floors: folder to folders, of which each may import itself; "" is the room's own.
INSIDE: dict[str, dict[str, set[str]]] = {
    "statistics": {
        "measures": {""},
        "uncertainty": {"", "measures"},
        "groups": {"", "measures", "uncertainty"},
        "scored": {"", "measures", "uncertainty", "groups"},
        "lens": {"", "measures", "uncertainty"},
        "": {"measures", "uncertainty", "groups"},
    },
    "analysis": {
        "axis": {""},
        "paired": {""},
        "audit": {"", "axis"},
        "responses": {"", "axis"},
        "shares": {"", "axis"},
        "design": {"", "axis"},
        "": {"axis"},
    },
    "data": {"files": set(), "fetch": set(), "importing": {""}, "": {"files", "fetch"}},
    "model": {"engines": {""}, "": {"engines"}},
    "result": {"making": set(), "": {"making"}},
    "cli": {"asking": {""}, "measuring": {""}, "looking": {""}, "data": {"", "looking"}, "": set()},
}
#: Files of code in a folder, beside its ``__init__``.
MOST_FILES = 12
#: Folders with a file for each data set.
BY_DATA_SET = {"tests/tasks"}


def imported(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, inside functions too; a name of a package is one where it is."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{a.name}" for a in node.names}
            modules = {m for m in inner if (ROOT / m.replace(".", "/")).with_suffix(".py").exists()}
            found |= modules or {node.module}
    return {name for name in found if name.startswith("lm_plural.")}


def rooms_imported(path: Path) -> set[str]:
    """Return ``harness.<room>`` and other top folders a file imports."""
    parts = [name.split(".") for name in imported(path)]
    return {p[2] if p[1] == "harness" and len(p) > 2 else f"/{p[1]}" for p in parts}


def files_of(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


def module_of(path: Path) -> str:
    name = ".".join(("lm_plural", *path.relative_to(ROOT).with_suffix("").parts))
    return name.removesuffix(".__init__")


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_it_stands_on(room: str) -> None:
    place = ROOT / "harness" / room
    files = files_of(place) if place.is_dir() else [place.with_suffix(".py")]
    assert files
    for path in files:
        extra = rooms_imported(path) - GROUND - ALLOWED[room] - {room}
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


def test_every_room_is_listed() -> None:
    rooms = {p.stem for p in (ROOT / "harness").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert rooms - {"__init__"} == set(ALLOWED) | GROUND


@pytest.mark.parametrize("room", INSIDE)
def test_inside_a_room_arrows_run_one_way_too(room: str) -> None:
    place = ROOT / "harness" / room
    assert {p.name for p in place.iterdir() if (p / "__init__.py").is_file()} == set(INSIDE[room]) - {""}
    for path in files_of(place):
        (*here, _), prefix = path.relative_to(place).parts, f"lm_plural.harness.{room}."
        inner = [m.removeprefix(prefix).split(".") for m in imported(path) if m.startswith(prefix)]
        used = {m[0] if (place / m[0]).is_dir() else "" for m in inner}
        own = here[0] if here else ""
        extra = used - INSIDE[room][own] - {own}
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


def test_no_file_imports_itself_through_others() -> None:
    arrows = {module_of(p): imported(p) for p in files_of(ROOT / "harness")}
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        for other in sorted(arrows.get(name, set()) - done):
            walk(other, (*way, name))
        done.add(name)

    for name in arrows:
        walk(name, ())


@pytest.mark.parametrize("top", ["harness", "scorers", "leaderboards", "tests"])
def test_a_folder_has_few_files(top: str) -> None:
    for folder in {p.parent for p in files_of(ROOT / top)}:
        files, name = [p for p in folder.glob("*.py") if p.name != "__init__.py"], str(folder.relative_to(ROOT))
        assert len(files) <= MOST_FILES or name in BY_DATA_SET, f"{name} has {len(files)} files"


def test_statistics_knows_no_files_and_no_frames() -> None:
    for path in files_of(ROOT / "harness" / "statistics"):
        modules = {
            (n.module if isinstance(n, ast.ImportFrom) else n.names[0].name).split(".")[0]
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.Import | ast.ImportFrom) and not (isinstance(n, ast.ImportFrom) and n.module is None)
        }
        assert modules <= {
            "__future__",
            "numpy",
            "scipy",
            "lm_plural",
            "dataclasses",
            "functools",
            "typing",
            "collections",
        }
