"""What a run would ask: the same prompts, tokens and requests as the run's, nothing written, missing data named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

import lm_plural as lp
from lm_plural.harness.cli.main import main

#: The demo's rate task without the limit on off-scale mass: random weights know no scale.
RATE = Path(__file__).parents[1] / "run" / "rate.yaml"
RESPOND = "plural_demo_respond"
STEERED = "plural_demo_toxicity_steer_gender"


def asked(model: Path, out: Path, **more: object) -> dict:
    args = {"pretrained": str(model), "dtype": "float32"}
    told = {"model_args": args, "tasks": [str(RATE), RESPOND], "output_path": out, "system_instruction": "Be kind."}
    return {**told, "limit": 3, **more}


def lines_of(folder: Path, task: str) -> list[dict]:
    return [json.loads(line) for line in (folder / f"samples_{task}.jsonl").read_text().splitlines()]


def test_what_is_previewed_is_what_is_asked(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = lp.preview(**asked(tiny_model, out))
    assert not out.exists()
    outcome = lp.evaluate(**asked(tiny_model, out), predict_only=True, batch_size=4)
    assert before.folder == outcome.folder
    encode = AutoTokenizer.from_pretrained(tiny_model).encode
    for task in before.tasks:
        lines = lines_of(outcome.folder, task.task)
        assert (task.items, task.requests, task.answered) == (3, len(lines), 0)
        assert task.tokens == sum(len(encode(line["arguments"][0][0])) for line in lines)
        assert task.prompts
        (line,) = (x for x in lines if x["doc_id"] == 0 and x["part"] == task.prompts[0].part)
        assert task.prompts[0].text == line["arguments"][0][0]
        assert "Be kind." in task.prompts[0].text
        assert list(task.prompts[0].labels) == (line["arguments"][0][1] if task.task == "rate" else [])
    after = {p: p.read_bytes() for p in outcome.folder.iterdir()}
    larger = lp.preview(**asked(tiny_model, out, limit=4))
    assert [(t.requests, t.answered) for t in larger.tasks] == [(16, 12), (8, 6)]
    assert [t.tokens for t in lp.preview(**asked(tiny_model, out)).tasks] == [0, 0]
    assert {p: p.read_bytes() for p in outcome.folder.iterdir()} == after
    assert repr(larger).splitlines()[1:] == ["rate: 4 of 16, 4 items", "plural_demo_respond: 2 of 8, 4 items"]


def test_a_steered_task_shows_both_ways_to_ask(tiny_model: Path, tmp_path: Path) -> None:
    (task,) = lp.preview(**asked(tiny_model, tmp_path, tasks=STEERED)).tasks
    assert task.prompts
    plain, steered = task.prompts
    assert (plain.part, steered.part) == ("levels/ascending", "levels/ascending/as man")
    said = "Answer as a person would who describes their gender as: man.\n\n"
    assert steered.text == plain.text.replace("Be kind.\n\n", f"Be kind.\n\n{said}")


def run(*more: object) -> int:
    return main(["run", "--model", "dummy", "--limit", "2", *map(str, more)])


def test_a_dry_run_prints_one_screen_and_makes_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-t", "plural_demo", "-o", tmp_path / "out", "--dry_run") == 0
    out, err = capsys.readouterr()
    assert not (tmp_path / "out").exists()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) <= 24
    assert lines[1].split() == ["task", "items", "requests", "answered", "to", "ask", "tokens"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[3:]}
    assert rows[RESPOND] == ["2", "4", "0", "4", "-"]
    assert rows["all"] == ["12", "60", "0", "60", "-"]
    assert "tokens: with dummy nobody can count them here" in lines
    assert "scorers needed: profanity" in lines


def test_data_that_are_missing_are_named_and_the_run_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LM_PLURAL_DATA_MIRROR", raising=False)
    words = ["-o", tmp_path / "out", "--predict_only"]
    named = ["-t", "plural_demo_toxicity", "crehate_hate", *words]
    assert run(*named) == 1
    refused = capsys.readouterr().err
    assert run(*named, "--dry_run") == 1
    out, err = capsys.readouterr()
    assert err == refused
    assert "not at hand: crehate (crehate_hate): lm-plural data fetch crehate\n" in out
    assert "\nplural_demo_toxicity" in out
    assert run("-t", "quick", *words, "--dry_run") == 0  # what a tag stands for is left out
    assert "not at hand: popquorn (popquorn_offensiveness): lm-plural data fetch popquorn\n" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_run_cannot_be_previewed_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more, words in (
        (["--axes", "gendr"], "no axis 'gendr'"),
        (["--gen_kwargs", "temperature=0"], "would be copies"),
        (["--model", "hf"], "--model hf needs --model_args pretrained="),
        (["--model", "hf", "--model_args", "pretrained=/no/model"], "/no/model"),
        (["--model", "hf", "--model_args", "pretrained=smollm2-demo", "--device", "nonsense"], "no such device"),
    ):
        code = run("-t", RESPOND, "-o", tmp_path / "out", *more)
        refused = capsys.readouterr().err
        assert run("-t", RESPOND, "-o", tmp_path / "dry", "--dry_run", *more) == code > 0
        assert capsys.readouterr().err.replace("/dry", "/out").splitlines()[-1] == refused.splitlines()[-1]
        assert words in refused
    assert not (tmp_path / "dry").exists()


def test_a_scorer_that_runs_code_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = Path(__file__).parents[2] / "tasks" / "plural_demo" / "respond.yaml"
    task = tmp_path / "coded.yaml"
    task.write_text(
        f"include: {base}\ntask: coded\nscorers: [{{name: evaluate, measurement: toxicity, dimension: toxicity}}]\n"
    )
    for more, said in (([], True), (["--trust_remote_code"], False)):
        assert run("-t", task, "-o", tmp_path / "out", "--dry_run", *more) == 0
        assert ("'evaluate' runs code: refused without --trust_remote_code" in capsys.readouterr().out) is said


def test_write_out_prints_the_first_prompts_and_then_runs(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", "hf", "--model_args", f"pretrained={tiny_model},dtype=float32"]
    assert run("-t", RESPOND, "-w", "--predict_only", "-o", tmp_path, *model) == 0
    (folder,) = tmp_path.iterdir()
    (first,) = (x for x in lines_of(folder, RESPOND) if x["doc_id"] == 0 and x["part"] == "0")
    prompt = first["arguments"][0][0]
    assert prompt.startswith("<|im_start|>")
    lines = [
        "content note: The careless reference responses are rude on purpose.",
        f"{RESPOND}, 0; prompt (starting on next line):",
        f"{prompt}\n(end of prompt on previous line)",
        "",
        f"answers are in {folder}",
    ]
    assert capsys.readouterr().out == "\n".join(lines) + "\n"
