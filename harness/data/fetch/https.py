"""One question to a web server: redirects, refusals, and what the answer says about the file."""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from lm_plural.harness.errors import PluralError

if TYPE_CHECKING:
    import requests

HOPS = 10
#: Seconds to connect, and seconds without a byte.
TIMEOUT = (10, 30)
#: Bytes of the beginning that are looked at for HTML.
HEAD = 1024
#: Answers that may be other ones a moment later; 416: the range asked for is beyond the file's end.
PASSING = {408, 416, 425, 429, *range(500, 600)}
#: Answers that will stay, in words.
REFUSALS = {
    401: "a licence to accept or a log-in is needed; get the file by hand",
    403: "a licence to accept or a log-in is needed; get the file by hand",
    404: "the file is gone from this address",
    410: "the file is gone from this address",
}


class DroppedError(Exception):
    """The server stopped for a reason that may pass."""


def ask(http: requests.Session, url: str, headers: Mapping[str, str], *, private: bool = False) -> requests.Response:
    """Return the answer, its body unread, after following redirects by hand.

    Each must be https before it is asked, and in the public network, since a recipe comes from others: with `private`
    it may begin in a private one, this machine included, but it never leads from the public one there. Who answers has
    to have a certificate for the name that was looked up, so a name that changes its address leads nowhere.

    Raises
    ------
    DroppedError
        If the server cannot be reached now.
    PluralError
        If the address or a redirect cannot be followed, or its certificate is not trusted.
    """
    hop = url
    for _ in range(HOPS):
        if not hop.lower().startswith("https://"):
            where = "not" if hop == url else f"redirects to {hop}, which is not"
            raise PluralError(f"{url}: {where} an https address; files are fetched over https only")
        if (address := private_address(hop)) and not private:
            where, but = ("is", ", or --private") if hop == url else (f"redirects to {hop}, which is", "")
            raise PluralError(f"{url}: {where} at {address} in a private network; expected a public address{but}")
        private = address is not None
        response = _get(http, hop, headers, url)
        if not response.is_redirect:
            return response
        response.close()
        hop = urljoin(hop, http.get_redirect_target(response) or "")
    raise PluralError(f"{url}: redirects more than {HOPS} times")


def private_address(url: str) -> str | None:
    """Return an address of a url's host that is not in the public network, None if there is none or none is known."""
    try:
        parts = urlsplit(url)
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # asking says why
        return None
    for *_, (host, *_) in found:
        address = ip_address(str(host).partition("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or address
        if not inner.is_global:
            return str(address)
    return None


def _get(http: requests.Session, hop: str, headers: Mapping[str, str], url: str) -> requests.Response:
    import requests

    try:
        return http.get(hop, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False)
    except (requests.ConnectionError, requests.Timeout) as e:
        if "CERTIFICATE_VERIFY_FAILED" in str(e):
            raise PluralError(f"{url}: {why(e)}") from e
        raise DroppedError(why(e)) from e
    except (requests.RequestException, ValueError) as e:  # ValueError: an address, of a redirect too, that is none
        raise PluralError(f"{url}: cannot be fetched: {e}") from e


def refuse(response: requests.Response, url: str) -> None:
    """Raise unless the answer carries a file or part of one (200, 206).

    Raises
    ------
    DroppedError
        If it is worth asking again.
    PluralError
        If not.
    """
    status = response.status_code
    if status in (200, 206):
        return
    said = f"the server answers {status} {response.reason or ''}".rstrip()
    if status in PASSING:
        raise DroppedError(said)
    raise PluralError(f"{url}: {said}: {REFUSALS.get(status, 'expected the file')}")


def why(error: BaseException) -> str:
    """Return the innermost reason of a network error in words; libraries wrap it several times."""
    while inner := [
        e for e in (error.__cause__, getattr(error, "reason", None), *error.args) if isinstance(e, BaseException)
    ]:
        error = inner[0]
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes and all chunks, these included."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD:
            break
    return head, itertools.chain([head], chunks)


def is_html(headers: Mapping[str, str], head: bytes) -> bool:
    """Return whether an answer calls itself a web page or begins like one."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return kind in ("text/html", "application/xhtml+xml") or start.startswith((b"<!doctype html", b"<html"))


def validator(headers: Mapping[str, str]) -> str | None:
    """Return what tells this version of the file from another: the strong ETag, else Last-Modified."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the announced length in bytes, None if there is none."""
    length = headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def content_range(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Return where a part begins and the length of the whole, None if not said; None without a readable header."""
    match = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)", headers.get("Content-Range", ""))
    return (int(match[1]), None if match[2] == "*" else int(match[2])) if match else None
