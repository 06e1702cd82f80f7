"""Drawing a distribution over a scale out of a model (methods 1.4).

The labels are shown in several orders and codings, and the question asked in several wordings, and the resulting
distributions averaged, because a model's preference for a position, a symbol or a phrase would otherwise look like a
severity of judgement.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.task.schema import Coding, Order, Task
from lm_plural.harness.task.template import render

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Variant:
    """One way to ask: how the scale is shown, in which wording, and as a member of which group, if any."""

    coding: Coding
    order: Order
    wording: int = 0
    group: str | None = None

    @property
    def scale(self) -> str:
        """How the scale is shown."""
        return f"{self.coding}/{self.order}"

    def __str__(self) -> str:
        wording = f"/{self.wording}" if self.wording else ""
        return self.scale + wording + (f"/as {self.group}" if self.group is not None else "")


def variants(task: Task, group: str | None = None) -> list[Variant]:
    """Return all combinations of a task's wordings, codings and orders; `group`: asked as one of its members."""
    e = task.elicitation
    return [Variant(c, o, w, group) for w, c, o in product(range(len(task.wordings)), e.codings, e.orders)]


def steering(task: Task, group: str) -> str:
    """Return the text that asks a model to answer as a member of a group of the task's ``steer`` axis.

    Raises
    ------
    TemplateRenderError
        If it does not render.
    """
    assert task.steer
    values = {"axis": task.steer.axis, "group": task.steer.names.get(group, group)}
    return render(task.steer.text, values, blank=True).strip()


def shown(task: Task, scale: Scale, variant: Variant) -> tuple[list[int], list[str]]:
    """Return the levels in the order shown and the label of each place.

    Letters belong to the place (A is always first), the other labels to the level.

    Raises
    ------
    UsageError
        If there are fewer or more labels than levels.
    """
    if variant.coding == "levels" and len(task.choices) != scale.size:
        raise UsageError(f"doc_to_choice: {len(task.choices)} labels for the {scale.size} levels of the scale")
    if variant.coding == "letters" and scale.size > len(string.ascii_uppercase):
        raise UsageError(f"coding 'letters' has {len(string.ascii_uppercase)} labels for {scale.size} levels")
    order = list(range(scale.size))[:: 1 if variant.order == "ascending" else -1]
    labels = {"levels": task.choices, "words": list(scale.labels), "letters": []}[variant.coding]
    if variant.coding == "letters":
        return order, list(string.ascii_uppercase[: scale.size])
    return order, [labels[k] for k in order]


def prompt(task: Task, scale: Scale, variant: Variant, fields: Mapping[str, str]) -> str:
    """Render a rate task's prompt.

    The template sees the item's fields, ``options`` (one line per level, ``(3) neutral``) and ``labels`` (a list).

    Raises
    ------
    TemplateRenderError
        If the template does not render.
    """
    order, labels = shown(task, scale, variant)
    words = [scale.labels[k] for k in order]
    lines = [f"({la}) {w}" if la != w else f"({la})" for la, w in zip(labels, words, strict=True)]
    text = render(task.wordings[variant.wording], {**fields, "options": "\n".join(lines), "labels": labels})
    return text if variant.group is None else f"{steering(task, variant.group)}\n\n{text}"


def continuations(task: Task, scale: Scale, variant: Variant) -> list[str]:
    """Return what is scored for each level, lowest first."""
    order, labels = shown(task, scale, variant)
    by_level = dict(zip(order, labels, strict=True))
    return [task.target_delimiter + by_level[k] for k in range(scale.size)]


def distribution(logprobs: Sequence[Sequence[float]]) -> tuple[Floats, float]:
    """Return q and the off-scale mass of one item.

    Parameters
    ----------
    logprobs : sequence of shape (V, K)
        Log-probability in nats of each level's label under each variant.

    Returns
    -------
    q : ndarray, shape (K,)
        Mean over variants of the softmax over the K labels; NaN if a variant gives no label any probability.
    off_scale : float
        Mean over variants of the probability that falls on none of the labels, in [0, 1].
    """
    lp = np.asarray(logprobs, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        p = np.exp(lp - lp.max(axis=1, keepdims=True))
        q = (p / p.sum(axis=1, keepdims=True)).mean(axis=0)
    off = 1 - np.minimum(np.exp(lp).sum(axis=1), 1.0)
    return q, float(off.mean())
