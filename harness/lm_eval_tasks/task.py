"""A task of ours as lm-eval's evaluator wants it: docs, requests, payloads, and numbers made of gathered payloads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import Task

from lm_plural.harness.errors import PluralError
from lm_plural.harness.lm_eval_tasks import numbers
from lm_plural.harness.lm_eval_tasks.config import config_of, load
from lm_plural.harness.lm_eval_tasks.gathered import Payload, answered, result, score
from lm_plural.harness.lm_eval_tasks.metrics import DOCS, plural_count
from lm_plural.harness.model.engines.lm_eval import NO_ANSWER
from lm_plural.harness.model.prompt import framed
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.result.write import better
from lm_plural.harness.run.answer import NEVER
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.plan import Request, plan
from lm_plural.harness.task import elicit
from lm_plural.harness.task.load import LoadedTask
from lm_plural.harness.task.template import render

LOGGER = logging.getLogger(__name__)
FILTER = "none"
Doc = Mapping[str, Any]


class PluralTask(Task):  # type: ignore[misc]
    """Built by lm-eval from a file of :mod:`.folder`.

    Parameters
    ----------
    config : mapping
        ``task``: its name; ``include_path``: folders searched besides the built-in tasks.

    Raises
    ------
    PluralError
        If there is no such task, it is not valid, or its data are not at hand.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:  # not the base's, which would download a data set
        self.loaded = load(config["task"], tuple(config.get("include_path", ())))
        self._config = config_of(self.loaded, config.get("metadata") or {})
        self.VERSION = self.loaded.task.metadata["version"]
        self.OUTPUT_TYPE = self._config.output_type
        self._instances: list[Instance] | None = None
        self._scores: dict[str, list[Record]] | None = None
        self._names: list[str] = []
        self._numbers: dict[str, float | str] = {}
        self.fewshot_rnd = None

    @cached_property
    def docs(self) -> list[Doc]:
        """What lm-eval takes for docs."""
        return [{"id": d.id, "fields": dict(d.fields)} for d in self.loaded.docs()]

    @cached_property
    def plan(self) -> dict[str, list[Request]]:
        """Requests of each doc, made when the first is asked for: ``--gen_kwargs`` is known by then."""
        spec = ModelSpec("lm-eval", {}, gen_kwargs=self._config.generation_kwargs or {})
        out: dict[str, list[Request]] = {}
        for request in plan(self.loaded, spec):
            out.setdefault(request.doc.id, []).append(request)
        return out

    def has_training_docs(self) -> bool:
        """Return False: nothing is shown as an example."""
        return False

    def has_validation_docs(self) -> bool:
        """Return False."""
        return False

    def has_test_docs(self) -> bool:
        """Return True."""
        return True

    def test_docs(self) -> list[Doc]:
        """Return all docs."""
        return self.docs

    def doc_to_text(self, doc: Doc) -> str:
        """Return the prompt, the first of several."""
        return self._prompt(self.plan[doc["id"]][0])

    def doc_to_target(self, doc: Doc) -> str:  # noqa: ARG002
        """Return nothing: the raters of a doc disagree."""
        return ""

    def _prompt(self, request: Request) -> str:
        task, fields = self.loaded.task, request.doc.fields
        if request.variant:
            return elicit.prompt(task, self.loaded.scale_of(request.doc), request.variant, fields)
        return render(task.doc_to_text, dict(fields))

    def fewshot_context(
        self,
        doc: Doc,
        num_fewshot: int = 0,  # noqa: ARG002
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        chat_template: Callable[..., Any] | None = None,
        **_: Any,
    ) -> list[Any]:
        """Return the context of each request of a doc, made as ``lm-plural run`` makes it."""
        frame = partial(
            framed,
            template=chat_template if apply_chat_template else None,
            system=system_instruction,
            description=self.loaded.task.description,
            gen_prefix=self.loaded.task.gen_prefix,
        )
        return [frame(self._prompt(r)) for r in self.plan[doc["id"]]]

    def construct_requests(
        self, doc: Doc, ctx: list[Any], metadata: tuple[str, int, int] = ("", 0, 1), **_: Any
    ) -> list[Instance]:
        """Return a request per variant and label, or one that lm-eval repeats."""
        if self.loaded.task.mode == "respond":
            kwargs = {k: v for k, v in self._config.generation_kwargs.items() if (k, v) != ("until", [])}
            return [Instance("generate_until", doc, (ctx[0], kwargs), 0, metadata=metadata)]
        pairs = [
            (context, label)
            for context, request in zip(ctx, self.plan[doc["id"]], strict=True)
            for label in self._labels(request)
        ]
        return [Instance("loglikelihood", doc, pair, n, metadata=metadata) for n, pair in enumerate(pairs)]

    def _labels(self, request: Request) -> list[str]:
        assert request.variant
        return elicit.continuations(self.loaded.task, self.loaded.scale_of(request.doc), request.variant)

    def apply_filters(self) -> list[Instance]:
        """Keep what was asked for: with several ranks, lm-eval asks the last request again to fill them up."""
        self._scores = None
        for instance in self._instances or ():
            instance.filtered_resps[FILTER] = instance.resps[: instance.repeats]
        return self._instances or []

    def process_results(self, doc: Doc, results: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Return the payload of a doc, and None under the name of every number that is made of all payloads."""
        payload: Payload = {"id": doc["id"], "answers": self._answers(doc, results)}
        if self.loaded.task.mode == "respond":
            payload["scores"] = self._scored()[doc["id"]]
        if not self._names:
            self._names = numbers.names(self.loaded, payload.get("scores", ()))
        return {DOCS: payload, **dict.fromkeys(self._names)}

    def _answers(self, doc: Doc, results: Sequence[Sequence[Any]]) -> list[Any]:
        if self.loaded.task.mode == "respond":
            return [None if text in (None, NO_ANSWER) else str(text) for text in results[0]]
        values = iter([_finite(resps[0][0], doc, self.loaded) for resps in results])
        return [[next(values) for _ in self._labels(request)] for request in self.plan[doc["id"]]]

    def _scored(self) -> dict[str, list[Record]]:
        """Return the scores of this rank's responses by doc, made in one go."""
        if self._scores is None:
            texts = {i.doc["id"]: self._answers(i.doc, [i.filtered_resps[FILTER]]) for i in self._instances or ()}
            self._scores = score(answered(self.loaded, self.plan, texts))
        return self._scores

    def aggregation(self) -> dict[str, Callable[[list[Any]], Any]]:
        """Return how each metric is made; lm-eval begins with the first that a doc has, the payload."""
        return {DOCS: self._gather, **{name: partial(self._number, name) for name in self._names}}

    def higher_is_better(self) -> dict[str, bool | None]:
        """Return which way is good, None where neither is."""
        return {DOCS: None, **{name: better(name, self.loaded) for name in self._names}}

    def _gather(self, payloads: list[Payload]) -> int:
        block = result(self.loaded, self.plan, payloads)
        self._numbers = numbers.numbers(block)
        self._config.metadata |= {"flags": numbers.reasons(block), "notes": block["notes"]}
        values = [n for n in self._names if not n.endswith(numbers.ERROR)]
        if lost := sum(self._numbers[n] == numbers.NONE for n in values):
            where = "flags and notes in the metadata of the task's config say why"
            LOGGER.warning("%s: %d of %d numbers are N/A; %s", self.loaded.name, lost, len(values), where)
        return plural_count(payloads)

    def _number(self, name: str, _nones: list[None]) -> float | str:
        return self._numbers[name]


def _finite(value: Any, doc: Doc, loaded: LoadedTask) -> float:
    if value != value:
        raise PluralError(f"task {loaded.name}: the model's log-probability for item {doc['id']!r} is NaN")
    return float(max(value, NEVER))
