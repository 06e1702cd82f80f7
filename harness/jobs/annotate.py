"""People in the loop: a sample of a run's own responses goes out to raters, and their ratings come back as results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np

from lm_plural.harness.analysis.design.plan import Question
from lm_plural.harness.analysis.design.planning import plan_from_pilot
from lm_plural.harness.analysis.design.sample import Allocation
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.responses.scores import Scores
from lm_plural.harness.annotate import label_studio, potato, sheet
from lm_plural.harness.annotate.collected import checked, read_returned
from lm_plural.harness.annotate.form import MOST_OPTIONS, Form, check_form, form_for, read_form, to_yaml
from lm_plural.harness.annotate.manifest import (
    ASSIGNMENT,
    FORM,
    ITEMS,
    MANIFEST,
    MAY_FAIL,
    TOOLS,
    Dimension,
    Manifest,
    Tool,
    read_manifest,
)
from lm_plural.harness.annotate.people import Submissions, read_submissions, salt
from lm_plural.harness.annotate.results import check_texts, latest_scores, results, scorer_of
from lm_plural.harness.annotate.rows import to_csv
from lm_plural.harness.annotate.sample import (
    BY_SCORE,
    Shown,
    drawn_items,
    responses,
    shown_items,
    strata_of,
    with_checks,
)
from lm_plural.harness.errors import PluralError, UsageError, argument, did_you_mean
from lm_plural.harness.files import made_beside, to_json, write_atomic
from lm_plural.harness.hashing import digest
from lm_plural.harness.jobs.arguments import Axes, axes_of
from lm_plural.harness.jobs.evaluate import Outcome, reloaded
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.ratings.table import UNDECLARED, axis_name
from lm_plural.harness.result.write import save_results
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.plan import plan
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.task.load import LoadedTask


@dataclass(frozen=True)
class Exported:
    """What was written for raters.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    how_to : list of str
        What whoever collects does next.
    pilot : str
        What the design could tell, from the ratings of the task's own data set.
    """

    folder: Path
    manifest: Manifest
    how_to: list[str]
    pilot: str


def annotate_export(
    run: str | os.PathLike[str],
    *,
    output_path: str | os.PathLike[str],
    tool: Tool = "csv",
    task: str | None = None,
    dimensions: Sequence[str] = (),
    items: int = 100,
    items_per_rater: int = 20,
    raters_per_item: int = 20,
    axes: Sequence[str] | None = None,
    strata: str = BY_SCORE,
    allocation: Allocation = "proportional",
    language: str | None = None,
    form: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Exported:
    """Draw a sample of a run's own responses and write forms in which people rate them.

    Parameters
    ----------
    run : path
        Folder of a finished run.
    output_path : path
        Folder to be made.
    tool : {"csv", "potato", "label_studio"}
    task : str, optional
        Respond task of the run; needed where it has several.
    dimensions : sequence of str, optional
        To be asked for, of those the task's data set has; default the task's own.
    items : int
        Responses to be drawn, one of a prompt; all prompts where there are fewer.
    items_per_rater : int
        At most, in one block.
    raters_per_item : int
        Planned raters of each block, of all groups together.
    axes : sequence of str, optional
        Asked of raters after rating, with the groups of the task's data set; default the task's.
    strata : str
        ``score`` (thirds by the scorer's scores), ``none``, or a field of the items.
    allocation : {"proportional", "equal"}
        How many of each stratum.
    language : str, optional
        Of prompts and form; needed where the run has several.
    form : path, optional
        Words of the form, in the place of ours: an edited ``form.yaml`` of an export.
    seed : int
        Of the draw.

    Returns
    -------
    Exported

    Raises
    ------
    PluralError
        If the run is not finished, or the folder is there or cannot be written.
    UsageError
        For an argument that cannot be.
    """
    folder = Path(output_path)
    _check(tool, allocation, {"items": items, "items_per_rater": items_per_rater, "raters_per_item": raters_per_item})
    if folder.exists():
        raise UsageError(f"{folder}: is there; choose another {argument('output_path')}, so that no sample is mixed up")
    with opened_run(Path(run), task) as (spec, work, scores):
        loaded = work.loaded
        asked = {d: _dimension(loaded, d) for d in dimensions or [loaded.task.dimension]}
        scales = {d: found.scale for d, found in asked.items()}
        if len({s.levels for s in scales.values()}) > 1:
            raise UsageError(
                f"{', '.join(asked)}: not on the same levels; expected dimensions that one form can ask for"
            )
        prompts, language = responses(work, language)
        chosen = scorer_of(scores, loaded.task.dimension, None)
        by_stratum = strata_of(strata, prompts, None if chosen is None else _means(work, chosen, list(prompts)))
        groups, several = _groups(loaded, axes)
        if form is None:
            words = form_for(language, scales, groups, several)
        else:
            words = read_form(Path(form))
            check_form(words, scales, form)
        rng = generator(seed, "annotate", spec.hash, loaded.name)
        drawn, texts = drawn_items(work, prompts, by_stratum, items, items_per_rater, rng, allocation)
        levels = next(iter(scales.values())).levels
        placed, checks = with_checks(drawn, levels, digest([spec.hash, loaded.name, seed]), rng)
        manifest = Manifest(
            tool=tool,
            run=str(Path(run).resolve()),
            model_name=spec.name,
            model_hash=spec.hash,
            task=loaded.name,
            language=language,
            seed=seed,
            raters_per_item=raters_per_item,
            allocation=allocation,
            dimensions=asked,
            axes=list(words.axes),
            items=placed,
            checks=checks,
            checks_may_fail=MAY_FAIL,
            strata={
                s: [p for p, of in zip(prompts, by_stratum, strict=True) if of == s] for s in sorted(set(by_stratum))
            },
        )
        shown = shown_items(placed, texts, checks, words)
        pilot = _pilot(loaded, list(groups), manifest, items_per_rater)
    how = _write(folder, manifest, words, shown)
    return Exported(folder, manifest, how, pilot)


def annotate_import(
    folder: str | os.PathLike[str],
    ratings: str | os.PathLike[str],
    *,
    raters: str | os.PathLike[str] | None = None,
    run: str | os.PathLike[str] | None = None,
    scorer: str | None = None,
    axes: Axes | None = None,
    inference: Inference = Options.inference,
    min_raters_interval: int = Options.min_raters_interval,
    draws: int = Options.draws,
    permutations: int = Options.permutations,
    strata: str | None = None,
    simulated: bool = False,
) -> Outcome:
    """Read people's ratings of an export, keep those that count, and say what each group thinks of the responses.

    Writes ``ratings.csv``, ``raters.csv`` and results into the folder of the export; the same call again has nothing
    to do.

    Parameters
    ----------
    folder : path
        Of the export.
    ratings : path
        A file, or a folder of files: Potato's ``annotation_output``, exports of Label Studio as JSON, or CSV.
    raters : path, optional
        What raters say of themselves (``rater_id`` and a column for each axis), or Prolific's file of the study's
        people, of which status and consent are read.
    run : path, optional
        Where the run is now, if it was moved.
    scorer : str, optional
        Whose scores stand beside the ratings; default the first of the dimension.
    axes : sequence, optional
        Instead of those asked; a tuple for the cells of several.
    inference, min_raters_interval, draws, permutations, strata
        As of :func:`~lm_plural.harness.jobs.disaggregate.disaggregate`.
    simulated : bool
        Say that a program gave the ratings, wherever they show.

    Returns
    -------
    Outcome

    Raises
    ------
    PluralError
        For anything wrong in the ratings, with file and place, or if run and export do not belong together.
    UsageError
        For an argument that cannot be.
    """
    started, folder = datetime.now(), Path(folder)
    manifest, form = read_manifest(folder), read_form(folder / FORM)
    check_form(form, {d: found.scale for d, found in manifest.dimensions.items()}, folder / FORM)
    place = Path(run or manifest.run)
    returned, tool = read_returned(Path(ratings), manifest, form)
    submissions = Submissions()
    if raters is not None:
        found = read_submissions(Path(raters))
        submissions = found or submissions
        returned += sheet.read_about(Path(raters), manifest, form) if found is None else type(returned)()
    key = salt([folder, place])
    options = Options(
        inference=inference,
        min_raters_interval=min_raters_interval,
        draws=draws,
        permutations=permutations,
        strata=strata,
    )
    with opened_run(place, manifest.task) as (spec, work, scores):
        if spec.hash != manifest.model_hash:
            raise UsageError(f"{place}: a run of another model; expected {manifest.model_name} ({manifest.model_hash})")
        check_texts(work, manifest)
        good = checked(returned, manifest, form, tool, submissions, key)
        keys = axes_of(axes) if axes else list(manifest.axes)
        content = results(good, manifest, form, work, scores, keys, options, scorer=scorer, simulated=simulated)
    for name, text in good.files(manifest.axes).items():
        write_atomic(folder / name, text)
    path, new = save_results(RunFolder(folder), content, started)
    return Outcome(folder, path, content, new)


def _check(tool: str, allocation: str, counts: dict[str, int]) -> None:
    for name, value, known in (("tool", tool, TOOLS), ("allocation", allocation, get_args(Allocation))):
        if value not in known:
            hint = did_you_mean(value, known)
            raise UsageError(f"{argument(name)} {value}: expected one of {', '.join(known)}{hint}")
    for name, number in counts.items():
        if number < 1:
            raise UsageError(f"{argument(name)} {number}: expected at least 1")


@contextmanager
def opened_run(run: Path, task: str | None) -> Iterator[tuple[ModelSpec, Work, list[Scores]]]:
    """Open the journals of a respond task of a finished run for reading."""
    folder = RunFolder(run)
    known = folder.read_run()
    if task is not None and task not in known["tasks"]:
        raise UsageError(f"{run}: no task {task!r} in this run{did_you_mean(task, known['tasks'])}")
    found = {n: reloaded(run, n, t) for n, t in known["tasks"].items() if task in (None, n)}
    respond = {n: pair for n, pair in found.items() if pair[0].task.mode == "respond"}
    if len(respond) != 1:
        what = (
            f"{len(respond)} respond tasks, {', '.join(respond)}: name one by --tasks" if respond else "no respond task"
        )
        raise UsageError(f"{run}: {what}; people rate what a model wrote")
    ((name, (loaded, limit)),) = respond.items()
    spec = ModelSpec.stored(known)
    journal, scores = folder.samples(name), folder.scores(name)
    try:
        work = Work(loaded, plan(loaded, spec, limit), journal, limit)
        if work.missing:
            missing = f"{len(work.missing)} of {len(work.requests)} answers are missing"
            raise PluralError(
                f"{journal.path}: {missing}: the run is not finished, or the task asks something else now"
            )
        yield spec, work, latest_scores(work, scores)
    finally:
        journal.close()
        scores.close()


def _dimension(loaded: LoadedTask, name: str) -> Dimension:
    known = loaded.dataset.recipe.ratings.dimensions
    if name not in known:
        hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
        raise UsageError(f"{argument('dimensions')} {name}: not rated in {loaded.task.dataset}{hint}")
    scale = loaded.dataset.table(name).scale
    return Dimension(
        levels=list(scale.levels), labels=list(scale.labels), positions=list(scale.positions), direction=scale.direction
    )


def _means(work: Work, scores: Scores, prompts: Sequence[str]) -> np.ndarray[Any, Any]:
    places = {doc: n for n, doc in enumerate(dict.fromkeys(r.doc.id for r in work.requests))}
    return np.array([scores.mean[places[p]] for p in prompts])


def _groups(loaded: LoadedTask, axes: Sequence[str] | None) -> tuple[dict[str, list[str]], list[str]]:
    """Return the groups of each axis that can be asked for, and the axes on which raters may be in several."""
    table = loaded.table
    wanted = axes or [a for a in loaded.task.groups.axes if isinstance(a, str)]
    groups, several = {}, []
    for axis in wanted:
        pairs = table.groups(axis)
        names = sorted(set(pairs["group"]) - {UNDECLARED})
        if len(names) <= MOST_OPTIONS:
            groups[axis] = names
        elif axes:
            raise UsageError(f"{argument('axes')} {axis}: {len(names)} groups; a form can ask for {MOST_OPTIONS}")
        if pairs["rater_id"].is_duplicated().any():
            several.append(axis)
    return groups, several


def _pilot(loaded: LoadedTask, axes: Sequence[str], manifest: Manifest, per_rater: int) -> str:
    """Say what difference between two groups the design would find, by the spread of the data set's own ratings."""
    n, raters = len(manifest.items), manifest.raters_per_item * len(manifest.blocks) // 2
    origin = f"{'SIMULATED ' if loaded.dataset.recipe.simulated else ''}ratings of {loaded.task.dataset}"
    for axis in axes:
        question = Question(gap=1e-3, items=max(n, 2), raters=max(raters, 2), ratings_per_rater=min(per_rater, n))
        try:
            answer = plan_from_pilot(loaded.table, None, axis, question)
        except PluralError:
            continue
        worst = max(gap["detectable"] for gap in answer["gaps"])
        return (
            f"two groups of {raters} raters each: differences from {worst:.2f} scale points on would be found "
            f"(power 80 %), by the spread between groups of {axis_name(axis)} in the {origin}"
        )
    return f"what it could tell is not known: the {origin} leave nothing to plan from (lm-plural plan)"


def _write(folder: Path, manifest: Manifest, form: Form, shown: Sequence[Shown]) -> list[str]:
    """Write the folder, whole or not at all; return what to do with it."""
    by_tool = {"csv": sheet.files, "potato": potato.files, "label_studio": label_studio.files}
    inside = folder / manifest.tool
    if manifest.tool == "csv":
        how = sheet.how_to(manifest, form)
    else:
        how = (potato if manifest.tool == "potato" else label_studio).how_to(manifest, inside)
    after = [f"then: lm-plural annotate import {folder} RATINGS [--raters FILE]"]
    rows = [{"id": s.id, "prompt": s.prompt, "response": s.response} for s in shown]
    files = {f"{manifest.tool}/{name}": text for name, text in by_tool[manifest.tool](manifest, form, shown).items()}
    files[MANIFEST] = to_json(manifest.model_dump(mode="json"))
    files[FORM] = to_yaml(form)
    files[ITEMS] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    files[ASSIGNMENT] = to_csv(["block", "item_id", "position"], [[s.block, s.id, s.position] for s in shown])
    private = (
        f"Only {manifest.tool}/ is for raters: {MANIFEST} says what was drawn and which items are attention checks."
    )
    files["README.md"] = "\n".join([f"# {form.title}", "", private, "", "```", *how, "```", "", *after, ""])
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with made_beside(folder) as beside:
            for name, text in files.items():
                write_atomic(beside / name, text)
            beside.rename(folder)
    except OSError as e:
        raise PluralError(f"{folder}: cannot write: {e.strerror or e}") from e
    return [*how, *after]
