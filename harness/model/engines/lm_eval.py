"""Asking a loaded model: log-likelihoods of labels, responses to prompts; batches that shrink when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lm_plural.harness.errors import PluralError
from lm_plural.harness.model import server
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
    on_halved : callable
        Told of the new size before anything is computed with it.
    """

    lm: Any
    spec: ModelSpec
    batch_size: int
    halved: list[int] = field(default_factory=list)
    on_halved: Callable[[int], None] = lambda _size: None

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
        """Return the number of tokens of a context, for sorting the prompts of a local model."""
        return len(self.lm.tok_encode(context))

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
        from lm_plural.harness.model.engines import hf

        if self.one_by_one:
            self.lm.set_cache_hook(Labels(requests, on_answer))
        call = hf.label_logprobs if hf.applies(self.lm) else _loglikelihood
        return self._halving(requests, lambda batch: call(self.lm, batch))

    def responses(
        self,
        contexts: Sequence[Any],
        gen_kwargs: Mapping[str, Any],
        seeds: Sequence[int],
        on_answer: OnAnswer = lambda _n, _a: None,
    ) -> list[Any]:
        """Return a response per context, None where the model or server gave none.

        Parameters
        ----------
        contexts : sequence
        gen_kwargs : mapping
            lm-eval's generation arguments, equal for all.
        seeds : sequence of int
            One per context: a sampled response depends on its own only, except those of a local batch, which are
            drawn together from the seed of its first.
        on_answer : callable
            As in :meth:`label_logprobs`.
        """
        asked = [server.asked(c, n, s) for n, (c, s) in enumerate(zip(contexts, seeds, strict=True))]
        if self.one_by_one:
            self.lm.set_cache_hook(Texts(on_answer))
        return self._halving(asked, lambda batch: _generate(self.lm, self.spec.backend, batch, gen_kwargs))

    def _halving(self, batch: Sequence[In], call: Callable[[Sequence[In]], list[Out]]) -> list[Out]:
        """Return the answers to a batch, all computed in parts of one size: memory that runs out begins it again."""
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
                out, self.batch_size = [], len(part) // 2
                self.halved.append(self.batch_size)
                self.on_halved(self.batch_size)
                free_memory()
        return out

    @property
    def local(self) -> bool:
        """Whether the model runs in this process under our batching (the others batch by themselves)."""
        from lm_plural.harness.model.load import HF

        return self.spec.backend in HF

    @property
    def one_by_one(self) -> bool:
        """Whether answers may come one by one (an engine tells all when it has all)."""
        from lm_plural.harness.model.load import ENGINES

        return not self.local and self.spec.backend not in ENGINES


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


def _loglikelihood(lm: Any, batch: Sequence[tuple[str, Sequence[str]]]) -> list[list[Any]]:
    from lm_eval.api.instance import Instance

    flat = [Instance("loglikelihood", {}, (c, label), 0) for c, labels in batch for label in labels]
    answers = iter(lm.loglikelihood(flat, disable_tqdm=True))
    return [[next(answers)[0] for _ in labels] for _, labels in batch]


def _generate(lm: Any, backend: str, batch: Sequence[Any], gen_kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the responses to contexts that carry their seeds, by the way in which a backend takes a seed."""
    from lm_plural.harness.model.load import ENGINES, HF

    def ask(part: Sequence[Any]) -> list[Any]:
        return list(lm.generate_until([_instance(c, gen_kwargs) for c in part], disable_tqdm=True))

    if hasattr(lm, "amodel_call"):
        instances = [_instance(c, gen_kwargs) for c in batch]
        answers = server.generate(lm, instances, sampled=sampled(gen_kwargs))
    elif not sampled(gen_kwargs):
        answers = ask(batch)
    elif backend in ENGINES:  # they batch requests of different arguments together
        instances = [_instance(c, {**gen_kwargs, ENGINES[backend]: c.seed}) for c in batch]
        answers = list(lm.generate_until(instances, disable_tqdm=True))
    else:
        import torch

        answers = []
        for part in [batch] if backend in HF else [[c] for c in batch]:
            torch.manual_seed(part[0].seed)
            answers += ask(part)
    return [_response(a) for a in answers]


def _instance(context: Any, gen_kwargs: Mapping[str, Any]) -> Any:
    from lm_eval.api.instance import Instance

    return Instance("generate_until", {}, (context, dict(gen_kwargs)), 0)


def _response(answer: Any) -> Any:
    return None if answer is server.NOTHING or (isinstance(answer, str) and answer == NO_ANSWER) else answer


def sampled(gen_kwargs: Mapping[str, Any]) -> bool:
    """Return whether responses are drawn at random, so that repeats differ."""
    if gen_kwargs.get("do_sample") is False:
        return False
    return bool(gen_kwargs.get("temperature", gen_kwargs.get("do_sample")))


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
