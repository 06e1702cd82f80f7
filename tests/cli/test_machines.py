"""Users without a home folder, as in containers, and folders that nobody may write."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import NoReturn

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import cache_dir, writable_cache
from lm_plural.harness.model.spec import fingerprint

Capture = pytest.CaptureFixture[str]
ADVICE = "set LM_PLURAL_CACHE to a folder that can be written"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be a user of whom the machine knows a number only."""

    def unknown(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "LM_PLURAL_CACHE", "HF_HOME", "HF_HUB_CACHE", "LM_PLURAL_DATA_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError):
        Path.home()


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    "line",
    [
        "ls axes",
        "data ls",
        "data path plural_demo",
        "validate plural_demo",
        "run -M dummy -t plural_demo_toxicity --limit 1 --inference none",
        "audit --scorer profanity -t plural_demo_toxicity --text response --limit 1 --inference none",
    ],
)
def test_a_command_that_can_do_without_a_cache_does(line: str, capsys: Capture, tmp_path: Path) -> None:
    assert main(line.split()) == 0, capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} <= {"outputs"}


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    "line",
    ["ls --lm-eval-path", "data fetch popquorn", "run --model_args pretrained=smollm2-demo -t plural_demo_toxicity"],
)
def test_a_command_that_needs_a_cache_says_how_to_give_one(line: str, capsys: Capture, tmp_path: Path) -> None:
    assert main(line.split()) == 1
    err = capsys.readouterr().err
    assert err.endswith(f"/no-home/lm-plural: cannot write the cache: Not a directory; {ADVICE}\n")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("homeless")
def test_the_copies_of_the_hub_are_looked_for_where_its_own_client_does(tmp_path: Path) -> None:
    commit = tmp_path / "~" / ".cache/huggingface/hub/models--me--mine/refs/main"
    commit.parent.mkdir(parents=True)
    commit.write_text("f" * 40)
    assert fingerprint("me/mine", None) == "commit:" + "f" * 40


def test_the_copies_of_the_hub_are_found_under_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    commit = tmp_path / "huggingface/hub/models--me--mine/refs/main"
    commit.parent.mkdir(parents=True)
    commit.write_text("f" * 40)
    assert fingerprint("me/mine", None) == "commit:" + "f" * 40


@pytest.mark.parametrize("place", ["file", "file/below", os.devnull])
def test_a_cache_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / place))
    with pytest.raises(PluralError, match=ADVICE):
        writable_cache()


def test_a_cache_that_can_be_written_is_left_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "new" / "cache"))
    assert writable_cache() == cache_dir()
    assert list(cache_dir().iterdir()) == []
