"""The audit: scorers on the texts that people judged, against each group of those people; ``lm-plural audit``."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.hashing import digest
from lm_plural.harness.jobs.evaluate import Outcome
from lm_plural.harness.redact import redacted
from lm_plural.harness.result.audit import Question, audit_task, build_audit
from lm_plural.harness.result.write import save_results
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.score import Pair, Scoring
from lm_plural.harness.scoring import Sample
from lm_plural.harness.task.load import Limit, LoadedTask
from lm_plural.harness.task.schema import ScorerSpec
from lm_plural.harness.task.template import names, render

#: Texts scored before they are journaled.
BATCH = 256
#: Field whose content a scorer sees as what was asked, where items have one.
PROMPT = "prompt"


def audit(
    tasks: Sequence[LoadedTask],
    spec: ScorerSpec,
    questions: Mapping[str, Question],
    output_path: Path,
    *,
    limit: Limit = None,
    trust_remote_code: bool = False,
    started: datetime | None = None,
) -> Outcome:
    """Audit a scorer on tasks; the same call again scores nothing anew.

    Parameters
    ----------
    tasks : sequence of LoadedTask
    spec : ScorerSpec
    questions : mapping
        What is asked of the scorer on each task, by its name.
    output_path : Path
        Files go to ``<output_path>/<scorer>-<hash of its options>/``.
    limit : int, float or None
        First texts of each task: a count, or a share below 1.
    trust_remote_code : bool
        Whether the scorer may run code of its own.
    started : datetime, optional
        For the time in the results.

    Raises
    ------
    PluralError
        If the scorer cannot be made or fails; what was scored before stays.
    """
    folder = RunFolder(output_path / _slug(spec))
    with folder.locked():
        blocks = {}
        for task in tasks:
            pairs = text_pairs(task, questions[task.name].field, limit)
            records = score_texts(task, spec, pairs, folder, trust_remote_code=trust_remote_code)
            blocks[task.name] = audit_task(task, records, questions[task.name])
        content = build_audit(spec, tasks, blocks)
        path, new = save_results(folder, content, started or datetime.now())
    return Outcome(folder.path, path, content, new)


def _slug(spec: ScorerSpec) -> str:
    """Return the name of the folder of a scorer with its options."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", spec.name)
    return f"{name}-{digest(redacted(spec.model_dump(mode='json')))[:8]}"


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
        f"task {task.task!r}: which field is the text that raters judged? --text {task.task}=FIELD, "
        f"FIELD one of {', '.join(shown or fields)}"
    )


def text_pairs(loaded: LoadedTask, field: str, limit: Limit = None) -> list[Pair]:
    """Pair each rated text with what a scorer sees, in file order; of a prompt's texts all, or none beyond the limit.

    The prompt is that of a respond task, else the items' field ``prompt``, else empty.
    """
    wanted = {i for doc in loaded.docs(limit) for i in doc.item_ids}
    rows = [row for row in loaded.dataset.items.iter_rows(named=True) if row["item_id"] in wanted]
    return [
        (_asked(loaded, row["item_id"], field, row[field]), Sample(_prompt(loaded, row, field), row[field]))
        for row in rows
    ]


def _asked(loaded: LoadedTask, item_id: str, field: str, text: str | None) -> Record:
    key = digest(["text", loaded.task.dataset, item_id, field])
    return {"key": key, "item_id": item_id, "part": "text", "filtered_resps": [text]}


def _prompt(loaded: LoadedTask, row: dict[str, str | None], field: str) -> str:
    if loaded.task.mode == "respond" and field == loaded.task.doc_to_target:
        return render(loaded.task.doc_to_text, row, blank=True)
    return row.get(PROMPT) or "" if field != PROMPT else ""


def score_texts(
    loaded: LoadedTask,
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
    scoring = Scoring([spec], folder.scores(loaded.name), trust_remote_code=trust_remote_code)
    try:
        if not scoring.complete([r for r, _ in pairs]):
            print(f"lm-plural audit: scoring {len(pairs)} texts of {loaded.name}", file=sys.stderr)
            for begin in range(0, len(pairs), BATCH):
                scoring.submit(pairs[begin : begin + BATCH])
    finally:
        scoring.finish()
    return scoring.scores_of([r for r, _ in pairs])
