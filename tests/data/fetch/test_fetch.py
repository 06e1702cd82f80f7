"""Downloads from a real https server that refuses, lies and redirects; nothing half in its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lm_plural.harness.data.fetch import https
from lm_plural.harness.data.fetch.fetch import fetch, within
from lm_plural.harness.errors import PluralError
from tests.data.upstream import CONTENT, Upstream, get, part, refused


def test_a_file_comes_whole_and_leaves_nothing_beside_it(upstream: Upstream, target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    assert get(upstream, target, size=len(CONTENT), progress=lambda *p: told.append(p)) == upstream.sha256
    assert target.read_bytes() == CONTENT
    assert [p.name for p in target.parent.iterdir() if not p.name.endswith(".lock")] == ["ratings.csv"]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


def test_a_file_that_is_there_is_not_asked_for_again(upstream: Upstream, target: Path) -> None:
    get(upstream, target)
    get(upstream, target)
    assert len(upstream.asked) == 1
    get(upstream, target, sha256=None)  # unchecked, it may be another one by now
    assert len(upstream.asked) == 2


def test_an_empty_file_and_one_without_length(upstream: Upstream, target: Path) -> None:
    upstream.content = b""
    get(upstream, target, size=0)
    assert target.read_bytes() == b""
    upstream.content, upstream.chunked = CONTENT, True
    told: list[tuple[int, int | None]] = []
    get(upstream, target, progress=lambda *p: told.append(p))
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), None)


def test_bytes_are_kept_as_sent(upstream: Upstream, target: Path) -> None:
    upstream.headers = {"Content-Encoding": "gzip"}  # as some servers label every .gz file
    get(upstream, target.with_name("ratings.csv.gz"))
    assert target.with_name("ratings.csv.gz").read_bytes() == CONTENT
    assert "Content-Encoding gzip" in refused(upstream, target)


def test_busy_servers_are_asked_again(upstream: Upstream, target: Path) -> None:
    upstream.first = [(503, {}), (429, {}), (500, {})]
    get(upstream, target)
    assert len(upstream.asked) == 4
    upstream.first = [(503, {})] * 4
    assert "the server answers 503 Service Unavailable (4 tries)" in refused(upstream, target)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "404 Not Found: the file is gone"),
        (410, "410 Gone: the file is gone"),
        (401, "401 Unauthorized: a licence to accept or a log-in is needed"),
        (403, "403 Forbidden: a licence to accept or a log-in is needed"),
        (418, "expected the file"),
        (204, "204 No Content: expected the file"),
        (304, "304 Not Modified: expected the file"),
    ],
)
def test_refusals_are_final_and_named(upstream: Upstream, target: Path, status: int, words: str) -> None:
    upstream.first = [(status, {})]
    line = refused(upstream, target)
    assert line.startswith(upstream.url)
    assert words in line
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("hop", ["/moved", "//127.0.0.1:{port}/moved", "https://127.0.0.1:{port}/moved"])
def test_redirects_are_followed(upstream: Upstream, target: Path, hop: str) -> None:
    upstream.first = [(302, {"Location": hop.format(port=upstream.server_port)})]
    get(upstream, target)
    assert [path for path, *_ in upstream.asked] == ["/ratings.csv", "/moved"]


@pytest.mark.parametrize(
    ("hops", "words"),
    [
        (["http://127.0.0.1:1/x"], "redirects to http://127.0.0.1:1/x, which is not an https address"),
        (["/a", "HTTP://127.0.0.1:1/x"], "redirects to HTTP://127.0.0.1:1/x, which is not"),
        (["file:///etc/passwd"], "redirects to file:///etc/passwd, which is not"),
        (["https://[x"], "cannot be fetched"),
        (["https://a..b/x"], "cannot be fetched"),
        (["/a"] * 10, "redirects more than 10 times"),
    ],
)
def test_redirects_elsewhere_are_not(upstream: Upstream, target: Path, hops: list[str], words: str) -> None:
    upstream.first = [(302, {"Location": hop}) for hop in hops]
    assert words in refused(upstream, target)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("localhost", r"127\.0\.0\.1|::1"),
        ("10.1.2.3:8443", "10.1.2.3"),
        ("192.168.0.1", "192.168.0.1"),
        ("169.254.169.254", "169.254.169.254"),
        ("user@100.64.0.1", "100.64.0.1"),
        ("[::1]", "::1"),
        ("[fd00::1]:443", "fd00::1"),
        ("[fe80::1]", "fe80::1"),
        ("[::ffff:10.0.0.1]", "::ffff:"),
    ],
)
def test_a_private_address_is_not_asked_unless_the_user_says_so(target: Path, host: str, address: str) -> None:
    with pytest.raises(PluralError, match=f"is at ({address}).* in a private network; expected .*, or --private"):
        fetch(f"https://{host}/x", target, sha256=None)
    assert https.private_address("https://1.1.1.1/x") is https.private_address("https://[2606:4700::1111]/x") is None


@pytest.mark.parametrize("private", [False, True])
def test_nobody_in_the_public_network_leads_into_a_private_one(
    upstream: Upstream, target: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    known = https.private_address
    monkeypatch.setattr(https, "private_address", lambda url: None if url == upstream.url else known(url))
    upstream.first = [(302, {"Location": "/moved"})]
    line = refused(upstream, target, private=private)
    assert f"redirects to https://127.0.0.1:{upstream.server_port}/moved, which is at 127.0.0.1 in a private" in line
    assert [path for path, *_ in upstream.asked] == ["/ratings.csv"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "ftp://x/y", "ratings.csv", "", "file:///etc/passwd"])
def test_only_https(upstream: Upstream, target: Path, url: str) -> None:
    with pytest.raises(PluralError, match="over https only"):
        fetch(url, target, sha256=None, session=upstream.session)


def test_a_server_that_cannot_be_reached_or_trusted(upstream: Upstream, target: Path) -> None:
    with requests.Session() as stranger:
        stranger.trust_env = False
        line = refused(upstream, target, session=stranger)
        assert "certificate verify failed" in line
        assert "tries" not in line
        port = upstream.server_port
        upstream.stop()
        with pytest.raises(PluralError, match=r"127\.0\.0\.1:.*: Connection refused \(4 tries\)"):
            fetch(f"https://127.0.0.1:{port}/x", target, sha256=None, session=stranger, private=True)


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (CONTENT, {"Content-Type": "text/html; charset=utf-8"}),
        (b"<!DOCTYPE html><title>Log in", {}),
        (b"\xef\xbb\xbf\n  <HTML><body>", {"Content-Type": "text/csv"}),
    ],
)
def test_a_web_page_is_not_the_data(upstream: Upstream, target: Path, content: bytes, headers: dict[str, str]) -> None:
    upstream.content, upstream.headers = content, headers
    assert (
        refused(upstream, target, sha256="0" * 64, size=7)
        == f"{upstream.url}: an HTML page came where ratings.csv was expected"
    )
    page = target.with_name("page.html")
    get(upstream, page)
    assert page.read_bytes() == content


def test_a_wrong_checksum_leaves_nothing(upstream: Upstream, target: Path) -> None:
    line = refused(upstream, target, sha256="0" * 64)
    assert f"its sha256 is {upstream.sha256} ({len(CONTENT)} bytes), expected {'0' * 64}" in line
    assert not part(target).exists()


@pytest.mark.parametrize("chunked", [False, True])
def test_lengths_are_held_to(upstream: Upstream, target: Path, chunked: bool) -> None:
    upstream.chunked = chunked
    get(upstream, target, most=len(CONTENT), size=len(CONTENT))
    long = refused(upstream, target, sha256=None, most=len(CONTENT) - 1)
    expected = f"more than {len(CONTENT) - 1} bytes came" if chunked else f"at most {len(CONTENT) - 1}"
    assert expected in long
    assert not part(target).exists()
    assert "bytes" in refused(upstream, target, sha256=None, size=len(CONTENT) - 1)
    short = refused(upstream, target, sha256=None, size=len(CONTENT) + 1)
    expected = "416" if chunked else f"announced with {len(CONTENT)} bytes; expected {len(CONTENT) + 1}"
    assert expected in short
    assert not part(target).exists()


def test_a_length_that_is_wrong_only_at_the_end(upstream: Upstream, target: Path) -> None:
    upstream.headers = {"Content-Length": None, "ETag": None}  # ends where the connection does
    assert f"the server stopped after {len(CONTENT)} of {len(CONTENT) + 1} bytes" in refused(
        upstream, target, sha256=None, size=len(CONTENT) + 1
    )


@pytest.mark.parametrize("name", ["ratings.csv", "ratings.csv.part", "ratings.csv.part.json", ".ratings.csv.lock"])
def test_links_and_folders_in_the_way_are_refused(upstream: Upstream, target: Path, name: str) -> None:
    target.parent.mkdir()
    victim = target.with_name("other.csv")
    victim.write_text("mine")
    place = target.with_name(name)
    place.symlink_to(victim)
    with pytest.raises(PluralError, match="symbolic link or a folder"):
        get(upstream, target)
    place.unlink()
    place.mkdir()
    with pytest.raises(PluralError, match="symbolic link or a folder"):
        get(upstream, target)
    assert victim.read_text() == "mine"
    assert not upstream.asked


def test_places_that_cannot_be_written(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PluralError, match=r"file/x\.csv: cannot write: "):
        get(upstream, tmp_path / "file" / "x.csv")
    with pytest.raises(PluralError, match="cannot write: File name too long"):
        get(upstream, tmp_path / ("x" * 250))


@pytest.mark.parametrize("path", ["a.csv", "a/b.csv", "inner/b.csv", "./a.csv"])
def test_paths_within(tmp_path: Path, path: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "inner").symlink_to("real")
    assert within(tmp_path, path) == tmp_path / path


@pytest.mark.parametrize(
    "path", ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "out/x", "link.csv", "round/x", "a\0b", "..\\x"]
)
def test_paths_that_leave(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "link.csv").symlink_to("/etc/passwd")
    (folder / "round").symlink_to("round")
    with pytest.raises(PluralError, match="leads out of"):
        within(folder, path)


@given(path=st.text(st.sampled_from("./a\\\0"), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_path_within_is_always_below(tmp_path: Path, path: str) -> None:
    try:
        inside = within(tmp_path, path)
    except PluralError:
        return
    assert tmp_path.resolve() in Path(os.path.normpath(inside)).parents


@given(size=st.lists(st.integers(1, 2000), max_size=5))
def test_peeking_loses_no_byte(size: list[int]) -> None:
    chunks = [bytes([n % 256]) * s for n, s in enumerate(size)]
    head, rest = https.peek(iter(chunks))
    whole = b"".join(chunks)
    assert b"".join(rest) == whole
    assert whole.startswith(head)
    assert len(head) >= min(len(whole), https.HEAD)
