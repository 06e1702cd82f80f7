"""Asking a loaded model: log-likelihoods of labels, responses to prompts; batches that shrink when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lm_plural.harness.errors import PluralError
from lm_plural.harness.model.spec import ModelSpec

In = TypeVar("In")
Out = TypeVar("Out")

#: Told the place of a request in its batch and its answer.
OnAnswer = Callable[[int, Any], None]

#: What lm-eval puts where a server sent no content.
NO_ANSWER = "LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER"


@dataclass
class Asker:
    """A loaded model and how to talk to it.

    Parameters
    ----------
    lm : lm_eval.api.model.LM
    spec : ModelSpec
    batch_size : int
        Prompts per forward pass; halved, and kept halved, when memory runs out.
    """

    lm: Any
    spec: ModelSpec
    batch_size: int
    halved: list[int] = field(default_factory=list)

    def context(self, text: str, *, chat: bool, description: str = "", gen_prefix: str = "") -> Any:
        """Return the prompt as the model sees it.

        Parameters
        ----------
        text : str
        chat : bool
            Through the model's chat template, or as plain text (see :meth:`uses_chat`).
        description : str
            The task's system prompt.
        gen_prefix : str
            What the answer begins with.
        """
        system = "\n\n".join(part for part in (self.spec.system_instruction, description) if part)
        if not chat:
            return (f"{system}\n\n" if system else "") + text + gen_prefix
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": text.strip()})
        templated = self.lm.apply_chat_template(messages)
        if not gen_prefix:
            return templated
        if isinstance(templated, str):
            return templated + gen_prefix
        raise PluralError(
            f"model {self.spec.name!r}: the server applies the chat template, so gen_prefix cannot be used"
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
        return "chat" in self.spec.backend or bool(getattr(self._tokenizer, "chat_template", None))

    @property
    def _tokenizer(self) -> Any:
        """The tokenizer of the instance; a property of its class may fetch one from the Hub (the dummy's does)."""
        return vars(self.lm).get("tokenizer")

    def length(self, context: Any) -> int:
        """Return the number of tokens of a context, for sorting (characters where the tokenizer is the server's)."""
        return len(self.lm.tok_encode(context)) if self.local else len(str(context))

    def label_logprobs(
        self, requests: Sequence[tuple[str, Sequence[str]]], on_answer: OnAnswer = lambda _n, _a: None
    ) -> list[list[float]]:
        """Return the log-probability in nats of every continuation of every context.

        Parameters
        ----------
        requests : sequence of (context, continuations)
        on_answer : callable
            Told place and answer as they come, where the backend tells us before all are there.

        Raises
        ------
        PluralError
            If the backend has no log-likelihoods, or a server fails.
        """
        from lm_plural.harness.model import hf

        if not self.local:
            self.lm.set_cache_hook(Labels(requests, on_answer))
        call = hf.label_logprobs if hf.applies(self.lm) else _loglikelihood
        return self._halving(requests, lambda batch: call(self.lm, batch))

    def responses(
        self,
        contexts: Sequence[Any],
        gen_kwargs: Mapping[str, Any],
        seed: int,
        on_answer: OnAnswer = lambda _n, _a: None,
    ) -> list[str | None]:
        """Return a response per context, None where the model or server gave none.

        Parameters
        ----------
        contexts : sequence
        gen_kwargs : mapping
            lm-eval's generation arguments, equal for all.
        seed : int
            Makes sampling repeatable; sent to a server, set in torch otherwise.
        on_answer : callable
            As in :meth:`label_logprobs`.
        """
        if not self.local:
            self.lm.set_cache_hook(Texts(contexts, on_answer))
        return self._halving(contexts, lambda batch: _generate(self.lm, batch, dict(gen_kwargs), seed))

    def _halving(self, batch: Sequence[In], call: Callable[[Sequence[In]], list[Out]]) -> list[Out]:
        out: list[Out] = []
        while len(out) < len(batch):
            part = batch[len(out) : len(out) + self.batch_size] if self.local else batch
            try:
                if self.local:
                    self.lm.batch_size_per_gpu = len(part)
                out += call(part)
            except Exception as e:
                if not _out_of_memory(e):
                    raise _answer_failed(self.spec, e) from e
                if len(part) == 1 or not self.local:
                    raise PluralError(f"model {self.spec.name!r}: out of memory with a single prompt") from e
                self.batch_size = len(part) // 2
                self.halved.append(self.batch_size)
                free_memory()
        return out

    @property
    def local(self) -> bool:
        """Whether the model runs in this process under our batching (the others batch by themselves)."""
        from lm_plural.harness.model.load import HF

        return self.spec.backend in HF


class Texts:
    """lm-eval's hook for its cache: it is told of every response as it comes, long before the last one."""

    def __init__(self, contexts: Sequence[Any], on_answer: OnAnswer) -> None:
        self.places: dict[Any, list[int]] = {}
        for n, context in enumerate(contexts):
            self.places.setdefault(_hashable(context), []).append(n)
        self.on_answer = on_answer

    def add_partial(self, _method: str, request: Any, answer: Any) -> None:
        """Pass an answer on; one without content is left to the end of the batch."""
        if answer is not None and answer != NO_ANSWER and (places := self.places.get(_hashable(request[0]))):
            self.on_answer(places.pop(0), answer)


class Labels(Texts):
    """The same for log-likelihoods: a request is answered when all its labels are."""

    def __init__(self, requests: Sequence[tuple[str, Sequence[str]]], on_answer: OnAnswer) -> None:
        super().__init__([c for c, _ in requests], on_answer)
        self.labels = [list(labels) for _, labels in requests]
        self.found: dict[str, dict[str, float]] = {}

    def add_partial(self, _method: str, request: Any, answer: Any) -> None:
        """Collect a label; pass the request on with its last one."""
        context, label = request
        have = self.found.setdefault(context, {})
        have[label] = float(answer[0])
        for n in list(self.places.get(context, ())):
            if all(la in have for la in self.labels[n]):
                self.places[context].remove(n)
                self.on_answer(n, [have[la] for la in self.labels[n]])


def _hashable(context: Any) -> Any:
    return context if isinstance(context, str | tuple) else str(context)


def _loglikelihood(lm: Any, batch: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
    from lm_eval.api.instance import Instance

    flat = [Instance("loglikelihood", {}, (c, label), 0) for c, labels in batch for label in labels]
    answers = iter(lm.loglikelihood(flat, disable_tqdm=True))
    return [[float(next(answers)[0]) for _ in labels] for _, labels in batch]


def _generate(lm: Any, batch: Sequence[Any], gen_kwargs: dict[str, Any], seed: int) -> list[str | None]:
    from lm_eval.api.instance import Instance

    if hasattr(lm, "amodel_call"):  # lm-eval sends the same seed with every request: repeats would be copies
        gen_kwargs["seed"] = seed
    elif gen_kwargs.get("do_sample") or gen_kwargs.get("temperature"):
        import torch

        torch.manual_seed(seed)
    requests = [Instance("generate_until", {}, (c, dict(gen_kwargs)), 0) for c in batch]
    answers = lm.generate_until(requests, disable_tqdm=True)
    return [None if a is None or a == NO_ANSWER else str(a) for a in answers]


def _out_of_memory(error: Exception) -> bool:
    from accelerate.utils.memory import should_reduce_batch_size

    text = str(error)
    return should_reduce_batch_size(error) or isinstance(error, MemoryError) or "can't allocate memory" in text


def free_memory() -> None:
    """Give cached device memory back."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _answer_failed(spec: ModelSpec, error: Exception) -> PluralError:
    if isinstance(error, PluralError):
        return error
    if isinstance(error, NotImplementedError):
        return PluralError(
            f"model backend {spec.backend!r} gives no log-likelihoods, which rate tasks need: "
            "use hf, vllm, sglang or local-completions, or a respond task"
        )
    text = " ".join(str(error).split())[:200]
    where = f" at {spec.args['base_url']}" if spec.args.get("base_url") else ""
    return PluralError(f"model {spec.name!r}{where} failed to answer: {type(error).__name__}: {text}")
