"""Prompts that begin alike, read by a Hugging Face model in one row: what they share costs once.

The tokens of a row's prompts are a tree. Each token sees itself and its ancestors alone and stands at its depth, so
that every branch is computed as if it were a prompt of its own. Ten questions about one text cost less than half of ten
prompts, with the numbers of ten prompts within rounding.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.model.engine import Labelled

#: Attention that takes a mask of ours, and layers that may be given one.
MASKED, LAYERS = ("sdpa", "eager"), {"full_attention", "sliding_attention"}
#: How far log-probabilities may be off those of separate prompts on average, in nats: rounding, which in 16 bits adds
#: up over the layers.
TOLERANCE, TOLERANCE_16_BITS = 1e-3, 0.1
#: Tokens of a row at most: who sees whom is a square of them.
MOST_TOKENS = 8_192


class Row:
    """Prompts, each with its labels, as one tree of tokens.

    Parameters
    ----------
    lm : lm_eval.models.huggingface.HFLM
    requests : sequence of (context, labels)
    """

    def __init__(self, lm: Any, requests: Sequence[Labelled]) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.separate = 0  # tokens the prompts have when each stands alone
        self._children: dict[tuple[int, int], int] = {}
        #: Of each request and label: the nodes after which its tokens come, and the tokens.
        self.labels: list[list[tuple[list[int], list[int]]]] = []
        self.depth = 0
        for context, labels in requests:
            alone: set[tuple[int, ...]] = set()
            self.labels.append([])
            for label in labels:
                ctx, cont = lm._encode_pair(context, label)
                read = (ctx + cont)[:-1]
                alone.add(tuple(read))
                self.labels[-1].append((self._add(read)[-len(cont) :], cont))
                self.depth = max(self.depth, len(read))
            self.separate += sum(map(len, alone))
        needed = {node for label in self.labels for path, _ in label for node in path}
        #: Nodes as they stand in the row: those after which something is read come last.
        self.order = sorted(range(len(self.tokens)), key=lambda node: (node in needed, node))
        self.n_needed = len(needed)

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.tokens)

    @property
    def branches(self) -> bool:
        """Whether prompts part after a common beginning: without that there is nothing to gain."""
        return len(set(self.parents)) < len(self.parents)

    def _add(self, sequence: Sequence[int]) -> list[int]:
        """Return the nodes of a sequence, in order, new ones where it leaves what is known."""
        path, at = [], -1
        for token in sequence:
            if (node := self._children.get((at, token))) is None:
                node = self._children[at, token] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(at)
            path.append(at := node)
        return path

    def seen(self) -> npt.NDArray[np.bool_]:
        """Return which node (first axis) sees which: itself and its ancestors, shape (N, N)."""
        out = np.eye(len(self), dtype=np.bool_)
        for node, parent in enumerate(self.parents):  # a parent is older than its children
            if parent >= 0:
                out[node] |= out[parent]
        return out


def applies(model: Any) -> bool:
    """Return whether a causal model can be told who sees whom and where each token stands.

    Not where a layer keeps a state of what came before; whether the answers are the same has to be tried.
    """
    layers = set(getattr(model.config.get_text_config(), "layer_types", None) or ["full_attention"])
    return (
        "position_ids" in inspect.signature(model.forward).parameters
        and getattr(model.config, "_attn_implementation", "") in MASKED
        and layers <= LAYERS
    )


def fits(lm: Any, model: Any, row: Row) -> bool:
    """Return whether a row is neither too large, nor longer than what a layer looks back at or the model reads."""
    config = model.config.get_text_config()
    sliding = getattr(config, "use_sliding_window", True) and getattr(config, "sliding_window", None)
    return len(row) <= MOST_TOKENS and row.depth <= min(lm.max_length, sliding or lm.max_length)


def tolerance(lm: Any) -> float:
    """Return how far answers may be off on average, in nats."""
    return TOLERANCE if lm.model.dtype.itemsize > 2 and lm.mixed_precision_dtype is None else TOLERANCE_16_BITS


def label_logprobs(lm: Any, rows: Sequence[Row]) -> list[list[list[float]]]:
    """Return the log-probability in nats of every label after every context of every row, in one pass."""
    import torch

    longest, read = max(map(len, rows)), max(row.n_needed for row in rows)
    tokens = np.zeros((len(rows), longest), dtype=np.int64)
    places = np.zeros_like(tokens)
    seen = np.broadcast_to(np.eye(longest, dtype=np.bool_), (len(rows), longest, longest)).copy()
    for r, row in enumerate(rows):  # to the right, so that what is read stands in the same columns of all rows
        own, at = row.seen(), longest - len(row)
        tokens[r, at:] = np.array(row.tokens)[row.order]
        places[r, at:] = own.sum(axis=1)[row.order] - 1
        seen[r, at:, at:] = own[np.ix_(row.order, row.order)]
    device, dtype = lm.device, lm.model.dtype
    mask = torch.from_numpy(seen)[:, None].to(device)
    if lm.model.config._attn_implementation == "eager":  # it is added
        mask = torch.zeros(mask.shape, dtype=dtype, device=device).masked_fill_(~mask, torch.finfo(dtype).min)
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=lm.mixed_precision_dtype, enabled=lm.mixed_precision_dtype is not None),
    ):
        logits = lm.model(
            torch.from_numpy(tokens).to(device),
            attention_mask=mask,
            position_ids=torch.from_numpy(places).to(device),
            logits_to_keep=read,
            use_cache=False,
        ).logits
    out = []
    for r, row in enumerate(rows):
        column = {node: n for n, node in enumerate(row.order[len(row) - row.n_needed :], read - row.n_needed)}
        tokens_of = [pair for label in row.labels for path, cont in label for pair in zip(path, cont, strict=True)]
        at, wanted = torch.tensor([(column[node], token) for node, token in tokens_of], device=device).T
        logp = logits[r].to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
        values = iter(logp[at, wanted].tolist())
        out.append([[sum(next(values) for _ in cont) for _, cont in label] for label in row.labels])
    return out
