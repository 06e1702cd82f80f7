"""What people give as scales, axes and arguments of models, and what jobs make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from lm_plural.harness.errors import UsageError, argument, did_you_mean
from lm_plural.harness.model.arguments import parse_arguments
from lm_plural.harness.model.needs import check_arguments
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.ratings.scale import Direction, Scale
from lm_plural.harness.ratings.table import Axis

#: What rules may say of troublesome rows (:class:`~lm_plural.harness.ratings.rules.Rules`).
Duplicates = Literal["error", "first", "drop"]
OffScale = Literal["error", "drop"]
Missing = Literal["drop", "error"]
Profiles = Literal["error", "drop", "undeclared", "fill"]
#: Levels, lowest first, or a whole scale.
Levels = Scale | Sequence[str | float]
#: Names of axes, a tuple for the cells of several; one name is an axis, too.
Axes = str | Sequence[Axis]
#: Arguments by name, or ``name=value,name=value``.
Pairs = str | Mapping[str, Any]


def scale_of(levels: Levels, direction: Direction | None = None) -> Scale:
    """Return the scale of some levels, or the scale itself.

    Raises
    ------
    UsageError
        If they are one text, or `direction` is not that of the scale.
    """
    if isinstance(levels, Scale):
        if direction not in (None, levels.direction):
            raise UsageError(f"{argument('direction')} {direction}: the scale says {levels.direction}")
        return levels
    if isinstance(levels, str):
        raise UsageError(f"{argument('scale')} {levels!r}: expected a list of levels, lowest first, like [1, 2, 3]")
    if direction not in (None, "lower", "higher"):
        raise UsageError(f"{argument('direction')} {direction!r}: expected lower or higher")
    return Scale(tuple(map(str, levels)), direction or "lower")


def axes_of(axes: Axes) -> list[Axis]:
    """Return axes as names and tuples of names."""
    return [axes] if isinstance(axes, str) else [a if isinstance(a, str) else tuple(a) for a in axes]


def arguments_of(pairs: Pairs, name: str) -> dict[str, Any]:
    """Return arguments by name.

    Raises
    ------
    UsageError
        For a text that is not ``name=value``.
    """
    return parse_arguments([pairs] * bool(pairs), argument(name)) if isinstance(pairs, str) else dict(pairs)


def spec_of(
    model: str,
    model_args: Pairs,
    gen_kwargs: Pairs,
    apply_chat_template: bool | None,
    system_instruction: str | None,
    seed: int,
) -> ModelSpec:
    """Return which model is asked and how; a UsageError says what its backend lacks."""
    spec = ModelSpec(
        backend=model,
        args=arguments_of(model_args, "model_args"),
        chat_template=apply_chat_template,
        system_instruction=system_instruction,
        gen_kwargs=arguments_of(gen_kwargs, "gen_kwargs"),
        seed=seed,
    )
    check_arguments(spec)
    return spec


def known_tasks(asked: Iterable[str], tasks: Sequence[str], name: str) -> None:
    """Refuse (UsageError) a task that an argument speaks of and that is not among those asked for."""
    for task in asked:
        if task not in tasks:
            hint = did_you_mean(task, tasks)
            raise UsageError(f"{argument(name)}: {task!r} is not among the tasks asked for{hint}")
