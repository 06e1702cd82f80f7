"""The door of a run's folder: its files are damaged, then the results are made again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from lm_plural.harness.result.read import read_content
from tests.attack import mutate
from tests.attack.breaks import break_jsonl
from tests.attack.door import Door, FaultError, Runner
from tests.attack.doors.replies import FEW, asking, healthy
from tests.model.loopback import Loopback
from tests.suite import Suite, default_task

WRITTEN = re.compile(r"^(?:results written to|nothing new; the same results are in) (.*\.json)$", re.MULTILINE)


@dataclass
class Finished:
    """A finished run: its folder, the words that made it, and its results."""

    out: Path
    words: list[str]
    results: dict[str, Any]
    task: str


def _results(path: Path) -> dict[str, Any]:
    return read_content(path)


def prepare(folder: Path, run: Runner) -> list[Finished]:
    """Make two runs: a rate task of the dummy model, and a respond task of a server that always says the same."""
    server = Loopback(healthy)
    few = {"codings": ["letters"], "max_off_scale": 1.0}
    rate = Suite(folder / "a", task=default_task() | {"task": "rate", "elicitation": few}).write()
    respond = Suite(folder / "b").respond(task="respond", generation_kwargs={"max_gen_toks": 8}).write()
    made = []
    for name, suite, model in (
        ("rate", rate, ["--model", "dummy"]),
        ("respond", respond, asking(server, "local-chat-completions")),
    ):
        words = ["run", *model, "--tasks", str(suite.task_path), *FEW]
        answer = run(*words, "-o", folder / name, valid=True)
        made.append(Finished(folder / name, words, _results(Path(WRITTEN.findall(answer.out)[0])), name))
    return made


def essence(folder: Path) -> dict[str, Any]:
    """Return what the results are made of, as far as a second reader can read it: by key, the last of each."""
    out: dict[str, Any] = {}
    for path in [*folder.glob("samples_*.jsonl"), *folder.glob("scores_*.jsonl")]:
        if not path.is_file():
            continue
        for line in path.read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
                out[f"{path.name} {record['key']}"] = record
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
    try:
        out["run"] = json.loads((folder / "run.json").read_bytes())
    except (ValueError, OSError, RecursionError):
        out["run"] = None
    return out


def damage(rng: Random, folder: Path) -> None:
    """Damage one file of a run's folder."""
    journals = [*folder.glob("samples_*.jsonl"), *folder.glob("scores_*.jsonl")]
    jsons = [folder / "run.json", *folder.glob("results_*.json"), *folder.glob("details_*.json")]
    path = rng.choice([*journals, *journals, *jsons])
    lines = path.is_file() and path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    if not lines:
        return
    raw, n = path.read_bytes(), rng.randrange(len(lines))
    lines_ways: list[Callable[[], bytes]] = [
        lambda: _lines([*break_jsonl(rng, lines[:-1]), ""]),
        lambda: _lines([*lines[:-1], lines[n][: rng.randrange(len(lines[n]) + 1)]]),
        lambda: _lines([*lines[:n], lines[n], *lines[n:]]),
        lambda: _lines([*rng.sample(lines[:-1], len(lines) - 1), ""]),
        lambda: _lines(
            [*lines[:n], rng.choice(["", " ", "\r", "null", "3", "{}", '{"key": 3}', '{"key": "x"}', "[]"]), *lines[n:]]
        ),
        lambda: _lines([*lines[:n], _other_key(rng, lines[n]), *lines[n:]]),
        lambda: raw.rstrip(b"\n"),
        lambda: raw + raw[: rng.randrange(len(raw) + 1)],
        lambda: raw.replace(b"\n", b"\r\n"),
    ]
    whole_ways: list[Callable[[], bytes]] = [
        lambda: _tree(rng, raw),
        lambda: _tree(rng, raw),
        lambda: rng.choice(
            [b"null", b"[]", b"{}", b"3", b'"x"', b"[" * 100_000, b"", b"NaN", b'{"results": NaN}', b"\xff"]
        ),
        lambda: raw[: rng.randrange(len(raw) + 1)],
        lambda: b"\xef\xbb\xbf" + raw,
    ]
    if (how := rng.random()) < 0.72:
        path.write_bytes(rng.choice(lines_ways if path.suffix == ".jsonl" else whole_ways)())
    elif how < 0.84:
        path.write_bytes(mutate.flipped(rng, raw))
    elif how < 0.88:
        path.unlink()
    elif how < 0.91:
        path.unlink()
        rng.choice(
            [
                lambda: path.mkdir(),
                lambda: path.symlink_to("nowhere"),
                lambda: path.symlink_to(path.name),
                lambda: path.write_bytes(b""),
            ]
        )()
    else:
        new = rng.choice([".results_2026.json.4194305.tmp", "results_0000.json", "samples_other.jsonl", ".lock"])
        (folder / new).write_bytes(rng.choice([b"", b"null", b"{}", b"[" * 100_000, b"\xff", b'{"key": 3}\n', raw]))


def _tree(rng: Random, raw: bytes) -> bytes:
    try:
        return json.dumps(mutate.tree(rng, json.loads(raw))[0]).encode()
    except ValueError:
        return raw


def _lines(lines: list[str]) -> bytes:
    return "\n".join(lines).encode(
        "utf-8",
        "surrogateescape" if not any("\ud800" <= c < "\udc80" for line in lines for c in line) else "surrogatepass",
    )


def _other_key(rng: Random, line: str) -> str:
    """Return a line like another one, of a key that nobody asks for, or of another content under the same key."""
    try:
        record = json.loads(line)
        if rng.random() < 0.5:
            record["key"] = "0" * 16
        else:
            record[rng.choice([*record])] = mutate.value(rng, strange=False)
        return json.dumps(record)
    except (ValueError, TypeError, RecursionError):
        return "{"


def folders(rng: Random, run: Runner, shared: list[Finished]) -> bool:
    """Damage a folder, then score it again, or run the same command again: the same results, or one line."""
    made, many = rng.choice(shared), rng.choice((0, 1, 1, 1, 1, 2))
    again = made.task == "respond" and rng.random() < 0.5
    shutil.copytree(made.out, "out")
    (folder,) = Path("out").iterdir()
    before = essence(folder)
    for _ in range(many):
        damage(rng, folder)
    after = essence(folder)
    words = [*made.words, "-o", "out"] if again else ["score", folder, *FEW[:-2]]
    answer = run(*words, valid=not many, names="" if again else folder.name)
    if answer.code:
        return False
    written = [Path(p) for p in WRITTEN.findall(answer.out)]
    if len(written) != 1:
        raise FaultError("difference", f"no results named: {answer.out[-200:]!r}")
    found = _results(written[0])
    edited = [k for k in before if k in after and after[k] != before[k]]
    lost = [k for k in before if k not in after]
    if found != made.results and not edited and (again or not lost):
        which = next((k for k in made.results if found.get(k) != made.results[k]), "more keys")
        raise FaultError("difference", f"other results from the same answers: {which}")
    if left := [p.name for p in folder.iterdir() if p.name.endswith(".tmp")]:
        raise FaultError("difference", f"left behind: {left[0][-4:]} file")
    second = run(*words)
    if second.code or "nothing new" not in second.out:
        raise FaultError("difference", f"once more, and it is not the same: {second.err or second.out[-150:]}")
    return True


DOORS = [Door("folder", 20, folders, prepare)]
