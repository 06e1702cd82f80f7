"""Between us and lm-eval's server backends: a seed for each request, and replies that are what was asked for."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

#: Parts of a message that are no answer: what a model thought before it.
THOUGHTS = ("thinking", "reasoning")
#: What reading an unexpected reply may raise.
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, AssertionError, ArithmeticError)


class NoLogprobsError(ValueError):
    """A server's reply has no log-probabilities where some were asked for."""


class _Nothing(str):
    """A text that stands for no text: lm-eval puts its own text where a server sent null."""

    __slots__ = ()


NOTHING = _Nothing()


class Asked(Protocol):
    """A context that says which request it is, so that two of the same text are told apart."""

    place: int
    seed: int


def asked(context: Any, place: int, seed: int) -> Any:
    """Return `context` as an equal value of its own type that is also :class:`Asked`."""
    base: Any = type(context)
    kind = _kind(base)
    made = kind(*context) if hasattr(context, "_fields") else kind(context)
    made.place, made.seed = place, seed
    return made


@cache
def _kind(base: Any) -> Any:
    return type("Asked", (base,), {})


def prepare(lm: Any) -> None:
    """Let a server backend send :attr:`Asked.seed` with each request, and refuse what is no answer to it.

    Everything is done where lm-eval calls itself, so that its concurrency and its retries stay as they are.
    """
    if not hasattr(lm, "amodel_call"):
        return
    lm.amodel_call = _seeding(lm.amodel_call)
    lm._create_payload = _payload(lm._create_payload)
    lm.parse_generations = _texts(lm, lm.parse_generations)
    lm.parse_logprobs = _logprobs(lm, lm.parse_logprobs)


def generate(lm: Any, instances: Sequence[Any], *, sampled: bool) -> list[Any]:
    """Return a server's answers to ``generate_until`` instances whose contexts are :class:`Asked`.

    Sampled responses go one prompt a request, since a request has one seed; ``num_concurrent`` of them at a time.
    """
    if not sampled:
        return list(lm.generate_until(instances, disable_tqdm=True))
    size, lm._batch_size = lm._batch_size, 1
    try:
        if lm._concurrent > 1:
            return list(lm.generate_until(instances, disable_tqdm=True))
        answers: list[Any] = []
        for instance in instances:  # without concurrency lm-eval sends the seed of the model object
            lm._seed = instance.args[0].seed
            answers += lm.generate_until([instance], disable_tqdm=True)
        return answers
    finally:
        lm._batch_size = size


def _seeding(call: Callable[..., Any]) -> Callable[..., Any]:
    """Hand the seed of a request on to its payload; a retry comes through here again."""

    async def amodel_call(*args: Any, cache_keys: Any = None, **kwargs: Any) -> Any:
        seed = getattr(cache_keys[0][0], "seed", None) if cache_keys else None
        own = {} if seed is None else {"own_seed": seed}
        return await call(*args, cache_keys=cache_keys, **kwargs, **own)

    return amodel_call


def _payload(create: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Put the request's own seed in, and leave out ``stop: []``, which some servers (transformers serve) fail on."""

    def payload(*args: Any, own_seed: int | None = None, **kwargs: Any) -> dict[str, Any]:
        if own_seed is not None:
            kwargs["seed"] = own_seed
        return {k: v for k, v in create(*args, **kwargs).items() if k != "stop" or v}

    return payload


def _texts(lm: Any, parse: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Return a parser of replies with one text, or :data:`NOTHING`, for each prompt."""
    content = _content_of(lm)

    def checked(outputs: Any, **kwargs: Any) -> list[Any]:
        replies = outputs if isinstance(outputs, list) else [outputs]
        if content:
            replies = [_with_texts(reply, content) for reply in replies]
        answers = _read(parse, replies, **kwargs)
        prompts = len(kwargs["contexts"]) if "contexts" in kwargs else lm._batch_size
        if len(answers) > prompts or (len(answers) < prompts and ("contexts" in kwargs or prompts == 1)):
            raise ValueError(f"the reply has {len(answers)} choices; expected {prompts}: {_shown(outputs)}")
        return [NOTHING if a is None else a for a in answers]

    return checked


def _logprobs(lm: Any, parse: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Return a parser that refuses log-probabilities that are no numbers, or not those of the tokens asked about."""
    openai = _content_of(lm) is not None

    def checked(outputs: Any, **kwargs: Any) -> list[Any]:
        replies = outputs if isinstance(outputs, list) else [outputs]
        if openai:
            replies = [{"choices": [_with_numbers(c) for c in _choices(reply)]} for reply in replies]
            _fit([c for reply in replies for c in reply["choices"]], kwargs["tokens"])
        answers = _read(parse, replies, **kwargs)
        if len(answers) != len(kwargs["ctxlens"]):
            raise ValueError(f"the reply has {len(answers)} choices; expected {len(kwargs['ctxlens'])}")
        return answers

    return checked


def _read(parse: Callable[..., list[Any]], replies: list[Any], **kwargs: Any) -> list[Any]:
    try:
        return parse(outputs=replies, **kwargs)
    except UNREADABLE as e:
        raise ValueError(f"the reply cannot be read ({type(e).__name__}: {e}): {_shown(replies)}") from e


def _content_of(lm: Any) -> Callable[[dict[str, Any]], Any] | None:
    """Return what finds the text in a choice, if `lm` reads replies in OpenAI's form; None for other forms."""
    from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

    if type(lm).parse_generations is LocalChatCompletion.parse_generations:
        return _message
    return _completion if type(lm).parse_generations is LocalCompletionsAPI.parse_generations else None


def _choices(reply: Any) -> list[dict[str, Any]]:
    """Return the choices in the order of their prompts, each with its index."""
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if not (isinstance(choices, list) and choices and all(isinstance(c, dict) for c in choices)):
        raise ValueError(f"the reply has no choices: {_shown(reply)}")
    if len(choices) == 1:
        return [{**choices[0], "index": 0}]
    found = {c.get("index"): c for c in choices if type(c.get("index")) is int}
    if sorted(found) != list(range(len(choices))):
        raise ValueError(f"the choices are not numbered from 0 on: {_shown(reply)}")
    return [found[n] for n in range(len(choices))]


def _with_texts(reply: Any, content: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Return a reply in which every content is one text or null, where either of lm-eval's parsers looks for it."""
    texts = [_joined(content(choice)) for choice in _choices(reply)]
    return {"choices": [{"index": n, "text": t, "message": {"content": t}} for n, t in enumerate(texts)]}


def _message(choice: dict[str, Any]) -> Any:
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ValueError(f"the reply has no message: {_shown(choice)}")
    return message.get("content")


def _completion(choice: dict[str, Any]) -> Any:
    if "text" not in choice:
        raise ValueError(f"the reply has no text: {_shown(choice)}")
    return choice["text"]


def _joined(content: Any) -> str | None:
    """Return content as text; a list of parts is joined, without what was thought."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ValueError(f"the reply's content is {_shown(content)}; expected text")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in THOUGHTS:
            continue
        if kind != "text" or not isinstance(part.get("text"), str):
            raise ValueError(f"the reply's content has the part {_shown(part)}; expected text")
        texts.append(part["text"])
    return "".join(texts) if texts else None


def _with_numbers(choice: dict[str, Any]) -> dict[str, Any]:
    logprobs = choice.get("logprobs")
    values = logprobs.get("token_logprobs") if isinstance(logprobs, dict) else None
    if not isinstance(values, list) or any(v is not None and type(v) not in (int, float) for v in values):
        raise NoLogprobsError(f"the reply has no log-probabilities of its tokens: {_shown(choice)}")
    return choice


def _fit(choices: Sequence[dict[str, Any]], prompts: Sequence[Sequence[int]]) -> None:
    """Refuse numbers of other tokens than those of the prompts, each followed by the one token that was asked for.

    lm-eval counts where a label begins by its own tokenizer; a token more or less and it sums those beside the label.
    """
    for choice, prompt in zip(choices, prompts, strict=False):
        found, expected = len(choice["logprobs"]["token_logprobs"]), len(prompt) + 1
        if found != expected:
            raise ValueError(
                f"the reply has log-probabilities of {found} tokens; expected {expected}, the prompt's {expected - 1} "
                "and one more (does the server use another tokenizer, or add a token of its own?)"
            )


def _shown(value: Any) -> str:
    return reprlib.repr(value)
