"""Adapters that share a base: loaded once, and every answer is, to the byte, the one the adapter gives alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig, PromptTuningConfig

from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError
from lm_plural.harness.model.adapters import SharedBase
from lm_plural.harness.model.engine import Engine
from lm_plural.harness.model.load import load_engine
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.result.read import read_content
from tests.model.conftest import build_adapter

LORA = {"task_type": "CAUSAL_LM", "r": 4, "target_modules": ["k_proj", "down_proj"]}
RATE = Path(__file__).parents[1] / "run" / "rate.yaml"


@pytest.fixture(scope="module")
def adapters(tiny_model: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Adapters by what they are."""
    configs: dict[str, Any] = {
        "other": LoraConfig(**LORA),
        "dora": LoraConfig(**LORA, use_dora=True),
        "biased": LoraConfig(**{**LORA, "bias": "all"}),
        "pissa": LoraConfig(**LORA, init_lora_weights="pissa"),
        "head": LoraConfig(**LORA, modules_to_save=["lm_head"]),
        "prompt": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    }
    place = tmp_path_factory.mktemp("adapters")
    made = {n: build_adapter(tiny_model, place / n, c, seed=k) for k, (n, c) in enumerate(configs.items(), start=2)}
    return {"lora": adapter, **made}


def spec_of(model: Path, adapter: Path | None) -> ModelSpec:
    return ModelSpec("hf", {"pretrained": str(model), "dtype": "float32"} | ({"peft": str(adapter)} if adapter else {}))


def said(engine: Engine) -> list[Any]:
    """Return log-probabilities, a greedy response and a sampled one."""
    contexts = ["The answer is (", "Reply: no. It is (", "Once upon"]
    numbers = engine.label_logprobs([(c, ["1", "2", "34"]) for c in contexts])
    sampled = {"max_gen_toks": 6, "do_sample": True, "temperature": 1.5, "until": []}
    greedy = engine.responses(contexts, {"max_gen_toks": 6, "do_sample": False, "until": []}, [1, 2, 3])
    return [numbers, greedy, engine.responses(contexts, sampled, [1, 2, 3])]


@pytest.fixture(scope="module")
def alone(tiny_model: Path, adapters: dict[str, Path]) -> Callable[[str | None], list[Any]]:
    """What the model says with an adapter, or none, each loaded once for itself."""

    @cache
    def answers(name: str | None) -> list[Any]:
        return said(load_engine(spec_of(tiny_model, adapters[name] if name else None), batch_size=4, device="cpu"))

    return answers


@pytest.mark.filterwarnings("ignore:Position ids are not supported for parameter efficient tuning")
@pytest.mark.parametrize(
    ("order", "loads"),
    [
        (["lora", "other", "lora", "dora", "other"], 1),
        (["biased", "lora", "other"], 2),
        (["pissa", "lora"], 2),
        (["lora", "head", "lora"], 3),
        (["other", "prompt", "lora"], 3),
        (["lora", None, "other"], 3),
    ],
)
def test_an_adapter_on_a_shared_base_answers_as_alone(
    tiny_model: Path,
    adapters: dict[str, Path],
    alone: Callable[[str | None], list[Any]],
    order: Sequence[str | None],
    loads: int,
) -> None:
    base, models, answers = SharedBase(), [], []
    for name in order:
        spec = spec_of(tiny_model, adapters[name] if name else None)
        engine: Any = base.engine(spec, batch_size=4, device="cpu")
        assert engine.spec == spec
        models.append(engine.lm)
        answers.append(said(engine))
        assert answers[-1] == alone(name), name
    assert len({id(lm) for lm in models}) == loads
    assert len({json.dumps(a) for a in answers}) == len(set(order))


def test_another_base_is_loaded(tiny_model: Path, wider_model: Path, adapters: dict[str, Path], tmp_path: Path) -> None:
    wide = build_adapter(wider_model, tmp_path / "wide", LoraConfig(**LORA))
    base = SharedBase()
    for model, adapter in ((tiny_model, adapters["lora"]), (wider_model, wide), (tiny_model, adapters["other"])):
        spec = spec_of(model, adapter)
        found = said(base.engine(spec, batch_size=4, device="cpu"))
        assert found == said(load_engine(spec, batch_size=4, device="cpu"))


def test_an_adapter_that_does_not_fit_says_what_it_says_alone_and_spoils_nothing(
    tiny_model: Path, wider_model: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    wide = spec_of(tiny_model, build_adapter(wider_model, tmp_path / "wide", LoraConfig(**LORA)))
    fits, base = spec_of(tiny_model, adapters["lora"]), SharedBase()
    before = said(base.engine(fits, batch_size=4, device="cpu"))
    with pytest.raises(PluralError) as alone:
        load_engine(wide, batch_size=4, device="cpu")
    with pytest.raises(PluralError) as shared:
        base.engine(wide, batch_size=4, device="cpu")
    assert str(shared.value) == str(alone.value)
    assert said(base.engine(fits, batch_size=4, device="cpu")) == before


def run(model: Path, out: Path, *more: object) -> int:
    tasks = ["-t", str(RATE), "plural_demo_respond", "--limit", "3", "--batch_size", "4", "--inference", "none"]
    tasks += ["--gen_kwargs", "max_gen_toks=8", "--device", "cpu"]
    return main(["run", *tasks, "-o", str(out), "--model_args", f"pretrained={model},dtype=float32", *map(str, more)])


def test_each_adapter_has_the_folder_it_would_have_alone(
    tiny_model: Path, adapters: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    asked = [adapters["lora"], adapters["other"]]
    assert run(tiny_model, together, "--adapter", *asked, "--dry_run") == 0
    assert capsys.readouterr().out.count("what a run would ask") == 2
    assert not together.exists()
    assert run(tiny_model, together, "--adapter", *asked) == 0
    assert capsys.readouterr().out.count("results written to") == 2
    for adapter in asked:
        assert run(tiny_model, alone, f"peft={adapter}") == 0
    assert sorted(p.name for p in together.iterdir()) == sorted(p.name for p in alone.iterdir())
    for folder in together.iterdir():
        other = alone / folder.name
        names = {p.name for p in folder.iterdir() if not p.name.startswith(("results_", "details_"))}
        assert names > {"samples_rate.jsonl", "samples_plural_demo_respond.jsonl", "run.json", "batch_sizes.json"}
        for name in names:
            assert (folder / name).read_bytes() == (other / name).read_bytes(), name
        one, two = (read_content(next(iter(f.glob("results_*.json")))) for f in (folder, other))
        assert one["disaggregated"] == two["disaggregated"]
        assert one["results"] == two["results"]
    capsys.readouterr()
    assert run(tiny_model, together, "--adapter", *asked) == 0
    assert capsys.readouterr().out.count("nothing new") == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["peft={a}", "--adapter", "{b}"], 2, "peft={a} is an adapter, too; expected one way"),
        (["--adapter", "{a}", "{a}"], 2, "--adapter {a}: given twice"),
        (["--adapter", "{a}", "/no/adapter"], 1, "/no/adapter"),
        (["--model", "dummy", "--adapter", "{a}"], 2, "--adapter {a}: backend 'dummy' takes none; expected hf"),
    ],
)
def test_adapters_that_cannot_be_are_refused_before_the_first(
    words: list[str],
    code: int,
    said: str,
    adapters: dict[str, Path],
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"a": adapters["lora"], "b": adapters["other"]}
    assert run(tiny_model, tmp_path / "out", *(w.format(**places) for w in words)) == code
    assert said.format(**places) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_base_and_its_adapters_are_of_one_model(tiny_model: Path, adapter: Path, wider_model: Path) -> None:
    base = ModelSpec("hf", {"pretrained": str(tiny_model)})
    tuned = ModelSpec("hf", {"pretrained": str(tiny_model), "peft": str(adapter)})
    other = ModelSpec("hf", {"pretrained": str(wider_model)})
    served = ModelSpec("local-completions", {"model": "org/name", "base_url": "http://127.0.0.1:1/v1"})

    def same(a: ModelSpec, b: ModelSpec) -> bool:
        return a.is_of(b.name, b.identity["weights"])

    assert same(tuned, base)
    assert same(base, tuned)
    assert not same(other, base)
    assert not same(served, base)
    assert same(served, ModelSpec("local-chat-completions", {"model": "org/name", "base_url": "http://127.0.0.1:2/v1"}))
