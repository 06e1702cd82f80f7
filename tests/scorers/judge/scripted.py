"""Judges that answer by a script: what they read is what a model would be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import Any

from lm_plural.harness.model.spec import ModelSpec
from lm_plural.scorers.judge.judge import Judge
from lm_plural.scorers.judge.rubric import load_rubric

#: From a prompt and its labels, each with the place of its meaning, 0 the least agreement, to their probabilities.
Says = Callable[[str, list[int]], Sequence[float]]


class Scripted:
    """An engine that reads the levels off the prompt and answers by a rule."""

    def __init__(self, says: Says) -> None:
        self.spec, self.says, self.asked = ModelSpec("dummy", {}), says, list[str]()

    def uses_chat(self, _mode: str) -> bool:
        return False

    def context(self, text: str, *, gen_prefix: str = "", **_: Any) -> str:
        return text + gen_prefix

    def label_logprobs(self, requests: Sequence[tuple[str, Sequence[str]]], *_: Any) -> list[list[float]]:
        out = []
        for text, labels in requests:
            self.asked.append(text)
            p = self.says(text, places_of(text, labels))
            out.append([log(max(x, 1e-9)) for x in p])
        return out

    def responses(self, *_: Any, **__: Any) -> list[Any]:
        raise NotImplementedError


def places_of(text: str, labels: Sequence[str]) -> list[int]:
    """Return the place of each label's meaning, as the prompt shows it."""
    shown = [line.partition(" = ")[2] for line in text.splitlines() if line[:4] in [f"{x} = " for x in labels]]
    places = list(range(len(labels)))
    return places if shown[0].startswith(("strongly disagree", "stimme gar nicht zu")) else places[::-1]


def made(says: Says, rubric: str = "toxicity") -> tuple[Judge, Scripted]:
    engine = Scripted(says)
    return Judge(engine, load_rubric(rubric), identity="scripted", name=rubric), engine


def at(place: int, places: Sequence[int], mass: float = 0.95) -> list[float]:
    """Return probabilities of a judge that is nearly sure of a level."""
    return [mass * (0.9 if p == place else 0.025) for p in places]
