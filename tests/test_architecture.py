"""The arrows between the rooms run one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: What each room may import of ours; a room may always import itself and the ground (those of GROUND).
GROUND = {"errors", "arrays", "files", "hashing", "redact"}
ALLOWED = {
    "statistics": set(),
    "ratings": set(),
    "task": {"ratings"},
    "model": {"ratings", "task"},
    "scoring": set(),
    "run": {"ratings", "task", "model", "scoring"},
    "result": {"ratings", "statistics", "task", "model", "run"},
    "evaluate": {"ratings", "task", "model", "run", "result"},
    "lm_eval_tasks": {"ratings", "task", "model", "run", "result"},
    "cli": {"ratings", "statistics", "task", "model", "run", "result", "evaluate", "scoring", "lm_eval_tasks"},
}


def rooms_imported(path: Path) -> set[str]:
    """Return ``harness.<room>`` and other top folders a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            if parts[0] == "lm_plural" and len(parts) > 1:
                found.add(parts[2] if parts[1] == "harness" and len(parts) > 2 else f"/{parts[1]}")
    return found


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_it_stands_on(room: str) -> None:
    place = ROOT / "harness" / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    assert files
    for path in files:
        extra = rooms_imported(path) - GROUND - ALLOWED[room] - {room}
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


def test_every_room_is_listed() -> None:
    rooms = {p.stem for p in (ROOT / "harness").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert rooms - {"__init__"} == set(ALLOWED) | GROUND


def test_statistics_knows_no_files_and_no_frames() -> None:
    for path in (ROOT / "harness" / "statistics").glob("*.py"):
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
