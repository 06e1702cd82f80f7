"""Asking what is missing, batch by batch, into the journal; scoring runs beside the next batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from tqdm import tqdm

from lm_plural.harness.errors import PluralError
from lm_plural.harness.hashing import digest
from lm_plural.harness.model import elicit
from lm_plural.harness.model.ask import Asker
from lm_plural.harness.redact import redacted
from lm_plural.harness.run.batches import WINDOW, auto_batch_size, batches
from lm_plural.harness.run.journal import Journal, Record
from lm_plural.harness.run.plan import Request, gen_kwargs
from lm_plural.harness.task.load import Limit, LoadedTask
from lm_plural.harness.task.template import render

#: Log-probability written for minus infinity, which JSON cannot hold; its exponential is 0.
NEVER = -1e4


@dataclass
class Work:
    """A task, its plan, its journal, and which items were chosen."""

    loaded: LoadedTask
    requests: Sequence[Request]
    journal: Journal
    limit: Limit = None

    def __post_init__(self) -> None:
        """Refuse answers that are not of the task's kind, whoever wrote them."""
        rate = self.loaded.task.mode == "rate"
        for request in self.requests:
            record = self.journal.records.get(request.key)
            if record and not _fits(record, self.loaded.scale_of(request.doc).size if rate else 0):
                raise PluralError(f"{self.journal.path}: the answer with key {record['key']!r} is not one to this task")

    @property
    def missing(self) -> list[Request]:
        """Requests without an answer."""
        return [r for r in self.requests if r.key not in self.journal.records]

    def answers(self) -> list[Record]:
        """Return the plan's answers, in plan order."""
        return [self.journal.records[r.key] for r in self.requests if r.key in self.journal.records]


def _fits(record: Record, size: int) -> bool:
    """Return whether a record holds K finite log-probabilities (`size` K), or a text or null (`size` 0)."""
    answers = record.get("filtered_resps")
    if not (isinstance(answers, list) and len(answers) == 1 and isinstance(record.get("doc"), dict)):
        return False
    if not size:
        return answers[0] is None or isinstance(answers[0], str)
    numbers = answers[0]
    return isinstance(numbers, list) and len(numbers) == size and all(type(v) is float and isfinite(v) for v in numbers)


def ask_all(
    works: Sequence[Work],
    asker: Asker,
    *,
    batch_size: int | None,
    most: int,
    on_batch: Callable[[Work, list[Record]], None] = lambda _w, _r: None,
) -> None:
    """Answer everything that is missing.

    Parameters
    ----------
    works : sequence of Work
    asker : Asker
    batch_size : int or None
        None: chosen for each task from its longest prompt (``auto``).
    most : int
        Upper limit of the automatic choice.
    on_batch : callable
        Told of each batch's records after they are on disk.
    """
    total = sum(len(w.requests) for w in works)
    done = total - sum(len(w.missing) for w in works)
    with tqdm(total=total, initial=done, unit="req", disable=None, dynamic_ncols=True) as bar:
        for work in works:
            bar.set_description(work.loaded.name)
            _ask_task(work, asker, batch_size, most, on_batch, bar)


def _ask_task(work: Work, asker: Asker, batch_size: int | None, most: int, on_batch: Any, bar: Any) -> None:
    if not (missing := {r.key for r in work.missing}):
        return
    contexts = {r.key: _context(work.loaded, r, asker) for r in work.requests}
    lengths = [asker.length(contexts[r.key]) for r in work.requests]
    room = gen_kwargs(work.loaded, asker.spec).get("max_gen_toks", 256) if work.loaded.task.mode == "respond" else 8
    asker.batch_size = batch_size or auto_batch_size(asker, max(lengths) + room, most)
    size = asker.batch_size if asker.local else max(WINDOW, asker.batch_size)
    for batch in _batches(work.requests, lengths, size):
        absent = [r for r in batch if r.key in missing]
        if not absent:
            continue
        # A local batch is computed whole even if part of it was answered before: other padding, other numbers.
        asked = batch if asker.local else absent

        def save(records: list[Record]) -> None:
            new = [r for r in records if r["key"] not in work.journal.records]
            work.journal.append(new)
            on_batch(work, new)
            bar.update(len(new))

        save(_answer(work.loaded, asked, contexts, asker, save))


def _batches(requests: Sequence[Request], lengths: Sequence[int], size: int) -> Iterator[list[Request]]:
    """Yield batches of one wording and one steering each: where one is added, those of the others stay as they were."""
    apart: dict[tuple[int, str | None] | None, list[int]] = {}
    for n, request in enumerate(requests):
        apart.setdefault((v.wording, v.group) if (v := request.variant) else None, []).append(n)
    for places in apart.values():
        yield from batches([requests[n] for n in places], [lengths[n] for n in places], size)


def _context(loaded: LoadedTask, request: Request, asker: Asker) -> Any:
    task = loaded.task
    if request.variant:
        text = elicit.prompt(task, loaded.scale_of(request.doc), request.variant, request.doc.fields)
    else:
        text = render(task.doc_to_text, dict(request.doc.fields))
    chat = asker.uses_chat(task.mode)
    return asker.context(text, chat=chat, description=task.description, gen_prefix=task.gen_prefix)


def _answer(
    loaded: LoadedTask,
    batch: Sequence[Request],
    contexts: dict[str, Any],
    asker: Asker,
    save: Callable[[list[Record]], None],
) -> list[Record]:
    """Return the records of a batch; `save` is told earlier of those a server has answered earlier."""
    asked = [contexts[r.key] for r in batch]
    labels = [elicit.continuations(loaded.task, loaded.scale_of(r.doc), r.variant) for r in batch if r.variant]
    kwargs = gen_kwargs(loaded, asker.spec)

    def record(n: int, answer: Any) -> Record:
        if labels:
            return _record(batch[n], asked[n], labels[n], [_finite(v, batch[n], loaded) for v in answer])
        return _record(batch[n], asked[n], redacted(kwargs), answer)

    def on_answer(n: int, answer: Any) -> None:
        save([record(n, answer)])

    answers: list[Any]
    if labels:
        answers = list(asker.label_logprobs(list(zip(asked, labels, strict=True)), on_answer))
    else:
        seed = int(digest([asker.spec.seed, batch[0].key]), 16) % 2**31
        answers = list(asker.responses(asked, kwargs, seed, on_answer))
    return [record(n, a) for n, a in enumerate(answers)]


def _finite(value: float, request: Request, loaded: LoadedTask) -> float:
    if value != value:
        raise PluralError(f"task {loaded.name}: the model's log-probability for item {request.doc.id!r} is NaN")
    return float(max(value, NEVER))


def _record(request: Request, context: Any, argument: Any, answer: Any) -> Record:
    """Return the journal line, with lm-eval's names for what lm-eval has."""
    text = context if isinstance(context, str) else getattr(context, "prompt", str(context))
    return {
        "key": request.key,
        "doc_id": request.doc.index,
        "item_id": request.doc.id,
        "part": request.part,
        "doc": dict(request.doc.fields),
        "arguments": [[text, argument]],
        "resps": [[answer]],
        "filtered_resps": [answer],
        "filter": "none",
        "metrics": [],
        "doc_hash": digest(dict(request.doc.fields)),
        "prompt_hash": digest(text),
    }
