"""Command lines as newcomers and users of lm-eval write them: one line that says what to write instead."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.cli.options import parse_axes
from lm_plural.harness.errors import UsageError
from lm_plural.harness.model.needs import EXTRAS, missing_extra

Capture = pytest.CaptureFixture[str]
TASK = "plural_demo_toxicity"
RUN = f"run -M dummy -t {TASK} -o out"


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.chdir(tmp_path)


def refused(line: str, capsys: Capture, code: int = 2) -> str:
    """Run a wrong command line and return its one line, without the name of the verb; it must leave nothing behind."""
    assert main(shlex.split(line)) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert [p.name for p in Path().iterdir() if p.name not in ("file", "c.yaml")] == []
    return err.split(": error: ", 1)[1].rstrip("\n")


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--use_cache db", "answers are kept in --output_path, and the same command goes on"),
        ("-c db", "answers are kept in --output_path"),
        ("--cache_requests true", "prompts are made anew"),
        ("--check_integrity", "lm-plural validate checks tasks"),
        ("--show_config", "run.json in --output_path holds it"),
        ("--wandb_args project=x", "results are JSON in --output_path"),
        ("--trackio_args project=x", "results are JSON in --output_path"),
        ("--hf_hub_log_args token=x", "nothing is uploaded"),
        ("--fewshot_as_multiturn", "tasks have no examples"),
        ("--confirm_run_unsafe_code", "tasks run no code"),
        ("--metadata {}", "in its YAML file"),
        ("--num_fewshot 5", "'5': tasks have no examples; leave it out"),
        ("-f many", "'many': tasks have no examples"),
        ("--apply_chat_template chatml", "'chatml' is not true or false"),
        ("--seed None,None,None,None", "is not a whole number from 0 on, nor four of them"),
        ("--seed 99999999999999999999", "is not a whole number from 0 on"),
        ("--seed ²", "is not a whole number from 0 on"),
        ("--draws 99", "'99' is not a whole number from 100 to 1000000"),
        ("--draws 99999999999999", "is not a whole number from 100 to 1000000"),
        ("--permutations -1", "'-1' is not a whole number from 1 to 1000000"),
        ("--permutations 99999999999999", "is not a whole number from 1 to 1000000"),
        ("--min_raters_interval 0", "'0' is not a whole number from 2 on"),
        ("--limit 1e400", "'1e400' is not a positive count"),
        ("--axes ,", "',' names nothing"),
        ("--axes ''", "'' names nothing"),
        ("--axes gendr", "no axis 'gendr'; did you mean 'gender'?"),
        ("--strata gendr", "no axis 'gendr'; did you mean 'gender'?"),
        ("--samples '[1]'", 'expected a JSON object of lists, {"task": [0, 5]}'),
        ("--samples null", "expected a JSON object of lists"),
        ("--samples " + "[" * 100_000, "expected a JSON object of lists"),
        (f"--samples '{{\"{TASK}\": {{}}}}'", "expected a JSON object of lists"),
        (f"--samples '{{\"{TASK}\": []}}'", "expected a JSON object of lists"),
        (f"--samples '{{\"{TASK}\": [true]}}'", "expected whole numbers from 0 on"),
        (f"--samples '{{\"{TASK}\": [-1]}}'", "expected whole numbers from 0 on"),
        ("""--model_args '{"a": NaN}'""", "--model_args: not valid JSON"),
        ("""--gen_kwargs '{"a": 1e999}'""", "--gen_kwargs: not valid JSON"),
    ],
)
def test_a_run_that_cannot_be_is_refused_at_once(flag: str, expected: str, capsys: Capture) -> None:
    if flag.startswith(("--axes gendr", "--strata gendr")):  # known once the data are read, and the folder is there
        assert main(shlex.split(f"{RUN} {flag}")) == 2
        assert expected in capsys.readouterr().err
    else:
        assert expected in refused(f"{RUN} {flag}", capsys)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("hf", "pretrained=NAME_OR_FOLDER"),
        ("huggingface", "pretrained=NAME_OR_FOLDER"),
        ("hf -a pretrained= dtype=float16", "pretrained=NAME_OR_FOLDER"),
        ("vllm", "pretrained=NAME_OR_FOLDER"),
        ("sglang", "pretrained=NAME_OR_FOLDER"),
        ("local-chat-completions", "model=NAME,base_url=http://localhost:8000/v1/chat/completions"),
        ("local-chat-completions -a model=x", "base_url=http://localhost:8000/v1/chat/completions"),
        ("local-completions -a base_url=http://x", "model=NAME"),
        ("local-completions -a pretrained=x", "base_url=http://localhost:8000/v1/completions"),
        ("openai-chat-completions", "model=NAME"),
        ("anthropic-chat", "model=NAME"),
    ],
)
def test_a_model_that_nobody_named_is_asked_for(model: str, expected: str, capsys: Capture) -> None:
    backend = model.split()[0]
    assert refused(f"run -t {TASK} -M {model}", capsys) == f"--model {backend} needs --model_args {expected}"


def test_a_backend_whose_package_is_missing_names_our_extra(capsys: Capture) -> None:
    assert main(shlex.split(f"run -t {TASK} -M vllm -a pretrained=smollm2-demo --limit 1 -o out")) == 1
    assert capsys.readouterr().err.endswith('cannot be loaded: vllm not installed: pip install "lm-plural[vllm]"\n')


@pytest.mark.parametrize(
    ("message", "extra"),
    [
        ("Attempted to use an API model, but ['tenacity'] are not installed: `pip install lm-eval[api]`", "api"),
        ("No module named 'peft'", "peft"),
        ("Please install torch and gguf>=0.10.0 to load a GGUF checkpoint in PyTorch.", "demo"),
    ],
)
def test_what_lm_eval_or_transformers_lack_is_in_an_extra_of_ours(
    message: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXTRAS, extra, (*EXTRAS[extra], "no_such_package"))
    for package in EXTRAS[extra]:
        if package in message:
            monkeypatch.setattr(
                "lm_plural.harness.model.needs.find_spec", lambda name, absent=package: None if name == absent else name
            )
    assert f'pip install "lm-plural[{extra}]"' in str(missing_extra(ModuleNotFoundError(message)))
    assert missing_extra(ValueError(message)) is None
    assert missing_extra(ModuleNotFoundError("No module named 'mamba_ssm'")) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{RUN}/x".replace("-o out", "-o file"), "file/x: cannot write: "),
        (RUN.replace("-o out", "-o file"), "file: cannot write: file is a file; expected a folder"),
        (RUN.replace("-o out", f"-o {'x' * 300}"), "cannot write: File name too long"),
        (f"audit --scorer profanity -t {TASK} --text response -o file", "file: cannot write: file is a file"),
        ("plan --gap 1 --rater_sd 1 --residual_sd 1 --item_sd 1 -o .", ".: cannot write: a folder; expected a file"),
        ("plan --gap 1 --rater_sd 1 --residual_sd 1 --item_sd 1 -o file/x", "file: cannot write: file is a file"),
        ("disaggregate --ratings none --scale 1,2 -o .", ".: cannot write: a folder; expected a file"),
        ("disaggregate --ratings none --scale 1,2 -o ''", ".: cannot write: a folder; expected a file"),
        ("disaggregate --ratings none --scale 1,2 --plots file", "file: cannot write: file is a file"),
        ("data import none --to file", "file: cannot write: file is a file"),
    ],
)
def test_a_place_for_results_is_looked_at_first(line: str, expected: str, capsys: Capture) -> None:
    assert expected in refused(line, capsys, code=1)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("data show plural_demo --axes gender", "unknown option --axes of this verb"),
        ("run --metdata x", "unknown option --metdata"),
        ("data import file --columns item_id=a item_id=b", "--columns item_id=b: item_id is already a"),
        (
            "disaggregate --ratings file --scale 1,2 --columns item_id=a rater_id=a",
            "column 'a' would be item_id and rater",
        ),
    ],
)
def test_a_word_in_the_wrong_place_is_one_line(line: str, expected: str, capsys: Capture) -> None:
    assert expected in refused(line, capsys)


def test_cells_are_the_same_in_any_order_and_spacing() -> None:
    assert parse_axes(["a*b", "b*a", "c", " a * b ", "b"]) == [("a", "b"), "c", "b"]
    with pytest.raises(UsageError, match=r"--axes a \* a: cells need two"):
        parse_axes(["a * a"])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("limit: .inf", "c.yaml:1: --limit/-L: 'inf' is not a positive count"),
        ("device: !!binary aGVsbG8=", "c.yaml:1: --device: expected one value, found a piece of binary data"),
        ("tasks: !!set {a, b}", "c.yaml:1: --tasks: expected one value, found a set"),
        ("tasks: !!omap [a: 1]", "c.yaml:1: --tasks: expected one value, found a tuple"),
        ("tasks: [null]", "c.yaml:1: --tasks: expected one value, found a null"),
        ("\nmodel_args: {a: .inf}", "c.yaml:2: --model_args: expected text, finite numbers"),
        ("model_args: {a: [!!set {x}]}", "c.yaml:1: --model_args: expected text, finite numbers"),
        ("model_args: {a: !!binary aGk=}", "c.yaml:1: --model_args: expected text, finite numbers"),
        ("seed: 0x" + "f" * 5000, "c.yaml:1: not valid YAML: '0xfff"),
        ("model_args: {a: 0x" + "f" * 5000 + "}", "c.yaml:1: not valid YAML: '0xfff"),
        ("wandb_args: {project: x}", "c.yaml:1: --wandb_args/--wandb_config_args/--trackio_args: leave it out"),
        ("num_fewshot: 5", "c.yaml:1: --num_fewshot/-f: '5': tasks have no examples"),
        ("samples: [1]", "c.yaml:1: --samples: expected one value, found a list"),
        (f"samples: {{{TASK}: [x]}}", "--samples"),
        ("x: 1\n" * 2, "c.yaml:2: key 'x' is given twice"),
        ("? [a]\n: 1", "c.yaml:1: not valid YAML: found unhashable key"),
        ("2024-01-01: 1", "c.yaml:1: unknown key"),
    ],
)
def test_a_config_with_values_that_no_option_takes_is_one_line(config: str, expected: str, capsys: Capture) -> None:
    Path("c.yaml").write_text(config)
    assert expected in refused(f"{RUN} --config c.yaml", capsys)


def test_a_config_of_lm_eval_with_nothing_in_its_own_keys_is_fine() -> None:
    samples = f"samples: {{{TASK}: [0]}}\nmodel_args: {{day: 2024-01-01}}\ninference: none"
    Path("c.yaml").write_text(f"use_cache: null\nwrite_out: false\nwandb_args: {{}}\nnum_fewshot: 0\n{samples}\n")
    assert main([*RUN.split(), "--predict_only", "--config", "c.yaml"]) == 0
    (run,) = Path("out").glob("*/run.json")
    assert json.loads(run.read_text())["model_args"] == {"day": "2024-01-01"}
