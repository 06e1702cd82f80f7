"""Cutting a plan into batches: sorted by length, the same every time, and small enough for memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_plural.harness.model.ask import Asker
from lm_plural.harness.run.plan import Request

#: Requests handed at once to a backend that batches by itself.
WINDOW = 64


def batches(requests: Sequence[Request], lengths: Sequence[int], size: int) -> list[list[Request]]:
    """Return batches of like length, longest first, so that padding is short and memory fails early or never.

    They are cut from the *whole* plan, done or not: after a resume a request meets the same neighbours, hence the
    same padding and the same numbers. Repeats are kept apart, since a seed belongs to a batch.
    """
    order = sorted(range(len(requests)), key=lambda i: (requests[i].repeat, -lengths[i], requests[i].key))
    out: list[list[Request]] = []
    for i in order:
        if not out or len(out[-1]) == size or out[-1][0].repeat != requests[i].repeat:
            out.append([])
        out[-1].append(requests[i])
    return out


def auto_batch_size(asker: Asker, longest: int, most: int) -> int:
    """Return the largest power of two, at most `most`, whose logits fit in a quarter of the free memory.

    A first guess only: running out of memory halves it.

    Parameters
    ----------
    asker : Asker
    longest : int
        Tokens of the longest prompt with its answer.
    most : int
        ``--max_batch_size``.
    """
    if not asker.local:
        return WINDOW
    config: Any = asker.lm.model.config
    width = int(getattr(config, "vocab_size", 50_000)) + 40 * int(getattr(config, "hidden_size", 1024))
    fits = _free_bytes(asker.lm.device) / 4 / (4 * width * max(longest, 1))
    size = 1
    while size * 2 <= min(fits, most):
        size *= 2
    return size


def _free_bytes(device: Any) -> float:
    import torch

    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    # Beyond a few GB a CPU gains nothing from a larger batch.
    import psutil

    return min(float(psutil.virtual_memory().available), 4e9)
