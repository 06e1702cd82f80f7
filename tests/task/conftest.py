"""The tiny suite."""

from pathlib import Path

import pytest

from tests.task.suite import Suite


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path / "tasks")
