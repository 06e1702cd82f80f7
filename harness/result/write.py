"""The results file: lm-eval's keys, so that its tooling reads it, plus our block ``disaggregated``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lm_plural.harness.analysis.group import SCHEMA_VERSION
from lm_plural.harness.analysis.judging import SELF_JUDGED, self_judged
from lm_plural.harness.analysis.options import MODEL_STATISTICS, WITHOUT_RATERS, Options
from lm_plural.harness.analysis.shares.compared import STATISTICS as SHARES_STATISTICS
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import to_json, write_atomic
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.redact import redacted
from lm_plural.harness.result.details import OWN, cut, laid_out
from lm_plural.harness.result.making.rate import rate_result
from lm_plural.harness.result.making.respond import respond_result
from lm_plural.harness.result.read import read_content
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Work
from lm_plural.harness.statistics.catalogue import measure, named
from lm_plural.harness.task.load import LoadedTask

#: Statistics of all raters that lm-eval shows.
SHOWN = (*MODEL_STATISTICS, *SHARES_STATISTICS)


def build_results(works: Sequence[Work], blocks: Mapping[str, dict[str, Any]], spec: ModelSpec) -> dict[str, Any]:
    """Return the content of a results file.

    Parameters
    ----------
    works : sequence of Work
    blocks : mapping
        Of each work's task, as `task_block` returns it.
    spec : ModelSpec
    """
    names = [w.loaded.name for w in works]
    blocks = {name: _with_self_judged(blocks[name], spec) for name in names}
    flat = {n: _flat(blocks[n], w) for n, w in zip(names, works, strict=True)}
    return {
        "results": {n: {"alias": n, **{f"{m},none": v for m, v in flat[n].items()}} for n in names},
        "group_subtasks": {n: [] for n in names},
        "configs": {w.loaded.name: redacted(w.loaded.task.model_dump(mode="json")) for w in works},
        "versions": {w.loaded.name: w.loaded.task.metadata["version"] for w in works},
        "n-shot": dict.fromkeys(names, 0),
        "higher_is_better": {n: {m: better(m, w.loaded) for m in flat[n]} for n, w in zip(names, works, strict=True)},
        "n-samples": {
            w.loaded.name: {
                "original": len(w.loaded.docs()),
                "effective": len({r.doc.id for r in w.requests}),
            }
            for w in works
        },
        "config": {
            "model": spec.backend,
            "model_args": spec.identity["model_args"],
            "model_revision": spec.identity["weights"],
            "gen_kwargs": spec.identity["gen_kwargs"],
            "limit": {w.loaded.name: w.limit for w in works},
        },
        "task_hashes": {w.loaded.name: w.loaded.hash for w in works},
        "model_source": spec.backend,
        "model_name": spec.name,
        "model_name_sanitized": spec.slug,
        "system_instruction": spec.identity["system_instruction"],
        "chat_template": spec.chat_template,
        "lm_eval_version": version("lm_eval"),
        "lm_plural_version": version("lm-plural"),
        "datasets": {w.loaded.dataset.recipe.dataset: _provenance(w) for w in works},
        "disaggregated": {n: blocks[n] for n in names},
    }


def _with_self_judged(block: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """Return a block that says which of its judges are the model itself; one of its family is not found out."""
    if not (judges := block["overall"].get("judges")):
        return block
    told = {key: {**j, SELF_JUDGED: bool(j["model"]) and spec.is_of(**j["model"])} for key, j in judges.items()}
    block = {**block, "overall": {**block["overall"], "judges": told}}
    note = self_judged(block)
    return {**block, "notes": [*block["notes"], note]} if note else block


def task_block(
    work: Work, scores: Sequence[Record], axes: Sequence[Axis] | None = None, options: Options | None = None
) -> dict[str, Any]:
    """Return the block of a finished task.

    Parameters
    ----------
    work : Work
    scores : sequence of dict
        Score records, for a respond task.
    axes : sequence, optional
        Instead of the task's own axes.
    options : Options, optional
        What intervals speak of, and how they are drawn.
    """
    options = options or Options()
    rate, loaded = work.loaded.task.mode == "rate", work.loaded
    known = not loaded.by_shares and loaded.dataset.recipe.raters.known
    if not known:  # each rating has an id of its own, so what other raters would say cannot be told from the ids
        options = replace(options, inference=WITHOUT_RATERS[options.inference])
    block = rate_result(work, axes, options) if rate else respond_result(work, scores, axes, options)
    if not known:
        block["overall"]["n_raters"] = None
    head = {"mode": work.loaded.task.mode, "simulated_raters": work.loaded.dataset.recipe.simulated}
    return {**head, **block}


def _provenance(work: Work) -> dict[str, Any]:
    recipe = work.loaded.dataset.recipe
    return {
        "title": recipe.title,
        "licence": recipe.licence,
        "citation": recipe.citation,
        "warning": recipe.warning,
        "simulated_raters": recipe.simulated,
        "hash": work.loaded.dataset.data_hash,
    }


def _flat(block: dict[str, Any], work: Work) -> dict[str, Any]:
    """Return overall numbers by metric name, as lm-eval lists them, with its stderr beside each."""
    overall = block["overall"]
    if work.loaded.task.mode == "rate":
        values = {k: overall[k] for k in SHOWN if k in overall}
    else:
        values = {f"{s}.{m}": v for s, stats in overall["statistics"].items() for m, v in stats.items()}
    out: dict[str, Any] = {}
    for name, v in values.items():
        for key, number in ((name, v["value"]), (f"{name}_stderr", v["se"])):
            out[key] = "N/A" if number is None else number  # as lm-eval writes what it has not
    return out


def better(metric: str, loaded: LoadedTask) -> bool | None:
    """Return whether more of a metric (``rps``, ``profanity.toxicity.mean:gender=Man``) is better; None: neither."""
    name = metric.partition(":")[0]
    if metric.endswith("_stderr"):
        return None
    if loaded.task.mode == "rate":
        return measure(name).better
    statistic = name.rpartition(".")[2]
    # scores are in the scorer's range, more of the dimension; exposure is of how bad they are
    return measure(statistic).better if statistic in named("exposures") else loaded.scale.direction == "higher"


def save_results(folder: RunFolder, content: dict[str, Any], started: datetime) -> tuple[Path, bool]:
    """Write ``details_<time>.json``, then ``results_<time>.json``, unless the latest results say the same.

    Returns
    -------
    path : Path
        The file that holds these results.
    new : bool
        Whether it was written now.
    """
    body = json.loads(to_json(content))  # as it reads back: tuples as lists
    if latest := folder.results()[-1:]:
        with suppress(PluralError):  # what cannot be read says something else
            if json.dumps(read_content(latest[0])) == json.dumps(body):
                return latest[0], False
    now = datetime.now()
    time = now.isoformat(timespec="microseconds").replace(":", "-")
    times = (now.timestamp(), started.timestamp(), now.timestamp(), (now - started).total_seconds())
    path, beside = folder.path / f"results_{time}.json", folder.path / f"details_{time}.json"
    kept, details = cut(body)
    own = dict(zip(OWN, (SCHEMA_VERSION, beside.name, *times), strict=True))
    write_atomic(beside, json.dumps(details, ensure_ascii=False, separators=(",", ":")) + "\n")
    write_atomic(path, laid_out(kept | own) + "\n")
    return path, True
