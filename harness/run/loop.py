"""Asking what is missing, batch by batch, into the journal; scoring runs beside the next batch.

Batches of a local model are cut from the whole plan, sorted by length, the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lm_plural.harness.errors import PluralError
from lm_plural.harness.hashing import digest
from lm_plural.harness.model.engine import WINDOW, BatchedEngine, Engine, Prompter
from lm_plural.harness.model.prompt import as_text
from lm_plural.harness.redact import redacted
from lm_plural.harness.run.answer import fits, logprob_answer, text_answer
from lm_plural.harness.run.journal import Journal, Record
from lm_plural.harness.run.plan import Request, gen_kwargs
from lm_plural.harness.run.progress import Progress, about
from lm_plural.harness.run.sizes import Sizes
from lm_plural.harness.task import elicit
from lm_plural.harness.task.load import Limit, LoadedTask
from lm_plural.harness.task.template import render


def windows(requests: Sequence[Request], texts: int) -> Iterator[Sequence[Request]]:
    """Yield what is handed over at once, in plan order, so that prompts with a common beginning stand together.

    Parameters
    ----------
    requests : sequence of Request
    texts : int
        Texts that each request makes: one for every label.
    """
    size = max(1, WINDOW // texts)
    for n in range(0, len(requests), size):
        yield requests[n : n + size]


def batches(requests: Sequence[Request], lengths: Sequence[int], size: int) -> Iterator[list[Request]]:
    """Yield batches of like length, longest first, so that padding is short and memory fails early or never.

    They are cut from the *whole* plan, done or not: after a resume a request meets the same neighbours, hence the
    same padding and the same numbers. Repeats are kept apart, since a seed belongs to a batch; so are wordings and
    steerings: where one is added, the batches of the others stay as they were.
    """
    apart: dict[Any, list[int]] = {}
    for n, request in enumerate(requests):
        variant = request.variant
        apart.setdefault((variant.wording, variant.group) if variant else request.repeat, []).append(n)
    for places in apart.values():
        order = sorted(places, key=lambda n: (-lengths[n], requests[n].key))
        for n in range(0, len(order), size):
            yield [requests[i] for i in order[n : n + size]]


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
            size = self.loaded.scale_of(request.doc).size if rate else 0
            if record and not _answers(record, request, size):
                raise PluralError(f"{self.journal.path}: the answer with key {request.key!r} is not one to this task")

    @property
    def missing(self) -> list[Request]:
        """Requests without an answer."""
        return [r for r in self.requests if r.key not in self.journal.records]

    def answers(self) -> list[Record]:
        """Return the plan's answers, in plan order."""
        return [self.journal.records[r.key] for r in self.requests if r.key in self.journal.records]


def _answers(record: Record, request: Request, size: int) -> bool:
    """Return whether a record holds one answer to a request, of `size` log-probabilities, or a text if 0."""
    said = {"item_id": request.doc.id, "part": request.part, "doc": dict(request.doc.fields)}
    answers = record.get("filtered_resps")
    named = all(record.get(name) == value for name, value in said.items())
    counted = type(record.get("replaced", 0)) is int
    return named and counted and isinstance(answers, list) and len(answers) == 1 and fits(answers[0], size)


@dataclass(frozen=True)
class Asking:
    """How to ask.

    Parameters
    ----------
    engine : Engine
    batch_size : int or None
        None: chosen for each task from its longest prompts (``auto``).
    most : int
        Upper limit of the automatic choice.
    sizes : Sizes
        The sizes each task of a local model began with.
    on_batch : callable
        Told of each batch's records after they are on disk.
    progress : Progress
    on_end : callable
        Told of each task whose last answer is on disk; returns what was found, in half a line, or nothing.
    """

    engine: Engine
    batch_size: int | None
    most: int
    sizes: Sizes = field(default_factory=Sizes)
    on_batch: Callable[[Work, list[Record]], None] = lambda _w, _r: None
    progress: Progress = field(default_factory=Progress)
    on_end: Callable[[Work], str] = lambda _: ""


def ask_all(works: Sequence[Work], how: Asking) -> None:
    """Answer everything that is missing."""
    for work in works:
        missing = work.missing
        how.progress.begin(work.loaded.name, len(work.requests), len(work.requests) - len(missing))
        if missing and isinstance(how.engine, BatchedEngine):
            _ask_in_batches(work, missing, how.engine, how)
        elif missing:
            _ask_in_windows(work, missing, how)
        how.progress.end(len(missing), about(work.answers(), rated=work.loaded.task.mode == "rate"))
        if found := how.on_end(work):
            how.progress.say(f"{work.loaded.name}: {found}")


def _ask_in_windows(work: Work, missing: Sequence[Request], how: Asking) -> None:
    """Hand what is missing to a backend that batches by itself."""
    texts = work.loaded.scale_of(missing[0].doc).size if work.loaded.task.mode == "rate" else 1
    for window in windows(missing, texts):
        _ask(work, window, [context_of(work.loaded, r, how.engine) for r in window], how)


def _ask_in_batches(work: Work, missing: Sequence[Request], engine: BatchedEngine, how: Asking) -> None:
    """Cut an engine's batches; one is computed whole even if part of it was answered: other padding, other numbers."""
    name = work.loaded.name
    contexts = {r.key: context_of(work.loaded, r, engine) for r in work.requests}
    lengths = [engine.length(contexts[r.key]) for r in work.requests]
    respond = work.loaded.task.mode == "respond"
    new = gen_kwargs(work.loaded, engine.spec).get("max_gen_toks", 256) if respond else None
    choose = partial(engine.auto_batch_size, lengths, new, how.most)
    size = how.sizes.begin(name, how.batch_size, how.most, choose)
    engine.batch_size, engine.on_halved = size.fits, partial(how.sizes.halve, name)
    absent = {r.key for r in missing}
    for batch in batches(work.requests, lengths, size.batch):
        if any(r.key in absent for r in batch):
            _ask(work, batch, [contexts[r.key] for r in batch], how)


def _ask(work: Work, batch: Sequence[Request], contexts: Sequence[Any], how: Asking) -> None:
    """Ask a batch and save its answers, those of a server one by one as they come."""

    def save(records: list[Record]) -> None:
        if new := [r for r in records if r["key"] not in work.journal.records]:
            work.journal.append(new)
            how.on_batch(work, new)
            how.progress.update(len(new))

    loaded, engine, kwargs = work.loaded, how.engine, gen_kwargs(work.loaded, how.engine.spec)
    labels = [elicit.continuations(loaded.task, loaded.scale_of(r.doc), r.variant) for r in batch if r.variant]

    def record(n: int, answer: Any) -> Record:
        try:
            if labels:
                return _record(batch[n], contexts[n], labels[n], logprob_answer(answer, len(labels[n])))
            text, replaced = text_answer(answer)
        except PluralError as e:
            raise PluralError(f"task {loaded.name}: the answer to item {batch[n].doc.id!r} {e}") from e
        made = _record(batch[n], contexts[n], redacted(kwargs), text)
        return {**made, "replaced": replaced} if replaced else made

    def on_answer(n: int, answer: Any) -> None:
        save([record(n, answer)])

    answers: list[Any]
    if labels:
        answers = list(engine.label_logprobs(list(zip(contexts, labels, strict=True)), on_answer))
    else:
        seeds = [int(digest([engine.spec.seed, r.key]), 16) % 2**31 for r in batch]
        answers = engine.responses(contexts, kwargs, seeds, on_answer)
    records: list[Record] = []
    try:
        records += (record(n, answer) for n, answer in enumerate(answers))
    finally:  # one that is none costs itself only
        save(records)


def context_of(loaded: LoadedTask, request: Request, engine: Prompter) -> Any:
    """Return the prompt of a request as the model sees it."""
    task = loaded.task
    if request.variant:
        text = elicit.prompt(task, loaded.scale_of(request.doc), request.variant, request.doc.fields)
    else:
        text = render(task.doc_to_text, dict(request.doc.fields))
    chat = engine.uses_chat(task.mode)
    return engine.context(text, chat=chat, description=task.description, gen_prefix=task.gen_prefix)


def _record(request: Request, context: Any, argument: Any, answer: Any) -> Record:
    """Return the journal line, with lm-eval's names for what lm-eval has."""
    text = as_text(context)
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
