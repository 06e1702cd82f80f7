"""Running a network over texts: device, batches of like length within a budget of tokens, less when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.scoring import FloatArray
from lm_plural.scorers.base import first_line

Dtype = Literal["float32", "bfloat16"]
#: Tokens of a batch, padding counted, that keep a CPU and an accelerator busy.
ON_CPU, ELSEWHERE = 2_048, 32_768
#: Free memory that a network needs on a device, as a multiple of its weights: these, and what a batch computes.
ROOM = 1.5


def choose_device(name: str, weights: int = 0) -> str:
    """Return `name`, or for ``auto`` the CUDA device where there is one with room, and the CPU elsewhere.

    Parameters
    ----------
    name : str
    weights : int
        Bytes of the network that is to go there. A model under test may have filled the device: a scorer that would
        not fit beside it runs on the CPU.

    Raises
    ------
    UsageError
        If the named device does not exist here.
    """
    import torch

    if name == "auto":
        there = torch.cuda.is_available() and torch.cuda.mem_get_info()[0] >= ROOM * weights
        return "cuda" if there else "cpu"
    try:
        torch.empty(1, device=name)  # only an allocation tells whether torch was built for it and it is there
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        raise UsageError(f"device {name!r} cannot be used here: {first_line(e)}") from e
    return name


def changes(dtype: Dtype) -> dict[str, str]:
    """Return what a version must say of the computation: nothing of float32."""
    return {} if dtype == "float32" else {"dtype": dtype}


def bytes_of(network: Any) -> int:
    """Return how many bytes the weights of a network take."""
    return sum(p.numel() * p.element_size() for p in network.parameters())


class Classifier:
    """A network of transformers with its tokenizer, on a device.

    Parameters
    ----------
    network : torch.nn.Module
        Called with the tokenizer's output; answers with ``.logits`` of shape (batch, labels).
    tokenizer : callable
        Tokenizer of transformers.
    device : str
        ``auto``, or the name of a device.
    max_tokens : int, optional
        Tokens of one forward pass, padding counted; halved for good when memory runs out. A longer text is alone in
        its batch. Default 2,048 on a CPU and 32,768 elsewhere.
    max_length : int
        Longest input in tokens; what is longer is cut.
    dtype : {"float32", "bfloat16"}
        Of the computation; bfloat16 is faster where the device has it, and its scores are others in the third digit.

    Raises
    ------
    UsageError
        If `max_tokens` or `max_length` is below 1, or the device does not exist.
    PluralError
        If the device has no memory for the network.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        *,
        device: str,
        max_length: int,
        max_tokens: int | None = None,
        dtype: Dtype = "float32",
    ) -> None:
        import torch

        for option, value in (("max_tokens", max_tokens), ("max_length", max_length)):
            if value is not None and value < 1:
                raise UsageError(f"{option} must be at least 1, not {value}")
        self.device = choose_device(device, bytes_of(network))
        try:
            self.network = network.to(self.device).eval()
        except torch.OutOfMemoryError as e:
            where = f"out of memory on {self.device}"
            raise PluralError(f"{where}: the classifier does not fit, use another device") from e
        self.tokenizer, self.max_length, self.dtype = tokenizer, max_length, dtype
        self.max_tokens = max_tokens or (ON_CPU if self.device == "cpu" else ELSEWHERE)
        # Without a padding token texts of different lengths cannot share a batch.
        self.padding = tokenizer.pad_token is not None
        if self.padding and getattr(network.config, "pad_token_id", None) is None:
            # Decoders read the label at the last token that is no padding: they must know which that is.
            network.config.pad_token_id = tokenizer.pad_token_id

    def logits(self, *columns: Sequence[str]) -> FloatArray:
        """Return the logits of texts (one column) or of text pairs (two columns of equal length).

        Returns
        -------
        ndarray of float64, shape (texts, labels)
            In the order given.

        Raises
        ------
        PluralError
            If memory runs out on a single text.
        """
        encoded = self.tokenizer(*map(list, columns), truncation=True, max_length=self.max_length)
        rows = [dict(zip(encoded, values, strict=True)) for values in zip(*encoded.values(), strict=True)]
        return self.logits_of(rows)

    def logits_of(self, rows: Sequence[dict[str, list[int]]]) -> FloatArray:
        """Return the logits of tokenised texts, each a mapping of the network's inputs; raises as :meth:`logits`."""
        lengths = [len(row["input_ids"]) for row in rows]
        # Longest first: a batch that is too large fails at once and not near the end.
        order = sorted(range(len(rows)), key=lambda i: -lengths[i])
        done: list[FloatArray] = []
        start = 0
        while start < len(order):
            batch = order[start : start + self._fitting(lengths[order[start]])]
            found = self._forward([rows[i] for i in batch])
            if found is None:
                self._halve(len(batch), lengths[batch[0]])
                continue
            done.append(found)
            start += len(batch)
        return np.concatenate(done)[np.argsort(order)]

    def _fitting(self, longest: int) -> int:
        """Return how many texts go into a batch whose longest has so many tokens."""
        return max(self.max_tokens // max(longest, 1), 1) if self.padding else 1

    def _forward(self, rows: Sequence[dict[str, list[int]]]) -> FloatArray | None:
        """Return the logits of one batch, or None if memory ran out."""
        import torch
        from accelerate.utils.memory import should_reduce_batch_size

        half = self.dtype == "bfloat16"
        try:
            with torch.inference_mode(), torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=half):
                joined = {name: [row[name] for row in rows] for name in rows[0]}
                inputs = self.tokenizer.pad(joined, padding=self.padding, return_tensors="pt").to(self.device)
                found: FloatArray = self.network(**inputs).logits.cpu().double().numpy()
                return found
        except RuntimeError as e:
            # The first test is for CUDA, accelerate's knows the wording of the other back ends.
            if not (isinstance(e, torch.OutOfMemoryError) or should_reduce_batch_size(e)):
                raise
            return None

    def _halve(self, failed: int, longest: int) -> None:
        """Make batches half of the one that failed, and free what its error still held."""
        from accelerate.utils.memory import clear_device_cache

        if failed == 1:
            raise PluralError(f"out of memory on {self.device} while scoring one text: use another device")
        self.max_tokens = failed // 2 * longest
        gc.collect()
        clear_device_cache()
