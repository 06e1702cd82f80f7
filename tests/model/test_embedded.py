"""The embedded model: converted once, whole or not at all, checked by sha256."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.model import embedded

CONVERT = "from lm_plural.harness.model.embedded import embedded_model; print(embedded_model())"


def convert(cache: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "LM_PLURAL_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", CONVERT], env=env, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE
    )


def test_a_killed_conversion_leaves_nothing_that_looks_whole_and_the_next_one_works(tmp_path: Path) -> None:
    process = convert(tmp_path)
    while not (begun := list(tmp_path.glob(".smollm2-demo-*/*"))) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert begun
    assert not list(tmp_path.glob("smollm2-demo-*"))
    out, err = convert(tmp_path).communicate(timeout=300)
    assert Path(out.strip()).is_dir(), err
    assert not list(tmp_path.glob(".smollm2-demo-*/"))


def test_one_changed_byte_is_seen(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(embedded.embedded_model(), copy)
    assert embedded.is_whole(copy)
    tokenizer = copy / "tokenizer_config.json"
    blob = tokenizer.read_bytes()
    tokenizer.write_bytes(blob.replace(b"true", b"True", 1))
    assert not embedded.is_whole(copy)
    tokenizer.unlink()
    assert not embedded.is_whole(copy)


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(PluralError, match="cannot write the cache"):
        embedded.embedded_model()
