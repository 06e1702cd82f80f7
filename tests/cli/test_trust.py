"""No file that is not code runs code: what a task, a recipe or a config may not turn on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from lm_plural.harness.cli.main import main
from tests.suite import Suite

Capture = pytest.CaptureFixture[str]
SCRIPT = """
import pathlib
import datasets
import evaluate

pathlib.Path({ran!r}).touch()


class Half(evaluate.Measurement):
    def _info(self):
        features = datasets.Features({{"data": datasets.Value("string")}})
        return evaluate.MeasurementInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, data):
        return {{"half": [0.5] * len(data)}}
"""


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A file that is there as soon as the script has run."""
    return tmp_path / "ran"


@pytest.fixture
def scripted(suite: Suite, tmp_path: Path, ran: Path) -> Suite:
    """A respond task that names a script."""
    script = tmp_path / "half.py"
    script.write_text(SCRIPT.format(ran=str(ran)))
    scorer = {"name": "evaluate", "measurement": str(script), "dimension": "harm"}
    return suite.respond(scorers=[scorer]).write()


def run(suite: Suite, *words: str) -> int:
    out = ["-o", str(suite.root.parent / "out")]
    return main(["run", "-M", "dummy", "-t", "tiny_rate", "--include_path", str(suite.root), *out, *words])


def refused(capsys: Capture, *expected: str) -> None:
    *_, line = capsys.readouterr().err.splitlines()
    assert all(word in line for word in expected), line


def test_a_script_that_a_task_names_runs_only_if_the_command_line_allows_it(
    scripted: Suite, ran: Path, capsys: Capture
) -> None:
    assert run(scripted) == 2
    refused(capsys, "error: scorer 'evaluate' runs the script of measurement", "half.py", "--trust_remote_code")
    assert not ran.exists()
    assert run(scripted, "--trust_remote_code") == 0
    assert ran.exists()
    (folder,) = (scripted.root.parent / "out").iterdir()
    capsys.readouterr()
    assert main(["score", str(folder)]) == 2
    refused(capsys, "runs the script of measurement")
    assert main(["score", str(folder), "--trust_remote_code"]) == 0


def test_an_audit_runs_a_script_only_if_it_is_allowed_to(scripted: Suite, ran: Path, capsys: Capture) -> None:
    script = scripted.task["scorers"][0]["measurement"]
    words = ["-t", "tiny_rate", "--include_path", str(scripted.root), "-o", str(scripted.root.parent / "out")]
    scorer = f"evaluate:measurement={script},dimension=harm"
    assert main(["audit", "--scorer", scorer, *words]) == 2
    refused(capsys, "runs the script of measurement")
    assert main(["audit", "--scorer", f"{scorer},trust_remote_code=True", *words]) == 2
    refused(capsys, "trust_remote_code is no option")
    assert not ran.exists()
    assert (
        main(["audit", "--scorer", scorer, "--text", "text", "--inference", "none", "--trust_remote_code", *words]) == 0
    )
    assert ran.exists()


def test_validate_says_what_would_run_code(scripted: Suite, ran: Path, capsys: Capture) -> None:
    assert scripted.validate() == 0
    (note,) = capsys.readouterr().err.splitlines()
    place = f"{scripted.task_path}:{scripted.line('- name: evaluate')}"
    assert note.startswith(f"lm-plural validate: note: {place}: runs code: scorer 'evaluate' (measurement='")
    assert note.endswith("refused without --trust_remote_code on the command line")
    assert not ran.exists()


def test_a_task_cannot_turn_it_on(scripted: Suite, ran: Path, capsys: Capture) -> None:
    scripted.task["scorers"][0]["trust_remote_code"] = True
    assert scripted.write().validate() == 2
    assert "only --trust_remote_code on the command line turns it on" in capsys.readouterr().out
    assert run(scripted, "--trust_remote_code") == 2
    assert not ran.exists()


@pytest.mark.parametrize(
    "config",
    [
        {"trust_remote_code": True},
        {"trust_remote_code": False},
        {"model_args": {"pretrained": "x", "trust_remote_code": True}},
        {"model_args": "pretrained=x,trust_remote_code=True"},
        {"model_args": ["pretrained=x", "trust_remote_code=True"]},
        {"model_args": ['{"pretrained": "x", "trust_remote_code": true}']},
        {"gen_kwargs": {"custom_generate": "x", "trust_remote_code": True}},
    ],
)
def test_a_config_file_cannot_turn_it_on(scripted: Suite, config: dict, capsys: Capture) -> None:
    path = scripted.root / "config.yml"
    path.write_text(yaml.safe_dump(config))
    assert run(scripted, "--config", str(path)) == 2
    refused(capsys, f"{path}:1: only --trust_remote_code on the command line can allow code to run")


@pytest.mark.parametrize(
    "kwargs",
    [
        {"custom_generate": "FOLDER", "trust_remote_code": True},
        {"extra_body": {"trust_remote_code": True}},
        {"custom_logit_processor": "gASV"},
        {"logits_processors": ["os.system"]},
        {"api_base": "http://example.org"},
        {"base_url": "http://example.org"},
        {"extra_headers": {"x": "y"}},
        {"api_key": "k"},
    ],
)
def test_generation_arguments_of_a_task_name_no_code_and_no_address(
    suite: Suite, tiny_model: Path, tmp_path: Path, ran: Path, kwargs: dict, capsys: Capture
) -> None:
    folder = tmp_path / "custom"
    (folder / "custom_generate").mkdir(parents=True)
    (folder / "custom_generate" / "generate.py").write_text(
        f"import pathlib\n\n\ndef generate(model, **kwargs):\n    pathlib.Path({str(ran)!r}).touch()\n"
    )
    kwargs = {k: str(folder) if v == "FOLDER" else v for k, v in kwargs.items()}
    suite.respond(generation_kwargs={"max_gen_toks": 4, **kwargs}).write()
    words = ["run", "--model_args", f"pretrained={tiny_model}", "-t", "tiny_rate", "--include_path", str(suite.root)]
    assert main([*words, "-o", str(tmp_path / "out"), "--device", "cpu"]) == 2
    refused(capsys, "generation_kwargs", "is not for a task to say; whoever runs it may, by --gen_kwargs")
    assert not ran.exists()


@pytest.mark.parametrize(
    "value", ["!!python/object/apply:os.system ['touch RAN']", "!function os.system", "!!python/name:os.system"]
)
@pytest.mark.parametrize("file", ["task_path", "recipe_path"])
def test_a_tag_in_yaml_runs_nothing(suite: Suite, file: str, value: str, ran: Path, capsys: Capture) -> None:
    path: Path = getattr(suite.write(), file)
    path.write_text(path.read_text() + f"x: {value.replace('RAN', os.fspath(ran))}\n")
    assert suite.validate(str(suite.task_path)) == 2
    assert "could not determine a constructor for the tag" in capsys.readouterr().out
    assert not ran.exists()


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, ran: Path) -> None:
        self.ran = ran

    def __reduce__(self) -> object:
        return os.system, (f"touch {self.ran}",)


def test_pickled_steering_vectors_are_refused(suite: Suite, tiny_model: Path, ran: Path, capsys: Capture) -> None:
    import torch

    path = ran.with_suffix(".pt")
    torch.save(Command(ran), path)
    words = ["-M", "steered", "--model_args", f"pretrained={tiny_model},steer_path={path}"]
    assert run(suite.write(), *words) == 2
    refused(capsys, "a pickle, which can run code; give a .csv, or --trust_remote_code")
    assert not ran.exists()


def test_pickled_weights_of_an_adapter_run_nothing(
    suite: Suite, tiny_model: Path, tmp_path: Path, ran: Path, capsys: Capture
) -> None:
    import torch
    from peft import LoraConfig

    LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM").save_pretrained(tmp_path / "lora")
    torch.save({"x": Command(ran)}, tmp_path / "lora" / "adapter_model.bin")
    words = ["--model_args", f"pretrained={tiny_model},peft={tmp_path / 'lora'}", "--device", "cpu"]
    assert main(["run", "-t", "tiny_rate", "--include_path", str(suite.write().root), "-o", str(tmp_path), *words]) == 1
    refused(capsys, "cannot be loaded: UnpicklingError")
    assert not ran.exists()
