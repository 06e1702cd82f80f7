"""A real server on loopback whose replies a test chooses, and a tiny task to ask it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lm_plural.harness.cli.main import main
from tests.suite import Suite

#: From the JSON of a request to a status and the bytes of the reply.
Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server: Loopback = self.server  # type: ignore[assignment]
        with server.counting():
            status, body = server.answer(payload)
        with suppress(ConnectionError):  # who asked several things at once may have stopped at another answer
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Loopback(ThreadingHTTPServer):
    """Counts requests, and how many there are at once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answer = lambda _p: (500, b"")
        self.lock = threading.Lock()
        self.requests = self.now = self.most = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        with self.lock:
            self.requests, self.now = self.requests + 1, self.now + 1
            self.most = max(self.most, self.now)
        yield
        with self.lock:
            self.now -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet of clients that went away: another request of theirs failed."""

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/{kind}"


@contextmanager
def serving() -> Iterator[Loopback]:
    server = Loopback()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chat(content: str) -> bytes:
    """Return a reply whose content is the JSON given."""
    return f'{{"choices": [{{"index": 0, "message": {{"role": "assistant", "content": {content}}}}}]}}'.encode()


def by_seed(payload: dict[str, Any]) -> tuple[int, bytes]:
    """Answer with what a sampling server makes of a prompt: it depends on the prompt and the seed."""
    time.sleep(0.05)
    if "messages" in payload:
        return 200, chat(json.dumps(f"{payload['messages'][-1]['content']}, seed {payload['seed']}"))
    return 200, json.dumps({"choices": [{"index": 0, "text": f"seed {payload['seed']}"}]}).encode()


def ask(suite: Suite, server: Loopback, out: Path, *words: object, kind: str = "chat/completions", **args: Any) -> int:
    """Run the suite's task against the server and return the exit code."""
    args = {"model": "m", "base_url": server.url(kind), "num_concurrent": 4, "max_retries": 1, "timeout": 20, **args}
    backend = "local-" + kind.replace("/", "-")
    return main(
        [
            *("run", "--model", backend, "--model_args", ",".join(f"{k}={v}" for k, v in args.items())),
            *("-t", str(suite.task_path), "--include_path", str(suite.root), "-o", str(out), *map(str, words)),
        ]
    )


def journal(out: Path) -> dict[str, dict[str, Any]]:
    """Return the lines of the one journal by key."""
    (path,) = out.glob("*/samples_*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({line["key"] for line in lines}) == len(lines)
    return {line["key"]: line for line in lines}


def answers(out: Path) -> dict[str, Any]:
    """Return the answers by key."""
    return {key: line["filtered_resps"][0] for key, line in journal(out).items()}
