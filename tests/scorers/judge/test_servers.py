"""Judges behind servers on loopback: probabilities in batches, answers drawn where there are none, stops and faults."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lm_plural as lp
from lm_plural.harness.analysis.overview import html_of, text_of
from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError
from lm_plural.harness.scoring import Sample, checked_scores, make_scorer
from lm_plural.scorers.judge.judge import MORE, label_of
from tests.conftest import ROOT
from tests.model.loopback import Answer, Asked, Loopback, Reply, chat, serving
from tests.scorers.judge.scripted import Says, at, places_of

LABELS = list("12345")


def by_length(text: str, places: list[int]) -> Any:
    """Judge by the characters of the reply."""
    reply = re.findall(r"replied:\n(.*?)\n\n|geantwortet:\n(.*?)\n\n", text, re.S)[0]
    return at(len("".join(reply)) % 5, places)


def with_probabilities(says: Says, model: Path) -> Answer:
    """Return a completions server that gives the last token of a prompt, a label, its probability."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)

    def answer(payload: Asked) -> Reply:
        prompts = payload["prompt"] if isinstance(payload["prompt"][0], list) else [payload["prompt"]]
        choices = []
        for n, tokens in enumerate(prompts):
            text, label = tokenizer.decode(tokens[:-1]), tokenizer.decode(tokens[-1:])
            p = says(text, places_of(text, LABELS))[LABELS.index(label)]
            values = [*[-1.0] * (len(tokens) - 1), math.log(p), -1.0]
            tops = [{"a": -0.5}] * len(values)
            choices.append({"index": n, "text": "", "logprobs": {"token_logprobs": values, "top_logprobs": tops}})
        return Reply(json.dumps({"choices": choices}).encode())

    return answer


def words_for(server: Loopback, model: Path, folder: Path, *more: object) -> list[str]:
    args = f"model=m,base_url={server.url('completions')},tokenizer={model},tokenizer_backend=huggingface"
    speed = "batch_size=16,num_concurrent=4,max_retries=1,timeout=20"
    given = ["--model", "local-completions", "--model_args", f"{args},{speed}", "--limit", "1"]
    return ["judge", "check", *given, "--rubrics", "toxicity,helpfulness", "-o", str(folder), *map(str, more)]


def scores(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the score records of a check by scorer and text, none twice."""
    lines = [
        json.loads(line) for path in folder.glob("*/scores_contrast.jsonl") for line in path.read_text().splitlines()
    ]
    found = {f"{line['scorer']} {line['item_id']}": line for line in lines}
    assert len(found) == len(lines)
    return found


def values(folder: Path) -> dict[str, Any]:
    return {key: (line["scores"], line["more"]) for key, line in scores(folder).items()}


def test_probabilities_of_a_server_come_in_batches_side_by_side(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, sizes = with_probabilities(by_length, tiny_model), list[int]()

    def counted(payload: Asked) -> Reply | None:
        sizes.append(len(payload["prompt"]))
        return answer(payload)

    with serving(counted) as server:
        assert main(words_for(server, tiny_model, tmp_path)) == 0
        assert server.most > 1
    texts = 2 * (5 * 4 + 2 * 2)
    assert sum(sizes) == texts * 2 * 2 * 5  # rubrics, orders, labels
    assert max(sizes) == 16
    found = scores(tmp_path)
    assert len(found) == 2 * texts
    for line in found.values():
        assert line["more"]["label_mass"] == pytest.approx(0.95)
        assert line["more"]["refused"] is None
        assert 0 < line["scores"].popitem()[1] < 1
    assert "between dimensions (en): |r| 1.00" in capsys.readouterr().out  # length is all it looks at


def test_a_check_that_is_killed_goes_on_where_it_was(tiny_model: Path, tmp_path: Path) -> None:
    answer = with_probabilities(by_length, tiny_model)
    process: list[subprocess.Popen[bytes]] = []

    def fatal(payload: Asked) -> Reply | None:
        if payload.number > 90:  # of 120; 80 ask for the first 64 texts
            process[0].send_signal(signal.SIGKILL)
            return None
        return answer(payload)

    with serving(fatal) as server:
        command = [sys.executable, "-m", "lm_plural", *words_for(server, tiny_model, tmp_path / "killed", "--limit", 2)]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        process[0].communicate(timeout=300)
        assert process[0].returncode == -signal.SIGKILL
        kept = scores(tmp_path / "killed")
        assert len(kept) == 2 * 64
        before, server.answer = server.requests, answer
        assert main(words_for(server, tiny_model, tmp_path / "killed", "--limit", 2)) == 0
        assert server.requests - before == 40
        before = server.requests
        assert main(words_for(server, tiny_model, tmp_path / "killed", "--limit", 2)) == 0
        assert server.requests == before
        assert main(words_for(server, tiny_model, tmp_path / "whole", "--limit", 2)) == 0
    assert values(tmp_path / "killed") == values(tmp_path / "whole")
    assert kept.items() <= scores(tmp_path / "killed").items()


def says(*contents: str | None) -> tuple[Answer, list[Asked]]:
    """Return a chat server that says one after the other, and what it was asked."""
    asked: list[Asked] = []

    def answer(payload: Asked) -> Reply:
        asked.append(payload)
        return Reply(chat(json.dumps(contents[(payload.number - 1) % len(contents)])))

    return answer, asked


def drawn(server: Loopback, samples: int | None = 4, **more: Any) -> Any:
    args = {"model": "m", "base_url": server.url(), "max_retries": 1, "num_concurrent": 1, "timeout": 20}
    given = {} if samples is None else {"samples": samples}
    options = {"rubric": "toxicity", "model": "local-chat-completions", "model_args": args}
    return make_scorer("judge", {**options, **given, **more})


def test_answers_are_drawn_where_somebody_says_so() -> None:
    answer, asked = says("5", "(5)", "4", "I would rather not say", "1", "1.", "2", "")
    with serving(answer) as server:
        judge = drawn(server)
        (row,) = checked_scores(judge, [Sample("How?", "So.", id="1", language="en")])
    found = dict(zip(("score", *MORE), row, strict=True))
    ascending, descending = (1 + 1 + 0.75) / 3, (1 + 1 + 0.75) / 3
    assert found["ascending"] == pytest.approx(ascending)
    assert found["descending"] == pytest.approx(descending)
    assert found["score"] == pytest.approx((ascending + descending) / 2)
    assert found["label_mass"] == 0.75
    assert found["refused"] == pytest.approx(0.125)  # one of eight is empty
    assert len(asked) == 8
    assert len({a["seed"] for a in asked}) == 8
    assert {(a["temperature"], a["max_tokens"]) for a in asked} == {(1.0, 16)}
    first, last = asked[0]["messages"][-1]["content"], asked[-1]["messages"][-1]["content"]
    assert first.endswith("Choose one answer and write nothing else: 1, 2, 3, 4, 5")
    assert "1 = strongly disagree" in first
    assert "1 = strongly agree" in last


@pytest.mark.parametrize(
    ("contents", "mass", "refused"),
    [
        (("I cannot judge this.", "7", "1 or 2", "-1"), 0, 0),
        (("", None, " ", "<think>hm"), 0, 1),
    ],
    ids=["off scale", "refuses"],
)
def test_a_judge_that_gives_no_answer_gives_no_number(
    contents: tuple[str | None, ...], mass: float, refused: float
) -> None:
    with serving(says(*contents)[0]) as server:
        (row,) = checked_scores(drawn(server), [Sample("How?", "So.")])
    assert np.isnan(row[0])
    assert row[1 + MORE.index("label_mass")] == mass
    assert row[1 + MORE.index("refused")] == refused


def test_the_way_of_asking_is_part_of_the_version() -> None:
    with serving(says("3")[0]) as server:
        versions = {
            drawn(server, **k).info.version for k in ({}, {"samples": 5}, {"max_gen_toks": 400}, {"samples": None})
        }
    assert len(versions) == 4


def test_the_same_answers_are_drawn_again() -> None:
    """A server that heeds the seed is asked with the same ones, whatever stands beside the text."""

    def by_seed(payload: Asked) -> Reply:
        return Reply(chat(json.dumps(str(1 + payload["seed"] % 5))))

    one, other = Sample("How?", "So.", id="1"), Sample("What?", "That.", id="2")
    with serving(by_seed) as server:
        alone, beside = checked_scores(drawn(server), [one]), checked_scores(drawn(server), [other, one])
    np.testing.assert_array_equal(alone[0], beside[1])
    assert not np.array_equal(beside[0], beside[1])


def test_nothing_is_drawn_unasked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer, asked = says("5")
    with serving(answer) as server:
        with pytest.raises(
            PluralError, match=r"judge:toxicity: model 'm' gives no log-probabilities .*option samples=5"
        ):
            checked_scores(drawn(server, None), [Sample("How?", "So.")])
        words = ["judge", "check", "--model", "local-chat-completions", "--rubrics", "toxicity", "--limit", "1"]
        words += ["--model_args", f"model=m,base_url={server.url()},num_concurrent=4", "-o", str(tmp_path)]
        assert main(words) == 1
        assert "samples=5" in capsys.readouterr().err
        assert asked == []
        assert main([*words, "--samples", "2"]) == 0
        assert len(asked) == 48 * 2 * 2
    found = scores(tmp_path)
    assert len(found) == 48
    assert {line["more"]["label_mass"] for line in found.values()} == {1}
    assert "constant: toxicity (en)" in capsys.readouterr().out  # agreement by one order, its opposite by the other


@pytest.mark.parametrize("logprobs", [None, {}, {"token_logprobs": None}])
def test_a_completions_server_that_keeps_them_to_itself(logprobs: Any, tiny_model: Path) -> None:
    choice = {"index": 0, "text": "3", "logprobs": logprobs}
    with serving(lambda _: Reply(json.dumps({"choices": [choice]}).encode())) as server:
        args = {"model": "m", "base_url": server.url("completions"), "max_retries": 1, "tokenizer": str(tiny_model)}
        args |= {"tokenizer_backend": "huggingface"}
        options = {"rubric": "toxicity", "model": "local-completions", "model_args": args}
        with pytest.raises(PluralError, match=r"gives no log-probabilities of labels; with the option samples=5"):
            checked_scores(make_scorer("judge", options), [Sample("How?", "So.")])
        (row,) = checked_scores(make_scorer("judge", {**options, "samples": 3}), [Sample("How?", "So.")])
    assert row[0] == 0.5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10", 2),
        (" (1).", 0),
        ("Strongly Agree", 3),
        ("**5**", 1),
        ("Answer: (10)", 2),
        ("answer 5", 1),
        ("1 = strongly disagree", 0),
        ("<think>1, or 10?\n</think>\n\n5", 1),
        ("1.5", None),
        ("-1", None),
        ("1 or 10", None),
        ("15", None),
        ("I give it a 5", None),
        ("<think>5", None),
        ("", None),
        (None, None),
    ],
)
def test_an_answer_is_a_label_or_nothing(text: str | None, found: int | None) -> None:
    assert label_of(text, ["1", "5", "10", "strongly agree"], ["Answer: ("]) == found


def judged_by(monkeypatch: pytest.MonkeyPatch, folder: Path, judge: Callable[[], Any], **model: Any) -> dict[str, Any]:
    """Return what is said over all prompts of the dummy's responses by a judge."""
    monkeypatch.setattr("lm_plural.harness.run.score.make_scorers", lambda _s, asked, **_: [(asked[0], judge())])
    outcome = lp.evaluate(
        tasks=["plural_demo_respond"], limit=6, draws=100, output_path=folder, scorers=["profanity"], **model
    )
    return dict(outcome.content["disaggregated"]["plural_demo_respond"])


def test_a_model_that_judges_itself_is_named_wherever_it_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By what a server calls it: here the model under test answers at the same place."""

    def answer(payload: Asked) -> Reply:
        asked = payload["messages"][-1]["content"]
        judged = "Choose one answer" in asked
        return Reply(chat(json.dumps(str(1 + len(asked) % 5) if judged else f"Well, {len(asked)}.")))

    with serving(answer) as server:
        args = {"model": "m", "base_url": server.url(), "num_concurrent": 4, "max_retries": 1}
        model = {"model": "local-chat-completions", "model_args": args}
        own = judged_by(monkeypatch, tmp_path / "own", lambda: drawn(server), **model)
        (folder,) = (tmp_path / "own").iterdir()
        capsys.readouterr()
        assert main(["score", str(folder), "--show_unfit"]) == 0
        screen = capsys.readouterr().out
        stranger = lambda: drawn(server, model_args=args | {"model": "n"})  # noqa: E731
        other = judged_by(monkeypatch, tmp_path / "other", stranger, **model)
    judge = own["overall"]["judges"]["judge:toxicity"]
    assert judge["self_judged"] is True
    assert judge["model"] == {"name": "m", "weights": None}
    assert judge["unscored"] == {"off_scale": 0, "refused": 0, "not_asked": 0}
    note = "SELF-JUDGED: the model judged its own responses (judge:toxicity)"
    assert note in own["notes"]
    assert other["overall"]["judges"]["judge:toxicity"]["self_judged"] is False
    assert not [n for n in other["notes"] if n.startswith("SELF-JUDGED")]
    assert main(["show", str(folder)]) == 0
    tables = capsys.readouterr().out
    assert all(note in " ".join(text.split()) for text in (screen, tables))
    assert "judge:toxicity: 12 responses, 0 unscored, k = 2\n" in tables
    assert "  SELF-JUDGED: the scorer is the model whose responses these are" in tables
    assert note in text_of(own, "plural_demo_respond")
    assert note in html_of(own, "plural_demo_respond")
