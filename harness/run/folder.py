"""The folder of a run: identity, journals, scores, results; one process at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import to_json, write_atomic
from lm_plural.harness.run.journal import Journal

#: What ``run.json`` must hold for a run to be taken up again.
RUN = ("identity", "model_args", "tasks")
IDENTITY = ("model", "weights", "model_args", "chat_template", "system_instruction", "gen_kwargs", "seed")


class RunFolder:
    """``<output_path>/<model_slug>/``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process.

        Raises
        ------
        PluralError
            If it cannot be written, or another run holds it.
        """
        import filelock

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / ".lock", timeout=0)
            lock.acquire()
        except filelock.Timeout as e:
            raise PluralError(f"{self.path}: another run is writing here") from e
        except OSError as e:
            raise PluralError(f"{self.path}: cannot write: {e.strerror or e}") from e
        try:
            yield
        finally:
            lock.release()

    def samples(self, task: str) -> Journal:
        """Return the journal of a task's answers."""
        return Journal(self.path / f"samples_{task}.jsonl")

    def scores(self, task: str) -> Journal:
        """Return the journal of a task's scores."""
        return Journal(self.path / f"scores_{task}.jsonl")

    def write_run(self, content: dict[str, Any]) -> None:
        """Write ``run.json``."""
        write_atomic(self.path / "run.json", to_json(content))

    def read_run(self) -> dict[str, Any]:
        """Read ``run.json``.

        Raises
        ------
        PluralError
            If there is none or it does not parse.
        """
        path = self.path / "run.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as e:
            raise PluralError(f"{path}: no run here; expected the folder of a run, <output_path>/<model>/") from e
        except ValueError as e:
            raise PluralError(f"{path}: not valid JSON: {e}") from e
        if missing := [k for k in RUN if not isinstance(content, dict) or not isinstance(content.get(k), dict)]:
            raise PluralError(f"{path}: not the file of a run: expected an object with {missing[0]!r}")
        if missing := [k for k in IDENTITY if k not in content["identity"]]:
            raise PluralError(f"{path}: not the file of a run: identity has no {missing[0]!r}")
        return content

    def results(self) -> list[Path]:
        """Return the results files, oldest first."""
        return sorted(self.path.glob("results_*.json"))
