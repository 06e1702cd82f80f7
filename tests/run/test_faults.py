"""Faults, caused for real: kill -9, a full disk, an unwritable folder, two runs at once."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lm_plural.harness.result.read import read_content
from tests.stderr import told

RATE = Path(__file__).with_name("rate.yaml")


def arguments(model: Path, out: Path) -> list[str]:
    tasks = ["--tasks", str(RATE), "plural_demo_respond", "--limit", "12"]
    where = ["--model_args", f"pretrained={model},dtype=float32", "-o", str(out)]
    return ["run", *where, *tasks, "--batch_size", "3", "--gen_kwargs", "max_gen_toks=12"]


def start(args: list[str], **more: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lm_plural", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)  # type: ignore[call-overload,no-any-return]


def finish(args: list[str]) -> None:
    process = start(args)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err


def state(out: Path) -> dict[str, object]:
    """Return what must be equal: journals and predictions byte by byte, results without their times."""
    (folder,) = out.iterdir()
    files: dict[str, object] = {p.name: p.read_bytes() for p in folder.glob("samples_*")}
    files |= {p.name: sorted(p.read_bytes().splitlines()) for p in folder.glob("scores_*")}
    files |= {p.name: p.read_bytes() for p in folder.glob("predictions_*")}
    (results,), (_,) = folder.glob("results_*.json"), folder.glob("details_*.json")
    files["results"] = read_content(results)
    return files


@pytest.fixture(scope="module")
def uninterrupted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    out = tmp_path_factory.mktemp("whole")
    finish(arguments(tiny_model, out))
    return state(out)


def bytes_written(out: Path) -> int:
    return sum(p.stat().st_size for p in out.glob("*/s*_*.jsonl"))


def test_kill_9_at_any_moment_then_the_same_command_gives_identical_results(
    tiny_model: Path, tmp_path: Path, uninterrupted: dict[str, object]
) -> None:
    rng = random.Random(1)
    total = sum(len(v) for k, v in uninterrupted.items() if k.startswith("samples_"))  # type: ignore[misc,arg-type]
    for share in sorted(rng.uniform(0, 1) for _ in range(2)):
        process = start(arguments(tiny_model, tmp_path))
        while process.poll() is None and bytes_written(tmp_path) < share * total:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finish(arguments(tiny_model, tmp_path))
    assert state(tmp_path) == uninterrupted


@pytest.mark.parametrize(("which", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_termination_are_one_line_and_the_same_command_goes_on(
    which: signal.Signals, code: int, tiny_model: Path, tmp_path: Path, uninterrupted: dict[str, object]
) -> None:
    process = start(arguments(tiny_model, tmp_path))
    while process.poll() is None and bytes_written(tmp_path) == 0:
        time.sleep(0.01)
    process.send_signal(which)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert len(told(err)) == 1
    assert "goes on where it stopped" in err
    finish(arguments(tiny_model, tmp_path))
    assert state(tmp_path) == uninterrupted


def one_line_error(process: subprocess.Popen[str], code: int, *words: str) -> None:
    _, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("lm-plural run: error: ")]
    assert len(lines) == 1 == len(told(err)), err
    for word in words:
        assert word in lines[0]


def small_files() -> None:
    """A file cannot grow over 20 kB: what a full disk does to a growing journal, without a disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))


def test_a_journal_that_cannot_grow_fails_loudly_and_keeps_what_it_has(
    tiny_model: Path, tmp_path: Path, uninterrupted: dict[str, object]
) -> None:
    one_line_error(
        start(arguments(tiny_model, tmp_path), preexec_fn=small_files), 1, "samples_rate.jsonl", "cannot write"
    )
    assert bytes_written(tmp_path) > 0
    finish(arguments(tiny_model, tmp_path))
    assert state(tmp_path) == uninterrupted


def test_full_disk_is_one_line_and_nothing_is_lost(
    tiny_model: Path, small_disk: Callable[[int], Path], uninterrupted: dict[str, object]
) -> None:
    disk = small_disk(32)
    one_line_error(start(arguments(tiny_model, disk)), 1, "cannot write", "No space left")
    small_disk(4096)
    finish(arguments(tiny_model, disk))
    assert state(disk) == uninterrupted


def test_full_disk_while_results_are_written_leaves_no_half_file(
    tiny_model: Path, small_disk: Callable[[int], Path], uninterrupted: dict[str, object]
) -> None:
    samples = sum(len(v) for k, v in uninterrupted.items() if k.startswith("samples_"))  # type: ignore[misc,arg-type]
    disk = small_disk(samples // 1024 + 40)
    one_line_error(start(arguments(tiny_model, disk)), 1, "cannot write", "No space left")
    assert not list(disk.glob("*/results_*"))
    assert not list(disk.glob("*/.*.tmp"))
    small_disk(4096)
    finish(arguments(tiny_model, disk))
    assert state(disk) == uninterrupted


def test_output_path_that_cannot_be_written_is_found_before_the_model_is_loaded(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    started = time.monotonic()
    one_line_error(start(arguments(tiny_model, tmp_path / "file" / "out")), 1, "file/out", "cannot write")
    assert time.monotonic() - started < 60


def test_corrupt_journal_names_file_and_line(tiny_model: Path, tmp_path: Path) -> None:
    finish(arguments(tiny_model, tmp_path))
    (journal,) = tmp_path.glob("*/samples_rate.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4][:30] + b"\n"
    journal.write_bytes(b"".join(lines))
    one_line_error(start(arguments(tiny_model, tmp_path)), 1, f"{journal}:5: ")
    assert journal.read_bytes() == b"".join(lines)
