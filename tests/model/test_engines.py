"""Engines that batch by themselves get everything at once, and a seed with each request."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError
from lm_plural.harness.model.engines.lm_eval import LmEvalEngine
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.run import loop
from lm_plural.harness.run.journal import Journal
from lm_plural.harness.run.loop import Asking, Work, ask_all, windows
from lm_plural.harness.run.plan import Request, plan
from lm_plural.harness.task.load import Doc
from tests.run.asked import SPEC
from tests.suite import Suite

SAMPLED = {"max_gen_toks": 4, "do_sample": True, "temperature": 0.8, "until": []}


class Engine:
    """What SGLang's engine is asked, in one list a call."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []

    def generate(self, input_ids: list[list[int]], sampling_params: list[dict[str, Any]], **_: Any) -> list[dict]:
        self.calls.append(sampling_params)
        assert len(input_ids) == len(sampling_params)
        return [{"text": f"seed {p.get('sampling_seed')}"} for p in sampling_params]


@pytest.fixture
def sglang(tiny_model: Path) -> LmEvalEngine:
    """lm-eval's own SGLang backend, without the engine, which needs a GPU."""
    from lm_eval.api.model import CacheHook
    from lm_eval.models.sglang_causallms import SGLangLM
    from transformers import AutoTokenizer

    lm = object.__new__(SGLangLM)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    vars(lm).update(model=Engine(), tokenizer=tokenizer, batch_size="auto", _max_length=64, add_bos_token=False)
    vars(lm).update(
        think_end_token=None, _max_gen_toks=4, _rank=0, custom_prefix_token_id=None, cache_hook=CacheHook(None)
    )
    return LmEvalEngine(lm, ModelSpec("sglang", {"pretrained": str(tiny_model)}))


def test_requests_of_different_seeds_go_in_one_call_and_come_back_in_order(sglang: LmEvalEngine) -> None:
    contexts = ["one", "one two three", "one", "one two"]
    found = sglang.responses(contexts, SAMPLED, [11, 12, 13, 14])
    assert [text.split()[-1] for text in found] == ["11", "12", "13", "14"]
    assert len(sglang.lm.model.calls) == 1


def test_what_is_not_sampled_needs_no_seed(sglang: LmEvalEngine) -> None:
    greedy = SAMPLED | {"do_sample": False, "temperature": 0.0}
    found = sglang.responses(["one", "two"], greedy, [11, 12])
    assert [text.split()[-1] for text in found] == ["None", "None"]


def test_any_other_backend_in_this_process_draws_each_response_from_its_own_seed() -> None:
    import torch

    def generate_until(instances: list[Any], **_: Any) -> list[str]:
        return [str(torch.rand(1).item()) for _ in instances]

    lm = SimpleNamespace(generate_until=generate_until, set_cache_hook=lambda _hook: None)
    engine = LmEvalEngine(lm, ModelSpec("mamba_ssm", {}))
    whole = engine.responses(["a", "b", "c"], SAMPLED, [1, 2, 3])
    assert len(set(whole)) == 3
    assert engine.responses(["c"], SAMPLED, [3]) == whole[2:]


def test_windows_hold_a_bounded_number_of_texts_in_plan_order() -> None:
    requests = [Request(str(n), Doc(n, str(n), {}, ())) for n in range(10_000)]
    for texts, most in ((1, 4096), (5, 819), (9999, 1)):
        found = list(windows(requests, texts))
        assert max(map(len, found)) == most
        assert [r for window in found for r in window] == requests


def test_answered_requests_are_neither_rendered_nor_tokenised_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_plural.harness.run import loop

    args = ["run", "--model", "dummy", "-t", "plural_demo_respond", "-x", "-o", str(tmp_path), "--limit"]
    rendered: list[str] = []
    render = loop.render
    monkeypatch.setattr(loop, "render", lambda source, values: rendered.append(source) or render(source, values))
    assert main([*args, "2"]) == 0
    assert main([*args, "2"]) == 0
    assert len(rendered) == 4
    assert main([*args, "3"]) == 0
    assert len(rendered) == 6


def test_a_kill_loses_one_window_and_the_next_run_meets_the_same_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "WINDOW", 4)
    requests = [Request(str(n), Doc(n, str(n), {}, ())) for n in range(10)]
    assert [[r.key for r in w] for w in windows(requests[4:], 1)] == [[r.key for r in w] for w in windows(requests, 1)][
        1:
    ]


def test_an_answer_that_is_none_costs_itself_only(tmp_path: Path, suite: Suite) -> None:
    suite.respond().write()
    work = Work(suite.load(), plan(suite.load(), SPEC), Journal(tmp_path / "samples.jsonl"))
    lm = SimpleNamespace(generate_until=lambda instances, **_: ["a", "b", 42, "c"][: len(instances)])
    with pytest.raises(PluralError, match="task tiny_rate: the answer to item 'i3' is int; expected text"):
        ask_all([work], Asking(LmEvalEngine(lm, ModelSpec("vllm", {})), None, 64))
    work.journal.close()
    assert [r["item_id"] for r in Journal(work.journal.path).records.values()] == ["i1", "i2"]
