"""From the payloads lm-eval gathered to the result ``lm-plural run`` would have made of the same answers.

The payload of a doc is ``{"id": ..., "answers": [...], "scores": [...]}``: an answer per request in plan order
(log-probabilities of the levels, or a response), and the score records of a respond task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_plural.harness.analysis.options import Options
from lm_plural.harness.result.write import task_block
from lm_plural.harness.run.journal import Journal, Record
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.plan import Request
from lm_plural.harness.run.score import Scoring, reference_pairs, response_pairs
from lm_plural.harness.task.load import LoadedTask

Payload = dict[str, Any]
#: Requests of each doc by its id, in the order of the docs.
Plan = Mapping[str, Sequence[Request]]
#: Draws and permutations are for what lies between groups, of which lm-eval is told nothing.
OPTIONS = Options(draws=100, permutations=1)


class Memory(Journal):
    """A journal that is kept in memory: lm-eval has its own ways to keep answers."""

    def __init__(self, name: str, records: Iterable[Record] = ()) -> None:
        self.path = Path(name)
        self.records = {r["key"]: r for r in records}

    def append(self, records: Iterable[Record]) -> None:
        """Keep the records."""
        self.records.update((r["key"], r) for r in records)

    def close(self) -> None:
        """Do nothing."""


def result(loaded: LoadedTask, plan: Plan, payloads: Sequence[Payload]) -> dict[str, Any]:
    """Return the block of a finished task.

    The docs are put into the order of the data, so neither the order of the payloads nor the ranks they came from
    change a number; a doc that came twice counts once.
    """
    by_id = {p["id"]: p for p in payloads}
    work = answered(loaded, plan, {i: p["answers"] for i, p in by_id.items()})
    scores = [record for i in plan if i in by_id for record in by_id[i].get("scores", ())]
    return task_block(work, scores, options=OPTIONS)


def answered(loaded: LoadedTask, plan: Plan, answers: Mapping[str, Sequence[Any]]) -> Work:
    """Return a task's work with the answers to some docs in its journal."""
    pairs = [(r, a) for i, requests in plan.items() if i in answers for r, a in zip(requests, answers[i], strict=True)]
    records = [
        {
            "key": request.key,
            "doc_id": request.doc.index,
            "item_id": request.doc.id,
            "part": request.part,
            "doc": dict(request.doc.fields),
            "filtered_resps": [answer],
        }
        for request, answer in pairs
    ]
    return Work(loaded, [r for r, _ in pairs], Memory(loaded.name, records))


def score(work: Work) -> dict[str, list[Record]]:
    """Return the score records of responses and references, by the id of their doc."""
    docs = {r.doc.id: r.doc for r in work.requests}
    of_item = {item: doc.id for doc in docs.values() for item in doc.item_ids}
    pairs = [*reference_pairs(work.loaded, list(of_item)), *response_pairs(work.loaded, work.answers())]
    scoring = Scoring(work.loaded.task.scorers, Memory(f"scores of {work.loaded.name}"))
    try:
        scoring.submit(pairs)
        scoring.finish()
    finally:
        scoring.close()
    out: dict[str, list[Record]] = {i: [] for i in docs}
    for record in scoring.scores_of([r for r, _ in pairs]):
        item = record["item_id"]
        out[of_item[item] if record["part"] == "reference" else item].append(record)
    return out
