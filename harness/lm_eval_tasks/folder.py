"""The folder for lm-eval's ``--include_path``: a small YAML file per task that names our class; lm-eval is not needed.

A file says no more than the task's name and tags: the class finds the task itself, as ``lm-plural run`` would.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from lm_plural.harness.documents import Document
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import cache_dir, made_beside, writable_cache
from lm_plural.harness.hashing import digest
from lm_plural.harness.task.index import Index, tags_of
from lm_plural.harness.task.load import load_task

CLASS = "lm_plural.harness.lm_eval_tasks.task.PluralTask"
#: So that the folder is a package, as lm-eval's entry point for tasks wants one.
PACKAGE = {"__init__.py": ""}


def folder(index: Index, warn: Callable[[PluralError], object]) -> Path:
    """Return the folder with a file for every valid task, written into the cache if it is not there.

    It lies under a hash of what it holds, and is renamed into place, so a running lm-eval never sees it change.

    Parameters
    ----------
    index : Index
    warn : callable
        Told of each task that is left out because its file or recipe is not valid.

    Raises
    ------
    PluralError
        If the cache cannot be written.
    """
    wanted = PACKAGE | _files(index, warn)
    place = cache_dir() / "lm_eval" / digest(wanted) / "tasks"
    if _read(place) != wanted:
        writable_cache()
        _write(place, wanted)
    return place


def _files(index: Index, warn: Callable[[PluralError], object]) -> dict[str, str]:
    out = {}
    for name, document in index.tasks.items():
        try:
            load_task(document, index)
        except PluralError as e:
            warn(e)
            continue
        out[f"{name}.yaml"] = _content(name, document, index)
    return out


def _content(name: str, document: Document, index: Index) -> str:
    head = yaml.safe_dump({"task": name, "tag": tags_of(document)}, sort_keys=False)
    paths = {"include_path": [str(p.resolve()) for p in index.include_paths]}
    return f"{head}class: !function {CLASS}\n" + (yaml.safe_dump(paths) if index.include_paths else "")


def _read(place: Path) -> dict[str, str]:
    return {p.name: p.read_text(encoding="utf-8") for p in place.glob("*.*")}


def _write(place: Path, content: Mapping[str, str]) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with made_beside(place) as beside:
            beside.mkdir()
            for name, text in content.items():
                (beside / name).write_text(text, encoding="utf-8")
            shutil.rmtree(place, ignore_errors=True)  # there only if someone changed it by hand
            beside.rename(place)
    except OSError as e:
        if _read(place) != content:  # or another process was faster
            raise PluralError(f"{place}: cannot write: {e.strerror or e}") from e
