"""Label Studio (1.23, Community): one project a block, because it cannot give chosen tasks to chosen people.

What is read is its export as JSON: JSON_MIN and CSV do not tell what was cancelled. Raters are user numbers there; who
they are is in ``users.json``, what ``GET /api/users`` answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lm_plural.harness.annotate.form import Form
from lm_plural.harness.annotate.manifest import Manifest
from lm_plural.harness.annotate.rows import Returned, Row, read_json
from lm_plural.harness.annotate.sample import Shown
from lm_plural.harness.annotate.sheet import said_of
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import to_json

#: The one task of the project in which raters say something of themselves.
ABOUT = "about_you"
#: More people than anyone recruits: a project is closed to those who come after.
ANY_NUMBER = 100_000


def files(manifest: Manifest, form: Form, shown: Sequence[Shown]) -> dict[str, str]:
    """Return the bodies of two requests for each block: a project, and its tasks."""
    settings = {"show_skip_button": False, "enable_empty_annotation": False, "sampling": "Sequential sampling"}
    ratings = "".join(
        _choices(dimension, "response", form.statements[dimension], form.levels) for dimension in manifest.dimensions
    )
    texts = f"{_text('prompt', form.question)}{_text('response', form.answer)}"
    config, out = f"<View>{texts}{ratings}</View>", dict[str, str]()
    told = f"<p>{escape(form.consent)}</p><p>{escape(form.instructions)}</p>"
    for block in manifest.blocks:
        name = f"block_{block:02}"
        project: dict[str, Any] = {"title": f"{form.title} {block}", "description": form.consent}
        project |= {"label_config": config, "expert_instruction": told, "show_instruction": True}
        out[f"project_{name}.json"] = to_json({**project, "maximum_annotations": manifest.raters_per_item, **settings})
        tasks = [
            {"data": {"item_id": s.id, "prompt": s.prompt, "response": s.response, "block": name}, "meta": {}}
            for s in shown
            if s.block == block
        ]
        out[f"tasks_{name}.json"] = to_json(tasks)
    if form.axes:
        asked = "".join(
            _choices(axis, "text", q.question, form.choices(axis), multiple=q.multiple) for axis, q in form.axes.items()
        )
        project = {"title": f"{form.title}: {form.about}"[:50], "label_config": f"<View>{_text('text')}{asked}</View>"}
        out[f"project_{ABOUT}.json"] = to_json({**project, "maximum_annotations": ANY_NUMBER, **settings})
        out[f"tasks_{ABOUT}.json"] = to_json([{"data": {"item_id": ABOUT, "text": form.about}, "meta": {}}])
    return out


def _text(name: str, head: str = "") -> str:
    header = f"<Header value={quoteattr(head)}/>" if head else ""
    return f'{header}<Text name="{name}" value="${name}"/>'


def _choices(name: str, to: str, asked: str, options: dict[str, str], *, multiple: bool = False) -> str:
    """Return the choices of a question; the alias is what is stored for the words that are shown."""
    inner = "".join(f"<Choice value={quoteattr(v)} alias={quoteattr(k)}/>" for k, v in options.items())
    kind = "multiple" if multiple else "single-radio"
    head = f"<Header value={quoteattr(asked)}/>"
    return f'{head}<Choices name={quoteattr(name)} toName="{to}" choice="{kind}" required="true">{inner}</Choices>'


def how_to(manifest: Manifest, folder: Path) -> list[str]:
    """Return what whoever collects has to do."""
    call = '  curl -H "Authorization: Token $TOKEN" -H "Content-Type: application/json"'
    return [
        "uv pip install label-studio==1.23.2 (pip takes minutes to resolve it); then",
        "  COLLECT_ANALYTICS=false SENTRY_DSN= LATEST_VERSION_CHECK=false \\",
        "  LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true \\",
        "  label-studio start --no-browser --internal-host 127.0.0.1 --port 8080",
        "(--internal-host is the address it listens on; its --host is only what links begin with.)",
        f"With an account's token, in {folder}, for each block and for {ABOUT}:",
        f"{call} -d @project_block_01.json http://127.0.0.1:8080/api/projects",
        f"{call} -d @tasks_block_01.json http://127.0.0.1:8080/api/projects/<id>/import",
        f"Each rater has an account and rates one block ({manifest.raters_per_item} raters a block), then {ABOUT}.",
        "Save into one folder: for each project /api/projects/<id>/export?exportType=JSON as NAME.json,",
        "and /api/users as users.json.",
    ]


def read(path: Path, form: Form, users: dict[int, str]) -> Returned:
    """Read the export of one project.

    Raises
    ------
    PluralError
        If it is not one: JSON_MIN, which hides what was cancelled, is none.
    """
    content, out, skipped = read_json(path), Returned(), 0
    try:
        placed: dict[str, list[tuple[str, int]]] = {}
        for task in content:
            item = str(task["data"]["item_id"])
            for annotation in task["annotations"]:
                if annotation["was_cancelled"]:
                    skipped += 1
                    continue
                number = annotation["completed_by"]
                number = number["id"] if isinstance(number, dict) else number
                rater, where = users.get(number, f"user {number}"), f"{path}: task {task['id']}, user {number}"
                if item == ABOUT:
                    out.about[rater] = _about(annotation["result"], form, where)
                    continue
                for dimension, chosen in _results(annotation["result"]):
                    if len(chosen) != 1:
                        raise PluralError(f"{where}: {len(chosen)} levels of {dimension}; expected one")
                    placed.setdefault(rater, []).append((annotation["created_at"], len(out.rows)))
                    seconds = annotation.get("lead_time")
                    out.rows.append(Row(rater, item, dimension, chosen[0], where, None, seconds))
    except (KeyError, TypeError, AttributeError) as e:
        kind = "expected an export with exportType=JSON"
        raise PluralError(f"{path}: not an export of Label Studio 1.23 ({e!r:.60}); {kind}") from e
    out.rows = _in_order(out.rows, placed)
    if skipped:
        out.notes.append(f"{path.name}: {skipped} cancelled annotations left out")
    return out


def _in_order(rows: list[Row], placed: dict[str, list[tuple[str, int]]]) -> list[Row]:
    """Return the rows with the place of each item among what its rater rated, by time."""
    out = list(rows)
    for times in placed.values():
        items: dict[str, int] = {}
        for _, n in sorted(times):
            row = rows[n]
            place = items.setdefault(row.item, len(items) + 1)
            out[n] = Row(row.rater, row.item, row.dimension, row.value, row.where, place, row.seconds)
    return out


def _results(results: Any) -> Iterator[tuple[str, list[str]]]:
    for result in results:
        if result["type"] == "choices":
            yield str(result["from_name"]), [str(c) for c in result["value"]["choices"]]


def _about(results: Any, form: Form, where: str) -> dict[str, list[str]]:
    return {axis: said_of(form, axis, chosen, where) for axis, chosen in _results(results) if axis in form.axes}


def users_of(content: Any) -> dict[int, str] | None:
    """Return e-mail address by number from what ``GET /api/users`` answers; None if it is something else."""
    if not isinstance(content, list) or not content:
        return None
    if not all(isinstance(user, dict) and {"id", "email"} <= user.keys() for user in content):
        return None
    return {user["id"]: str(user["email"] or f"user {user['id']}") for user in content}
