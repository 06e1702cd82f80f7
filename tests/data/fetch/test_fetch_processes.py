"""Downloads in processes of their own: killed, out of disk, two at a time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.upstream import CONTENT, HELD, Upstream, get, part, ranges

CHILD = """
import resource, signal, sys
from pathlib import Path
from lm_plural.harness.errors import PluralError
from lm_plural.harness.data.fetch.fetch import fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
url, target, sha256, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    fetch(url, Path(target), sha256=sha256, private=True)
except PluralError as e:
    sys.exit(str(e))
"""


def child(upstream: Upstream, target: Path, limit: int = 0, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    arguments = [upstream.url, str(target), upstream.sha256, str(limit)]
    env = {**os.environ, "REQUESTS_CA_BUNDLE": str(upstream.session.verify), "NO_PROXY": "127.0.0.1"}
    command = [*before, sys.executable, "-c", CHILD, *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_a_part_that_the_next_one_finishes(upstream: Upstream, target: Path, kill: int) -> None:
    upstream.gate.clear()
    with child(upstream, target) as process:
        wait_for(lambda: part(target).exists() and part(target).stat().st_size == HELD)
        process.send_signal(kill)
    assert process.returncode != 0
    assert not target.exists()
    upstream.gate.set()
    get(upstream, target)
    assert ranges(upstream) == [None, f"bytes={HELD}-"]
    assert target.read_bytes() == CONTENT


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_full_disk_is_one_line_and_keeps_what_came(upstream: Upstream, target: Path) -> None:
    with child(upstream, target, limit=100_000) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.strip() == f"{target}: cannot write: File too large; 100000 bytes are kept in ratings.csv.part"
    assert part(target).read_bytes() == CONTENT[:100_000]
    get(upstream, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0,
    reason="needs a mount namespace",
)
def test_a_disk_that_is_really_full(upstream: Upstream, target: Path) -> None:
    target.parent.mkdir()
    mount = f'mount -t tmpfs -o size=128k none "{target.parent}" && exec "$@"'
    with child(upstream, target, before=("unshare", "-rm", "sh", "-c", mount, "sh")) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(f"{target}: cannot write: No space left on device; ")
    assert err.count("\n") == 1


def test_two_fetches_of_one_file_take_turns(upstream: Upstream, target: Path) -> None:
    upstream.gate.clear()
    with child(upstream, target) as process:
        wait_for(lambda: bool(upstream.asked))
        threading.Timer(0.2, upstream.gate.set).start()
        get(upstream, target)
        assert process.wait(60) == 0
    assert ranges(upstream) == [None]
    assert target.read_bytes() == CONTENT


def test_threads_with_different_files_of_one_folder(upstream: Upstream, tmp_path: Path) -> None:
    targets = [tmp_path / f"{n}.csv" for n in range(4)]
    threads = [threading.Thread(target=get, args=(upstream, t)) for t in targets]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(t.read_bytes() == CONTENT for t in targets)
