"""Downloads that stop and go on: nothing is asked for twice, and two versions of a file are never mixed."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from lm_plural.harness.data.fetch import download
from tests.data.upstream import CONTENT, Upstream, get, part, ranges, refused


@pytest.mark.parametrize("chunked", [False, True])
def test_a_dropped_connection_is_taken_up_where_it_stopped(upstream: Upstream, target: Path, chunked: bool) -> None:
    upstream.cuts, upstream.chunked = [131_072, 65_536], chunked
    get(upstream, target)
    assert target.read_bytes() == CONTENT
    assert ranges(upstream) == [None, "bytes=131072-", "bytes=196608-"]


def test_last_modified_serves_where_there_is_no_strong_etag(upstream: Upstream, target: Path) -> None:
    upstream.headers, upstream.tagged, upstream.date, upstream.cuts = (
        {"ETag": 'W/"a"'},
        False,
        "Tue, 01 Jul 2025 10:00:00 GMT",
        [131_072],
    )
    get(upstream, target)
    assert [asked[1:] for asked in upstream.asked] == [(None, None), ("bytes=131072-", upstream.date)]


def test_a_file_without_version_is_never_resumed(upstream: Upstream, target: Path) -> None:
    upstream.tagged, upstream.cuts = False, [131_072] * 4
    assert "the same command tries again" in refused(upstream, target)
    get(upstream, target)
    assert set(ranges(upstream)) == {None}


def test_a_server_that_always_drops_leaves_the_part_for_the_next_command(upstream: Upstream, target: Path) -> None:
    upstream.cuts = [65_536, 16_384, 16_384, 16_384]
    line = refused(upstream, target)
    assert line.startswith(f"{upstream.url}: ")
    assert "(4 tries); the same command goes on where it stopped" in line
    held = part(target).stat().st_size
    assert part(target).read_bytes() == CONTENT[:held]
    assert held > 0
    upstream.asked.clear()
    get(upstream, target)
    assert ranges(upstream) == [f"bytes={held}-"]
    assert target.read_bytes() == CONTENT
    assert not part(target).exists()


def test_a_server_that_ignores_the_range_starts_over(upstream: Upstream, target: Path) -> None:
    upstream.cuts, upstream.ranges = [131_072], False
    get(upstream, target)
    assert ranges(upstream) == [None, "bytes=131072-"]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("careless", [False, True])
@pytest.mark.parametrize("length", [len(CONTENT), 400_000, 140_000, 1000])
def test_a_file_that_changes_between_tries_is_never_mixed(
    upstream: Upstream, target: Path, careless: bool, length: int
) -> None:
    new = b"new" + random.Random(1).randbytes(length - 3)
    upstream.cuts, upstream.careless = [131_072], careless

    def change() -> None:
        upstream.content = new if len(upstream.asked) > 1 else CONTENT

    upstream.before = change
    found = get(upstream, target, sha256=None)
    assert target.read_bytes() == new
    assert found == hashlib.sha256(new).hexdigest()


def test_a_careless_server_without_checksum_in_its_answer_is_caught_by_the_length(
    upstream: Upstream, target: Path
) -> None:
    new = random.Random(1).randbytes(400_000)
    upstream.cuts, upstream.careless = [131_072], True

    def change() -> None:
        if len(upstream.asked) > 1:
            upstream.content, upstream.headers = new, {"ETag": None}

    upstream.before = change
    get(upstream, target, sha256=None)
    assert target.read_bytes() == new


def test_a_wrong_range_is_not_appended(upstream: Upstream, target: Path) -> None:
    upstream.cuts = [131_072]

    def lie() -> None:
        upstream.headers = {"Content-Range": "bytes 7-300021/300022"} if len(upstream.asked) == 2 else {}

    upstream.before = lie
    get(upstream, target)
    assert ranges(upstream) == [None, "bytes=131072-", None]
    assert target.read_bytes() == CONTENT


def test_what_the_note_does_not_vouch_for_is_not_resumed(upstream: Upstream, target: Path) -> None:
    target.parent.mkdir()
    for note in ("", "{", '{"url": "https://other/", "validator": "x", "total": 900}', '{"url": 1}'):
        part(target).write_bytes(b"of another file")
        part(target).with_name(f"{part(target).name}.json").write_text(note)
        get(upstream, target, sha256=None)
        assert target.read_bytes() == CONTENT
    assert set(ranges(upstream)) == {None}


def test_bytes_that_are_all_there_are_not_asked_for(
    upstream: Upstream, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(download.Download, "publish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            get(upstream, target)
    assert part(target).read_bytes() == CONTENT
    get(upstream, target)
    assert len(upstream.asked) == 1
    assert target.read_bytes() == CONTENT


def test_a_web_page_does_not_cost_the_bytes_held(upstream: Upstream, target: Path) -> None:
    upstream.cuts = [65_536] * 4
    refused(upstream, target)
    held = part(target).read_bytes()
    upstream.content = b"<html>"  # a portal that wants a log-in
    assert "HTML page" in refused(upstream, target)
    upstream.first = [(403, {})]
    assert "log-in" in refused(upstream, target)
    assert part(target).read_bytes() == held


def test_a_kill_while_the_file_is_put_in_its_place_leaves_nothing_for_good(
    upstream: Upstream, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def stopped(path: Path, to: Path) -> Path:
        if path.suffix == ".part":
            raise KeyboardInterrupt
        return replace(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            get(upstream, target)
    assert sorted(p.suffix for p in target.parent.iterdir() if not p.name.startswith(".")) == [".part"]
    assert get(upstream, target) == upstream.sha256
    assert [p.name for p in target.parent.iterdir() if not p.name.startswith(".")] == [target.name]
