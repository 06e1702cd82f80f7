"""A task with two clearly different groups, and a journal of whatever answers a test gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.run.journal import Journal, Record
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.plan import Request, plan
from lm_plural.harness.task.elicit import Variant
from lm_plural.harness.task.load import Doc, Limit
from tests.suite import Suite

SPEC = ModelSpec("dummy", {})
#: Of the levels 1 to 5.
Answer = Callable[[Doc, Variant], Sequence[float]]


def apart(suite: Suite, *, items: int = 20, raters: int = 12) -> Suite:
    """Give the suite men who say 1 or 2, women who say 4 or 5, one person who says nothing of gender and one alone."""
    who = {f"r{n}": "man" if n < raters else "woman" for n in range(2 * raters)} | {"x": "", "y": "other"}
    suite.raters = "rater_id,gender,race\n" + "".join(f"{r},{g},white\n" for r, g in who.items())
    suite.items = [{"item_id": f"i{n}", "prompt_id": "p", "text": f"text {n}", "lang": "en"} for n in range(items)]
    rng = np.random.default_rng(0)
    low = {"man": 1, "woman": 4}
    lines = [
        f"i{n},{r},{low.get(g, 3) + rng.integers(2)}\n"
        for n in range(items)
        for r, g in who.items()
        if r != "y" or n < 3
    ]
    suite.ratings = "item_id,rater_id,harm\n" + "".join(lines)
    suite.task |= {"groups": {"axes": ["gender"], "min_raters": 5}, "elicitation": {"codings": ["levels"]}}
    suite.recipe["raters"].pop("separator")
    return suite


def answered(suite: Suite, journal: Path, answer: Answer, limit: Limit = None) -> Work:
    """Return the suite's task with every request answered by probabilities of the levels."""
    loaded = suite.load()
    requests = plan(loaded, SPEC, limit)
    book = Journal(journal)
    book.append(_record(r, answer(r.doc, r.variant)) for r in requests if r.variant)
    book.close()
    return Work(loaded, requests, Journal(journal), limit)


def _record(request: Request, answer: Sequence[float]) -> Record:
    logs = np.log(np.maximum(answer, 1e-9)).tolist()
    named = {"key": request.key, "item_id": request.doc.id, "part": request.part, "doc": dict(request.doc.fields)}
    return {**named, "filtered_resps": [logs]}


def peak(level: float, share: float = 1.0) -> list[float]:
    """Return a distribution around a level, of which `share` falls on the scale."""
    p = np.exp(-((np.arange(1, 6) - level) ** 2))
    return list(share * p / p.sum())
