"""Running a sequence classifier over texts: device, batches sorted by length, halved when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.scoring import FloatArray
from lm_plural.scorers.base import first_line


def choose_device(name: str) -> str:
    """Return `name`, or for ``auto`` the CUDA device where there is one and the CPU elsewhere.

    Raises
    ------
    UsageError
        If the named device does not exist here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)  # only an allocation tells whether torch was built for it and it is there
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        raise UsageError(f"device {name!r} cannot be used here: {first_line(e)}") from e
    return name


class Classifier:
    """A sequence classifier of transformers with its tokenizer, on a device.

    Parameters
    ----------
    network : torch.nn.Module
        Called with the tokenizer's output; answers with ``.logits`` of shape (batch, labels).
    tokenizer : callable
        Tokenizer of transformers.
    device : str
        Result of :func:`choose_device`.
    batch_size : int
        Most texts in one forward pass; halved for good when memory runs out.
    max_length : int
        Longest input in tokens; what is longer is cut.

    Raises
    ------
    UsageError
        If `batch_size` or `max_length` is below 1.
    PluralError
        If the device has no memory for the network.
    """

    def __init__(self, network: Any, tokenizer: Any, *, device: str, batch_size: int, max_length: int) -> None:
        import torch

        for option, value in (("batch_size", batch_size), ("max_length", max_length)):
            if value < 1:
                raise UsageError(f"{option} must be at least 1, not {value}")
        try:
            self.network = network.to(device).eval()
        except torch.OutOfMemoryError as e:
            raise PluralError(f"out of memory on {device}: the classifier does not fit, use another device") from e
        self.tokenizer = tokenizer
        self.device = device
        self.max_length = max_length
        # Without a padding token texts of different lengths cannot share a batch.
        self.padding = tokenizer.pad_token is not None
        self.batch_size = batch_size if self.padding else 1
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
        # Longest first: a batch that is too large fails at once and not near the end.
        order = sorted(range(len(columns[0])), key=lambda i: -sum(len(column[i]) for column in columns))
        done: list[FloatArray] = []
        start = 0
        while start < len(order):
            batch = order[start : start + self.batch_size]
            rows = self._forward([[column[i] for i in batch] for column in columns])
            if rows is None:
                self._halve(len(batch))
                continue
            done.append(rows)
            start += len(batch)
        return np.concatenate(done)[np.argsort(order)]

    def _forward(self, columns: list[list[str]]) -> FloatArray | None:
        """Return the logits of one batch, or None if memory ran out."""
        import torch
        from accelerate.utils.memory import should_reduce_batch_size

        try:
            with torch.inference_mode():
                inputs = self.tokenizer(
                    *columns,
                    padding=self.padding,
                    truncation=True,
                    max_length=self.max_length,
                    return_tensors="pt",
                ).to(self.device)
                rows: FloatArray = self.network(**inputs).logits.cpu().double().numpy()
                return rows
        except RuntimeError as e:
            # The first test is for CUDA, accelerate's knows the wording of the other back ends.
            if not (isinstance(e, torch.OutOfMemoryError) or should_reduce_batch_size(e)):
                raise
            return None

    def _halve(self, failed: int) -> None:
        """Make batches half of the one that failed, and free what its error still held."""
        from accelerate.utils.memory import clear_device_cache

        if failed == 1:
            raise PluralError(f"out of memory on {self.device} while scoring one text: use another device")
        self.batch_size = failed // 2
        gc.collect()
        clear_device_cache()
