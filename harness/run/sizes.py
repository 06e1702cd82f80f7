"""How a local model's batches are cut, kept in the run's folder: an answer depends a little on its batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveInt, TypeAdapter, ValidationError

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import to_json, write_atomic


class BatchSize(BaseModel):
    """How many requests a batch of a task has, and how many of them are computed at once."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    batch: PositiveInt
    fits: PositiveInt


_FILE = TypeAdapter(dict[str, BatchSize])


class Sizes:
    """The sizes of each task that was begun.

    Parameters
    ----------
    path : Path, optional
        The file they are kept in; without it they are forgotten with this object.

    Raises
    ------
    PluralError
        If the file is there and is not such a file.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._known: dict[str, BatchSize] = {}
        if path is None or not path.exists():
            return
        try:
            self._known = _FILE.validate_json(path.read_bytes())
        except (OSError, ValidationError) as e:
            raise PluralError(f"{path}: not the batch sizes of a run; without this file they are chosen anew") from e

    def begin(self, task: str, given: int | None, most: int, choose: Callable[[], int]) -> BatchSize:
        """Return the sizes of a task: those it began with, unless the command line says something else.

        Parameters
        ----------
        task : str
        given : int or None
            ``--batch_size``; None: ``auto``.
        most : int
            ``--max_batch_size``, for ``auto``.
        choose : callable
            Returns the automatic size, where none is known.
        """
        known = self._known.get(task)
        if known and (known.batch == given if given else known.batch <= most):
            return known
        batch = given or choose()
        halved = [] if known else [s.fits for s in self._known.values() if s.fits < s.batch]
        return self._keep(task, BatchSize(batch=batch, fits=min([batch, *halved])))

    def halve(self, task: str, fits: int) -> None:
        """Keep that no more than `fits` requests fit into memory at once."""
        self._keep(task, self._known[task].model_copy(update={"fits": fits}))

    def _keep(self, task: str, size: BatchSize) -> BatchSize:
        self._known[task] = size
        if self.path is not None:
            content = {name: s.model_dump() for name, s in self._known.items()}
            write_atomic(self.path, to_json(content))
        return size
