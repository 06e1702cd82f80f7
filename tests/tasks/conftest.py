"""What tests of shipped data sets share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def real(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mirror of the real data, where recipes look for their files; without one the test is skipped."""
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", str(mirror))
    return mirror
