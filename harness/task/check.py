"""Validation that validates: everything about a task that can be known before a model is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.model import elicit
from lm_plural.harness.ratings.table import axis_name
from lm_plural.harness.scoring import check_options
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import LoadedTask, load_task
from lm_plural.harness.task.template import TemplateRenderError, render
from lm_plural.harness.task.yamlfile import Document, InvalidFileError

#: Items a template is rendered on.
RENDERED = 20


def check_task(document: Document, index: Index) -> list[str]:
    """Return every finding about a task as ``file:line: message``; none: it is valid.

    Schema and unknown keys of task and recipe; data files and their checksums; ratings; labels against the scale; the
    template on the first items; axes and groups; scorers and their options.
    """
    try:
        loaded = load_task(document, index)
    except InvalidFileError as e:
        return e.findings
    except UsageError as e:
        return [str(e)]
    findings: list[str] = []
    for check in (_items, _ratings):
        try:
            check(loaded)
        except PluralError as e:
            findings.append(_placed(loaded, e))
    findings += [f for check in CHECKS for f in check(loaded)] if not findings else list(_scorers(loaded))
    return findings


def _placed(loaded: LoadedTask, error: PluralError) -> str:
    """Return a finding: as it is if it names a line of a file, else at the task's dataset key."""
    text = str(error)
    path = text.split(":", 1)[0]
    return text if Path(path).is_file() else loaded.document.at(("dataset",), text)


def _items(loaded: LoadedTask) -> None:
    loaded.dataset.items  # noqa: B018  reading them is the check


def _ratings(loaded: LoadedTask) -> None:
    try:
        if not loaded.docs():
            raise UsageError(loaded.document.at(("items",), "no item with a rating is left"))
    except UsageError as e:
        text = str(e)
        placed = text.startswith(str(loaded.document.path))
        raise UsageError(text if placed else loaded.document.at(("dimension",), text)) from e


def _labels(loaded: LoadedTask) -> Iterator[str]:
    task, scale = loaded.task, loaded.scale
    if task.mode == "rate" and len(task.choices) != scale.size:
        yield loaded.document.at(
            ("doc_to_choice",),
            f"{len(task.choices)} labels for the {scale.size} levels {', '.join(scale.levels)}",
        )
    if len(set(task.choices)) != len(task.choices):
        yield loaded.document.at(("doc_to_choice",), "labels must differ")


def _template(loaded: LoadedTask) -> Iterator[str]:
    task = loaded.task
    variants = elicit.variants(task) if task.mode == "rate" and len(task.choices) == loaded.scale.size else []
    for doc in loaded.docs(RENDERED):
        try:
            for variant in variants:
                elicit.prompt(task, loaded.scale, variant, doc.fields)
            if task.mode == "respond":
                render(task.doc_to_text, dict(doc.fields))
        except TemplateRenderError as e:
            yield _template_line(loaded, e, f"{e} (item {doc.id})")
            return


def _template_line(loaded: LoadedTask, error: TemplateRenderError, message: str) -> str:
    """Point into a block template: its text begins on the line after the key."""
    path, line = loaded.document.lines.get(("doc_to_text",), (loaded.document.path, 1))
    block = "\n" in loaded.task.doc_to_text.rstrip("\n")
    return f"{path}:{line + (error.line if block else 0)}: {message}"


def _target(loaded: LoadedTask) -> Iterator[str]:
    if (field := loaded.task.doc_to_target) and field not in loaded.dataset.items.columns:
        yield loaded.document.at(("doc_to_target",), f"items have no field {field!r}")


def _axes(loaded: LoadedTask) -> Iterator[str]:
    least = loaded.task.groups.min_raters
    for n, axis in enumerate(loaded.task.groups.axes):
        try:
            sizes = loaded.table.group_sizes(axis)
        except UsageError as e:
            yield loaded.document.at(("groups", "axes", n), str(e))
            continue
        if not any(size >= least for size in sizes.values()):
            yield loaded.document.at(
                ("groups", "axes", n), f"no group of {axis_name(axis)!r} has {least} raters: {sizes}"
            )


def _scorers(loaded: LoadedTask) -> Iterator[str]:
    for n, spec in enumerate(loaded.task.scorers):
        try:
            check_options(spec.name, spec.options)
        except PluralError as e:
            yield loaded.document.at(("scorers", n), str(e))


CHECKS: tuple[Callable[[LoadedTask], Iterator[str]], ...] = (_labels, _template, _target, _axes, _scorers)
