"""What has to be asked: one request per (item, variant) or (prompt, repeat), each with a key that says all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lm_plural.harness.errors import UsageError
from lm_plural.harness.hashing import digest
from lm_plural.harness.model.engine import sampled
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.task.elicit import Variant, steering, variants
from lm_plural.harness.task.load import Doc, Limit, LoadedTask


@dataclass(frozen=True)
class Request:
    """One line of the journal to be.

    Parameters
    ----------
    key : str
        Changes with the model's identity, what the task asks, the doc and the part; equal keys have equal answers.
    doc : Doc
    variant : Variant or None
        For rate tasks.
    repeat : int
        For respond tasks.
    """

    key: str
    doc: Doc
    variant: Variant | None = None
    repeat: int = 0

    @property
    def part(self) -> str:
        """What tells requests of one doc apart."""
        return str(self.variant) if self.variant else str(self.repeat)


def gen_kwargs(loaded: LoadedTask, spec: ModelSpec) -> dict[str, Any]:
    """Return the generation arguments: the command line's over the task's, null ones left out.

    Raises
    ------
    UsageError
        If one has a value no backend can take.
    """
    merged = {**loaded.task.generation_kwargs, **spec.gen_kwargs}
    kwargs = {k: v for k, v in merged.items() if v is not None}
    for name, (fits, expected) in GENERATION.items():
        if name in kwargs and not fits(kwargs[name]):
            raise UsageError(
                f"generation argument {name}={kwargs[name]!r} of task {loaded.name!r}: expected {expected}"
            )
    return kwargs


#: What the common generation arguments must be.
GENERATION: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_gen_toks": (lambda v: type(v) is int and v >= 1, "a whole number from 1 on"),
    "temperature": (lambda v: type(v) in (int, float) and v >= 0, "a number from 0 on"),
    "do_sample": (lambda v: type(v) is bool, "true or false"),
    "until": (lambda v: isinstance(v, str) or (isinstance(v, list) and all(isinstance(w, str) for w in v)), "texts"),
}


def plan(loaded: LoadedTask, spec: ModelSpec, limit: Limit = None) -> list[Request]:
    """Return a task's requests in doc order.

    Raises
    ------
    UsageError
        If a respond task repeats without sampling, so that all repeats would be copies.
    """
    return list((_rate if loaded.task.mode == "rate" else _respond)(loaded, spec, limit))


def _rate(loaded: LoadedTask, spec: ModelSpec, limit: Limit) -> Iterator[Request]:
    """Yield the plain variants of each item, then those as a member of each group that rated it.

    A key holds the wording and what steers, not their places in the task: another wording asks no old one again.
    """
    task = loaded.task
    worded = [replace(loaded, task=task.model_copy(update={"doc_to_text": w})).ask_hash for w in task.wordings]
    plain: list[tuple[Variant, list[str]]] = [(v, []) for v in variants(task)]
    steered = [(items, _steered(loaded, group)) for group, items in loaded.steered.items()]
    for doc in loaded.docs(limit):
        content = digest(dict(doc.fields))
        for variant, said in [*plain, *(pair for items, pairs in steered if doc.id in items for pair in pairs)]:
            key = digest([spec.hash, worded[variant.wording], doc.id, content, variant.scale, *said])
            yield Request(key, doc, variant=variant)


def _steered(loaded: LoadedTask, group: str) -> list[tuple[Variant, list[str]]]:
    return [(v, [group, steering(loaded.task, group)]) for v in variants(loaded.task, group)]


def _respond(loaded: LoadedTask, spec: ModelSpec, limit: Limit) -> Iterator[Request]:
    task, kwargs = loaded.task, gen_kwargs(loaded, spec)
    if task.repeats > 1 and not sampled(kwargs):
        raise UsageError(
            f"task {task.task!r}: {task.repeats} repeats without sampling would be copies; "
            "set generation_kwargs do_sample and temperature, or repeats: 1"
        )
    asked = loaded.ask_hash
    for doc in loaded.docs(limit):
        content = digest(dict(doc.fields))
        for repeat in range(task.repeats):
            yield Request(digest([spec.hash, asked, doc.id, content, str(repeat)]), doc, repeat=repeat)
