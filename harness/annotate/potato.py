"""Potato (2.12): a folder that ``potato start`` serves, and the ``user_state.json`` it keeps of every rater.

Nothing of Potato is imported; its licence (GPL) does not touch files. What is read is the state, not its CSV: that one
has a column for each label, and nothing of demographics.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from lm_plural.harness.annotate.form import Form
from lm_plural.harness.annotate.manifest import Manifest
from lm_plural.harness.annotate.rows import Returned, Row, read_json
from lm_plural.harness.annotate.sample import Shown
from lm_plural.harness.annotate.sheet import said_of
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import to_json

#: What Potato 2.12 writes into a page of its own as it is, though it ends a script: a space without width goes between.
ENDS_A_SCRIPT = re.compile(r"<(?=/?script|!--)", re.IGNORECASE)
STATE = "user_state.json"
CONSENT = "consent"
#: Where raters are sent when done; Prolific's completion code goes there.
CODE = "PUT-YOUR-COMPLETION-CODE-HERE"


def files(manifest: Manifest, form: Form, shown: Sequence[Shown]) -> dict[str, str]:
    """Return the files of the task by path."""
    items = [{"id": s.id, "prompt": _in_a_page(s.prompt), "response": _in_a_page(s.response)} for s in shown]
    required = {"label_requirement": {"required": True}}
    consent = [{"annotation_type": "radio", "name": CONSENT, "description": form.consent}]
    consent[0] |= {"labels": [{"name": "yes", "text": form.agree}], **required}  # type: ignore[dict-item]
    flow = ["consent", "annotation", *(["poststudy"] if form.axes else [])]
    phases: dict[str, Any] = {
        "order": flow,
        "consent": {"type": "consent", "file": "surveyflow/consent.json"},
        "annotation": {"type": "annotation"},
    }
    out = {"surveyflow/consent.json": to_json(consent)}
    if form.axes:
        phases["poststudy"] = {"type": "poststudy", "file": "surveyflow/about_you.json"}
        out["surveyflow/about_you.json"] = to_json([_question(form, axis) | required for axis in form.axes])
    config = {
        "annotation_task_name": form.title,
        "task_dir": ".",
        "output_annotation_dir": "annotation_output/",
        "export_annotation_format": "csv",
        "data_files": ["data/items.jsonl"],
        "item_properties": {"id_key": "id", "text_key": "response"},
        "user_config": {"allow_all_users": True, "users": []},
        "login": {"type": "url_direct", "url_argument": "PROLIFIC_PID"},
        "completion_code": CODE,
        "hide_navbar": True,
        "jumping_to_id_disabled": True,
        "assignment_strategy": "batch",
        "num_annotators_per_item": manifest.raters_per_item,
        "batch_assignment": {
            "auto_assign_annotators": True,
            "groups": [
                {"name": f"block_{block:02}", "instances": [s.id for s in shown if s.block == block]}
                for block in manifest.blocks
            ],
        },
        "annotation_instructions": form.instructions,
        "instance_display": {
            "fields": [
                {"key": "prompt", "type": "text", "label": form.question},
                {"key": "response", "type": "text", "label": form.answer},
            ]
        },
        "annotation_schemes": [
            {
                "annotation_type": "radio",
                "name": dimension,
                "description": form.statements[dimension],
                "labels": [{"name": level, "text": words} for level, words in form.levels.items()],
                **required,
            }
            for dimension in manifest.dimensions
        ],
        "phases": phases,
    }
    out["config.yaml"] = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=1000)
    out["data/items.jsonl"] = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    return out


def _in_a_page(text: str) -> str:
    return ENDS_A_SCRIPT.sub("<\u200b", text)


def _question(form: Form, axis: str) -> dict[str, Any]:
    q = form.axes[axis]
    labels = [{"name": name, "text": words} for name, words in form.choices(axis).items()]
    kind = "multiselect" if q.multiple else "radio"
    return {"annotation_type": kind, "name": axis, "description": q.question, "labels": labels}


def how_to(manifest: Manifest, folder: Path) -> list[str]:
    """Return what whoever collects has to do."""
    return [
        f"pip install potato-annotation==2.12.1; then in {folder}:",
        "  potato start config.yaml -p 8000 --host 127.0.0.1",
        "(without --host Potato can be reached from anywhere). Each rater opens",
        "  http://127.0.0.1:8000/?PROLIFIC_PID=<id of the rater>",
        f"and gets one block; {manifest.raters_per_item} raters a block. What they say is in annotation_output/.",
    ]


def states(folder: Path) -> list[Path]:
    """Return the states of raters in Potato's output folder, or the folder of the task."""
    return sorted([*folder.glob(f"*/{STATE}"), *folder.glob(f"annotation_output/*/{STATE}")])


def read(path: Path, manifest: Manifest, form: Form) -> Returned:
    """Read the state of one rater.

    Raises
    ------
    PluralError
        If it is not one, or holds two levels of one dimension: older versions of Potato kept every click.
    """
    state = read_json(path)
    try:
        crowd = state.get("crowd_metadata") or {}
        rater = str(crowd.get("worker_id") or state["user_id"] or path.parent.name)
        order = {str(item): n for n, item in enumerate(state.get("instance_id_ordering") or (), start=1)}
        seconds = {
            str(item): found["total_time_ms"] / 1000
            for item, found in (state.get("instance_id_to_behavioral_data") or {}).items()
            if isinstance(found, dict) and found.get("total_time_ms")
        }
        out = Returned()
        for item, labels in state["instance_id_to_label_to_value"].items():
            by_dimension: dict[str, set[str]] = {}
            for dimension, level in _chosen(labels):
                by_dimension.setdefault(dimension, set()).add(level)
            for dimension, levels in by_dimension.items():
                if len(levels) > 1:
                    older = "Potato 2.7.1 and older kept every click; its `potato repair-annotations` mends the file"
                    raise PluralError(f"{path}: item {item!r} has {len(levels)} levels of {dimension}; {older}")
                (level,) = levels
                out.rows.append(Row(rater, item, dimension, level, str(path), order.get(item), seconds.get(item)))
        said: dict[str, list[str]] = {}
        for page in (state.get("phase_to_page_to_label_to_value") or {}).get("poststudy", {}).values():
            for axis, group in _chosen(page):
                if axis in manifest.axes:
                    said.setdefault(axis, []).extend(said_of(form, axis, [group], str(path)))
        if said:
            out.about[rater] = said
        return out
    except (AttributeError, KeyError, TypeError, ValueError) as e:
        raise PluralError(f"{path}: not the state of a rater as Potato 2.12 writes it ({e!r:.60})") from e


def _chosen(labels: Any) -> Iterator[tuple[str, str]]:
    """Yield scheme and name of every label; a label is ``[{"schema": ..., "name": ...}, value]``."""
    for label, value in labels:
        if value not in (None, "", False):
            yield str(label["schema"]), str(label["name"])
