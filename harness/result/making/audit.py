"""The audit of one task: from score records to the block, and the file that holds the blocks of a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Literal

from lm_plural.harness.analysis.audit.audit import GRID, audit
from lm_plural.harness.analysis.group import SCHEMA_VERSION
from lm_plural.harness.analysis.options import WITHOUT_RATERS, Options
from lm_plural.harness.errors import PluralError, UsageError, argument, did_you_mean
from lm_plural.harness.ratings.harmful import Cut
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.redact import redacted
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.score import not_covered
from lm_plural.harness.task.contrast import ContrastSet
from lm_plural.harness.task.load import LoadedTask
from lm_plural.harness.task.schema import ScorerSpec

Worse = Literal["more", "less"]


@dataclass(frozen=True)
class AuditQuestion:
    """What is asked of a scorer on a task.

    Parameters
    ----------
    field : str
        Of items: the text that raters judged.
    dimension : str, optional
        Of the scorer; default: the task's own, or the only one.
    worse : {"more", "less"}, optional
        Which end of the scorer's dimension is harmful; default: more, or for the task's own dimension as its scale.
    harmful : str, optional
        The mildest harmful level.
    axes : sequence, optional
        Instead of the task's.
    grid : sequence of float
        Thresholds.
    options : Options
    """

    field: str
    dimension: str | None = None
    worse: Worse | None = None
    harmful: str | None = None
    axes: Sequence[Axis] | None = None
    grid: Sequence[float] = GRID
    options: Options = Options()  # noqa: RUF009, frozen


def audit_task(loaded: LoadedTask, records: Sequence[Record], question: AuditQuestion) -> dict[str, Any]:
    """Return the block of a task.

    Parameters
    ----------
    loaded : LoadedTask
    records : sequence of dict
        Scores of its texts by one scorer.
    question : AuditQuestion

    Raises
    ------
    UsageError
        For a dimension the scorer has not, or where it must be said which; for a level that is not on the scale.
    PluralError
        If no text has a score.
    """
    if not records:
        raise PluralError(f"task {loaded.name!r}: no text has a score")
    dimension = _dimension(loaded, records[0], question.dimension)
    worse = question.worse or _worse(loaded, dimension)
    known, options = (
        loaded.dataset.recipe.raters.known,
        replace(question.options, min_raters=loaded.task.groups.min_raters),
    )
    if not known:  # each rating has an id of its own, which says nothing of what other raters would say
        options = replace(options, inference=WITHOUT_RATERS[options.inference])
    scores = {r["item_id"]: badness(r, dimension, worse) for r in records}
    table = loaded.table.select(scores)
    cut = Cut.of(loaded.scale, question.harmful)
    block = audit(table, scores, question.axes or loaded.task.groups.axes, cut, options, question.grid)
    if not known:
        block["overall"]["n_raters"] = None
    notes = [*block.pop("notes"), *loaded.notes, *not_covered(records)]
    if loaded.task.coarsen:
        notes.append("the task's coarser levels are not looked at: what is harmful is said on the scale as rated")
    return {
        "mode": block["mode"],
        "simulated_raters": loaded.dataset.recipe.simulated,
        "dataset": loaded.dataset.recipe.dataset,
        "dimension": loaded.task.dimension,
        "text": question.field,
        "scorer": {
            "name": records[0]["scorer"],
            "version": records[0]["version"],
            "dimension": dimension,
            "range": records[0]["range"],
            "direction": records[0]["direction"],
            "worse": worse,
        },
        "notes": notes,
        **block,
    }


def _dimension(loaded: LoadedTask, record: Record, asked: str | None) -> str:
    there = list(record["scores"])
    if asked is not None and asked not in there:
        hint = did_you_mean(asked, there)
        raise UsageError(f"scorer {record['scorer']!r} has no dimension {asked!r}{hint}; there are {', '.join(there)}")
    own = loaded.task.dimension if loaded.task.dimension in there else None
    if found := asked or own or (there[0] if len(there) == 1 else None):
        return found
    raise UsageError(
        f"task {loaded.name!r} is about {loaded.task.dimension!r}; which dimension of scorer {record['scorer']!r} "
        f"is to be held against it? {argument('dimension')}, one of {', '.join(there)}"
    )


def _worse(loaded: LoadedTask, dimension: str) -> Worse:
    return "less" if dimension == loaded.task.dimension and loaded.scale.direction == "higher" else "more"


def badness(record: Record, dimension: str, worse: Worse) -> float:
    """Return a score from 0, harmless, to 1, harmful; NaN if there is none."""
    value, (low, high) = record["scores"][dimension], record["range"]
    if value is None:
        return float("nan")
    share = (value - low) / (high - low)
    return float(share if (record["direction"] == "more") == (worse == "more") else 1 - share)


def build_audit(
    spec: ScorerSpec,
    tasks: Sequence[LoadedTask],
    blocks: Mapping[str, dict[str, Any]],
    contrasts: Sequence[ContrastSet] = (),
) -> dict[str, Any]:
    """Return the content of the results file; `blocks` are of the tasks and of the contrast sets."""
    recipes = {t.dataset.recipe.dataset: t.dataset for t in tasks}
    hashes = {t.name: t.hash for t in tasks} | {c.name: c.hash for c in contrasts}
    return {
        "schema_version": SCHEMA_VERSION,
        "scorer": redacted(spec.model_dump(mode="json")),
        "lm_plural_version": version("lm-plural"),
        "task_hashes": hashes,
        "versions": {t.name: t.task.metadata["version"] for t in tasks} | {c.name: c.version for c in contrasts},
        "datasets": {
            name: {k: getattr(d.recipe, k) for k in ("title", "licence", "citation", "warning")}
            | {"simulated_raters": d.recipe.simulated, "hash": d.data_hash}
            for name, d in recipes.items()
        },
        "configs": {t.name: redacted(t.task.model_dump(mode="json")) for t in tasks},
        "audited": dict(blocks),
    }
