"""One download: asked for, poured into its part, asked for again after a drop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lm_plural.harness.data.fetch import https
from lm_plural.harness.data.fetch.partial import Part, Source
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import sha256_file

if TYPE_CHECKING:
    import requests

#: Seconds before each new try after a drop.
WAITS = (1.0, 2.0, 4.0)
#: Bytes read at a time.
CHUNK = 2**16

#: Called with the bytes so far and the length, None if unknown.
Progress = Callable[[int, int | None], None]


@dataclass
class Download:
    """One file being fetched."""

    url: str
    part: Part
    size: int | None
    most: int
    progress: Progress | None
    http: requests.Session
    private: bool = False

    def run(self) -> None:
        """Bring the part to its full length, trying again after a drop."""
        reason = ""
        for wait in (0, *WAITS):
            time.sleep(wait)
            try:
                return self._attempt()
            except https.DroppedError as e:
                reason = str(e)
        source = self.part.source(self.url)
        again = "tries again; --mirror names a folder that has the file"
        then = "goes on where it stopped" if source and source.validator else again
        raise self._error(f"{reason} ({len(WAITS) + 1} tries); the same command {then}")

    def publish(self, sha256: str | None) -> str:
        """Put the part in its place if it is the expected file; forget it if not."""
        found, length = sha256_file(self.part.path), self.part.held
        expected = (sha256 or found, length if self.size is None else self.size)
        if (found, length) != expected:
            self.part.discard()
            raise self._error(
                f"not the expected file: its sha256 is {found} ({length} bytes), expected {expected[0]} ({expected[1]})"
            )
        self.part.publish()
        return found

    def _attempt(self) -> None:
        """Ask once, for the bytes that are missing."""
        import urllib3

        old = self.part.source(self.url)
        if old and old.total == self.part.held:  # the last process was killed before it could look at the checksum
            return
        headers = {"Accept-Encoding": "identity"}
        if old and old.validator:
            headers |= {"Range": f"bytes={self.part.held}-", "If-Range": old.validator}
        try:
            with https.ask(self.http, self.url, headers, private=self.private) as response:
                if response.status_code == 416:
                    self.part.discard()
                https.refuse(response, self.url)
                chunks: Iterator[bytes] = response.raw.stream(CHUNK, decode_content=False)
                if response.status_code == 206:
                    total = self._continue(response.headers, old)
                else:
                    total, chunks = self._begin(response.headers, chunks)
                self._pour(chunks, total)
        except urllib3.exceptions.HTTPError as e:
            raise https.DroppedError(https.why(e)) from e

    def _begin(self, headers: Mapping[str, str], chunks: Iterator[bytes]) -> tuple[int | None, Iterator[bytes]]:
        """Make sure that the answer can be the file; only then give up what is held."""
        head, chunks = https.peek(chunks)
        name = self.part.target.name.lower()
        if https.is_html(headers, head) and not name.endswith((".html", ".htm")):
            raise self._error(f"an HTML page came where {self.part.target.name} was expected")
        encoding = headers.get("Content-Encoding", "identity")
        if encoding != "identity" and not name.endswith(".gz"):
            raise self._error(f"came with Content-Encoding {encoding}; expected the bytes of the file")
        total = https.content_length(headers)
        if total is not None and total != (total if self.size is None else self.size):
            raise self._error(f"is announced with {total} bytes; expected {self.size}")
        if total is not None and total > self.most:
            raise self._error(f"is announced with {total} bytes; expected at most {self.most}")
        self.part.restart(Source(url=self.url, validator=https.validator(headers), total=total))
        return total, chunks

    def _continue(self, headers: Mapping[str, str], old: Source | None) -> int | None:
        """Make sure that the answer is the rest of what is held."""
        start, total = https.content_range(headers) or (None, None)
        known = old.total if old else None
        same = old and https.validator(headers) in (None, old.validator) and (known is None or total in (None, known))
        if not same or start != self.part.held:
            self.part.discard()
            raise https.DroppedError("the answer is not the rest of the file")
        return total or known

    def _pour(self, chunks: Iterator[bytes], total: int | None) -> None:
        have = self.part.held
        length = total if total is not None else self.size
        limit = self.most if length is None else min(length, self.most)
        self._tell(have, length)
        with self.part.path.open("ab") as f:
            for chunk in chunks:
                have += len(chunk)
                if have > limit:
                    self.part.discard()
                    raise self._error(f"more than {limit} bytes came; expected at most that")
                f.write(chunk)
                self._tell(have, length)
        if length is not None and have < length:
            raise https.DroppedError(f"the server stopped after {have} of {length} bytes")

    def _tell(self, have: int, length: int | None) -> None:
        if self.progress:
            self.progress(have, length)

    def _error(self, message: str) -> PluralError:
        return PluralError(f"{self.url}: {message}")
