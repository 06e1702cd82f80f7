"""The folder of a run: identity, journals, scores, results; one process at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import to_json, write_atomic
from lm_plural.harness.run.journal import Journal
from lm_plural.harness.run.sizes import Sizes

#: Where an item may be asked of: the first so many, a share of them, or some places.
Limit = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, allow_inf_nan=False)] | list[NonNegativeInt] | None
#: What may name a file.
Name = Annotated[str, Field(pattern=r"^[^\x00]+$")]


class _Part(BaseModel):
    """A part of ``run.json``: what is read of it must be there and of its type; there may be more."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Identity(_Part):
    model: str
    weights: str | None
    model_args: dict[str, Any]
    chat_template: bool | None
    system_instruction: str | None
    gen_kwargs: dict[str, Any]
    seed: int


class _Task(_Part):
    path: Name
    include_path: list[Name]
    limit: Limit


class _Run(_Part):
    identity: _Identity
    model_args: dict[str, Any]
    tasks: dict[str, _Task]


class _Audit(_Part):
    kind: Literal["audit"]
    scorer: str
    tasks: dict[str, _Task]


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
            self._clear()
            yield
        finally:
            lock.release()

    def _clear(self) -> None:
        """Remove what a killed process was writing beside a file, and details of no results; nobody writes here now."""
        results = {path.name.removeprefix("results_") for path in self.results()}
        alone = [p for p in self.path.glob("details_*.json") if p.name.removeprefix("details_") not in results]
        for path in [*self.path.glob(".*.json.*.tmp"), *self.path.glob(".*.parquet.*.tmp"), *alone]:
            with suppress(OSError):
                path.unlink()

    def samples(self, task: str) -> Journal:
        """Return the journal of a task's answers."""
        return Journal(self.path / f"samples_{task}.jsonl")

    def scores(self, task: str) -> Journal:
        """Return the journal of a task's scores."""
        return Journal(self.path / f"scores_{task}.jsonl")

    def sizes(self) -> Sizes:
        """Return the batch sizes of the tasks begun here."""
        return Sizes(self.path / "batch_sizes.json")

    def write_run(self, content: dict[str, Any]) -> None:
        """Write ``run.json``."""
        write_atomic(self.path / "run.json", to_json(content))

    def read_run(self) -> dict[str, Any]:
        """Read ``run.json`` of a model.

        Raises
        ------
        PluralError
            If there is none, it is that of an audit, it does not parse, or what is read of it is missing or of another
            type.
        """
        return self._read(_Run)

    def read_audit(self) -> dict[str, Any]:
        """Read ``run.json`` of an audit; raises as :meth:`read_run`."""
        return self._read(_Audit)

    def tasks(self) -> list[str] | None:
        """Return the tasks ``run.json`` lists, of a model or an audit; None without one; raises as :meth:`read_run`."""
        if not (self.path / "run.json").exists():
            return None
        with suppress(PluralError):
            return list(self.read_audit()["tasks"])
        return list(self.read_run()["tasks"])

    def _read(self, kind: type[_Run | _Audit]) -> dict[str, Any]:
        path = self.path / "run.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if kind is _Run and isinstance(content, dict) and content.get("kind") == "audit":
                scorer = _Audit.model_validate(content).scorer
                does = "the same lm-plural audit again aggregates its scores anew"
                raise PluralError(f"{path}: an audit of scorer {scorer!r}, not a run of a model; {does}")
            kind.model_validate(content)
        except FileNotFoundError as e:
            raise PluralError(f"{path}: no run here; expected the folder of a run, <output_path>/<model>/") from e
        except OSError as e:
            raise PluralError(f"{path}: cannot read: {e.strerror}") from e
        except ValidationError as e:
            first = e.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise PluralError(f"{path}: not the file of a run: {where}: {first['msg']}") from e
        except (ValueError, RecursionError) as e:
            raise PluralError(f"{path}: not valid JSON: {e}") from e
        return content

    def results(self) -> list[Path]:
        """Return the results files, oldest first."""
        return sorted(self.path.glob("results_*.json"))
