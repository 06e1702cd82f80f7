"""Cutting a plan into batches: of a local model sorted by length, the same every time, and small enough for memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lm_plural.harness.model.ask import Asker
from lm_plural.harness.run.plan import Request

#: Texts handed at once to a backend that batches by itself: four times what the largest engines work on together, so
#: that they are seldom idle; a kill costs at most so many, where answers come only when all are there.
WINDOW = 4096


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


def auto_batch_size(asker: Asker, lengths: Sequence[int], new: int | None, most: int) -> int:
    """Return the largest power of two, at most `most`, whose largest batch fits in a quarter of the free memory.

    A first guess only: running out of memory halves it.

    Parameters
    ----------
    asker : Asker
    lengths : sequence of int
        Tokens of each prompt.
    new : int or None
        Tokens that may be generated; None: labels are scored.
    most : int
        ``--max_batch_size``.
    """
    longest_first = sorted(lengths, reverse=True)
    budget, size = _free_bytes(asker.lm.device) / 4, 1
    while size * 2 <= most and _bytes(asker.lm, longest_first[: size * 2], size * 2, new) <= budget:
        size *= 2
    return size


def _bytes(lm: Any, lengths: Sequence[int], rows: int, new: int | None) -> float:
    """Return about what a batch takes: keys and values, what one layer works on, and logits in float32.

    Generating keeps keys and values, and looks at one position. Scoring labels keeps none, but has logits at the last
    position of every row of another length.
    """
    config = lm.model.config.get_text_config()
    hidden, heads = _number(config, "hidden_size", 1024), _number(config, "num_attention_heads", 16)
    head = _number(config, "head_dim", hidden // heads)
    width = lm.model.dtype.itemsize
    row = (8 * hidden + 3 * _number(config, "intermediate_size", 4 * hidden)) * width * lengths[0]
    positions = len(set(lengths)) + 1
    if new is not None:
        layers, kept = _number(config, "num_hidden_layers", 32), _number(config, "num_key_value_heads", heads)
        row += 2 * layers * kept * head * width * (lengths[0] + new)
        positions = 2
    return float(rows * (row + 4 * positions * _number(config, "vocab_size", 50_000)))


def _number(config: Any, name: str, otherwise: int) -> int:
    value = getattr(config, name, None)
    return value if isinstance(value, int) and value > 0 else otherwise


def _free_bytes(device: Any) -> float:
    import torch

    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    # Beyond a few GB a CPU gains nothing from a larger batch.
    import psutil

    return min(float(psutil.virtual_memory().available), 4e9)
