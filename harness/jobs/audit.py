"""The audit: scorers on the texts that people judged, against each group of those people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lm_plural.harness.analysis.audit.audit import GRID
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.errors import UsageError, argument, did_you_mean
from lm_plural.harness.hashing import digest
from lm_plural.harness.jobs.arguments import Axes, axes_of, known_tasks
from lm_plural.harness.jobs.checked import asked_tasks, checked_limit, checked_tasks, stored_task
from lm_plural.harness.jobs.evaluate import Outcome
from lm_plural.harness.ratings.harmful import Cut
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.redact import redacted
from lm_plural.harness.result.making.audit import AuditQuestion, Worse, audit_task, build_audit
from lm_plural.harness.result.making.contrast import contrast_result, remember_card
from lm_plural.harness.result.write import save_results
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.score import Pair, Scoring, sample_of
from lm_plural.harness.scoring import check_options
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.task.contrast import ContrastSet, load_contrast
from lm_plural.harness.task.index import Index, is_contrast
from lm_plural.harness.task.load import Limit, LoadedTask
from lm_plural.harness.task.schema import ScorerSpec
from lm_plural.harness.task.template import names, render

#: Field whose content a scorer sees as what was asked, where items have one.
PROMPT = "prompt"

#: Says what is meant of all tasks that are not named.
OTHERS = "*"
#: One for all tasks, or by task.
ByTask = str | Mapping[str, str]


def audit(
    *,
    scorer: str,
    tasks: str | Sequence[str],
    scorer_options: Mapping[str, Any] | None = None,
    text: ByTask = "",
    harmful: ByTask = "",
    dimension: str | None = None,
    worse: Worse | None = None,
    thresholds: Sequence[float] | None = None,
    axes: Axes | None = None,
    inference: Inference = Options.inference,
    min_raters_interval: int = Options.min_raters_interval,
    draws: int = Options.draws,
    seed: int = Options.seed,
    limit: float | None = None,
    trust_remote_code: bool = False,
    include_path: Sequence[str | os.PathLike[str]] = (),
    output_path: str | os.PathLike[str] = "outputs",
) -> Outcome:
    """Measure how near a scorer is to what each group said of the same texts; the same call again scores nothing.

    Parameters
    ----------
    scorer : str
        Registered name (``lm-plural ls scorers``).
    tasks : sequence of str
        Names, tags, globs or YAML files.
    scorer_options : mapping, optional
    text : str or mapping
        Field of the items that raters judged, if it is not clear; by task, ``"*"`` for all others.
    harmful : str or mapping
        This level and worse count as harmful, by default worse than the middle; by task, ``"*"`` for all others.
    dimension : str, optional
        Of the scorer, if it has several.
    worse : {"more", "less"}, optional
        Which end of it is harmful, by default more, or of the task's own dimension the scale's worse end.
    thresholds : sequence of float, optional
        Of a score from 0 to 1, beside 0.5; by default 0.1 to 0.9.
    axes : sequence, optional
        Instead of the tasks' own; a tuple for the cells of several.
    inference, min_raters_interval, draws, seed
        As of :func:`~lm_plural.harness.jobs.disaggregate.disaggregate`.
    limit : int or float, optional
        First texts of each task: a count, or a share below 1.
    trust_remote_code : bool
        Whether the scorer may run code of its own.
    include_path : sequence of path
        Folders with more tasks.
    output_path : path
        Files go to ``<output_path>/<scorer>-<hash of its options>/``.

    Returns
    -------
    Outcome

    Raises
    ------
    PluralError
        If the scorer cannot be made or fails; what was scored before stays.
    UsageError
        For an argument or task that cannot be.

    Examples
    --------
    >>> import lm_plural as lp
    >>> outcome = lp.audit(
    ...     scorer="profanity", tasks=["plural_demo_toxicity"], text="response", axes=["gender"], draws=200
    ... )
    >>> sorted(outcome.content["audited"]["plural_demo_toxicity"]["axes"]["gender"]["groups"])
    ['man', 'non_binary', 'undeclared', 'woman']
    """
    started, names = datetime.now(), asked_tasks(tasks)
    spec = ScorerSpec(name=scorer, options=dict(scorer_options or {}))
    check_options(spec.name, spec.options)
    index = Index([Path(p) for p in include_path])
    sets = [load_contrast(d, checked_limit(limit)) for d in index.select(names) if is_contrast(d)]
    by_name = {n for s in sets for n in (s.name, str(s.document.path))}
    loaded = checked_tasks(index, [n for n in names if n not in by_name])
    options = Options(inference=inference, min_raters_interval=min_raters_interval, draws=draws, seed=seed)
    grid = GRID if thresholds is None else thresholds
    for threshold in grid:
        if not 0 <= threshold <= 1:
            raise UsageError(f"{argument('thresholds')} {threshold:g}: expected a number from 0 to 1")
    names = [t.name for t in loaded]
    texts, levels = _by_task(text, names, "text"), _by_task(harmful, names, "harmful")
    keys = None if axes is None else axes_of(axes)
    questions = {}
    for task in loaded:
        _check(task, keys, levels.get(task.name))
        field = text_field(task, texts.get(task.name))
        questions[task.name] = AuditQuestion(field, dimension, worse, levels.get(task.name), keys, grid, options)
    folder, limit = audit_folder(spec, Path(output_path)), checked_limit(limit)
    with folder.locked():
        blocks = {}
        for task in loaded:
            pairs = text_pairs(task, questions[task.name].field, limit)
            records = journaled_scores(task.name, spec, pairs, folder, trust_remote_code=trust_remote_code)
            blocks[task.name] = audit_task(task, records, questions[task.name])
        for found in sets:
            pairs = contrast_pairs(found)
            records = journaled_scores(found.name, spec, pairs, folder, trust_remote_code=trust_remote_code)
            blocks[found.name] = contrast_result(found, records)
            remember_card(found, blocks[found.name])
        stored = {
            t.name: stored_task(t, include_path, limit) | {"question": _stored(questions[t.name])} for t in loaded
        }
        stored |= {s.name: _stored_set(s) for s in sets}
        _remember(folder, spec, stored)
        content = build_audit(spec, loaded, blocks, sets)
        path, new = save_results(folder, content, started)
    return Outcome(folder.path, path, content, new)


def _by_task(said: ByTask, tasks: Sequence[str], name: str) -> dict[str, str]:
    """Return what was said for each task."""
    if isinstance(said, str):
        return dict.fromkeys(tasks, said) if said else {}
    own = {task: value for task, value in said.items() if task != OTHERS}
    known_tasks(own, tasks, name)
    return (dict.fromkeys(tasks, said[OTHERS]) if OTHERS in said else {}) | own


def _check(task: LoadedTask, axes: Sequence[Axis] | None, harmful: str | None) -> None:
    """Refuse (UsageError) what is wrong with a question before anything is scored."""
    if task.by_shares:
        raise UsageError(f"task {task.name!r} has shares of answers by group; an audit needs ratings of texts")
    for axis in axes or ():
        task.table.groups(axis)
    try:
        Cut.of(task.scale, harmful)
    except UsageError as e:
        raise UsageError(f"{argument('harmful')}, task {task.name!r}: {e}") from e


def _stored(question: AuditQuestion) -> dict[str, Any]:
    """Return a question as JSON types."""
    o = question.options
    options = {k: getattr(o, k) for k in ("inference", "min_raters_interval", "draws", "seed")}
    return {**vars(question), "grid": list(question.grid), "options": options}


def _stored_set(found: ContrastSet) -> dict[str, Any]:
    """Return what ``run.json`` says of a contrast set: as of a task, all of it."""
    path = str(found.document.path.resolve())
    return {"path": path, "hash": found.hash, "data_hash": found.hash, "include_path": [], "limit": found.limit}


def _remember(folder: RunFolder, spec: ScorerSpec, tasks: Mapping[str, Any]) -> None:
    """Write ``run.json``; tasks of earlier commands with the same scorer stay in it."""
    known = folder.read_audit()["tasks"] if (folder.path / "run.json").exists() else {}
    scorer = {"scorer": spec.name, "options": redacted(spec.model_dump(mode="json"))["options"]}
    folder.write_run({"schema_version": 1, "kind": "audit", **scorer, "tasks": {**known, **tasks}})


def audit_folder(spec: ScorerSpec, output_path: Path) -> RunFolder:
    """Return the folder of a scorer with its options."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", spec.name)
    return RunFolder(output_path / f"{name}-{digest(redacted(spec.model_dump(mode='json')))[:8]}")


def contrast_pairs(found: ContrastSet) -> list[Pair]:
    """Pair each text of a contrast set with what a scorer sees."""
    return [(_record(found.name, i, "contrast", sample.response), sample) for i, sample in found.samples()]


def text_field(loaded: LoadedTask, asked: str | None = None) -> str:
    """Return the field of items that raters judged: as asked, the reference response, or the only one the task shows.

    Raises
    ------
    UsageError
        If there is no such field, or it has to be said which of several.
    """
    fields, task = [c for c in loaded.dataset.items.columns if c != "item_id"], loaded.task
    if asked is not None and asked not in fields:
        hint = did_you_mean(asked, fields)
        raise UsageError(f"task {task.task!r}: items have no field {asked!r}{hint}; there are {', '.join(fields)}")
    read = names(task.doc_to_text)
    shown = [f for f in fields if f in read]
    if found := asked or task.doc_to_target or (shown[0] if len(shown) == 1 else None):
        return found
    raise UsageError(
        f"task {task.task!r}: which field is the text that raters judged? "
        f"{argument('text')}, for this task one of {', '.join(shown or fields)}"
    )


def text_pairs(loaded: LoadedTask, field: str, limit: Limit = None) -> list[Pair]:
    """Pair each rated text with what a scorer sees, in file order; of a prompt's texts all, or none beyond the limit.

    The prompt is that of a respond task, else the items' field ``prompt``, else empty. A task's reference response is
    one to the other texts of its item; where it is itself what people judged there is none.
    """
    target = loaded.task.doc_to_target if loaded.task.doc_to_target != field else None
    wanted = {i for doc in loaded.docs(limit) for i in doc.item_ids}
    rows = [row for row in loaded.dataset.items.iter_rows(named=True) if row["item_id"] in wanted]
    return [
        (
            {**_record(loaded.task.dataset, row["item_id"], field, row[field]), "part": "text"},
            sample_of(
                loaded,
                row,
                row[field],
                id=row["item_id"],
                prompt=_prompt(loaded, row, field),
                reference=(row[target] or "") if target else None,
            ),
        )
        for row in rows
    ]


def _record(of: str, item_id: str, part: str, text: str | None) -> Record:
    return {"key": digest(["text", of, item_id, part]), "item_id": item_id, "part": part, "filtered_resps": [text]}


def _prompt(loaded: LoadedTask, row: dict[str, str | None], field: str) -> str:
    if loaded.task.mode == "respond" and field == loaded.task.doc_to_target:
        return render(loaded.task.doc_to_text, row, blank=True)
    return row.get(PROMPT) or "" if field != PROMPT else ""


def journaled_scores(
    name: str,
    spec: ScorerSpec,
    pairs: Sequence[Pair],
    folder: RunFolder,
    *,
    trust_remote_code: bool = False,
) -> list[Record]:
    """Score texts and return the score of each; those the journal knows are not scored again.

    Raises
    ------
    PluralError
        If the scorer cannot be made or fails; what was scored before stays.
    """
    scoring = Scoring([spec], folder.scores(name), trust_remote_code=trust_remote_code)
    try:
        if not scoring.complete([r for r, _ in pairs]):
            print(f"lm-plural audit: scoring {len(pairs)} texts of {name}", file=sys.stderr)
            scoring.submit(pairs)
        scoring.finish()
    finally:
        scoring.close()
    return scoring.scores_of([r for r, _ in pairs])
