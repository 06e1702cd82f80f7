"""One trial: a command is stopped, perhaps twice, then repeated; what it leaves is judged."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from lm_plural.harness.model.embedded import embedded_model
from tests.kill.compare import Judge, State
from tests.kill.process import Ended, Operation, Place, Stop, draw
from tests.kill.scenarios import Scenario, Words

#: Exit codes of a command that is told to stop.
CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130, signal.SIGTERM: 143}
#: Draws until a signal comes before the command has finished.
TRIES = 12


@dataclass
class Trial:
    """What one did and what was wrong.

    `fell`: operations at which signals came; `kept`: lines of journals that were whole then.
    """

    scenario: str
    stops: list[Stop] = field(default_factory=list)
    fell: list[Operation] = field(default_factory=list)
    kept: dict[str, list[bytes]] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Prepared:
    """A scenario, the folder it begins with, and what an uninterrupted run of it did."""

    scenario: Scenario
    scratch: Path
    shim: Path
    template: Path
    judge: Judge
    whole: list[Operation]

    @classmethod
    def of(cls, scenario: Scenario, scratch: Path, shim: Path) -> Prepared:
        """Run what comes first, then the command, uninterrupted."""
        root = scratch / scenario.name.replace(" ", "_")
        template = Place(root / "template", shim, scenario.env)
        (template.folder / "cache").mkdir(parents=True)
        if scenario.model:
            model = embedded_model()
            (template.folder / "cache" / model.name).symlink_to(model)
        for words in scenario.first:
            _well(template.run(words), words)
        for pattern in scenario.without:
            for path in template.folder.glob(pattern):
                path.unlink()
        scenario.files(template.folder)
        with _fresh(template, root) as place:
            before = State.of(place.folder)
            ended = place.run(_words(scenario, place))
            _well(ended, scenario.words)
            judge = Judge(before, State.of(place.folder), scenario.ordered)
        return cls(scenario, root, shim, template.root, judge, ended.operations)

    def stop(self, which: signal.Signals, rng: random.Random) -> Trial:
        """Try until a signal lands, then repeat the command and judge; the trial has no stops if none landed."""
        started = time.monotonic()
        for _ in range(TRIES):
            trial = Trial(self.scenario.name)
            with _fresh(Place(self.template, self.shim, self.scenario.env), self.scratch) as place:
                if not self._stopped(place, draw(rng, which, self.whole), trial):
                    continue
                if rng.random() < 0.25:  # the command that goes on is killed, too
                    self._stopped(place, draw(rng, signal.SIGKILL, self.whole), trial)
                self._repeat(place, trial)
                trial.seconds = time.monotonic() - started
                break
        return trial

    def _stopped(self, place: Place, stop: Stop, trial: Trial) -> bool:
        """Return whether the signal landed: it came while there was something left to do."""
        ended = place.run(_words(self.scenario, place), stop)
        found = State.of(place.folder)
        ignored = stop.delay is None and stop.at < len(ended.operations)
        if found == self.judge.after or (self._fine(ended) and not ignored):
            return False
        trial.stops.append(stop)
        trial.fell += ended.operations[stop.at - 1 : stop.at] if stop.at else []
        if ended.code != CODES[stop.signal] or not _one_line(ended, stop):
            trial.faults.append(("unclean", f"{stop}: exit {ended.code}: {ended.said[-400:].strip()!r}"))
        trial.faults += [(kind, f"{stop}: {text}") for kind, text in self.judge.at_the_kill(found)]
        for name, lines in found.journals.items():
            trial.kept[name] = list(dict.fromkeys([*trial.kept.get(name, ()), *lines]))
        return True

    def _repeat(self, place: Place, trial: Trial) -> None:
        stops = ", ".join(map(str, trial.stops))
        ended = place.run(_words(self.scenario, place))
        if not self._fine(ended):
            trial.faults.append(("unclean", f"{stops}: repeated: exit {ended.code}: {ended.said[-400:].strip()!r}"))
        found = self.judge.at_the_end(State.of(place.folder), trial.kept)
        trial.faults += [(kind, f"{stops}: {text}") for kind, text in found]

    def _fine(self, ended: Ended) -> bool:
        """Return whether a command did all it had to do, or says that it was done before."""
        return ended.code == 0 or bool(self.scenario.done and self.scenario.done in ended.said)


@contextmanager
def _fresh(template: Place, scratch: Path) -> Iterator[Place]:
    """Yield a copy of a place; it is removed afterwards."""
    with TemporaryDirectory(dir=scratch) as root:
        place = Place(Path(root), template.shim, template.env)
        shutil.copytree(template.folder, place.folder, symlinks=True)
        yield place


def _words(scenario: Scenario, place: Place) -> Words:
    """Return the command, patterns of file names replaced as a shell does."""
    out: list[str] = []
    for word in scenario.words:
        found = [str(p.relative_to(place.folder)) for p in place.folder.glob(word)] if "*" in word else []
        out += found or [word]
    return tuple(out)


def _well(ended: Ended, words: Words) -> None:
    if ended.code:
        message = f"lm-plural {' '.join(words)}: exit {ended.code}: {ended.said}"
        raise RuntimeError(message)


def _one_line(ended: Ended, stop: Stop) -> bool:
    """Return whether a command that was told to stop says so in its last line, and no traceback before."""
    last = ended.said.rpartition("\n")[0].splitlines()[-1:]
    said = bool(last and "the same command goes on" in last[0] and "Traceback" not in ended.said)
    return said or stop.signal == signal.SIGKILL
