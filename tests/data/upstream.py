"""A real https server on loopback that publishes one file and misbehaves as told, and ways to fetch from it."""

from __future__ import annotations

import hashlib
import random
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from lm_plural.harness.data.fetch.fetch import fetch
from lm_plural.harness.errors import PluralError

CONTENT = b"item_id,rater_id,harm\n" + random.Random(0).randbytes(300_000)


def make_certificate(folder: Path) -> Path:
    """Write a key and a self-signed certificate for 127.0.0.1 into one file."""
    pem = folder / "server.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    use = ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", pem]
    made = subprocess.run(
        ["openssl", "req", "-x509", "-days", "2", *key, *names, *use], check=True, capture_output=True, text=True
    )
    with pem.open("a") as f:
        f.write(made.stdout)
    return pem


#: Bytes that pass a closed gate.
HELD = 131_072


class Upstream(ThreadingHTTPServer):
    """Publishes `content`; each knob breaks one thing."""

    daemon_threads = True
    content = CONTENT
    #: Value of Last-Modified; the ETag is the checksum unless `tagged` is off.
    date: str | None = None
    tagged = True
    ranges = True
    #: Let through Range even if If-Range names another version.
    careless = False
    chunked = False
    #: Bytes of the body after which each answer in turn drops the connection.
    cuts: list[int]
    #: Headers that replace the right ones (None: left out).
    headers: dict[str, str | None]
    #: Answers in turn before the real one: status and headers.
    first: list[tuple[int, dict[str, str]]]
    #: What was asked: path, Range and If-Range.
    asked: list[tuple[str, str | None, str | None]]

    def __init__(self, pem: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.gate = threading.Event()
        self.gate.set()
        self.cuts, self.headers, self.first, self.asked = [], {}, [], []
        self.before: Callable[[], None] = lambda: None
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(pem)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}/ratings.csv"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that go away are what is tested."""

    def stop(self) -> None:
        self.gate.set()
        self.session.close()
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        up = self.server
        up.asked.append((self.path, self.headers["Range"], self.headers["If-Range"]))
        up.before()
        if up.first:
            status, headers = up.first.pop(0)
            return self.head(status, {"Content-Length": "0", **headers})
        start = self.start()
        if start >= len(up.content) > 0:
            return self.head(416, {"Content-Length": "0", "Content-Range": f"bytes */{len(up.content)}"})
        headers = {"Content-Type": "text/csv", "Last-Modified": up.date}
        headers["ETag"] = f'"{up.sha256}"' if up.tagged else None
        if "gzip" in self.headers["Accept-Encoding"]:  # as busy servers do; the checksum is of the plain bytes
            headers["Content-Encoding"] = "gzip"
        headers |= {"Transfer-Encoding": "chunked"} if up.chunked else {"Content-Length": str(len(up.content) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(up.content) - 1}/{len(up.content)}"
        self.head(206 if start else 200, headers | up.headers)
        return self.body(up.content[start:])

    def start(self) -> int:
        up, asked = self.server, self.headers["Range"]
        same = up.careless or self.headers["If-Range"] in (f'"{up.sha256}"', up.date)
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked and up.ranges and same else 0

    def head(self, status: int, headers: dict[str, str | None]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def body(self, content: bytes) -> None:
        up = self.server
        cut = up.cuts.pop(0) if up.cuts else None
        step = 2**14
        for n in range(0, len(content[:cut]), step):
            if n >= HELD:
                up.gate.wait()
            piece = content[:cut][n : n + step]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if up.chunked else piece)
        if up.chunked and cut is None:
            self.wfile.write(b"0\r\n\r\n")
        if cut is not None or up.headers:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def get(upstream: Upstream, target: Path, **options: object) -> str:
    usual = {"sha256": upstream.sha256, "session": upstream.session, "private": True}
    return fetch(upstream.url, target, **usual | options)


def refused(upstream: Upstream, target: Path, **options: object) -> str:
    """Return the one line of the error; a file that was there before must still be."""
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"old")
    with pytest.raises(PluralError) as error:
        get(upstream, target, **options)
    assert target.read_bytes() == b"old"
    assert error.value.exit_code == 1
    return str(error.value)


def ranges(upstream: Upstream) -> list[str | None]:
    return [asked for _, asked, _ in upstream.asked]


def part(target: Path) -> Path:
    return target.with_name(target.name + ".part")
