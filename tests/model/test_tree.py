"""Prompts that begin alike, read in one row, have the numbers they have alone, and cost what they do not share."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.model.engine import SharingEngine
from lm_plural.harness.model.engines import hf, tree
from lm_plural.harness.model.load import load_engine
from lm_plural.harness.model.spec import ModelSpec
from tests.statistics.by_hand import quick

TEXT = "My rice is mushy. What am I doing wrong? Use less water, and let it rest for a while. " * 2
#: Contexts that end at different places, one the beginning of another, and labels of one token and of several.
GROUPS = [
    [
        (TEXT + "Is it kind? Answer: (", ["1", "2", "10"]),
        (TEXT + "Is it kind? Answer: (1", ["0", "1"]),
        (TEXT + "Is it helpful?", [" strongly agree", " strongly disagree", " no"]),
        (TEXT + "Is it helpful? Say so.", [" yes", " no"]),
    ],
    [("Short. " + tail, ["A", "B"]) for tail in ("One:", "Two, and longer:", "Three:")],
    [("Nothing is shared here", [" x"])],
]


def engine(model: Path, **args: Any) -> hf.HfEngine:
    args = {"pretrained": str(model), "dtype": "float32"} | args
    made = load_engine(ModelSpec("hf", args), batch_size=4, device="cpu")
    assert isinstance(made, hf.HfEngine)
    assert isinstance(made, SharingEngine)
    return made


class Read:
    """The tokens that a model reads, padding too."""

    def __init__(self, engine: hf.HfEngine) -> None:
        self.tokens = 0
        embedding = engine.lm.model.get_input_embeddings()
        embedding.register_forward_hook(lambda _m, ids, _o: self._count(ids[0]))

    def _count(self, ids: torch.Tensor) -> None:
        self.tokens += ids.numel()

    def during(self, call: Any) -> tuple[Any, int]:
        before = self.tokens
        return call(), self.tokens - before


def same(found: Sequence[Any], other: Sequence[Any], **off: float) -> None:
    for row, expected in zip(found, other, strict=True):
        for ours, theirs in zip(row, expected, strict=True):
            assert ours == pytest.approx(theirs, **off)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_row_gives_what_its_prompts_give_alone(tiny_model: Path, attention: str) -> None:
    asked = engine(tiny_model, attn_implementation=attention)
    found = asked.label_logprobs_together(GROUPS)
    assert asked._shares
    again = asked.label_logprobs_together(GROUPS)  # all as rows now, the first time one was tried both ways
    alone = [[asked.label_logprobs([request])[0] for request in group] for group in GROUPS]
    same(found, alone, abs=1e-4)
    same(again, alone, abs=1e-4)


def test_with_an_adapter_too(tiny_model: Path, adapter: Path) -> None:
    asked = engine(tiny_model, peft=str(adapter))
    asked.label_logprobs_together(GROUPS)
    assert asked._shares
    same(
        asked.label_logprobs_together(GROUPS),
        [[asked.label_logprobs([request])[0] for request in group] for group in GROUPS],
        abs=1e-4,
    )


def test_what_is_shared_is_read_once(tiny_model: Path) -> None:
    asked = engine(tiny_model)
    asked.label_logprobs_together(GROUPS[:1])
    read, (group, *_) = Read(asked), GROUPS
    _, together = read.during(lambda: asked.label_logprobs_together([group]))
    _, alone = read.during(lambda: [asked.label_logprobs([request]) for request in group])
    row = tree.Row(asked.lm, group)
    assert together == len(row)
    assert together < 0.4 * alone


def test_a_model_that_looks_at_a_window_shares_what_is_shorter(tmp_path: Path, tiny_model: Path) -> None:
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=49152,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        sliding_window=30,
        initializer_range=0.2,
    )
    MistralForCausalLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path)
    asked = engine(tmp_path)
    long, short, _ = (tree.Row(asked.lm, group) for group in GROUPS)
    assert long.depth > 30 > short.depth
    assert [tree.fits(asked.lm, asked.lm.model, row) for row in (long, short)] == [False, True]
    found = asked.label_logprobs_together(GROUPS)
    assert asked._shares
    same(found, [[asked.label_logprobs([r])[0] for r in group] for group in GROUPS], abs=1e-4)


def test_a_model_that_takes_no_mask_of_ours_is_asked_prompt_by_prompt(tmp_path: Path, tiny_model: Path) -> None:
    """Mamba keeps a state of what came before, and knows no places."""
    from transformers import AutoTokenizer, MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    config = MambaConfig(vocab_size=49152, hidden_size=32, state_size=4, num_hidden_layers=2, initializer_range=0.2)
    MambaForCausalLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path)
    asked = engine(tmp_path)
    found = asked.label_logprobs_together(GROUPS)
    assert not asked._shares
    same(found, [[asked.label_logprobs([r])[0] for r in group] for group in GROUPS], abs=1e-4)


@pytest.mark.parametrize("fault", ["ignores the mask", "fails"])
def test_who_answers_otherwise_in_a_row_is_found_out(
    tiny_model: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = engine(tiny_model)
    forward = asked.lm.model.forward

    def other(*args: Any, attention_mask: Any = None, logits_to_keep: Any = 0, **kwargs: Any) -> Any:
        if attention_mask is not None and fault == "fails":
            raise ValueError("no mask of yours")
        return forward(*args, logits_to_keep=logits_to_keep, **kwargs)

    other.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    alone = [[asked.label_logprobs([request])[0] for request in group] for group in GROUPS]
    monkeypatch.setattr(asked.lm.model, "forward", other)
    same(asked.label_logprobs_together(GROUPS), alone, abs=1e-4)
    assert asked._shares is False


def test_rows_that_do_not_fit_in_memory_are_asked_alone(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, real, sizes = engine(tiny_model), tree.label_logprobs, list[int]()
    alone = [[asked.label_logprobs([request])[0] for request in group] for group in GROUPS]

    def small(lm: Any, rows: Sequence[tree.Row]) -> Any:
        sizes.append(sum(map(len, rows)))
        if sizes[-1] > 60:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return real(lm, rows)

    monkeypatch.setattr(tree, "label_logprobs", small)
    same(asked.label_logprobs_together(GROUPS), alone, abs=1e-4)
    assert max(sizes) > 60


def test_in_16_bits_it_is_within_rounding(tiny_model: Path) -> None:
    asked = engine(tiny_model, dtype="bfloat16")
    found = asked.label_logprobs_together(GROUPS)
    assert asked._shares
    exact = engine(tiny_model).label_logprobs_together(GROUPS)
    off = [
        abs(a - b)
        for f, e in zip(found, exact, strict=True)
        for x, y in zip(f, e, strict=True)
        for a, b in zip(x, y, strict=True)
    ]
    assert np.mean(off) < tree.TOLERANCE_16_BITS


def _is_a_chain(texts: set[str]) -> bool:
    """Return whether each text is the beginning of the next longer one."""
    ordered = sorted(texts, key=len)
    return all(b.startswith(a) for a, b in pairwise(ordered))


class Letters:
    """A tokenizer of letters."""

    def _encode_pair(self, context: str, label: str) -> tuple[list[int], list[int]]:
        return list(map(ord, context)), list(map(ord, label))


@quick
@given(
    st.lists(
        st.tuples(
            st.text("ab", min_size=1, max_size=6),
            st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_every_branch_is_its_prompt(requests: list[tuple[str, list[str]]]) -> None:
    row = tree.Row(Letters(), requests)
    seen = row.seen()
    texts = set()
    for (context, labels), found in zip(requests, row.labels, strict=True):
        for label, (path, cont) in zip(labels, found, strict=True):
            assert "".join(map(chr, cont)) == label
            for n, node in enumerate(path):
                before = [row.tokens[m] for m in np.flatnonzero(seen[node])]
                assert "".join(map(chr, before)) == (context + label)[: len(context) + n]
            texts |= {(context + label)[:n] for n in range(1, len(context + label))}
    assert len(row) == len(texts)  # a node for each beginning, and no more
    assert row.separate >= len(row)
    assert row.branches is not _is_a_chain(texts)
    assert sorted(row.order) == list(range(len(row)))
    last = set(row.order[len(row) - row.n_needed :])
    assert last == {node for label in row.labels for path, _ in label for node in path}
