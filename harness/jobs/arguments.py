"""What people give as scales, axes and arguments of models, and what jobs make of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lm_plural.harness.errors import UsageError, argument, did_you_mean
from lm_plural.harness.model.arguments import parse_arguments
from lm_plural.harness.model.needs import check_arguments
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.ratings.rules import CHOICES, Chosen, Rules
from lm_plural.harness.ratings.scale import Direction, Scale
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.scoring import check_options, scorer_entry_points, scorer_factory
from lm_plural.harness.task.load import LoadedTask
from lm_plural.harness.task.schema import ScorerSpec

#: Levels, lowest first, or a whole scale.
Levels = Scale | Sequence[str | float]
#: Names of axes, a tuple for the cells of several; one name is an axis, too.
Axes = str | Sequence[Axis]
#: Arguments by name, or ``name=value,name=value``.
Pairs = str | Mapping[str, Any]
#: Scorers: texts, or mappings as in a task file.
Scorers = str | Sequence[str | Mapping[str, Any]]


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


def rules_of(chosen: Chosen) -> Rules:
    """Return what to do with troublesome rows, as a caller said by name.

    Raises
    ------
    TypeError
        For a name that is no rule, which is then no argument of the caller either.
    UsageError
        For a choice that a rule does not have.
    """
    for rule, said in chosen.items():
        if rule not in CHOICES:
            raise TypeError(f"unexpected argument {rule!r}")
        if said not in CHOICES[rule]:
            raise UsageError(f"{argument(rule)} {said!r}: expected {' or '.join(CHOICES[rule])}")
    return Rules(**chosen)


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


def scorers_of(scorers: Scorers, name: str = "scorers") -> list[ScorerSpec]:
    """Return scorers with their options.

    A text is ``NAME``, ``NAME:KEY=VALUE,...`` or ``NAME:{"key": value}``, or several after commas; a first word without
    ``=`` is the scorer's first option: ``judge:toxicity,pretrained=x`` says ``rubric=toxicity``.

    Raises
    ------
    UsageError
        For an unknown scorer, or options it has not or that cannot be read.
    """
    texts = [scorers] if isinstance(scorers, str) else scorers
    specs = [spec for s in texts for spec in (_written(s, name) if isinstance(s, str) else [_mapped(s, name)])]
    if not specs:
        raise UsageError(f"{argument(name)}: names no scorer (lm-plural ls scorers)")
    for spec in specs:
        check_options(spec.name, spec.options)
    return specs


def _mapped(given: Mapping[str, Any], name: str) -> ScorerSpec:
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise UsageError(f"{argument(name)} {given!r:.60}: expected a text, or a mapping with a name")
    return ScorerSpec(name=given["name"], options={k: v for k, v in given.items() if k != "name"})


def _written(text: str, name: str) -> list[ScorerSpec]:
    """Return the scorers of a text; a comma begins another one where the name of a scorer follows it."""
    known = scorer_entry_points()
    parts: list[str] = []
    for word in text.split(","):
        begins = not parts or word.partition(":")[0].strip() in known
        parts = [*parts, word] if begins else [*parts[:-1], f"{parts[-1]},{word}"]
    return [_one(part.strip(), name) for part in parts if part.strip()]


def _one(text: str, name: str) -> ScorerSpec:
    scorer, colon, options = text.partition(":")
    first, _, rest = options.partition(",")
    given: dict[str, Any] = {}
    if colon and first.strip() and "=" not in first and not options.lstrip().startswith("{"):
        key = next(iter(inspect.signature(scorer_factory(scorer)).parameters), None)
        if key is None:
            raise UsageError(f"{argument(name)} {text}: scorer {scorer!r} has no options")
        given, options = {key: first.strip()}, rest
    read = parse_arguments([options], f"{argument(name)} {scorer}") if options else {}
    return ScorerSpec(name=scorer, options=given | read)


def with_scorers(tasks: Sequence[LoadedTask], scorers: Scorers | None) -> list[LoadedTask]:
    """Return tasks whose respond ones have these scorers in the place of their own; None: as they are.

    Raises
    ------
    UsageError
        As :func:`scorers_of`, or if no task is a respond task.
    """
    if scorers is None:
        return list(tasks)
    specs = scorers_of(scorers)
    if not any(t.task.mode == "respond" for t in tasks):
        raise UsageError(f"{argument('scorers')}: none of the tasks is a respond task, whose responses are scored")
    return [
        replace(t, task=t.task.model_copy(update={"scorers": specs})) if t.task.mode == "respond" else t for t in tasks
    ]
