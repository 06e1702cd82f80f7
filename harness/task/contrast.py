"""A contrast set: texts of which it is known by construction what is wrong with them, to hold a scorer against.

Its YAML file stands among the tasks (``mode: contrast``), but no model is asked and no person rated: ``lm-plural audit
--scorer NAME --tasks contrast`` alone reads it. For each prompt there are four replies, good and bad on one dimension
only, short and long; and pairs of replies that are the same but for the gender named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from lm_plural.harness.data.files.lines import lines
from lm_plural.harness.documents import Document, InvalidFileError
from lm_plural.harness.errors import PluralError, UsageError, at
from lm_plural.harness.files import is_file, sha256_file
from lm_plural.harness.hashing import digest
from lm_plural.harness.ratings.scale import Direction
from lm_plural.harness.scoring import Sample
from lm_plural.harness.strict import Filled, RelativePath, Strict, parse
from lm_plural.harness.task.index import is_contrast

Quality = Literal["good", "bad"]
QUALITIES: tuple[Quality, ...] = ("good", "bad")
#: Lengths of replies.
SIZES = ("short", "long")
#: Share by which the good and the bad reply of one length may differ in characters.
MOST_APART = 0.1


class Prompt(Strict):
    """A line of the prompts: four replies to one question."""

    dimension: str
    prompt_id: Filled
    language: Filled
    prompt: Filled
    good_short: Filled
    bad_short: Filled
    good_long: Filled
    bad_long: Filled

    def reply(self, quality: Quality, size: str) -> str:
        """Return one of the four."""
        return str(getattr(self, f"{quality}_{size}"))

    def ids(self) -> list[str]:
        """Return the ids of the four replies."""
        return [self.id_of(quality, size) for size in SIZES for quality in QUALITIES]

    def id_of(self, quality: Quality, size: str) -> str:
        """Return the id of one of the four inside the set."""
        return f"{self.key}-{quality}-{size}"

    @model_validator(mode="after")
    def _are_of_a_length(self) -> Prompt:
        for size in SIZES:
            good, bad = (len(self.reply(q, size)) for q in ("good", "bad"))
            if abs(good - bad) > MOST_APART * min(good, bad):
                most = f"expected at most {MOST_APART:.0%} apart"
                raise ValueError(f"{size} replies of {good} (good) and {bad} (bad) characters; {most}")
        return self

    @property
    def key(self) -> str:
        """Name inside the set."""
        return f"{self.prompt_id}-{self.language}"


class Said(Strict):
    """A prompt and its reply."""

    prompt: Filled
    response: Filled


class Swap(Strict):
    """A line of the swaps: the same exchange about a woman or girl, and about a man or boy."""

    pair_id: Filled
    language: Filled
    kind: Literal["neutral", "biased"] = Field(description="Whether the reply rests on what a gender is like.")
    woman: Said
    man: Said

    @property
    def key(self) -> str:
        """Name inside the set."""
        return f"{self.pair_id}-{self.language}"


class ContrastFile(Strict):
    """The YAML file of a contrast set."""

    task: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    mode: Literal["contrast"]
    title: Filled
    licence: Filled
    warning: str | None = Field(None, description="Content warning.")
    dimensions: dict[str, Direction] = Field(min_length=1, description="Dimension to the end of it that is better.")
    prompts: RelativePath = Field(description="JSON lines, one prompt with four replies each.")
    swaps: RelativePath | None = Field(None, description="JSON lines, one pair each.")
    version: str | int | float


Row = TypeVar("Row", Prompt, Swap)


@dataclass(frozen=True)
class ContrastSet:
    """A contrast set read from its file; `limit`: only the first so many prompts, or that share, of each kind."""

    file: ContrastFile
    document: Document
    limit: float | None = None

    @property
    def name(self) -> str:
        """The set's name."""
        return self.file.task

    @property
    def paths(self) -> list[Path]:
        """Files of texts."""
        folder = self.document.path.parent
        return [folder / name for name in (self.file.prompts, self.file.swaps) if name]

    @property
    def version(self) -> str | int | float:
        """The set's version."""
        return self.file.version

    @cached_property
    def hash(self) -> str:
        """Identity: changes with any text or key, and the limit."""
        limit = [] if self.limit is None else [self.limit]
        return digest([self.file.model_dump(mode="json"), *map(sha256_file, self.paths), *limit])

    @cached_property
    def prompts(self) -> list[Prompt]:
        """Prompts in file order.

        Raises
        ------
        InvalidFileError
            For a line that is none, a dimension the set has not, or a prompt given twice.
        """
        rows = _rows(self.paths[0], Prompt)
        for n, row in rows:
            if row.dimension not in self.file.dimensions:
                known = ", ".join(self.file.dimensions)
                raise InvalidFileError([at(self.paths[0], n, f"dimension {row.dimension!r}; expected one of {known}")])
        return self._first([row for _, row in rows], lambda p: (p.dimension, p.language))

    @cached_property
    def swaps(self) -> list[Swap]:
        """Pairs in file order; raises as `prompts`."""
        found = [row for path in self.paths[1:] for _, row in _rows(path, Swap)]
        return self._first(found, lambda s: (s.kind, s.language))

    def _first(self, rows: list[Row], kind: Callable[[Row], tuple[str, str]]) -> list[Row]:
        """Return the first rows of each kind, as many as the limit says."""
        if self.limit is None:
            return rows
        of_kind: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            of_kind.setdefault(kind(row), []).append(row)
        most = {k: ceil(self.limit * len(v)) if self.limit < 1 else int(self.limit) for k, v in of_kind.items()}
        kept = {row.key for k, v in of_kind.items() for row in v[: most[k]]}
        return [row for row in rows if row.key in kept]

    def samples(self) -> Iterator[tuple[str, Sample]]:
        """Yield every text under its id, as a scorer sees it; the good reply of a length is no reference of the bad."""
        for p in self.prompts:
            for size in SIZES:
                for quality in QUALITIES:
                    key = p.id_of(quality, size)
                    yield key, Sample(p.prompt, p.reply(quality, size), id=key, language=p.language)
        for s in self.swaps:
            for who, said in (("woman", s.woman), ("man", s.man)):
                key = f"{s.key}-{who}"
                yield key, Sample(said.prompt, said.response, id=key, language=s.language)


def load_contrast(document: Document, limit: float | None = None) -> ContrastSet:
    """Return the contrast set of a task file, its texts not yet read.

    Raises
    ------
    InvalidFileError
        With every finding of the YAML file.
    PluralError
        If a file of texts is not there.
    """
    found = ContrastSet(parse(document, ContrastFile), document, limit)
    for path in found.paths:
        if not is_file(path):
            raise PluralError(document.at((), f"no file {path}"))
    return found


def refuse_contrast(document: Document) -> None:
    """Refuse (UsageError) a contrast set where a model is asked or people rated."""
    if is_contrast(document):
        name = document.data.get("task")
        audit = f"lm-plural audit --scorer NAME --tasks {name}"
        raise UsageError(f"task {name!r} is a contrast set, which tests scorers and asks no model: {audit}")


def _rows(path: Path, kind: type[Row]) -> list[tuple[int, Row]]:
    rows: list[tuple[int, Row]] = []
    for n, line in lines(path):
        try:
            rows.append((n, kind.model_validate_json(line)))
        except ValidationError as e:
            first = e.errors()[0]
            where = ".".join(map(str, first["loc"]))
            message = first["msg"].removeprefix("Value error, ")
            raise InvalidFileError([at(path, n, f"{where}: {message}".removeprefix(": "))]) from e
    if not rows:
        raise InvalidFileError([at(path, 1, "no texts; expected one JSON object a line")])
    first_at: dict[str, int] = {}
    for n, row in rows:
        if (before := first_at.setdefault(row.key, n)) != n:
            raise InvalidFileError([at(path, n, f"{row.key!r} again, first on line {before}")])
    return rows
