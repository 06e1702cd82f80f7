"""Out of memory halves the batch and goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.model.engines.hf import HfEngine
from lm_plural.harness.model.load import load_model
from lm_plural.harness.model.spec import ModelSpec

REQUESTS = [(f"Prompt number {i} ends here: (", ["1", "2"]) for i in range(11)]


def engine(model: Path, batch_size: int) -> HfEngine:
    spec = ModelSpec("hf", {"pretrained": str(model), "dtype": "float32"})
    return HfEngine(load_model(spec, batch_size=batch_size, device="cpu"), spec, batch_size)


def refuse_over(lm: Any, most: int) -> None:
    """Make the model's forward pass fail as a GPU does when a batch is too large."""
    import torch

    forward = lm.model.forward

    def limited(*args: Any, **kwargs: Any) -> Any:
        ids = kwargs.get("input_ids", args[0] if args else None)
        if ids.shape[0] > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(*args, **kwargs)

    lm.model.forward = limited
    lm.model.forward.__signature__ = __import__("inspect").signature(forward)


def test_labels_go_on_with_half_the_batch(tiny_model: Path) -> None:
    whole = engine(tiny_model, 8).label_logprobs(REQUESTS)
    small, halved = engine(tiny_model, 8), list[int]()
    small.on_halved = halved.append
    refuse_over(small.lm, 3)
    for ours, theirs in zip(small.label_logprobs(REQUESTS), whole, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)
    assert halved == [4, 2]
    assert small.batch_size == 2


def test_generation_goes_on_with_half_the_batch(tiny_model: Path) -> None:
    prompts, kwargs = [c for c, _ in REQUESTS], {"max_gen_toks": 4, "until": []}
    whole = engine(tiny_model, 2).responses(prompts, kwargs, seeds=range(11))
    small = engine(tiny_model, 8)
    refuse_over(small.lm, 2)
    assert len(small.responses(prompts, kwargs, seeds=range(11))) == len(whole)
    assert small.batch_size == 2


def test_one_prompt_that_does_not_fit_is_an_error(tiny_model: Path) -> None:
    small = engine(tiny_model, 2)
    refuse_over(small.lm, 0)
    with pytest.raises(PluralError, match="out of memory with a single prompt"):
        small.label_logprobs(REQUESTS)


SCRIPT = """
import resource, sys
from lm_plural.harness.model.load import load_engine
from lm_plural.harness.model.spec import ModelSpec

spec = ModelSpec("hf", {"pretrained": sys.argv[1], "dtype": "float32", "attn_implementation": "eager"})
engine, halved = load_engine(spec, batch_size=32, device="cpu"), []
engine.on_halved = halved.append
requests = [("word " * 1200 + f"{i}: (", ["1", "2"]) for i in range(32)]
engine.label_logprobs(requests[:1])
used = next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmSize")) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 700_000_000, resource.RLIM_INFINITY))
print(len(engine.label_logprobs(requests)), halved)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_really_runs_out_halves_the_batch(tiny_model: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tiny_model)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    count, halved = done.stdout.strip().split(" ", 1)
    assert count == "32"
    assert halved.startswith("[16")
