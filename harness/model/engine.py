"""What the run loop needs of whoever answers; an engine is a file, and :mod:`harness.model.load` decides which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from lm_plural.harness.errors import PluralError
from lm_plural.harness.model.spec import ModelSpec

In = TypeVar("In")
Out = TypeVar("Out")
#: Told the place of a request in its batch and its answer.
OnAnswer = Callable[[int, Any], None]
#: A context and the labels that may follow it.
Labelled = tuple[Any, Sequence[str]]
#: Texts handed at once to an engine that batches by itself: four times what the largest engines work on together, so
#: that they are seldom idle; a kill costs at most so many, where answers come only when all are there.
WINDOW = 4096


def unheard(_place: int, _answer: Any) -> None:
    """Listen to no answer before all are there."""


class Prompter(Protocol):
    """Who makes a model's prompts and counts their tokens; the model's weights are not needed for it.

    Parameters
    ----------
    spec : ModelSpec
        Who it is: what keys of answers are hashed from.
    """

    spec: ModelSpec

    def uses_chat(self, mode: str) -> bool:
        """Return whether prompts of a task of this mode, ``rate`` or ``respond``, go through the chat template."""

    def context(self, text: str, *, chat: bool, description: str = "", gen_prefix: str = "") -> Any:
        """Return a prompt as the model sees it (see :func:`harness.model.prompt.framed`)."""

    def length(self, context: Any) -> int | None:
        """Return the number of tokens of a context; None where only a server can tell."""

    def shown(self, context: Any) -> str:
        """Return a context as text, with the special tokens that a tokenizer puts around it."""


class Engine(Prompter, Protocol):
    """A model that answers; it is handed a window of requests at once and batches them as it likes."""

    def label_logprobs(self, requests: Sequence[Labelled], on_answer: OnAnswer = unheard) -> list[list[float]]:
        """Return the log-probability in nats of every label after every context.

        Parameters
        ----------
        requests : sequence of (context, labels)
        on_answer : callable
            Told place and answer as they come, where the engine knows before all are there.

        Raises
        ------
        PluralError
            If the backend has no log-likelihoods, or a server fails.
        """

    def responses(
        self,
        contexts: Sequence[Any],
        gen_kwargs: Mapping[str, Any],
        seeds: Sequence[int],
        on_answer: OnAnswer = unheard,
    ) -> list[Any]:
        """Return a response per context, None where there is none.

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


@runtime_checkable
class BatchedEngine(Engine, Protocol):
    """An engine whose batches are cut by the run loop, since an answer depends a little on its batch.

    Parameters
    ----------
    batch_size : int
        Prompts per forward pass; halved, and kept halved, when memory runs out.
    on_halved : callable
        Told of the new size before anything is computed with it.
    """

    batch_size: int
    on_halved: Callable[[int], None]

    def length(self, context: Any) -> int:
        """Return the number of tokens of a context."""

    def auto_batch_size(self, lengths: Sequence[int], new: int | None, most: int) -> int:
        """Return a first guess at the batch size.

        Parameters
        ----------
        lengths : sequence of int
            Tokens of each prompt.
        new : int or None
            Tokens that may be generated; None: labels are scored.
        most : int
            ``--max_batch_size``.
        """


@runtime_checkable
class SharingEngine(BatchedEngine, Protocol):
    """An engine that is told which prompts begin alike, and reads once what they share."""

    def label_logprobs_together(self, groups: Sequence[Sequence[Labelled]]) -> list[list[list[float]]]:
        """Return what :meth:`~Engine.label_logprobs` does, of groups of requests that begin alike.

        Within rounding it is the same; a model that cannot be asked so is asked each prompt.
        """


def sampled(gen_kwargs: Mapping[str, Any]) -> bool:
    """Return whether responses are drawn at random, so that repeats differ."""
    if gen_kwargs.get("do_sample") is False:
        return False
    return bool(gen_kwargs.get("temperature", gen_kwargs.get("do_sample")))


def answer_failed(spec: ModelSpec, error: Exception) -> PluralError:
    """Return the one line about an engine that failed to answer."""
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
