"""Loading: adapters are applied or refused, unknown things are suggested, errors are one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.model.load import check_backend, load_engine, load_prompter
from lm_plural.harness.model.spec import ModelSpec
from tests.stderr import told

REQUEST = [("The answer is (", ["1", "2", "3"])]


def ask(**args: object) -> list[list[float]]:
    spec = ModelSpec("hf", {"dtype": "float32", **args})
    return load_engine(spec, batch_size=1, device="cpu").label_logprobs(REQUEST)


def test_an_adapter_changes_answers_and_identity(tiny_model: Path, adapter: Path) -> None:
    base = ask(pretrained=str(tiny_model))
    tuned = ask(pretrained=str(tiny_model), peft=str(adapter))
    assert max(abs(a - b) for a, b in zip(base[0], tuned[0], strict=True)) > 0.01
    one, two = (
        ModelSpec("hf", {"pretrained": str(tiny_model)}),
        ModelSpec("hf", {"pretrained": str(tiny_model), "peft": str(adapter)}),
    )
    assert one.hash != two.hash
    assert two.identity["adapter"].startswith("sha256:")
    assert two.slug.startswith("tiny+lora-")


def test_an_adapter_with_other_weights_is_another_model(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    copy = tmp_path / "lora"
    shutil.copytree(adapter, copy)
    before = ModelSpec("hf", {"pretrained": str(tiny_model), "peft": str(copy)}).hash
    weights = copy / "adapter_model.safetensors"
    blob = bytearray(weights.read_bytes())
    blob[-1] ^= 1
    weights.write_bytes(bytes(blob))
    assert ModelSpec("hf", {"pretrained": str(tiny_model), "peft": str(copy)}).hash != before


def test_an_adapter_that_does_not_fit_is_refused_in_one_line(wider_model: Path, adapter: Path) -> None:
    with pytest.raises(PluralError, match="cannot be loaded: RuntimeError") as caught:
        ask(pretrained=str(wider_model), peft=str(adapter))
    assert "\n" not in str(caught.value)


def test_an_adapter_whose_weights_find_no_place_is_refused(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    """PEFT itself only warns and the base model would answer."""
    copy = tmp_path / "lora"
    shutil.copytree(adapter, copy)
    config = json.loads((copy / "adapter_config.json").read_text())
    config["target_modules"] = ["q_proj"]
    (copy / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(PluralError, match="does not fit"):
        ask(pretrained=str(tiny_model), peft=str(copy))


def test_a_peft_run_through_the_command_has_its_own_folder(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    rate = Path(__file__).parents[1] / "run" / "rate.yaml"
    args = ["-t", str(rate), "--limit", "2", "-o", str(tmp_path)]
    assert main(["run", "--model_args", f"pretrained={tiny_model},peft={adapter},dtype=float32", *args]) == 0
    (folder,) = tmp_path.iterdir()
    run = json.loads((folder / "run.json").read_text())
    assert run["model_name"] == f"{tiny_model}+{adapter}"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--model", "vlm"], 2, "did you mean 'vllm'"),
        (["--model_args", "pretrained=/no/such/model"], 1, "/no/such/model"),
        (["--model_args", "pretrained=nobody/nothing"], 1, "nobody/nothing"),
        (["--model_args", "pretrained=smollm2-demo,peft=/no/adapter"], 1, "/no/adapter"),
        (["--model_args", "pretrained=smollm2-demo,dtyp=float32"], 1, "dtyp"),
        (["--model_args", "nonsense"], 2, "is not key=value"),
        (["--tasks", "plural_demo_toxcity"], 2, "did you mean 'plural_demo_toxicity'"),
        (["--limit", "0"], 2, "--limit"),
        (["--batch_size", "many"], 2, "--batch_size"),
    ],
)
def test_bad_input_is_one_line_with_the_right_code(
    args: list[str], code: int, words: str, command, tmp_path: Path
) -> None:
    base = ["run", "--model_args", "pretrained=smollm2-demo", "--tasks", "plural_demo_toxicity", "--limit", "1"]
    for flag, value in zip(args[::2], args[1::2], strict=True):
        if flag in base:
            base[base.index(flag) + 1] = value
        else:
            base += [flag, value]
    done = command(*base, "-o", tmp_path)
    assert done.returncode == code, done.stderr
    assert len(told(done.stderr)) == 1, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_needs_what_is_not_installed_says_so(command, tmp_path: Path) -> None:
    done = command(
        "run",
        "--model",
        "vllm",
        "--model_args",
        "pretrained=smollm2-demo",
        "-t",
        "plural_demo_toxicity",
        "-o",
        tmp_path,
    )
    assert done.returncode == 1
    assert len(told(done.stderr)) == 1, done.stderr
    assert "vllm" in done.stderr


def test_prompts_and_tokens_need_no_weights(tiny_model: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(tiny_model, tmp_path / "bare"))
    (bare / "model.safetensors").unlink()
    args = {"dtype": "float32", "add_bos_token": True}
    without = load_prompter(ModelSpec("hf", {"pretrained": str(bare), **args}), device="cpu")
    loaded = load_engine(ModelSpec("hf", {"pretrained": str(tiny_model), **args}), batch_size=1, device="cpu")
    assert without
    for mode in ("rate", "respond"):
        assert without.uses_chat(mode) == loaded.uses_chat(mode)
    for chat in (True, False):
        prompt = without.context("Wie geht es dir?", chat=chat, description="Be kind.", gen_prefix="Well")
        assert prompt == loaded.context("Wie geht es dir?", chat=chat, description="Be kind.", gen_prefix="Well")
        assert without.length(prompt) == loaded.length(prompt) == len(loaded.lm.tok_encode(prompt))
    with pytest.raises(PluralError, match="cannot be loaded"):
        load_engine(without.spec, batch_size=1, device="cpu")


def test_special_tokens_that_a_tokenizer_adds_are_shown(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    template = json.loads((copy / "tokenizer.json").read_text())
    bos = AutoTokenizer.from_pretrained(copy).bos_token
    token = {"id": bos, "ids": [1], "tokens": [bos]}
    pieces = [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    template["post_processor"] = {
        "type": "TemplateProcessing",
        "single": pieces,
        "pair": [*pieces, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {bos: token},
    }
    (copy / "tokenizer.json").write_text(json.dumps(template))
    for folder, shown in ((tiny_model, "Hello ,  you"), (copy, f"{bos}Hello ,  you")):
        prompter = load_prompter(ModelSpec("hf", {"pretrained": str(folder)}), device="cpu")
        assert prompter
        assert prompter.shown(prompter.context("Hello ,  you", chat=False)) == shown


def test_where_nobody_here_can_count_there_is_no_number() -> None:
    args = {"model": "m", "base_url": "http://127.0.0.1:9/v1/chat/completions"}
    server = load_prompter(ModelSpec("local-chat-completions", args), device=None)
    assert server
    prompt = server.context("Hello", chat=True)
    assert (server.length(prompt), server.shown(prompt)) == (None, '[{"role": "user", "content": "Hello"}]')
    dummy = load_prompter(ModelSpec("dummy", {}), device=None)
    assert dummy
    assert dummy.length("Hello") is None
    assert load_prompter(ModelSpec("sglang", {"pretrained": "x"}), device=None) is None


def test_every_backend_of_lm_eval_is_known() -> None:
    for name in ("hf", "vllm", "sglang", "local-chat-completions", "local-completions", "dummy"):
        check_backend(name)
    with pytest.raises(UsageError):
        check_backend("nothing-like-it")


def test_the_dummy_backend_runs_unchanged(tmp_path: Path) -> None:
    rate = Path(__file__).parents[1] / "run" / "rate.yaml"
    assert (
        main(["run", "--model", "dummy", "-t", str(rate), "plural_demo_respond", "--limit", "3", "-o", str(tmp_path)])
        == 0
    )
