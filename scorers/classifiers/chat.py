"""Models asked through their chat template: a conversation that fits, and guards, whose answer is one of their labels.

A guard is read and not heard: the score is the probability of its labels at the place where its answer stands, and
nothing is generated. Labels count with all of their tokens, since the first one of ``Unsafe`` may begin other words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from lm_plural.harness.errors import PluralError
from lm_plural.harness.scoring import FloatArray
from lm_plural.scorers.base import first_line
from lm_plural.scorers.classifiers.heads import answered
from lm_plural.scorers.classifiers.torch import Classifier

#: What stands in a template for what was asked and answered.
PLACE = re.compile(r"\{(prompt|response|criteria)\}")


def filled(content: Any, values: Mapping[str, str]) -> Any:
    """Return texts, lists and mappings with their places filled; what is put in is not looked at again."""
    if isinstance(content, str):
        return PLACE.sub(lambda found: values[found[1]], content)
    if isinstance(content, Mapping):
        return {key: filled(value, values) for key, value in content.items()}
    return [filled(value, values) for value in content] if isinstance(content, list) else content


class Conversation:
    """A prompt and a response as a model's chat template frames them, cut so that they fit.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    messages : sequence of mapping
        ``role`` and ``content``, with places for ``{prompt}``, ``{response}`` and ``{criteria}``.
    arguments : mapping
        Further arguments of the template.
    criteria : str
    max_length : int
        Tokens of the whole.
    asks : bool
        Whether the model is to answer.
    who : str
        For errors.

    Raises
    ------
    PluralError
        If the tokenizer has no chat template, or one that does not take these messages.
    """

    def __init__(
        self,
        tokenizer: Any,
        messages: Sequence[Mapping[str, str]],
        arguments: Mapping[str, Any],
        *,
        criteria: str,
        max_length: int,
        asks: bool,
        who: str,
    ) -> None:
        self.tokenizer, self.messages, self.who = tokenizer, list(messages), who
        self.arguments = {**filled(arguments, {"criteria": criteria, "prompt": "", "response": ""})}
        self.criteria, self.asks = criteria, asks
        #: Texts that would end a turn or begin another, if somebody wrote them.
        self._special = [t.content for t in tokenizer.added_tokens_decoder.values() if t.special and len(t.content) > 1]
        self.room = max_length - len(self.encode(self._framed("", "")))

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text that the template has framed."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def text(self, prompt: str, response: str) -> str:
        """Return the conversation; a response that does not fit is cut, and a prompt that leaves it less than half."""
        asked, said = self._harmless(prompt), self._harmless(response)
        if len(asked) + len(said) > self.room:  # seldom more tokens than characters: then nothing need be counted
            before, after = self.encode(asked), self.encode(said)
            kept = after[: max(self.room - len(before), self.room // 2)]
            said = said if len(kept) == len(after) else self.tokenizer.decode(kept)
            left = self.room - len(kept)
            asked = asked if len(before) <= left else self.tokenizer.decode(before[: max(left, 0)])
        return self._framed(asked, said)

    def _harmless(self, text: str) -> str:
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _framed(self, prompt: str, response: str) -> str:
        values = {"prompt": prompt, "response": response, "criteria": self.criteria}
        messages = filled(self.messages, values)
        how: dict[str, Any] = {"tokenize": False, "add_generation_prompt": self.asks}
        try:
            return str(self.tokenizer.apply_chat_template(messages, **how, **self.arguments))
        except Exception as e:  # templates come with the model, and raise what they like
            raise PluralError(f"{self.who}: its chat template cannot be used: {first_line(e)}") from e


class LabelReader:
    """A causal language model, called like a classifier: its logits are the log-probabilities of whole labels.

    Parameters
    ----------
    network : torch.nn.Module
    """

    def __init__(self, network: Any) -> None:
        self.network, self.config = network, network.config
        #: Tokens of each label after the contexts to come.
        self.labels: Sequence[Sequence[int]] = ()

    def to(self, device: str) -> LabelReader:
        """Move the network."""
        self.network.to(device)
        return self

    def eval(self) -> LabelReader:
        """Switch training off."""
        self.network.eval()
        return self

    def parameters(self) -> Any:
        """Return the network's weights."""
        return self.network.parameters()

    def __call__(self, input_ids: Any, attention_mask: Any) -> SimpleNamespace:
        """Return ``logits`` of shape (batch, labels), in nats; contexts are padded on the right."""
        import torch

        rows, ends = torch.arange(len(input_ids), device=input_ids.device), attention_mask.sum(dim=1) - 1
        keep = ends.unique()
        long = [n for n, label in enumerate(self.labels) if len(label) > 1]
        given = {"attention_mask": attention_mask, "logits_to_keep": keep, "use_cache": bool(long)}
        out = self.network(input_ids=input_ids, **given)
        logp = torch.log_softmax(out.logits[rows, torch.searchsorted(keep, ends)].float(), dim=-1)
        found = logp[:, [label[0] for label in self.labels]]
        if long:
            found[:, long] += self._rest(out.past_key_values, attention_mask, ends, [self.labels[n] for n in long])
        return SimpleNamespace(logits=found)

    def _rest(self, cache: Any, mask: Any, ends: Any, labels: Sequence[Sequence[int]]) -> Any:
        """Return the log-probability of all tokens of labels but the first, shape (batch, labels)."""
        import torch

        times, longest = len(labels), max(map(len, labels)) - 1
        fed, wanted, real = (torch.zeros((times, longest), dtype=torch.long) for _ in range(3))
        for n, label in enumerate(labels):
            size = len(label) - 1
            fed[n, :size], wanted[n, :size], real[n, :size] = torch.tensor(label[:-1]), torch.tensor(label[1:]), 1
        batch = len(mask)
        fed, wanted, real = (part.to(mask.device).repeat(batch, 1) for part in (fed, wanted, real))
        cache.batch_repeat_interleave(times)
        after = torch.arange(1, longest + 1, device=mask.device)
        logits = self.network(
            input_ids=fed,
            attention_mask=torch.cat([mask.repeat_interleave(times, dim=0), real], dim=1),
            position_ids=ends.repeat_interleave(times)[:, None] + after,
            past_key_values=cache,
        ).logits
        logp = torch.log_softmax(logits.float(), dim=-1).gather(2, wanted[:, :, None])[:, :, 0]
        return (logp * real).sum(dim=1).reshape(batch, times)


class Guard:
    """A causal model that answers with labels at fixed places.

    Parameters
    ----------
    network : torch.nn.Module
    conversation : Conversation
    places : sequence of (str, sequence of str, ndarray)
        Of each place what stands before it, the labels, and how much each counts, shape (1, labels); one dimension a
        place. What stands before a later place comes after the likeliest label of the one before.
    **how
        Of the :class:`~.torch.Classifier`.
    """

    def __init__(
        self,
        network: Any,
        conversation: Conversation,
        places: Sequence[tuple[str, Sequence[str], FloatArray]],
        **how: Any,
    ) -> None:
        conversation.tokenizer.padding_side = "right"
        self.reader, self.conversation, self.places = LabelReader(network), conversation, places
        self.classifier = Classifier(self.reader, conversation.tokenizer, **how)
        tail = "".join(before + max(labels, key=len) for before, labels, _ in places)
        conversation.room -= len(conversation.encode(tail))

    def scores(self, prompts: Sequence[str], responses: Sequence[str]) -> FloatArray:
        """Return the score at each place, shape (texts, places); NaN where the model does not answer with a label."""
        texts = [self.conversation.text(p, r) for p, r in zip(prompts, responses, strict=True)]
        columns = []
        for before, labels, weights in self.places:
            texts = [text + before for text in texts]
            logp = self.logp(texts, labels)
            columns.append(answered(logp, weights)[:, 0])
            texts = [text + labels[best] for text, best in zip(texts, logp.argmax(axis=1), strict=True)]
        return np.stack(columns, axis=1)

    def logp(self, texts: Sequence[str], labels: Sequence[str]) -> FloatArray:
        """Return the log-probability in nats of each label's tokens after each text, shape (texts, labels).

        A text and a label are read as one, since a blank between them belongs to the label's first token.
        """
        out = np.empty((len(texts), len(labels)))
        alike: dict[tuple[tuple[int, ...], ...], list[tuple[int, list[int]]]] = {}
        for n, text in enumerate(texts):
            wholes = [self.conversation.encode(text + label) for label in labels]
            shared = next(i for i, tokens in enumerate(zip(*wholes, strict=False)) if len(set(tokens)) > 1)
            alike.setdefault(tuple(tuple(w[shared:]) for w in wholes), []).append((n, wholes[0][:shared]))
        for self.reader.labels, contexts in alike.items():
            rows = [{"input_ids": ids, "attention_mask": [1] * len(ids)} for _, ids in contexts]
            out[[n for n, _ in contexts]] = self.classifier.logits_of(rows)
        return out
