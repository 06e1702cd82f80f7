"""A few kills of cheap commands, and whether the judge sees damage."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kill.compare import Judge, State
from tests.kill.process import Operation, Place, Stop, build_shim, draw
from tests.kill.scenarios import scenarios
from tests.kill.trial import Prepared

needs_cc = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Prepared]]:
    """Return the commands that need no model, run once."""
    folder = tmp_path_factory.mktemp("kill").resolve()
    shim = build_shim(folder)
    with scenarios(folder, "data ") as found:
        cheap = [s for s in found if s.name in ("data fetch", "data import", "data show, out of an archive")]
        yield {s.name: Prepared.of(s, folder, shim) for s in cheap}


@needs_cc
@pytest.mark.parametrize("name", ["data fetch", "data import", "data show, out of an archive"])
@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGTERM])
def test_a_command_that_is_stopped_goes_on_as_if_it_had_not_been(
    name: str, which: signal.Signals, prepared: dict[str, Prepared]
) -> None:
    trial = prepared[name].stop(which, random.Random(name))
    assert trial.stops
    assert trial.faults == []


@needs_cc
def test_a_process_is_stopped_within_the_operation_named(prepared: dict[str, Prepared], tmp_path: Path) -> None:
    ready = prepared["data fetch"]
    whole = ready.whole
    at = 1 + next(n for n, o in enumerate(whole) if o.kind == "write" and o.path.endswith(".part"))
    place = Place(tmp_path, ready.shim, ready.scenario.env)
    shutil.copytree(ready.template / "place", place.folder)
    ended = place.run(ready.scenario.words, Stop(signal.SIGKILL, at, "within"))
    assert ended.code == -signal.SIGKILL
    assert [(o.kind, o.path) for o in ended.operations] == [(o.kind, o.path) for o in whole[:at]]
    (part,) = place.folder.rglob("*.part")
    assert 0 < part.stat().st_size < 2**16, "half of the first piece"


LINES = [b'{"key": "a", "n": 1}\n', b'{"key": "b", "n": 2}\n', b'{"key": "c", "n": 3}\n']
JOURNAL = "out/samples_t.jsonl"


def written(root: Path, lines: list[bytes], **files: str) -> State:
    """Write a folder as a command would."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "out").mkdir(parents=True)
    (root / JOURNAL).write_bytes(b"".join(lines))
    for name, content in files.items():
        (root / "out" / name.replace("_tmp", ".tmp").replace("_json", ".json")).write_text(content)
    return State.of(root)


@pytest.fixture
def state(tmp_path: Path) -> Callable[..., State]:
    return lambda lines, **files: written(tmp_path / "place", lines, **files)


@pytest.mark.parametrize(
    ("lines", "files", "faults"),
    [
        (LINES, {"run_json": "{}"}, []),
        (LINES[:2], {"run_json": "{}"}, ["lost"]),
        ([*LINES, LINES[1]], {"run_json": "{}"}, ["doubled"]),
        ([*LINES[:2], b'{"key": "c", "n": 4}\n'], {"run_json": "{}"}, ["different"]),
        ([LINES[1], LINES[0], LINES[2]], {"run_json": "{}"}, ["different"]),
        ([*LINES[:2], b'{"key": "c", \n'], {"run_json": "{}"}, ["lost", "different"]),
        (LINES, {}, ["files"]),
        (LINES, {"run_json": "{"}, ["files"]),
        (LINES, {"run_json": "{}", ".run_json.1_tmp": "{"}, ["left"]),
    ],
)
def test_damage_is_seen(lines: list[bytes], files: dict[str, str], faults: list[str], state: Callable) -> None:
    judge = Judge(state([]), state(LINES, run_json="{}"))
    assert [kind for kind, _ in judge.at_the_end(state(lines, **files), {JOURNAL: []})] == faults


def test_a_line_that_was_on_disk_and_is_gone_is_lost_whatever_came_instead(state: Callable) -> None:
    judge = Judge(state([]), state(LINES))
    kept = {JOURNAL: [b'{"key": "c", "n": 9}']}
    assert [kind for kind, _ in judge.at_the_end(state(LINES), kept)] == ["lost"]


@pytest.mark.parametrize(
    ("content", "faults"),
    [('{"a": {"n": 1}}', []), ('{"a": {"n": 2}}', ["half"]), ('{"a": {"n"', ["half"]), ("[]", ["half"])],
)
def test_a_mapping_that_grows_is_whole_with_fewer_entries(content: str, faults: list[str], state: Callable) -> None:
    judge = Judge(state([]), state([], batch_sizes_json='{"a": {"n": 1}, "b": {"n": 1}}'))
    assert [kind for kind, _ in judge.at_the_kill(state([], batch_sizes_json=content))] == faults


@pytest.mark.parametrize(("files", "faults"), [({"run_json": "{"}, ["half"]), ({".run_json.1_tmp": "{"}, []), ({}, [])])
def test_a_file_that_is_half_there_under_its_final_name_is_seen(
    files: dict[str, str], faults: list[str], state: Callable
) -> None:
    judge = Judge(state([]), state(LINES, run_json="{}"))
    assert [kind for kind, _ in judge.at_the_kill(state(LINES[:1], **files))] == faults


def test_moments_are_drawn_over_kinds_and_files_not_over_how_often_one_is_written() -> None:
    whole = [Operation(n / 100, "write", "journal") for n in range(98)]
    whole += [Operation(0.98, "sync", "results"), Operation(0.99, "rename", "results")]
    drawn = [draw(random.Random(n), signal.SIGKILL, whole) for n in range(300)]
    assert {s.delay is None for s in drawn} == {True, False}
    assert all(0 <= s.delay <= 0.99 for s in drawn if s.delay is not None)
    assert sum(s.at == 100 for s in drawn) > 40
