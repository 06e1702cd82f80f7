"""The main job: generate, score, aggregate; and everything after generation again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.overview import ManyResults, found_of, named
from lm_plural.harness.documents import load_yaml
from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.files import is_file
from lm_plural.harness.jobs.arguments import Axes, Pairs, Scorers, axes_of, spec_of, with_scorers
from lm_plural.harness.jobs.checked import asked_tasks, checked_limit, checked_places, checked_tasks, stored_task
from lm_plural.harness.model.adapters import SharedBase
from lm_plural.harness.model.load import check_backend
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.result.predictions import predictions, save_predictions
from lm_plural.harness.result.write import build_results, save_results, task_block
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Asking, Work, ask_all
from lm_plural.harness.run.plan import plan
from lm_plural.harness.run.progress import Progress
from lm_plural.harness.run.score import Pair, Scoring, reference_pairs, response_pairs
from lm_plural.harness.scoring import UnderTest
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import Limit, LoadedTask, load_task


@dataclass(frozen=True)
class Settings:
    """How to run; nothing here changes an answer except ``limit``, which changes how many there are.

    Parameters
    ----------
    limit : int, float or None
        First items of each task: a count, or a share below 1.
    samples : mapping
        Places of the items to ask of some tasks; the others are left to `limit`.
    batch_size : int or None
        None: automatic.
    max_batch_size : int
    device : str or None
    axes : sequence or None
        Instead of each task's own.
    predict_only : bool
        Neither scores nor results.
    trust_remote_code : bool
        Whether models and scorers may run code of their own.
    include_path : tuple of str
        Kept in ``run.json``, so that ``score`` finds the tasks again.
    options : Options
        What intervals speak of, and how they are drawn; groups, weights and references are the tasks' own.
    """

    limit: int | float | None = None
    samples: Mapping[str, Sequence[int]] = field(default_factory=dict)
    batch_size: int | None = None
    max_batch_size: int = 256
    device: str | None = None
    axes: Sequence[Axis] | None = None
    predict_only: bool = False
    trust_remote_code: bool = False
    include_path: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)

    def limit_of(self, task: str) -> Limit:
        """Return which items of a task to ask."""
        return self.samples.get(task, self.limit)


@dataclass(frozen=True, repr=False)
class Outcome(ManyResults):
    """Where the results are, what they say, and whether anything was new."""

    folder: Path
    path: Path | None
    content: dict[str, Any] | None
    new: bool

    def _said(self) -> tuple[str, Mapping[str, Any], str]:
        content, where = self.content or {}, str(self.path or self.folder)
        if "audited" in content:
            return f"Outcome: audit of {content['scorer']['name']}", content["audited"], where
        if "annotated" in content:
            return f"Outcome: {named(content['model_name'])}, rated by people,", content["annotated"], where
        name = named(content.get("model_name", "answers only"))
        return f"Outcome: {name}", content.get("disaggregated", {}), where


def evaluate(
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
    inference: Inference = Options.inference,
    min_raters_interval: int = Options.min_raters_interval,
    draws: int = Options.draws,
    permutations: int = Options.permutations,
    strata: str | None = None,
    scorers: Scorers | None = None,
    show_unfit: bool = False,
    batch_size: int | None = None,
    max_batch_size: int = Settings.max_batch_size,
    device: str | None = None,
    predict_only: bool = False,
    trust_remote_code: bool = False,
    include_path: Sequence[str | os.PathLike[str]] = (),
    output_path: str | os.PathLike[str] = "outputs",
    base: SharedBase | None = None,
) -> Outcome:
    """Evaluate a model on group-rated tasks; the same call again resumes or has nothing to do.

    Parameters
    ----------
    tasks : sequence of str
        Names, tags, globs or YAML files (``lm-plural ls tasks``).
    model : str
        Backend of lm-eval: ``hf``, ``vllm``, ``local-chat-completions``, ...
    model_args, gen_kwargs : mapping or str
        Arguments of the model and of generation: ``{"pretrained": "org/name"}`` or ``"pretrained=org/name"``.
    apply_chat_template : bool, optional
        By default for respond tasks of models that have one.
    system_instruction : str, optional
    seed : int
        Of sampled responses.
    limit : int or float, optional
        First items of each task: a count, or a share below 1.
    samples : mapping, optional
        Places of the items to ask, by task; not with `limit`.
    axes : sequence, optional
        Instead of the tasks' own; a tuple for the cells of several.
    inference, min_raters_interval, draws, permutations, strata
        As of :func:`~lm_plural.harness.jobs.disaggregate.disaggregate`.
    scorers : sequence, optional
        Of respond tasks, in the place of their own: ``"profanity"``, ``"judge:toxicity,pretrained=..."``, or mappings
        as in a task file. A judge without a model is the model under test, and results say that it judges itself.
    show_unfit : bool
        Give the numbers of judges that are not fit to judge, too.
    batch_size : int, optional
        By default found out, up to `max_batch_size`.
    device : str, optional
    predict_only : bool
        Answers only, neither scores nor results.
    trust_remote_code : bool
        Whether models and scorers may run code of their own.
    include_path : sequence of path
        Folders with more tasks.
    output_path : path
        Files go to ``<output_path>/<model>/``.
    base : SharedBase, optional
        The same one in several calls: adapters (``peft``) of one base load it once.

    Returns
    -------
    Outcome

    Raises
    ------
    PluralError
        For anything outside the program that fails; every answer so far stays in the journal.
    UsageError
        For an argument or task that cannot be.

    Examples
    --------
    lm-eval's dummy model answers at random.

    >>> import lm_plural as lp
    >>> outcome = lp.evaluate(
    ...     model="dummy", tasks=["plural_demo_toxicity"], limit=12, axes=["gender"], draws=200, permutations=200
    ... )
    >>> sorted(outcome.content["disaggregated"]["plural_demo_toxicity"]["axes"]["gender"]["groups"])
    ['man', 'non_binary', 'undeclared', 'woman']
    """
    started = datetime.now()
    names = asked_tasks(tasks)
    check_backend(model)
    loaded = with_scorers(checked_tasks(Index([Path(p) for p in include_path]), names), scorers)
    spec = spec_of(model, model_args, gen_kwargs, apply_chat_template, system_instruction, seed)
    settings = Settings(
        limit=checked_limit(limit),
        samples=checked_places(samples, [t.name for t in loaded], limit),
        batch_size=batch_size,
        max_batch_size=max_batch_size,
        device=device,
        axes=None if axes is None else axes_of(axes),
        predict_only=predict_only,
        trust_remote_code=trust_remote_code,
        include_path=tuple(map(str, include_path)),
        options=Options(
            inference=inference,
            min_raters_interval=min_raters_interval,
            draws=draws,
            permutations=permutations,
            strata=strata,
            show_unfit=show_unfit,
        ),
    )
    return evaluate_tasks(loaded, spec, Path(output_path), settings, started, base)


def score(
    run: str | os.PathLike[str],
    *,
    tasks: str | Sequence[str] | None = None,
    axes: Axes | None = None,
    inference: Inference = Options.inference,
    min_raters_interval: int = Options.min_raters_interval,
    draws: int = Options.draws,
    permutations: int = Options.permutations,
    strata: str | None = None,
    scorers: Scorers | None = None,
    show_unfit: bool = False,
    trust_remote_code: bool = False,
) -> Outcome:
    """Score and aggregate again from the journal of a run; the model is not needed.

    Parameters
    ----------
    run : path
        Folder of a run.
    tasks : sequence of str, optional
        Of the run's tasks; default all.
    axes, inference, min_raters_interval, draws, permutations, strata, scorers, show_unfit, trust_remote_code
        As of :func:`evaluate`.

    Raises
    ------
    PluralError
        If there is no finished run of a model, or a task's file is no longer there.
    UsageError
        For a task that is not in the run.
    """
    started, folder = datetime.now(), RunFolder(Path(run))
    known = folder.read_run()
    names = [tasks] if isinstance(tasks, str) else tasks or ()
    for name in names:
        if name not in known["tasks"]:
            raise UsageError(f"{folder.path}: no task {name!r} in this run{did_you_mean(name, known['tasks'])}")
    chosen = {n: known["tasks"][n] for n in names or known["tasks"]}
    found = [reloaded(folder.path, name, t) for name, t in chosen.items()]
    loaded = list(zip(with_scorers([t for t, _ in found], scorers), (limit for _, limit in found), strict=True))
    options = Options(
        inference=inference,
        min_raters_interval=min_raters_interval,
        draws=draws,
        permutations=permutations,
        strata=strata,
        show_unfit=show_unfit,
    )
    settings = Settings(
        axes=None if axes is None else axes_of(axes), options=options, trust_remote_code=trust_remote_code
    )
    return rescore(loaded, folder, ModelSpec.stored(known), settings, started)


def reloaded(run: Path, name: str, stored: dict[str, Any]) -> tuple[LoadedTask, Limit]:
    """Return a task as it is now, and the items it ran on; raises PluralError if its file is no longer there."""
    if not is_file(path := Path(stored["path"])):
        raise PluralError(f"{run / 'run.json'}: task {name!r}: its file {str(path)!r} is not there any more")
    index = Index([Path(p) for p in stored["include_path"]])
    return load_task(load_yaml(path), index), stored["limit"]


def evaluate_tasks(
    tasks: Sequence[LoadedTask],
    spec: ModelSpec,
    output_path: Path,
    settings: Settings,
    started: datetime | None = None,
    base: SharedBase | None = None,
) -> Outcome:
    """Evaluate a model on tasks; the same call again resumes or has nothing to do.

    Parameters
    ----------
    tasks : sequence of LoadedTask
    spec : ModelSpec
    output_path : Path
        Files go to ``<output_path>/<model_slug>/``.
    settings : Settings
    started : datetime, optional
        For the time in the results.
    base : SharedBase, optional
        What is loaded already.

    Raises
    ------
    PluralError
        For anything outside the program that fails; every answer so far stays in the journal.
    """
    folder = RunFolder(output_path / spec.slug)
    with folder.locked(), ExitStack() as stack:
        chosen = [(t, settings.limit_of(t.name)) for t in tasks]
        works = [Work(t, plan(t, spec, limit), folder.samples(t.name), limit) for t, limit in chosen]
        check_axes(works, settings)
        for work in works:
            stack.callback(work.journal.close)
        _remember(folder, works, spec, settings)
        system = spec.system_instruction or ""
        scorings = {} if settings.predict_only else _open_scorings(works, folder, settings, stack, spec)
        blocks: dict[str, dict[str, Any]] = {}
        if any(work.missing for work in works):
            sizes, total = folder.sizes(), sum(len(work.requests) for work in works)
            with Progress(total, total - sum(len(work.missing) for work in works)) as progress:
                progress.wait_for("loading the model")
                engine = (base or SharedBase()).engine(
                    spec,
                    batch_size=settings.batch_size,
                    device=settings.device,
                    trust_remote_code=settings.trust_remote_code,
                )
                how = Asking(
                    engine,
                    settings.batch_size,
                    settings.max_batch_size,
                    sizes,
                    lambda work, records: _score_batch(scorings, work, records, system),
                    progress,
                    lambda work: "" if settings.predict_only else _found(blocks, work, settings),
                )
                ask_all(works, how)
        if settings.predict_only:
            return Outcome(folder.path, None, None, new=True)
        return _aggregate(works, scorings, blocks, folder, spec, settings, started or datetime.now())


def rescore(
    tasks: Sequence[tuple[LoadedTask, Limit]],
    folder: RunFolder,
    spec: ModelSpec,
    settings: Settings,
    started: datetime | None = None,
) -> Outcome:
    """Repeat everything after generation from the journals in `folder`; the model is not needed.

    Parameters
    ----------
    tasks : sequence of (LoadedTask, limit)
        Each with the limit it ran under.
    folder : RunFolder
    spec : ModelSpec
    settings : Settings
    started : datetime, optional

    Raises
    ------
    PluralError
        If the journal lacks answers the tasks ask for.
    """
    with folder.locked(), ExitStack() as stack:
        works = [Work(t, plan(t, spec, limit), folder.samples(t.name), limit) for t, limit in tasks]
        check_axes(works, settings)
        for work in works:
            if work.missing:
                raise PluralError(
                    f"{work.journal.path}: {len(work.missing)} of {len(work.requests)} answers are missing: "
                    "the run is not finished, or the task asks something else now; run it again"
                )
        scorings = _open_scorings(works, folder, settings, stack, spec, again=True)
        return _aggregate(works, scorings, {}, folder, spec, settings, started or datetime.now())


def check_axes(works: Sequence[Work], settings: Settings) -> None:
    """Refuse an unknown axis before anything is asked."""
    for work in works:
        for axis in settings.axes or ():
            (work.loaded.shares if work.loaded.by_shares else work.loaded.table).groups(axis)


def _remember(folder: RunFolder, works: Sequence[Work], spec: ModelSpec, settings: Settings) -> None:
    """Write ``run.json``; tasks of earlier commands with the same model stay in it."""
    known = folder.read_run()["tasks"] if (folder.path / "run.json").exists() else {}
    tasks = {
        w.loaded.name: stored_task(w.loaded, settings.include_path, settings.limit_of(w.loaded.name))
        | {"simulated_raters": w.loaded.dataset.recipe.simulated}
        for w in works
    }
    folder.write_run(
        {
            "schema_version": 1,
            "model_name": spec.name,
            "model_args": spec.public_args,
            "hash": spec.hash,
            "identity": spec.identity,
            "tasks": known | tasks,
        }
    )


def _open_scorings(
    works: Sequence[Work],
    folder: RunFolder,
    settings: Settings,
    stack: ExitStack,
    spec: ModelSpec,
    *,
    again: bool = False,
) -> dict[str, Scoring]:
    """Return the scoring of each respond task, busy with what can be scored already.

    Parameters
    ----------
    again : bool
        Make the scorers even if nothing is missing, so that scores of an older version are replaced.
    """
    out: dict[str, Scoring] = {}
    system = spec.system_instruction or ""
    for work in works:
        if work.loaded.task.mode != "respond":
            continue
        scoring = out[work.loaded.name] = Scoring(
            work.loaded.task.scorers,
            folder.scores(work.loaded.name),
            trust_remote_code=settings.trust_remote_code,
            under_test=UnderTest(spec.backend, spec.args),
        )
        stack.callback(scoring.close)
        references, answers = _references(work, system), work.answers()
        if again or work.missing or not scoring.complete([*(r for r, _ in references), *answers]):
            scoring.submit([*references, *response_pairs(work.loaded, answers, system)])
    return out


def _references(work: Work, system: str = "") -> list[Pair]:
    items = [i for r in work.requests if r.repeat == 0 for i in r.doc.item_ids]
    return reference_pairs(work.loaded, items, system)


def _score_batch(scorings: dict[str, Scoring], work: Work, records: Sequence[Record], system: str) -> None:
    if scoring := scorings.get(work.loaded.name):
        scoring.submit(response_pairs(work.loaded, records, system))


def _found(blocks: dict[str, dict[str, Any]], work: Work, settings: Settings) -> str:
    """Compute the block of a rate task that has just ended, and return what it says of all raters.

    A respond task's comes last: its scorers are still busy, beside the prompts of the next task.
    """
    if work.loaded.task.mode != "rate":
        return ""
    with suppress(PluralError):  # said when all are asked: what is wrong with one task costs no other its answers
        blocks[work.loaded.name] = block = task_block(work, (), settings.axes, settings.options)
        return found_of(block)
    return ""


def _aggregate(
    works: Sequence[Work],
    scorings: dict[str, Scoring],
    blocks: dict[str, dict[str, Any]],
    folder: RunFolder,
    spec: ModelSpec,
    settings: Settings,
    started: datetime,
) -> Outcome:
    for scoring in scorings.values():
        scoring.finish()
    scores = {
        w.loaded.name: scorings[w.loaded.name].scores_of([*(r for r, _ in _references(w)), *w.answers()])
        for w in works
        if w.loaded.name in scorings
    }
    for work in works:
        name = work.loaded.name
        if name not in blocks:
            blocks[name] = task_block(work, scores.get(name, ()), settings.axes, settings.options)
    content = build_results(works, blocks, spec)
    for work in works:
        save_predictions(folder, work.loaded.name, predictions(work, scores.get(work.loaded.name, ())))
    path, new = save_results(folder, content, started)
    return Outcome(folder.path, path, content, new)
