"""A real server on loopback whose replies a test chooses, and a run that asks it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lm_plural.harness.cli.main import main
from tests.suite import Suite


class Asked(dict[str, Any]):
    """The JSON of a request; `sent` is all of the request as text, `number` which one it is, from 1."""

    sent = ""
    number = 0


@dataclass
class Reply:
    """What the server sends; `cut`: less than it says."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    cut: bool = False


#: None: the connection is closed without a word.
Answer = Callable[[Asked], Reply | None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Loopback

    def do_GET(self) -> None:
        self._send(Reply(b"{}", 404))  # lm-eval asks for a tokenizer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        asked = Asked(json.loads(body))
        asked.sent = f"{self.path} {dict(self.headers)} {body}"
        with self.server.counting() as asked.number:
            reply = self.server.answer(asked)
        self.close_connection = True
        if reply:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        length = len(reply.body) + (50 if reply.cut else 0)
        with suppress(ConnectionError):  # who asked several things at once may have stopped at another answer
            self.send_response_only(reply.status)
            for name, value in {"content-length": str(length), "connection": "close", **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Loopback(ThreadingHTTPServer):
    """Answers with what `answer` returns, and counts requests and how many there are at once."""

    daemon_threads = True

    def __init__(self, answer: Answer = lambda _: Reply(b"", 500)) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.lock = threading.Lock()
        self.requests = self.now = self.most = 0
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @contextmanager
    def counting(self) -> Iterator[int]:
        with self.lock:
            number = self.requests = self.requests + 1
            self.now += 1
            self.most = max(self.most, self.now)
        yield number
        with self.lock:
            self.now -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet of clients that went away: another request of theirs failed."""

    def url(self, kind: str = "chat/completions") -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/{kind}"


@contextmanager
def serving(answer: Answer = lambda _: Reply(b"", 500)) -> Iterator[Loopback]:
    server = Loopback(answer)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        server.thread.join()


def chat(content: str) -> bytes:
    """Return a reply whose content is the JSON given."""
    return f'{{"choices": [{{"index": 0, "message": {{"role": "assistant", "content": {content}}}}}]}}'.encode()


def by_seed(payload: dict[str, Any]) -> Reply:
    """Answer with what a sampling server makes of a prompt: it depends on the prompt and the seed."""
    time.sleep(0.05)
    if "messages" in payload:
        return Reply(chat(json.dumps(f"{payload['messages'][-1]['content']}, seed {payload['seed']}")))
    return Reply(json.dumps({"choices": [{"index": 0, "text": f"seed {payload['seed']}"}]}).encode())


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
