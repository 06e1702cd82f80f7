"""What a run would ask, before anything is asked or written: requests, tokens, first prompts, data not at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lm_plural.harness.analysis.overview import MOST_LINES, fitted
from lm_plural.harness.data.find import how_to_get
from lm_plural.harness.jobs.arguments import Axes, Pairs, Scorers, axes_of, spec_of, with_scorers
from lm_plural.harness.jobs.checked import (
    asked_tasks,
    checked_limit,
    checked_places,
    checked_reports,
    not_at_hand,
    valid_tasks,
)
from lm_plural.harness.jobs.evaluate import Settings, check_axes
from lm_plural.harness.model.engine import Prompter
from lm_plural.harness.model.load import check_backend, load_prompter
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.loop import Work, context_of
from lm_plural.harness.run.plan import Request, plan
from lm_plural.harness.scoring import runs_code
from lm_plural.harness.task import elicit
from lm_plural.harness.task.check import Report
from lm_plural.harness.task.index import Index


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model sees it.

    Parameters
    ----------
    part : str
        In which way the item is asked: ``levels/ascending``, or the number of the repeat.
    text : str
        With chat template, system instruction and special tokens.
    labels : tuple of str
        What is scored after it; none where the model writes.
    """

    part: str
    text: str
    labels: tuple[str, ...]


class TaskPreview:
    """What would be asked of one task.

    Parameters
    ----------
    work : Work
    prompter : Prompter or None
        None: prompts are known once the model is loaded.

    Attributes
    ----------
    task : str
    warning : str or None
        What to know before its texts are read.
    items, requests, answered : int
        Items (prompts of a respond task) asked about; requests they make; those that the journal answers already.
    scorers : tuple of str
        What judges the responses.
    """

    def __init__(self, work: Work, prompter: Prompter | None) -> None:
        self._work, self._prompter = work, prompter
        self.task = work.loaded.name
        self.warning = work.loaded.dataset.recipe.warning
        self.items = len({r.doc.index for r in work.requests})
        self.requests = len(work.requests)
        self.answered = self.requests - len(work.missing)
        self.scorers = tuple(s.name for s in work.loaded.task.scorers)

    @cached_property
    def tokens(self) -> int | None:
        """Tokens of the prompts not yet answered; None where nobody can count before the model is asked."""
        prompter, loaded, count = self._prompter, self._work.loaded, 0
        for request in self._work.missing:
            length = prompter.length(context_of(loaded, request, prompter)) if prompter else None
            if length is None:
                return None
            count += length
        return count

    @cached_property
    def prompts(self) -> list[Prompt] | None:
        """The task's first prompt, and the first that asks for the answer of a group; None: not known yet."""
        requests = self._work.requests
        steered = next((r for r in requests if r.variant and r.variant.group is not None), None)
        first = [*requests[:1], *([steered] if steered else [])]
        return [self._prompt(r, self._prompter) for r in first] if self._prompter else None

    def _prompt(self, request: Request, prompter: Prompter) -> Prompt:
        loaded, variant = self._work.loaded, request.variant
        labels = elicit.continuations(loaded.task, loaded.scale_of(request.doc), variant) if variant else ()
        return Prompt(request.part, prompter.shown(context_of(loaded, request, prompter)), tuple(labels))


@dataclass(frozen=True)
class Preview:
    """What a run would ask.

    Parameters
    ----------
    model_name, backend : str
    folder : Path
        Where answers would go.
    tasks : sequence of TaskPreview
    missing : mapping
        What to do about each data set that is not at hand, and the tasks that need it.
    stop : str or None
        What the run would end with because of them.
    code : tuple of str
        Scorers that would be refused, since they run code and nobody has allowed it.
    """

    model_name: str
    backend: str
    folder: Path
    tasks: Sequence[TaskPreview]
    missing: Mapping[str, tuple[str, Sequence[str]]]
    stop: str | None
    code: tuple[str, ...]

    def __repr__(self) -> str:
        todo, total = sum(t.requests - t.answered for t in self.tasks), sum(t.requests for t in self.tasks)
        lines = [f"Preview: {self.model_name}: {todo:,} of {total:,} requests would be asked"]
        lines += [f"{t.task}: {t.requests - t.answered:,} of {t.requests:,}, {t.items:,} items" for t in self.tasks]
        lines += [f"{name} is not at hand: {how}" for name, (how, _) in self.missing.items()]
        hidden = len(lines) - MOST_LINES
        return fitted(lines if hidden <= 0 else [*lines[: MOST_LINES - 1], f"and {hidden + 1} more"])


def preview(
    *,
    tasks: str | Sequence[str],
    model: str = "hf",
    model_args: Pairs = "",
    gen_kwargs: Pairs = "",
    apply_chat_template: bool | None = None,
    system_instruction: str | None = None,
    seed: int = ModelSpec.seed,
    limit: float | None = None,
    samples: Mapping[str, Sequence[int]] | None = None,
    axes: Axes | None = None,
    scorers: Scorers | None = None,
    device: str | None = None,
    trust_remote_code: bool = False,
    include_path: Sequence[str | os.PathLike[str]] = (),
    output_path: str | os.PathLike[str] = "outputs",
) -> Preview:
    """Check what a run would ask, as the run does; nothing is asked, nothing is written.

    Of a Hugging Face model the tokenizer alone is loaded: what only its weights can tell (an argument of theirs, an
    adapter that does not fit, memory) is first seen by the run.

    Parameters
    ----------
    tasks, model, model_args, gen_kwargs, apply_chat_template, system_instruction, seed, limit, samples, axes, scorers
        As of :func:`~lm_plural.harness.jobs.evaluate.evaluate`.
    device, trust_remote_code, include_path, output_path
        The same.

    Returns
    -------
    Preview

    Raises
    ------
    PluralError
        For what ends a run before its first request; data that are not at hand are listed instead.
    UsageError
        For an argument or task that cannot be.

    Examples
    --------
    >>> import lm_plural as lp
    >>> lp.preview(model="dummy", tasks=["plural_demo_toxicity", "plural_demo_respond"], limit=12)
    Preview: dummy: 168 of 168 requests would be asked
    plural_demo_toxicity: 144 of 144, 12 items
    plural_demo_respond: 24 of 24, 12 items
    """
    names = asked_tasks(tasks)
    check_backend(model)
    index = Index([Path(p) for p in include_path])
    reports = checked_reports(index, names)
    loaded = with_scorers(valid_tasks(reports), scorers)
    spec = spec_of(model, model_args, gen_kwargs, apply_chat_template, system_instruction, seed)
    settings = Settings(
        limit=checked_limit(limit),
        samples=checked_places(samples, [r.loaded.name for r in reports if r.loaded], limit),
        axes=None if axes is None else axes_of(axes),
    )
    folder = RunFolder(Path(output_path) / spec.slug)
    chosen = [(t, settings.limit_of(t.name)) for t in loaded]
    works = [Work(t, plan(t, spec, limit), folder.samples(t.name), limit) for t, limit in chosen]
    check_axes(works, settings)
    prompter = load_prompter(spec, device=device, trust_remote_code=trust_remote_code)
    asked = dict.fromkeys(s.name for t in loaded for s in t.task.scorers)
    return Preview(
        model_name=spec.name,
        backend=spec.backend,
        folder=folder.path,
        tasks=[TaskPreview(work, prompter) for work in works],
        missing=_missing(reports),
        stop=not_at_hand(reports, names),
        code=() if trust_remote_code else tuple(name for name in asked if runs_code(name)),
    )


def _missing(reports: Sequence[Report]) -> dict[str, tuple[str, list[str]]]:
    """Return, by data set, what to do about one that is not at hand, and the tasks that need it."""
    found: dict[str, tuple[str, list[str]]] = {}
    for task in (r.loaded for r in reports if r.data_missing and r.loaded):
        recipe, folder = task.dataset.recipe, task.dataset.folder
        found.setdefault(recipe.dataset, (how_to_get(recipe, folder), []))[1].append(task.name)
    return found
