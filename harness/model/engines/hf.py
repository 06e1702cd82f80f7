"""Hugging Face models in this process: batches cut by us, only the logits that are looked at, memory that runs out.

lm-eval computes logits and a softmax over the vocabulary at every position of the prompt; labels need the last one
or two. The tokens, padding and sums are lm-eval's own; the softmax is in float32, also for a bfloat16 model.
"""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lm_plural.harness.errors import PluralError
from lm_plural.harness.model.engine import In, Labelled, Out, answer_failed, sampled
from lm_plural.harness.model.engines import tree
from lm_plural.harness.model.engines.lm_eval import LmEvalEngine
from lm_plural.harness.model.spec import ModelSpec

#: The backend under all of its names.
NAMES = ("hf", "hf-auto", "huggingface")


class HfEngine(LmEvalEngine):
    """A model in this process, as a :class:`~harness.model.engine.BatchedEngine`.

    Parameters
    ----------
    lm : lm_eval.models.huggingface.HFLM
    spec : ModelSpec
    batch_size : int
        Prompts per forward pass; halved, and kept halved, when memory runs out.
    """

    def __init__(self, lm: Any, spec: ModelSpec, batch_size: int = 1) -> None:
        super().__init__(lm, spec)
        self.batch_size = batch_size
        self.on_halved: Callable[[int], None] = lambda _size: None
        self._shares: bool | None = None

    def length(self, context: Any) -> int:
        """Return the number of tokens of a context."""
        return len(self.lm.tok_encode(context))

    def shown(self, context: Any) -> str:
        """Return a context as text, with the special tokens that the tokenizer puts around it."""
        return str(self.lm.tokenizer.decode(self.lm.tok_encode(context), clean_up_tokenization_spaces=False))

    def auto_batch_size(self, lengths: Sequence[int], new: int | None, most: int) -> int:
        """Return the largest power of two, at most `most`, whose largest batch fits in a quarter of the free memory.

        A first guess only: running out of memory halves it.
        """
        longest_first = sorted(lengths, reverse=True)
        budget, size = _free_bytes(self.lm.device) / 4, 1
        while size * 2 <= most and _bytes(self.lm, longest_first[: size * 2], size * 2, new) <= budget:
            size *= 2
        return size

    def label_logprobs_together(self, groups: Sequence[Sequence[Labelled]]) -> list[list[list[float]]]:
        """Return the log-probability of every label after every context of groups of requests that begin alike.

        A group is one row, what its prompts share being read once; one that does not fit is asked prompt by prompt.
        """
        out: list[list[list[float]]] = [[] for _ in groups]
        rows = {g: tree.Row(self.lm, group) for g, group in enumerate(groups)} if applies(self.lm) else {}
        rows = {g: row for g, row in rows.items() if row.branches and tree.fits(self.lm, _base(self.lm), row)}
        if rows and self._shares is None:
            least = min(rows, key=lambda g: len(rows[g]))
            out[least], self._shares = self._tried(groups[least], rows[least])
        order = sorted((g for g in rows if self._shares and not out[g]), key=lambda g: -len(rows[g]))
        while order:
            part = order[: self._rows_at_once([rows[g] for g in order])]
            for g, found in zip(part, self._together([rows[g] for g in part]), strict=True):
                out[g] = found
            order = order[len(part) :]
        alone = [g for g, found in enumerate(out) if not found]
        answers = iter(self.label_logprobs([request for g in alone for request in groups[g]]) if alone else [])
        for g in alone:
            out[g] = [next(answers) for _ in groups[g]]
        return out

    def _tried(self, group: Sequence[Labelled], row: tree.Row) -> tuple[list[list[float]], bool]:
        """Return a group's answers prompt by prompt, and whether the model gives the same to it as one row."""
        alone = self.label_logprobs(group)
        if not tree.applies(_base(self.lm)):
            return alone, False
        try:
            (together,) = tree.label_logprobs(self.lm, [row])
        except Exception:  # whatever a model's own code says of a mask that is not its own
            logging.getLogger(__name__).debug("prompts cannot share a row", exc_info=True)
            free_memory()
            return alone, False
        pairs = [(a, b) for x, y in zip(alone, together, strict=True) for a, b in zip(x, y, strict=True)]
        off = float(np.mean([abs(a - b) for a, b in pairs]))
        return alone, off <= tree.tolerance(self.lm)

    def _together(self, rows: Sequence[tree.Row]) -> list[list[list[float]]]:
        """Return the answers to rows; those for which memory does not suffice, one by one, are left empty."""
        try:
            return tree.label_logprobs(self.lm, rows)
        except Exception as e:
            if not _out_of_memory(e):
                raise answer_failed(self.spec, e) from e
            free_memory()
        return [[]] if len(rows) == 1 else [found for row in rows for found in self._together([row])]

    def _rows_at_once(self, rows: Sequence[tree.Row]) -> int:
        """Return how many rows, longest first, fit in a quarter of the free memory: a first guess.

        A CPU is busy with a thousand tokens, and slower with more.
        """
        length, read = len(rows[0]), rows[0].n_needed
        if self.lm.device.type == "cpu":
            return max(1, 1024 // length)
        row = _bytes(self.lm, [length], 1, None, positions=read) + 2 * length**2 * self.lm.model.dtype.itemsize
        return max(1, min(len(rows), int(_free_bytes(self.lm.device) / 4 / row)))

    @property
    def _one_by_one(self) -> bool:
        return False

    def _label_logprobs(self, batch: Sequence[Labelled]) -> list[list[Any]]:
        return label_logprobs(self.lm, batch) if applies(self.lm) else super()._label_logprobs(batch)

    def _responses(self, batch: Sequence[Any], gen_kwargs: Mapping[str, Any]) -> list[Any]:
        return (self._drawn if sampled(gen_kwargs) else self._generate)(batch, gen_kwargs)

    def _answers(self, batch: Sequence[In], call: Callable[[Sequence[In]], list[Out]]) -> list[Out]:
        """Return the answers to a batch, all computed in parts of one size: memory that runs out begins it again."""
        out: list[Out] = []
        while len(out) < len(batch):
            part = batch[len(out) : len(out) + self.batch_size]
            try:
                self.lm.batch_size_per_gpu = len(part)
                out += call(part)
            except Exception as e:
                if not _out_of_memory(e):
                    raise answer_failed(self.spec, e) from e
                if len(part) == 1:
                    raise PluralError(f"model {self.spec.name!r}: out of memory with a single prompt") from e
                out, self.batch_size = [], len(part) // 2
                self.on_halved(self.batch_size)
                free_memory()
        return out


def without_weights() -> Any:
    """Return lm-eval's class of Hugging Face models, less the weights: its prompts and tokens are the model's own."""
    import torch
    from lm_eval.models.huggingface import HFLM

    class Nothing(torch.nn.Module):
        def tie_weights(self) -> None:
            """Do nothing: there are none."""

    class Tokenizer(HFLM):  # type: ignore[misc]
        def _create_model(self, *_: Any, **__: Any) -> None:
            self._model = Nothing()

    return Tokenizer


def _bytes(lm: Any, lengths: Sequence[int], rows: int, new: int | None, *, positions: int = 0) -> float:
    """Return about what a batch takes: keys and values, what one layer works on, and logits in float32.

    Generating keeps keys and values, and looks at one position. Scoring labels keeps none, but has logits at the last
    position of every row of another length, or as many as are given.
    """
    config = lm.model.config.get_text_config()
    hidden, heads = _number(config, "hidden_size", 1024), _number(config, "num_attention_heads", 16)
    head = _number(config, "head_dim", hidden // heads)
    width = lm.model.dtype.itemsize
    row = (8 * hidden + 3 * _number(config, "intermediate_size", 4 * hidden)) * width * lengths[0]
    positions = positions or len(set(lengths)) + 1
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
    if getattr(getattr(lm.model, "active_peft_config", None), "is_prompt_learning", False):
        return False
    return "logits_to_keep" in inspect.signature(_base(lm).forward).parameters


def _base(lm: Any) -> Any:
    """Return the model under its adapter, if there is one."""
    return lm.model.get_base_model() if hasattr(lm.model, "get_base_model") else lm.model


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
