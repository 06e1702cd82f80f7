from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lm_plural
from lm_plural.harness.cli.main import VERBS, main
from lm_plural.harness.errors import PluralError
from tests.conftest import ROOT

Capture = pytest.CaptureFixture[str]
HEAVY = {
    "torch",
    "transformers",
    "lm_eval",
    "polars",
    "numpy",
    "scipy",
    "pandas",
    "sklearn",
    "jinja2",
    "detoxify",
    "evaluate",
    "datasets",
    "altair",
    "huggingface_hub",
    "pydantic",
}
#: Not even these are needed to say what there is.
LIGHT = HEAVY | {"yaml"}


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_help_names_every_verb_and_the_exit_codes(words: list[str], capsys: Capture) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)
    assert "2 usage or invalid task" in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_page(verb: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    assert f"usage: lm-plural {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["-V", "--version"])
def test_version(word: str, capsys: Capture) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out == f"lm-plural {lm_plural.__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rnu"], "lm-plural: error: unknown verb 'rnu'; did you mean 'run'? (lm-plural --help)"),
        (["xyzzy"], "lm-plural: error: unknown verb 'xyzzy' (lm-plural --help)"),
        ([""], "lm-plural: error: unknown verb '' (lm-plural --help)"),
        (["run", "--modle", "hf"], "lm-plural run: error: unknown option --modle; did you mean '--model'"),
        (["run", "--tsaks=a"], "lm-plural run: error: unknown option --tsaks; did you mean '--tasks'"),
        (["--taks", "a"], "lm-plural run: error: unknown option --taks; did you mean '--tasks'"),
        (["run", "--mod", "hf"], "lm-plural run: error: unknown option --mod; did you mean '--model'"),
        (["ls", "tasks", "more"], "lm-plural ls: error: one word too many: more"),
        (["ls", "taks"], "lm-plural ls: error: argument what: invalid choice: 'taks' (choose from"),
        (["score"], "lm-plural score: error: the following arguments are required: FOLDER"),
        (["run", "--limit", "0"], "lm-plural run: error: argument --limit/-L: '0' is not a positive count"),
        (["run", "--limit", "inf"], "lm-plural run: error: argument --limit/-L: 'inf' is not a positive count"),
        (["run"], "lm-plural run: error: no tasks: give --tasks"),
        (["run", "--tasks"], "lm-plural run: error: argument --tasks/-t: expected at least one argument"),
        (["run", "-t", "plural_dmo"], "lm-plural run: error: unknown task 'plural_dmo'; did you mean 'plural_demo'"),
        (["run", "-t", "plural_demo", "-M", "hff"], "lm-plural run: error: unknown model backend 'hff'; did you mean"),
    ],
)
def test_a_wrong_command_is_one_line_on_stderr_and_exit_code_2(
    words: list[str], expected: str, capsys: Capture
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert err.startswith(expected)
    assert err.count("\n") == 1
    assert out == ""


def shell(line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line in bash with lm-plural as ``$L``; the exit code of the pipe is that of its first failure."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "L": f"{sys.executable} -m lm_plural", **env},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["ls tasks", "ls axes", "--help", "run --help", "schema task"])
def test_a_reader_that_has_seen_enough_is_no_error(verb: str) -> None:
    done = shell(f"$L {verb} | head -1")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert "Error" not in done.stderr
    assert shell(f"$L {verb} 2>&1 >/dev/null | true").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_exit_code_1() -> None:
    done = shell("$L ls tasks > /dev/full")
    assert (done.returncode, done.stderr) == (1, "lm-plural: error: [Errno 28] No space left on device\n")


def test_a_closed_stdout_is_no_error() -> None:
    done = shell("$L ls tasks >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_that_cannot_show_a_character_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("task: größe\n", encoding="utf-8")
    done = shell(f"$L ls tasks --include_path {tmp_path}", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "gr\\xf6\\xdfe" in done.stdout


def imported(*words: str) -> set[str]:
    """Return the top-level modules loaded after a command, in a process of its own."""
    code = (
        "import sys\n"
        "from lm_plural.harness.cli.main import main\n"
        f"main({list(words)})\n"
        "print('LOADED', *{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["rnu"], []])
def test_nothing_heavy_is_imported_to_say_what_there_is(words: list[str]) -> None:
    modules = imported(*words)
    assert "lm_plural" in modules
    assert not modules & LIGHT


@pytest.mark.parametrize("words", [["ls", "tasks"], ["ls"], ["ls", "none"], ["run", "--nonsense"], ["schema", "none"]])
def test_nothing_heavy_is_imported_to_list_tasks_or_refuse_a_command(words: list[str]) -> None:
    assert not imported(*words) & HEAVY


@pytest.mark.parametrize(("words", "limit"), [(["--help"], 0.3), (["ls", "tasks"], 0.5)])
def test_the_first_answer_comes_at_once(words: list[str], limit: float) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "lm_plural", *words], capture_output=True, timeout=60, check=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < limit


@pytest.mark.parametrize(
    ("which", "said", "code"), [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)]
)
@pytest.mark.parametrize(
    "error", [TypeError("expected a message argument"), PluralError("cannot be made"), SystemExit(1)]
)
def test_a_signal_that_a_library_makes_an_error_of_its_own_still_ends_the_command_as_one(
    error: BaseException,
    which: signal.Signals,
    said: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    from lm_plural.harness.cli.looking import ls

    def execute(_args: object) -> int:
        try:
            os.kill(os.getpid(), which)
            time.sleep(5)
        except KeyboardInterrupt:
            raise error from None
        return 0

    monkeypatch.setattr(ls, "execute", execute)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        assert main(["ls", "tasks"]) == code
        assert capsys.readouterr().err == f"lm-plural ls: {said}; the same command goes on where it stopped\n"
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


def test_half_a_character_on_the_command_line_is_a_usage_error(capsys: Capture) -> None:
    assert main(["data", "import", "\ud83d"]) == 2
    assert capsys.readouterr().err == "lm-plural: error: '\\ud83d': half a character, which names nothing\n"
