"""The short way to label log-probabilities equals lm-eval's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.model.engines import hf, lm_eval
from lm_plural.harness.model.load import load_model
from lm_plural.harness.model.spec import ModelSpec

REQUESTS = [
    ("Rate the reply. Answer: (", ["1", "2", "3", "4", "5"]),
    ("A much longer prompt, so that rows of the batch differ in length. " * 4 + "Answer:", [" strongly agree", " no"]),
    ("Ja?", ["A", "B"]),
]


@pytest.fixture(scope="module")
def lm(tiny_model: Path) -> Any:
    return load_model(ModelSpec("hf", {"pretrained": str(tiny_model), "dtype": "float32"}), batch_size=4, device="cpu")


def test_equals_lm_evals_loglikelihood(lm: Any) -> None:
    assert hf.applies(lm)
    for ours, theirs in zip(hf.label_logprobs(lm, REQUESTS), lm_eval.loglikelihood(lm, REQUESTS), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


def test_a_batch_is_its_rows_one_by_one(lm: Any) -> None:
    together = hf.label_logprobs(lm, REQUESTS)
    for request, row in zip(REQUESTS, together, strict=True):
        assert hf.label_logprobs(lm, [request])[0] == pytest.approx(row, abs=1e-4)


def test_a_prompt_over_the_models_length_is_cut_from_the_left(tiny_model: Path) -> None:
    short = load_model(
        ModelSpec("hf", {"pretrained": str(tiny_model), "dtype": "float32", "max_length": 16}),
        batch_size=1,
        device="cpu",
    )
    request = [("word " * 100 + "Answer: (", ["1", "2"])]
    assert hf.label_logprobs(short, request)[0] == pytest.approx(lm_eval.loglikelihood(short, request)[0], abs=1e-4)


def test_equals_lm_eval_with_an_adapter(tiny_model: Path, adapter: Path) -> None:
    args = {"pretrained": str(tiny_model), "peft": str(adapter), "dtype": "float32"}
    tuned = load_model(ModelSpec("hf", args), batch_size=4, device="cpu")
    assert hf.applies(tuned)
    for ours, theirs in zip(hf.label_logprobs(tuned, REQUESTS), lm_eval.loglikelihood(tuned, REQUESTS), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)
