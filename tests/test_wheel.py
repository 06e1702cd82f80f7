"""The wheel carries the task data and works outside the checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


def sh(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the files git knows, as a release would be."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    files = sh("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT).split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_symlink():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).symlink_to((ROOT / name).readlink())
        elif (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    sh(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", out, source, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def test_wheel_holds_data_and_puts_one_name_on_the_import_path(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for file in ("items.jsonl", "ratings.csv", "raters.csv", "dataset.yaml", "toxicity.yaml", "README.md"):
        assert f"lm_plural/tasks/plural_demo/{file}" in names
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == {"lm_plural"}
    assert not [n for n in names if "__pycache__" in n or "/tests/" in n]


def test_wheel_installed_elsewhere_lists_and_validates_tasks(wheel: Path, tmp_path: Path) -> None:
    sh(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    sh(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel, cwd=tmp_path)
    # Dependencies of this environment; a path file is not followed further, so the checkout itself is not on it.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = sh(python, "-c", "import lm_plural; print(lm_plural.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path)
    assert "plural_demo_toxicity" in sh(tmp_path / "venv" / "bin" / "lm-plural", "ls", "tasks", cwd=tmp_path)
    assert "6 valid" in sh(tmp_path / "venv" / "bin" / "lm_plural", "validate", "plural_demo", cwd=tmp_path)
