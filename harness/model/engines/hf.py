"""Label log-probabilities from a Hugging Face causal model, computing only the logits that are looked at.

lm-eval computes logits and a softmax over the vocabulary at every position of the prompt; labels need the last one
or two. The tokens, padding and sums are lm-eval's own; the softmax is in float32, also for a bfloat16 model.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from lm_plural.harness.model.engines.lm_eval import Asker


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


def applies(lm: Any) -> bool:
    """Return whether `lm` is lm-eval's own Hugging Face causal model, in one process, with ``logits_to_keep``."""
    if type(lm).__name__ != "HFLM" or getattr(lm, "backend", "") != "causal" or lm.world_size > 1 or lm.enable_thinking:
        return False
    model = lm.model.get_base_model() if hasattr(lm.model, "get_base_model") else lm.model
    if getattr(getattr(lm.model, "active_peft_config", None), "is_prompt_learning", False):
        return False
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def label_logprobs(lm: Any, batch: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
    """Return log-probabilities in nats, shape (len(batch), labels of each): one row of the batch per context.

    Labels of one token that share a context cost one forward row together.
    """
    import torch

    rows: dict[tuple[int, ...], list[tuple[int, int, list[int]]]] = {}
    for i, (context, labels) in enumerate(batch):
        for j, label in enumerate(labels):
            ctx, cont = lm._encode_pair(context, label)
            kept = (ctx + cont)[-(lm.max_length + 1) :]
            rows.setdefault(tuple(kept[:-1]), []).append((i, j, cont))
    out = [[float("nan")] * len(labels) for _, labels in batch]
    inputs = list(rows)
    longest = max(map(len, inputs))
    padded = torch.zeros((len(inputs), longest), dtype=torch.long)
    for r, tokens in enumerate(inputs):
        padded[r, : len(tokens)] = torch.tensor(tokens)
    needed = sorted({p for t, uses in rows.items() for *_, c in uses for p in range(len(t) - len(c), len(t))})
    place = {p: n for n, p in enumerate(needed)}
    keep = torch.tensor(needed, device=lm.device)
    with (
        torch.inference_mode(),
        torch.autocast(lm.device.type, dtype=lm.mixed_precision_dtype, enabled=lm.mixed_precision_dtype is not None),
    ):
        logits = lm.model(padded.to(lm.device), logits_to_keep=keep, use_cache=False).logits
    for r, tokens in enumerate(inputs):
        for i, j, cont in rows[tokens]:
            at = torch.tensor([place[p] for p in range(len(tokens) - len(cont), len(tokens))], device=lm.device)
            logp = torch.log_softmax(logits[r, at].to(torch.promote_types(logits.dtype, torch.float32)), dim=-1)
            wanted = torch.tensor(cont, device=lm.device)[:, None]
            out[i][j] = float(logp.gather(1, wanted).sum())
    return out
