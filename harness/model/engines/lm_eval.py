"""Any backend of lm-eval, through lm-eval's own methods: engines and servers that batch by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_plural.harness.model import server
from lm_plural.harness.model.engine import In, Labelled, OnAnswer, Out, answer_failed, sampled, unheard
from lm_plural.harness.model.prompt import as_text, framed
from lm_plural.harness.model.spec import ModelSpec

#: Backends that tell all answers when they have all, and how each calls the seed of a request.
TOGETHER = {"vllm": "seed", "vllm-vlm": "seed", "sglang": "sampling_seed"}
#: What lm-eval puts where a server sent no content.
NO_ANSWER = "LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER"


class LmEvalEngine:
    """A loaded model of lm-eval and how to talk to it.

    Parameters
    ----------
    lm : lm_eval.api.model.LM
    spec : ModelSpec
    """

    def __init__(self, lm: Any, spec: ModelSpec) -> None:
        self.lm = lm
        self.spec = spec

    def context(self, text: str, *, chat: bool, description: str = "", gen_prefix: str = "") -> Any:
        """Return a prompt as the model sees it."""
        return framed(
            text,
            self.lm.apply_chat_template if chat else None,
            system=self.spec.system_instruction,
            description=description,
            gen_prefix=gen_prefix,
            model=self.spec.name,
        )

    def uses_chat(self, mode: str) -> bool:
        """Return whether prompts of a task of this mode go through the chat template.

        Asked for on the command line, or, for respond tasks, if the model has one: scoring labels after a template
        asks for a finished reply to begin with a label, which few templates were made for.
        """
        if self.spec.chat_template is not None:
            return self.spec.chat_template
        if mode != "respond":
            return False
        # the instance's tokenizer only: a property of its class may fetch one from the Hub (the dummy's does)
        return "chat" in self.spec.backend or bool(getattr(vars(self.lm).get("tokenizer"), "chat_template", None))

    def length(self, context: Any) -> int | None:
        """Return the number of tokens of a context; None where only a server can tell."""
        here = vars(self.lm).get("tokenizer") and getattr(self.lm, "tokenizer_backend", "") != "remote"
        return len(self.lm.tok_encode(context)) if here and isinstance(context, str) else None

    def shown(self, context: Any) -> str:
        """Return a context as text."""
        return as_text(context)

    def label_logprobs(self, requests: Sequence[Labelled], on_answer: OnAnswer = unheard) -> list[list[float]]:
        """Return the log-probability in nats of every label after every context."""
        if self._one_by_one:
            self.lm.set_cache_hook(Labels(requests, on_answer))
        return self._answers(requests, self._label_logprobs)

    def responses(
        self,
        contexts: Sequence[Any],
        gen_kwargs: Mapping[str, Any],
        seeds: Sequence[int],
        on_answer: OnAnswer = unheard,
    ) -> list[Any]:
        """Return a response per context, None where the model or server gave none."""
        asked = [server.asked(c, n, s) for n, (c, s) in enumerate(zip(contexts, seeds, strict=True))]
        if self._one_by_one:
            self.lm.set_cache_hook(Texts(on_answer))
        return self._answers(asked, lambda batch: list(map(_response, self._responses(batch, gen_kwargs))))

    @property
    def _one_by_one(self) -> bool:
        """Whether answers come one by one."""
        return self.spec.backend not in TOGETHER

    def _answers(self, batch: Sequence[In], call: Callable[[Sequence[In]], list[Out]]) -> list[Out]:
        """Return the answers to a batch."""
        try:
            return call(batch)
        except Exception as e:
            raise answer_failed(self.spec, e) from e

    def _label_logprobs(self, batch: Sequence[Labelled]) -> list[list[Any]]:
        return loglikelihood(self.lm, batch)

    def _responses(self, batch: Sequence[Any], gen_kwargs: Mapping[str, Any]) -> list[Any]:
        """Return the responses to contexts that carry their seeds, by the way in which a backend takes a seed."""
        if hasattr(self.lm, "amodel_call"):
            instances = [_instance(c, gen_kwargs) for c in batch]
            return server.generate(self.lm, instances, sampled=sampled(gen_kwargs))
        if not sampled(gen_kwargs):
            return self._generate(batch, gen_kwargs)
        if name := TOGETHER.get(self.spec.backend):  # they batch requests of different arguments together
            instances = [_instance(c, {**gen_kwargs, name: c.seed}) for c in batch]
            return list(self.lm.generate_until(instances, disable_tqdm=True))
        return [answer for c in batch for answer in self._drawn([c], gen_kwargs)]

    def _drawn(self, batch: Sequence[Any], gen_kwargs: Mapping[str, Any]) -> list[Any]:
        """Return responses that are drawn together, from the seed of the first."""
        import torch

        torch.manual_seed(batch[0].seed)
        return self._generate(batch, gen_kwargs)

    def _generate(self, batch: Sequence[Any], gen_kwargs: Mapping[str, Any]) -> list[Any]:
        return list(self.lm.generate_until([_instance(c, gen_kwargs) for c in batch], disable_tqdm=True))


class Texts:
    """lm-eval's hook for its cache: it is told of every response as it comes, long before the last one."""

    def __init__(self, on_answer: OnAnswer) -> None:
        self.on_answer = on_answer

    def add_partial(self, _method: str, request: Any, answer: Any) -> None:
        """Pass an answer on."""
        self.on_answer(request[0].place, _response(answer))


class Labels:
    """The same for log-likelihoods: a request is answered when all its labels are."""

    def __init__(self, requests: Sequence[tuple[str, Sequence[str]]], on_answer: OnAnswer) -> None:
        self.places: dict[str, list[int]] = {}
        for n, (context, _) in enumerate(requests):
            self.places.setdefault(context, []).append(n)
        self.labels = [list(labels) for _, labels in requests]
        self.found: dict[str, dict[str, Any]] = {}
        self.on_answer = on_answer

    def add_partial(self, _method: str, request: Any, answer: Any) -> None:
        """Collect a label; pass the request on with its last one."""
        context, label = request
        have = self.found.setdefault(context, {})
        have[label] = answer[0]
        for n in list(self.places.get(context, ())):
            if all(la in have for la in self.labels[n]):
                self.places[context].remove(n)
                self.on_answer(n, [have[la] for la in self.labels[n]])


def loglikelihood(lm: Any, batch: Sequence[Labelled]) -> list[list[Any]]:
    """Return log-probabilities in nats, shape (len(batch), labels of each), by lm-eval's own method."""
    from lm_eval.api.instance import Instance

    flat = [Instance("loglikelihood", {}, (c, label), 0) for c, labels in batch for label in labels]
    answers = iter(lm.loglikelihood(flat, disable_tqdm=True))
    return [[next(answers)[0] for _ in labels] for _, labels in batch]


def _instance(context: Any, gen_kwargs: Mapping[str, Any]) -> Any:
    from lm_eval.api.instance import Instance

    return Instance("generate_until", {}, (context, dict(gen_kwargs)), 0)


def _response(answer: Any) -> Any:
    return None if answer is server.NOTHING or (isinstance(answer, str) and answer == NO_ANSWER) else answer
