"""The main job: generate, score, aggregate; ``lm-plural run`` and ``lm-plural score`` are thin covers of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lm_plural.harness.analysis.options import Options
from lm_plural.harness.errors import PluralError
from lm_plural.harness.model.load import load_engine
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.result.write import build_results, save_results
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Asking, Work, ask_all
from lm_plural.harness.run.plan import plan
from lm_plural.harness.run.progress import Progress
from lm_plural.harness.run.score import Pair, Scoring, reference_pairs, response_pairs
from lm_plural.harness.task.load import Limit, LoadedTask


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


@dataclass(frozen=True)
class Outcome:
    """Where the results are, what they say, and whether anything was new."""

    folder: Path
    path: Path | None
    content: dict[str, Any] | None
    new: bool


def evaluate(
    tasks: Sequence[LoadedTask],
    spec: ModelSpec,
    output_path: Path,
    settings: Settings,
    started: datetime | None = None,
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

    Raises
    ------
    PluralError
        For anything outside the program that fails; every answer so far stays in the journal.
    """
    folder = RunFolder(output_path / spec.slug)
    with folder.locked(), ExitStack() as stack:
        chosen = [(t, settings.limit_of(t.name)) for t in tasks]
        works = [Work(t, plan(t, spec, limit), folder.samples(t.name), limit) for t, limit in chosen]
        _check_axes(works, settings)
        for work in works:
            stack.callback(work.journal.close)
        _remember(folder, works, spec, settings)
        scorings = {} if settings.predict_only else _open_scorings(works, folder, settings, stack)
        if any(work.missing for work in works):
            sizes, total = folder.sizes(), sum(len(work.requests) for work in works)
            with Progress(total, total - sum(len(work.missing) for work in works)) as progress:
                progress.wait_for("loading the model")
                engine = load_engine(
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
                    lambda work, records: _score_batch(scorings, work, records),
                    progress,
                )
                ask_all(works, how)
        if settings.predict_only:
            return Outcome(folder.path, None, None, new=True)
        return _aggregate(works, scorings, folder, spec, settings, started or datetime.now())


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
        _check_axes(works, settings)
        for work in works:
            if work.missing:
                raise PluralError(
                    f"{work.journal.path}: {len(work.missing)} of {len(work.requests)} answers are missing: "
                    "the run is not finished, or the task asks something else now; run it again"
                )
        scorings = _open_scorings(works, folder, settings, stack, again=True)
        return _aggregate(works, scorings, folder, spec, settings, started or datetime.now())


def _check_axes(works: Sequence[Work], settings: Settings) -> None:
    """Refuse an unknown axis before anything is asked."""
    for work in works:
        for axis in settings.axes or ():
            (work.loaded.shares if work.loaded.by_shares else work.loaded.table).groups(axis)


def _remember(folder: RunFolder, works: Sequence[Work], spec: ModelSpec, settings: Settings) -> None:
    """Write ``run.json``; tasks of earlier commands with the same model stay in it."""
    known = folder.read_run()["tasks"] if (folder.path / "run.json").exists() else {}
    tasks = {
        w.loaded.name: {
            "path": str(w.loaded.document.path.resolve()),
            "hash": w.loaded.hash,
            "data_hash": w.loaded.dataset.data_hash,
            "include_path": [str(Path(p).resolve()) for p in settings.include_path],
            "limit": settings.limit_of(w.loaded.name),
            "simulated_raters": w.loaded.dataset.recipe.simulated,
        }
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
    works: Sequence[Work], folder: RunFolder, settings: Settings, stack: ExitStack, *, again: bool = False
) -> dict[str, Scoring]:
    """Return the scoring of each respond task, busy with what can be scored already.

    Parameters
    ----------
    again : bool
        Make the scorers even if nothing is missing, so that scores of an older version are replaced.
    """
    out: dict[str, Scoring] = {}
    for work in works:
        if work.loaded.task.mode != "respond":
            continue
        scoring = out[work.loaded.name] = Scoring(
            work.loaded.task.scorers,
            folder.scores(work.loaded.name),
            trust_remote_code=settings.trust_remote_code,
        )
        stack.callback(scoring.finish)
        references, answers = _references(work), work.answers()
        if again or work.missing or not scoring.complete([*(r for r, _ in references), *answers]):
            scoring.submit([*references, *response_pairs(work.loaded, answers)])
    return out


def _references(work: Work) -> list[Pair]:
    return reference_pairs(work.loaded, [i for r in work.requests if r.repeat == 0 for i in r.doc.item_ids])


def _score_batch(scorings: dict[str, Scoring], work: Work, records: Sequence[Record]) -> None:
    if scoring := scorings.get(work.loaded.name):
        scoring.submit(response_pairs(work.loaded, records))


def _aggregate(
    works: Sequence[Work],
    scorings: dict[str, Scoring],
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
    content = build_results(works, scores, spec, axes=settings.axes, options=settings.options)
    path, new = save_results(folder, content, started)
    return Outcome(folder.path, path, content, new)
