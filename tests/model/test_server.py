"""Servers: a seed for each request, and only answers that can be read again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lm_plural.harness.hashing import digest
from tests.model.loopback import Answer, Asked, Loopback, Reply, answers, ask, by_seed, chat, journal, serving
from tests.suite import Suite


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving() as made:
        yield made


@pytest.fixture
def sampled(suite: Suite) -> Suite:
    """Six prompts, of which two have the same text, answered twice each."""
    suite.items = [
        {"item_id": f"i{n}", "prompt_id": f"p{n}", "text": f"text {max(n, 2)}", "lang": "en"} for n in range(1, 7)
    ]
    suite.ratings = "item_id,rater_id,harm\n" + "".join(f"i{i},r{r},{r}\n" for i in range(1, 7) for r in range(1, 5))
    return suite.respond(repeats=2, generation_kwargs={"do_sample": True, "temperature": 0.8}).write()


def seed_of(key: str) -> int:
    return int(digest([1234, key]), 16) % 2**31


@pytest.mark.parametrize("concurrent", [1, 4])
@pytest.mark.parametrize("kind", ["chat/completions", "completions"])
def test_every_request_has_the_seed_of_its_key(
    concurrent: int, kind: str, server: Loopback, sampled: Suite, tmp_path: Path, tiny_model: Path
) -> None:
    server.answer = by_seed
    args = {} if kind.startswith("chat") else {"tokenizer": tiny_model, "tokenizer_backend": "huggingface"}
    more = ("--batch_size", 3) if args else ()
    assert ask(sampled, server, tmp_path, "-x", *more, kind=kind, num_concurrent=concurrent, **args) == 0
    found = answers(tmp_path)
    assert len(found) == 12
    assert {key: int(text.split()[-1]) for key, text in found.items()} == {key: seed_of(key) for key in found}
    assert server.requests == 12
    assert server.most == concurrent


@pytest.mark.parametrize("concurrent", [1, 4])
def test_a_run_that_was_stopped_goes_on_to_the_same_answers(
    concurrent: int, server: Loopback, sampled: Suite, tmp_path: Path
) -> None:
    server.answer = by_seed
    assert ask(sampled, server, tmp_path / "whole", "-x") == 0
    server.requests = 0
    server.answer = lambda payload: by_seed(payload) if payload.number <= 5 else Reply(b"", 500)
    assert ask(sampled, server, tmp_path / "stopped", "-x", num_concurrent=concurrent) == 1
    assert 0 < len(answers(tmp_path / "stopped")) < 12
    server.answer = by_seed
    assert ask(sampled, server, tmp_path / "stopped", "-x", num_concurrent=concurrent) == 0
    assert answers(tmp_path / "stopped") == answers(tmp_path / "whole")


def test_a_request_that_is_tried_again_keeps_its_seed(server: Loopback, sampled: Suite, tmp_path: Path) -> None:
    tried: set[tuple[str, int]] = set()

    def unwilling(payload: Asked) -> Reply:
        this = (payload["messages"][-1]["content"], payload["seed"])
        if this in tried:
            return by_seed(payload)
        tried.add(this)
        return Reply(b"", 503)

    server.answer = unwilling
    assert ask(sampled, server, tmp_path, "-x", max_retries=2, num_concurrent=12) == 0
    assert len(tried) == 12
    for key, line in journal(tmp_path).items():
        assert line["filtered_resps"] == [f"{line['doc']['text']}, seed {seed_of(key)}"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('[{"type": "text", "text": "a "}, {"type": "text", "text": "reply"}]', "a reply"),
        ('[{"type": "thinking", "thinking": []}, {"type": "text", "text": "said"}]', "said"),
        ("null", None),
        ("[]", None),
        (r'"half \ud83d of one, \ud83d\ude00"', "half \ufffd of one, \U0001f600"),
        (r'[{"type": "text", "text": "\ud83d"}, {"type": "text", "text": "\ude00"}]', "\U0001f600"),
        ('"' + "x" * 5_000_000 + '"', "x" * 5_000_000),
    ],
)
@pytest.mark.parametrize("concurrent", [1, 2])
def test_what_a_server_may_say_is_a_text_or_null(
    concurrent: int, content: str, text: str | None, server: Loopback, suite: Suite, tmp_path: Path
) -> None:
    suite.respond().write()
    server.answer = lambda _payload: Reply(chat(content))
    assert ask(suite, server, tmp_path, "-x", "--limit", 1, num_concurrent=concurrent) == 0
    assert list(answers(tmp_path).values()) == [text]
    server.answer = lambda _payload: Reply(b"", 500)
    assert ask(suite, server, tmp_path, "-x", "--limit", 1) == 0


def test_replaced_characters_are_counted_in_the_results(
    server: Loopback, suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.respond().write()
    replies = iter([r'"\ud83d"', r'"\ud83d\ud83d"', '"fine"', '"fine"'])
    server.answer = lambda _payload: Reply(chat(next(replies)))
    assert ask(suite, server, tmp_path, "--tables", num_concurrent=1) == 0
    assert "note: 2 of 4 responses had 3 characters that are no Unicode" in capsys.readouterr().out


REPLIES = [
    (chat("42"), "content is 42; expected text"),
    (chat("true"), "content is True; expected text"),
    (chat('{"text": "a"}'), "expected text"),
    (chat("[1]"), "has the part 1; expected text"),
    (chat('[{"type": "image_url"}]'), "expected text"),
    (
        b'{"choices": [{"message": {"content": "a"}, "index": 0}, {"message": {"content": "b"}, "index": 1}]}',
        "2 choices",
    ),
    (b'{"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}', "not numbered"),
    (b'{"choices": {"0": {}}}', "no choices"),
    (b'{"choices": [null]}', "no choices"),
    (b'{"choices": [{"index": 0}]}', "no message"),
    (b'{"choices": [{"index": 0, "message": "hello"}]}', "no message"),
    (b"[" * 100_000, "RecursionError"),
    (b"null", "no choices"),
    ('{"choices": [{"message": {"content": "grün"}}]}'.encode("utf-16"), "failed to answer"),
]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line of error on stderr."""
    said = capsys.readouterr().err
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if "error: " in line]
    return line


@pytest.mark.parametrize(("reply", "words"), REPLIES)
def test_what_is_no_answer_is_one_line_and_the_same_command_goes_on(
    reply: bytes, words: str, server: Loopback, suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.respond().write()
    server.answer = lambda payload: Reply(chat('"fine"') if payload.number == 1 else reply)
    assert ask(suite, server, tmp_path, "-x", num_concurrent=2) == 1
    assert words in said(capsys)
    server.answer = lambda _payload: Reply(chat('"fine"'))
    assert ask(suite, server, tmp_path, "-x") == 0
    assert list(answers(tmp_path).values()) == ["fine"] * 4


def echoed(value: str) -> Answer:
    """Return a completions server that gives every token of the prompt a log-probability."""

    def answer(payload: Asked) -> Reply:
        prompts = payload["prompt"] if isinstance(payload["prompt"][0], list) else [payload["prompt"]]
        choices = []
        for n, tokens in enumerate(prompts):
            values, tops = ", ".join([value] * (len(tokens) + 1)), ", ".join(['{"a": -1}'] * (len(tokens) + 1))
            logprobs = f'{{"token_logprobs": [{values}], "top_logprobs": [{tops}]}}'
            choices.append(f'{{"index": {n}, "logprobs": {logprobs}}}')
        return Reply(f'{{"choices": [{", ".join(choices)}]}}'.encode())

    return answer


def rate(suite: Suite, server: Loopback, out: Path, model: Path) -> int:
    suite.task["elicitation"] = {"codings": ["levels"], "orders": ["ascending"]}
    suite.write()
    return ask(suite, server, out, "-x", kind="completions", tokenizer=model, tokenizer_backend="huggingface")


@pytest.mark.parametrize(("value", "written"), [("-1.5", -1.5), ("1e-6", 0.0), ("-Infinity", -1e4), ("0", 0.0)])
def test_log_probabilities_are_written_finite_and_up_to_0(
    value: str, written: float, server: Loopback, suite: Suite, tiny_model: Path, tmp_path: Path
) -> None:
    server.answer = echoed(value)
    assert rate(suite, server, tmp_path, tiny_model) == 0
    for found in answers(tmp_path).values():
        assert len(found) == 5
        assert all(v in (written, 2 * written, 3 * written) for v in found)  # of a label's tokens
    assert rate(suite, server, tmp_path, tiny_model) == 0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0.5", "expected a number up to 0"),
        ("Infinity", "the log-probability inf"),
        ("NaN", "the log-probability nan"),
        ("null", "cannot be read"),
        ("true", "no log-probabilities"),
        ('"-1"', "no log-probabilities"),
        ("{}", "no log-probabilities"),
        ("1" + "0" * 400, "expected a number up to 0"),
    ],
)
def test_log_probabilities_that_are_none_are_one_line(
    value: str,
    words: str,
    server: Loopback,
    suite: Suite,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.answer = echoed(value)
    assert rate(suite, server, tmp_path, tiny_model) == 1
    assert words in said(capsys)
    server.answer = echoed("-1.5")
    assert rate(suite, server, tmp_path, tiny_model) == 0


@pytest.mark.parametrize("more", [-1, 1])
def test_log_probabilities_of_other_tokens_than_those_asked_about_are_one_line(
    more: int, server: Loopback, suite: Suite, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = echoed("-1.5")

    def answer(payload: Asked) -> Reply:
        reply = json.loads(echo(payload).body)
        for held in (choice["logprobs"] for choice in reply["choices"][:1]):
            values = held["token_logprobs"]
            held["token_logprobs"] = [-1.5, *values] if more > 0 else values[1:]
        return Reply(json.dumps(reply).encode())

    server.answer = answer
    assert rate(suite, server, tmp_path, tiny_model) == 1
    assert "tokens; expected" in said(capsys)
    server.answer = echoed("-1.5")
    assert rate(suite, server, tmp_path, tiny_model) == 0


@pytest.mark.parametrize("reply", [b'{"choices": [{"index": 0}]}', b'{"choices": [{"index": 0, "logprobs": null}]}'])
def test_a_reply_without_log_probabilities_is_one_line(
    reply: bytes, server: Loopback, suite: Suite, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda _payload: Reply(reply)
    assert rate(suite, server, tmp_path, tiny_model) == 1
    assert "no log-probabilities of its tokens" in said(capsys)


def test_a_disk_that_is_full_for_a_while_loses_no_answer(
    server: Loopback, sampled: Suite, small_disk: Callable[[int], Path]
) -> None:
    """A journal that takes a part of a line must not go on after it."""
    disk = small_disk(256)
    filler = disk / "filler"

    def answer(payload: Asked) -> Reply:
        if server.requests == 1:
            free = os.statvfs(disk)
            filler.write_bytes(b"x" * (free.f_bavail - 5) * free.f_frsize)
        if server.requests > 12:
            filler.unlink(missing_ok=True)
        return Reply(chat(json.dumps(f"{payload['seed']} " + "words " * 600)))

    server.answer = answer
    assert ask(sampled, server, disk / "out", "-x", num_concurrent=2, max_retries=4) in (0, 1)
    assert server.requests > 12
    filler.unlink(missing_ok=True)
    assert ask(sampled, server, disk / "out", "-x") == 0
    assert {key: int(text.split()[0]) for key, text in answers(disk / "out").items()} == {
        key: seed_of(key) for key in answers(disk / "out")
    }
    assert len(answers(disk / "out")) == 12


def test_other_forms_of_replies_are_read_by_lm_evals_own_parsers() -> None:
    from lm_eval.models.sglang_generate_API import SGLANGGENERATEAPI

    from lm_plural.harness.model.server import NOTHING, prepare

    lm = SGLANGGENERATEAPI(base_url="http://127.0.0.1:9", model="m", tokenizer_backend=None)
    prepare(lm)
    assert lm.parse_generations(outputs={"text": "a reply"}, contexts=("c",)) == ["a reply"]
    assert lm.parse_generations(outputs={"text": None}, contexts=("c",)) == [NOTHING]
    with pytest.raises(ValueError, match="cannot be read"):
        lm.parse_generations(outputs={"choices": []}, contexts=("c",))
