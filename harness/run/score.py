"""Scores of responses: from the journal of answers to the journal of scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.hashing import digest
from lm_plural.harness.redact import redacted
from lm_plural.harness.run.journal import Journal, Record
from lm_plural.harness.scoring import (
    FloatArray,
    Sample,
    Scorer,
    ScorerInfo,
    SharingScorer,
    UnderTest,
    checked_together,
    make_scorer,
)
from lm_plural.harness.task.load import LoadedTask
from lm_plural.harness.task.schema import ScorerSpec
from lm_plural.harness.task.template import render

Pair = tuple[Record, Sample]
#: Texts that gather before scorers are handed any, if there are so many.
AT_ONCE = 512


class _Score(BaseModel):
    """What is read of a line of scores; there may be more."""

    model_config = ConfigDict(strict=True, extra="allow")

    sample: str
    text: str
    item_id: str
    part: str
    asked: str
    scorer: str
    version: str
    direction: Literal["more", "less"]
    range: Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]
    scores: dict[str, FiniteFloat | None]
    more: dict[str, FiniteFloat | None] = {}
    not_covered: str = ""
    model: dict[str, str | None] = {}


class Scoring:
    """Scores a task's responses in a thread of its own, beside the next batch's generation.

    Scorers are made when something has to be scored: a finished run loads none. From then on every score must be of
    the version made, so that one result never mixes two.
    """

    def __init__(
        self,
        specs: Sequence[ScorerSpec],
        journal: Journal,
        *,
        trust_remote_code: bool = False,
        under_test: UnderTest | None = None,
    ) -> None:
        self.specs = specs
        self.journal = journal
        self.trust_remote_code = trust_remote_code
        self.under_test = under_test
        self._scorers: list[tuple[str, Scorer]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._pending: list[Future[None]] = []
        self._gathered: list[Pair] = []
        #: The last record of each (sample, text, asked), which is the one that counts, and how many there are.
        self._last: dict[tuple[str, str, str], tuple[Record, int]] = {}
        for record in journal.records.values():
            self._check(record)
            self._note(record)

    def _check(self, record: Record) -> None:
        try:
            _Score.model_validate(record)
        except ValidationError as e:
            first = e.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise PluralError(
                f"{self.journal.path}: the line with key {record['key']!r} is no score: {where}: {first['msg']}"
            ) from e

    def _note(self, record: Record) -> None:
        place = (record["sample"], record["text"], record["asked"])
        self._last[place] = (record, self._last.get(place, (record, 0))[1] + 1)

    @cached_property
    def asked(self) -> list[str]:
        """Names of what was asked for: scorer and options."""
        return [digest(redacted(s.model_dump(mode="json"))) for s in self.specs]

    def complete(self, records: Sequence[Record]) -> bool:
        """Return whether every answer has a score by every scorer asked for."""
        return all((r["key"], text, a) in self._last for r in records for text in [_text_hash(r)] for a in self.asked)

    def submit(self, pairs: Sequence[Pair]) -> None:
        """Score (record, sample) pairs in the background, :data:`AT_ONCE` at a time; an earlier failure is raised here.

        A scorer's batches are of texts of like length, so it is handed many at once.
        """
        for scorer in (s for _, s in self.made() if s.info.compares):
            if any(sample.reference is None for _, sample in pairs):
                why = "compares responses with the task's reference to the same prompt, and this task has none here"
                raise UsageError(f"scorer {scorer.info.name!r} {why} (doc_to_target)")
        for future in [f for f in self._pending if f.done()]:
            future.result()
            self._pending.remove(future)
        self._gathered += pairs
        self._hand_over(AT_ONCE)

    def _hand_over(self, least: int) -> None:
        """Hand what has gathered to the thread, while it is `least` texts or more; each part is journaled when done."""
        while len(self._gathered) >= least:
            part, self._gathered = self._gathered[:AT_ONCE], self._gathered[AT_ONCE:]
            self._pending.append(self._thread.submit(self._score, part))

    def finish(self) -> None:
        """Wait until everything submitted is scored and raise what went wrong."""
        self._hand_over(1)
        for future in self._pending:
            future.result()
        self._pending.clear()

    def close(self) -> None:
        """Wait for what is being scored, and no more, and close the journal; an error in it is raised here."""
        try:
            self._gathered.clear()
            self.finish()
        finally:
            self._pending.clear()
            self._thread.shutdown(wait=True, cancel_futures=True)
            self.journal.close()

    def _score(self, pairs: list[Pair]) -> None:
        score_together([self], pairs)

    def made(self) -> list[tuple[str, Scorer]]:
        """Return the scorers, each with the name of what was asked for; they are made the first time."""
        if not self._scorers:
            self._scorers = make_scorers(
                self.specs, self.asked, trust_remote_code=self.trust_remote_code, under_test=self.under_test
            )
        return self._scorers

    def missing(self, pairs: Sequence[Pair], asked: str, info: ScorerInfo) -> dict[str, Pair]:
        """Return the pairs without a score of this version, by the key it will have."""
        todo: dict[str, Pair] = {}
        for record, sample in pairs:
            place = (record["key"], _text_hash(record), asked)
            last, count = self._last.get(place, ({"version": None}, 0))
            if last["version"] != info.version:
                todo[digest([*place, info.version, count])] = (record, sample)
        return todo

    def keep(self, records: Sequence[Record]) -> None:
        """Write scores to the journal."""
        self.journal.append(records)
        for record in records:
            self._note(record)

    def scores_of(self, records: Sequence[Record]) -> list[Record]:
        """Return the last score record of every answer and scorer asked for."""
        keys = [(r["key"], text, a) for r in records for text in [_text_hash(r)] for a in self.asked]
        return [self._last[k][0] for k in keys if k in self._last]


def score_together(scorings: Sequence[Scoring], pairs: Sequence[Pair]) -> None:
    """Score what is missing of pairs in each journal; scorers that share are handed the same texts together.

    Raises
    ------
    PluralError
        If a scorer fails; what was scored before stays.
    """
    sharing: dict[Hashable, list[tuple[Scoring, str, Scorer]]] = {}
    for scoring in scorings:
        for asked, scorer in scoring.made():
            key = scorer.shares if isinstance(scorer, SharingScorer) else id(scorer)
            sharing.setdefault(key, []).append((scoring, asked, scorer))
    for members in sharing.values():
        size = min(scorer.info.at_once for *_, scorer in members)
        for n in range(0, len(pairs), size):
            part = pairs[n : n + size]
            todo = [(*m, found) for m in members if (found := m[0].missing(part, m[1], m[2].info))]
            scored = checked_together([(scorer, [s for _, s in found.values()]) for *_, scorer, found in todo])
            for (scoring, asked, scorer, found), values in zip(todo, scored, strict=True):
                rows = zip(found.items(), values, strict=True)
                scoring.keep([_score_record(key, pair, asked, scorer.info, v) for (key, pair), v in rows])


def _score_record(key: str, pair: Pair, asked: str, info: ScorerInfo, values: FloatArray) -> Record:
    record, sample = pair
    found = [None if math.isnan(v) else float(v) for v in values]
    scores, more = found[: len(info.dimensions)], found[len(info.dimensions) :]
    return {
        "key": key,
        "sample": record["key"],
        "text": _text_hash(record),
        "item_id": record["item_id"],
        "part": record["part"],
        "asked": asked,
        "scorer": info.name,
        "version": info.version,
        "direction": info.direction,
        "range": list(info.range),
        "scores": dict(zip(info.dimensions, scores, strict=True)),
        **({"more": dict(zip(info.more, more, strict=True))} if info.more else {}),
        **({"model": dict(info.model)} if info.model else {}),
        **({} if info.covers(sample.language) else {"not_covered": sample.language}),
    }


def not_covered(records: Iterable[Record]) -> list[str]:
    """Return a note for each scorer and language it does not cover: how many texts have no score for that."""
    found = Counter((r["scorer"], r["not_covered"]) for r in records if r.get("not_covered"))
    return [
        f"language_not_covered: {n} texts in {language!r} have no score by {scorer}"
        for (scorer, language), n in found.items()
    ]


def make_scorers(
    specs: Sequence[ScorerSpec],
    asked: Sequence[str],
    *,
    trust_remote_code: bool = False,
    under_test: UnderTest | None = None,
) -> list[tuple[str, Scorer]]:
    """Make the scorers of a task.

    Raises
    ------
    UsageError
        If two have the same name, so that their results could not be told apart.
    """
    made = [
        (a, make_scorer(s.name, s.options, trust_remote_code=trust_remote_code, under_test=under_test))
        for a, s in zip(asked, specs, strict=True)
    ]
    names = [s.info.name for _, s in made]
    if twice := [n for n in names if names.count(n) > 1]:
        raise UsageError(f"scorer {twice[0]!r} is asked for twice in one task")
    return made


def _text_hash(record: Record) -> str:
    return digest(record["filtered_resps"])


#: Field that says in which language an item is, where items have one.
LANGUAGE = "language"


def sample_of(
    loaded: LoadedTask,
    fields: Mapping[str, str | None],
    response: str | None,
    *,
    id: str,
    prompt: str,
    system: str = "",
    reference: str | None = None,
) -> Sample:
    """Return what a scorer sees of a response to an item with these fields; the language is the item's own."""
    parts = [part for part in (system, loaded.task.description) if part]
    language = fields.get(LANGUAGE) or ""
    return Sample(prompt, response, id=id, language=language, reference=reference, system="\n\n".join(parts))


def response_pairs(loaded: LoadedTask, records: Sequence[Record], system: str = "") -> list[Pair]:
    """Pair each answer with what a scorer sees: the bare prompt (no chat template), the response, and the reference.

    Of a prompt's references it is the first. `system` is the user's own system prompt, before the task's.
    """
    text, target = loaded.task.doc_to_text, loaded.task.doc_to_target
    return [
        (
            r,
            sample_of(
                loaded,
                r["doc"],
                r["filtered_resps"][0],
                id=r["item_id"],
                prompt=render(text, r["doc"]),
                system=system,
                reference=(r["doc"].get(target) or "") if target else None,
            ),
        )
        for r in records
    ]


def reference_pairs(loaded: LoadedTask, item_ids: Sequence[str], system: str = "") -> list[Pair]:
    """Pair each reference response (the task's ``doc_to_target``) with what a scorer sees, itself as reference."""
    if not (target := loaded.task.doc_to_target):
        return []
    wanted = set(item_ids)
    rows = [row for row in loaded.dataset.items.iter_rows(named=True) if row["item_id"] in wanted]
    return [
        (
            {
                "key": digest(["reference", loaded.task.dataset, row["item_id"]]),
                "item_id": row["item_id"],
                "part": "reference",
                "filtered_resps": [row[target]],
            },
            sample_of(
                loaded,
                row,
                row[target],
                id=row["item_id"],
                prompt=render(loaded.task.doc_to_text, row),
                system=system,
                reference=row[target] or "",
            ),
        )
        for row in rows
    ]
