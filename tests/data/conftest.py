"""A server to fetch from, and a place for what it sends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lm_plural.harness.data.fetch import download
from tests.data.upstream import Upstream, make_certificate


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of the server."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def upstream(pem: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """A server that publishes `CONTENT`; tries follow each other at once."""
    monkeypatch.setattr(download, "WAITS", (0, 0, 0))
    server = Upstream(pem)
    yield server
    server.stop()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where to put the file; its folder is not there yet."""
    return tmp_path / "cache" / "ratings.csv"
