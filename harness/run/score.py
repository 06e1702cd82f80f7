"""Scores of responses: from the journal of answers to the journal of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lm_plural.harness.hashing import digest
from lm_plural.harness.run.journal import Journal, Record
from lm_plural.harness.scoring import Sample, Scorer, make_scorer
from lm_plural.harness.task.load import LoadedTask


class Scoring:
    """Scores a task's responses with its scorers, in a thread of its own, beside the next batch's generation.

    Scorers are made on first need: a finished run loads none.
    """

    def __init__(self, loaded: LoadedTask, journal: Journal) -> None:
        self.loaded = loaded
        self.journal = journal
        self._scorers: list[Scorer] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._pending: list[Future[None]] = []

    @property
    def scorers(self) -> list[Scorer]:
        """The task's scorers, made once."""
        if self._scorers is None:
            self._scorers = [make_scorer(s.name, s.options) for s in self.loaded.task.scorers]
        return self._scorers

    def submit(self, samples: Sequence[tuple[Record, Sample]]) -> None:
        """Score (record, sample) pairs in the background; an earlier failure is raised here."""
        for done in [f for f in self._pending if f.done()]:
            done.result()
            self._pending.remove(done)
        self._pending.append(self._thread.submit(self._score, list(samples)))

    def finish(self) -> None:
        """Wait for everything submitted and raise what went wrong."""
        try:
            for future in self._pending:
                future.result()
        finally:
            self._pending.clear()
            self._thread.shutdown(wait=True, cancel_futures=True)
            self.journal.close()

    def _score(self, samples: list[tuple[Record, Sample]]) -> None:
        for scorer in self.scorers:
            info = scorer.info
            todo = [(r, s) for r, s in samples if score_key(r, info.name, info.version) not in self.journal.records]
            if not todo:
                continue
            values = scorer.score([s for _, s in todo])
            self.journal.append(
                {
                    "key": score_key(record, info.name, info.version),
                    "sample": record["key"],
                    "item_id": record["item_id"],
                    "part": record["part"],
                    "scorer": info.name,
                    "version": info.version,
                    "scores": {d: None if math.isnan(v) else float(v) for d, v in zip(info.dimensions, row, strict=True)},
                }
                for (record, _), row in zip(todo, values, strict=True)
            )


def score_key(record: Record, scorer: str, version: str) -> str:
    """Return the key of a score: the answer, its text and the scorer that judged it."""
    return digest([record["key"], record["filtered_resps"], scorer, version])


def response_samples(loaded: LoadedTask, records: Sequence[Record]) -> list[tuple[Record, Sample]]:
    """Pair each answer with what a scorer sees: the bare prompt (no chat template) and the response."""
    from lm_plural.harness.task.template import render

    text = loaded.task.doc_to_text
    return [(r, Sample(render(text, r["doc"]), r["filtered_resps"][0])) for r in records]


def reference_samples(loaded: LoadedTask, item_ids: Sequence[str]) -> list[tuple[Record, Sample]]:
    """Pair each reference response (the task's ``doc_to_target``) with what a scorer sees."""
    from lm_plural.harness.task.template import render

    if not (target := loaded.task.doc_to_target):
        return []
    wanted = set(item_ids)
    out: list[tuple[Record, Sample]] = []
    for row in loaded.dataset.items.iter_rows(named=True):
        if row["item_id"] in wanted:
            text: Any = row[target]
            key = digest(["reference", loaded.hash, row["item_id"]])
            record = {"key": key, "item_id": row["item_id"], "part": "reference", "filtered_resps": [text]}
            out.append((record, Sample(render(loaded.task.doc_to_text, row), text)))
    return out
