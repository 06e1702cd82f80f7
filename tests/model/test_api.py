"""The API path against real servers on loopback: transformers' own, and one that fails in every way."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.model.loopback import Answer, Asked, Loopback, Reply, chat, serving
from tests.stderr import told


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="module")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of ``transformers serve`` with the tiny model."""
    port, log = free_port(), tmp_path_factory.mktemp("serve") / "log"
    transformers = Path(sys.executable).with_name("transformers")
    with log.open("w") as out:
        server = subprocess.Popen(
            [transformers, "serve", str(tiny_model), "--port", str(port), "--host", "127.0.0.1", "--device", "cpu"],
            stdout=out,
            stderr=out,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, log.read_text()[-2000:]
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1/chat/completions"
    finally:
        server.terminate()
        server.wait(20)


def api_run(command: Callable, url: str, model: str, out: Path, *more: object) -> subprocess.CompletedProcess[str]:
    args = f"model={model},base_url={url},max_retries=1,timeout=5,num_concurrent=2"
    base = ["run", "--model", "local-chat-completions", "--model_args", args, "-t", "plural_demo_respond", "-o", out]
    return command(*base, "--gen_kwargs", "max_gen_toks=8", "--limit", 3, *more)


def journal(out: Path) -> list[dict]:
    return [json.loads(line) for p in out.glob("*/samples_*.jsonl") for line in p.read_text().splitlines()]


def test_respond_task_through_a_real_chat_server(
    command: Callable, served: str, tiny_model: Path, tmp_path: Path
) -> None:
    done = api_run(command, served, str(tiny_model), tmp_path, "--tables")
    assert done.returncode == 0, done.stderr
    lines = journal(tmp_path)
    assert len(lines) == 3 * 2
    assert all(isinstance(line["filtered_resps"][0], str) for line in lines)
    assert "profanity.toxicity: 6 responses" in done.stdout


def test_a_rate_task_says_that_chat_servers_give_no_log_likelihoods(
    command: Callable, served: str, tiny_model: Path, tmp_path: Path
) -> None:
    args = f"model={tiny_model},base_url={served}"
    done = command(
        "run", "--model", "local-chat-completions", "--model_args", args, "-t", "plural_demo_toxicity", "-o", tmp_path
    )
    one_line(done, "no log-likelihoods")


def one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert len(told(done.stderr)) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def kind(_payload: Asked) -> Reply:
    return Reply(chat('"a kind reply"'))


def silence(_payload: Asked) -> None:
    time.sleep(8)


FAULTS: dict[str, Answer] = {
    "too_many": lambda _: Reply(b'{"error": "slow down"}', 429),
    "broken": lambda _: Reply(b"internal error", 500),
    "garbage": lambda _: Reply(b"<html>welcome</html>"),
    "other_json": lambda _: Reply(b'{"hello": "world"}'),
    "nothing": lambda _: None,
    "silence": silence,
}


@contextmanager
def faulty(good: int, fault: Answer) -> Iterator[Loopback]:
    """Serve `good` requests well, and fail the others once the good answers are there: several are asked at once."""

    def answer(payload: Asked) -> Reply | None:
        if payload.number <= good:
            return kind(payload)
        time.sleep(0.5)
        return fault(payload)

    with serving(answer) as server:
        yield server


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_server_is_one_line_and_nothing_is_lost(fault: str, command: Callable, tmp_path: Path) -> None:
    with faulty(3, FAULTS[fault]) as server:
        one_line(api_run(command, server.url(), "m", tmp_path), server.url())
        before = journal(tmp_path)
        assert len(before) == 3
        server.answer = kind
        done = api_run(command, server.url(), "m", tmp_path)
    assert done.returncode == 0, done.stderr
    after = journal(tmp_path)
    assert after[: len(before)] == before
    assert len(after) == len({line["key"] for line in after}) == 6


def test_a_server_that_is_not_there_is_one_line(command: Callable, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/chat/completions"
    one_line(api_run(command, url, "m", tmp_path), url)


def test_an_empty_answer_is_unscored_not_zero(command: Callable, tmp_path: Path) -> None:
    with faulty(4, lambda _: Reply(chat("null"))) as server:
        done = api_run(command, server.url(), "m", tmp_path, "--tables")
    assert done.returncode == 0, done.stderr
    assert "6 responses, 2 unscored" in done.stdout
    (results,) = tmp_path.glob("*/results_*.json")
    overall = json.loads(results.read_text())["disaggregated"]["plural_demo_respond"]["overall"]
    assert overall["n_empty"] == 2
    assert overall["n_unscored"] == {"profanity.toxicity": 2}
