"""Validation that validates: everything about a task that can be known before a model is asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.find import MissingFileError
from lm_plural.harness.documents import RECIPE, Document, InvalidFileError, load_yaml
from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.files import is_file
from lm_plural.harness.ratings.coarsen import to_three
from lm_plural.harness.ratings.table import UNDECLARED, axis_name
from lm_plural.harness.scoring import TRUST, check_options, runs_code
from lm_plural.harness.task import elicit
from lm_plural.harness.task.contrast import load_contrast
from lm_plural.harness.task.elicit import steering
from lm_plural.harness.task.index import Index, is_contrast
from lm_plural.harness.task.load import Doc, LoadedTask, load_task
from lm_plural.harness.task.template import TemplateRenderError, render


def steer_findings(loaded: LoadedTask) -> Iterator[str]:
    """Yield what of ``steer`` does not fit: axis, groups, names, the text."""
    steer, document = loaded.task.steer, loaded.document
    if steer is None:
        return
    try:
        groups = loaded.shares.groups(steer.axis) if loaded.by_shares else loaded.table.group_sizes(steer.axis)
        known = sorted({*groups} - {UNDECLARED})
    except UsageError as e:
        yield document.at(("steer", "axis"), str(e))
        return
    named = [(("steer", "groups", n), g) for n, g in enumerate(steer.groups)]
    for loc, group in [*named, *((("steer", "names", g), g) for g in steer.names)]:
        if group not in known:
            message = f"no group {group!r} of {steer.axis!r}{did_you_mean(group, known)}; there are {', '.join(known)}"
            yield document.at(loc, message)
    asked, least = loaded.steered, loaded.task.groups.min_raters
    for loc, group in named:
        if group in known and group not in asked:
            yield document.at(loc, f"group {group!r} has fewer than {least} raters")
    if not asked and not steer.groups:
        yield document.at(("steer", "axis"), f"no group of {steer.axis!r} has {least} raters")
    yield from _text(loaded, list(asked))


def _text(loaded: LoadedTask, groups: list[str]) -> Iterator[str]:
    said: dict[str, str] = {}
    for group in groups:
        try:
            text = steering(loaded.task, group)
        except TemplateRenderError as e:
            yield loaded.document.at(("steer", "text"), str(e), e.line)
            return
        if (other := said.setdefault(text, group)) != group:
            yield loaded.document.at(("steer", "text"), f"says the same of {other!r} and {group!r}: {text!r}")
            return


#: Keys that need raters or one scale for all items, and the value they must keep.
KEEP = {"reference": "all", "weights": "items", "coarsen": None}


def share_findings(loaded: LoadedTask) -> Iterator[str]:
    """Yield the keys of a task that have no meaning without raters."""
    task, at = loaded.task, loaded.document.at
    if not loaded.by_shares:
        return
    if task.mode != "rate":
        yield at(("mode",), "without raters nobody rated a response; expected mode: rate")
        return
    if task.doc_to_choice:
        yield at(("doc_to_choice",), "every item has options of its own; expected none for all")
    if task.elicitation.codings != ["letters"]:
        yield at(("elicitation",), "every item has options of its own; expected codings: [letters]")
    for key, value in KEEP.items():
        if getattr(task, key) != value:
            yield at((key,), f"needs raters; with shares of answers, expected {key}: {value or 'nothing'}")


def axes_of_shares(loaded: LoadedTask) -> Iterator[str]:
    """Yield axes of a task that the data set has no shares for."""
    for n, axis in enumerate(loaded.task.groups.axes):
        try:
            loaded.shares.groups(axis)
        except UsageError as e:
            yield loaded.document.at(("groups", "axes", n), str(e))


#: Missing files that are named one by one.
FEW_FILES = 3
#: Items a template is rendered on.
RENDERED = 20


@dataclass(frozen=True)
class Report:
    """What is wrong with a task, and what is good to know.

    Parameters
    ----------
    findings : list of str
        As ``file:line: message``; none: it is valid.
    notes : list of str
    loaded : LoadedTask or None
        The task, if its file and recipe could be read.
    data_missing : bool
        A data file is not at hand, so the data could not be checked.
    data_wrong : bool
        A data file is not the one the recipe describes.
    """

    findings: list[str]
    notes: list[str] = field(default_factory=list)
    loaded: LoadedTask | None = None
    data_missing: bool = False
    data_wrong: bool = False


def check_task(document: Document, index: Index) -> Report:
    """Return every finding about a task.

    Schema and unknown keys of task and recipe; data files and their checksums; ratings; labels against the scale; the
    template on the first items; axes and groups; scorers and their options. Of a contrast set, its texts.
    """
    try:
        if is_contrast(document):
            list(load_contrast(document).samples())
            return Report([])
        loaded = load_task(document, index)
    except InvalidFileError as e:
        return Report(e.findings)
    except PluralError as e:
        return Report([str(e)])
    missing, wrong = check_files(loaded.dataset)
    findings = missing + wrong or _readable(loaded)
    notes = [*([] if findings else [f"{loaded.name}: {note}" for note in loaded.notes]), *_code(loaded)]
    findings += share_findings(loaded)
    fitting = CHECKS_OF_SHARES if loaded.by_shares else CHECKS
    findings += [f for check in (ALWAYS if findings else fitting) for f in check(loaded)]
    return Report(findings, notes, loaded, data_missing=bool(missing), data_wrong=bool(wrong))


def check_files(dataset: Dataset) -> tuple[list[str], list[str]]:
    """Return findings, at their places in the recipe: files that are not there, and files with other bytes."""
    missing: list[str] = []
    findings: list[str] = []
    document = load_yaml(dataset.folder / RECIPE)
    for name in dataset.recipe.files:
        try:
            dataset.path(name)
        except MissingFileError as e:
            missing.append(document.at(("files", name), str(e)))
        except PluralError as e:
            findings.append(document.at(("files", name), str(e)))
    if more := len(missing) - FEW_FILES:
        missing = [*missing[:FEW_FILES], f"{missing[0].split(': ')[0]}: and {more} more files"] if more > 0 else missing
    return missing, findings


def _readable(loaded: LoadedTask) -> list[str]:
    """Return what is wrong in the data, the first trouble of items and of ratings."""
    findings = []
    for read, key in ((lambda: loaded.dataset.items, "dataset"), (loaded.docs, "dimension")):
        try:
            if not len(read()):
                findings.append(loaded.document.at(("items",), "no item with a rating is left"))
        except PluralError as e:
            text = str(e)
            placed = is_file(Path(text.split(":", 1)[0]))
            findings.append(text if placed else loaded.document.at((key,), text))
    return list(dict.fromkeys(findings))


def _labels(loaded: LoadedTask) -> Iterator[str]:
    task, scale = loaded.task, loaded.scale
    if task.mode == "rate" and len(task.choices) != scale.size:
        yield loaded.document.at(
            ("doc_to_choice",),
            f"{len(task.choices)} labels for the {scale.size} levels {', '.join(scale.levels)}",
        )
    if len(set(task.choices)) != len(task.choices):
        yield loaded.document.at(("doc_to_choice",), "labels must differ")
    for coding, labels in (("levels", task.choices), ("words", list(scale.labels))):
        if task.mode == "rate" and coding in task.elicitation.codings:
            for short in labels:
                if longer := [w for w in labels if w != short and w.startswith(short)]:
                    message = f"{coding}: label {short!r} begins {longer[0]!r}, so its probability holds that of both"
                    yield loaded.document.at(("elicitation", "codings"), f"{message}; use letters")
                    return
    if task.mode == "rate" and "words" in task.elicitation.codings and len(set(scale.labels)) != scale.size:
        yield loaded.document.at(("elicitation", "codings"), f"words: labels of the scale must differ: {scale.labels}")


def _shadowed(loaded: LoadedTask) -> Iterator[str]:
    if loaded.task.mode == "rate":
        for name in {"options", "labels"} & set(loaded.dataset.items.columns):
            yield loaded.document.at(("doc_to_text",), f"items have a field {name!r}, a name the template needs itself")


def _reference(loaded: LoadedTask) -> Iterator[str]:
    if loaded.task.reference == "weighted" and not loaded.by_shares and loaded.dataset.recipe.ratings.weight is None:
        yield loaded.document.at(("reference",), "weighted needs a column: ratings.weight in the recipe")


def _template(loaded: LoadedTask) -> Iterator[str]:
    task = loaded.task
    fits = loaded.by_shares or len(task.choices) == loaded.scale.size
    variants, docs = elicit.variants(task) if task.mode == "rate" and fits else [], loaded.docs(RENDERED)
    try:
        for variant in variants:
            elicit.shown(task, loaded.scale_of(docs[0]), variant)
    except UsageError as e:
        yield loaded.document.at(("elicitation", "codings"), str(e))
        return
    for n in range(len(task.wordings)):
        place: Sequence[Hashable] = ("paraphrases", n - 1) if n else ("doc_to_text",)
        mine = [v for v in variants if v.wording == n]
        for doc in docs:
            try:
                _render(loaded, mine, doc)
            except TemplateRenderError as e:
                yield loaded.document.at(place, f"{e} (item {doc.id})", e.line)
                break


def _render(loaded: LoadedTask, variants: Sequence[elicit.Variant], doc: Doc) -> None:
    for variant in variants:
        elicit.prompt(loaded.task, loaded.scale_of(doc), variant, doc.fields)
    if loaded.task.mode == "respond":
        render(loaded.task.doc_to_text, dict(doc.fields))


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


def _coarsen(loaded: LoadedTask) -> Iterator[str]:
    try:
        if (spec := loaded.task.coarsen) and spec.levels == 3:
            to_three(loaded.scale)
    except UsageError as e:
        yield loaded.document.at(("coarsen", "levels"), str(e))


def _scorers(loaded: LoadedTask) -> Iterator[str]:
    for n, spec in enumerate(loaded.task.scorers):
        try:
            check_options(spec.name, spec.options)
        except PluralError as e:
            yield loaded.document.at(("scorers", n), str(e))


def _code(loaded: LoadedTask) -> Iterator[str]:
    """Yield a note for each scorer that runs code the task names."""
    for n, spec in enumerate(loaded.task.scorers):
        with suppress(PluralError):
            if runs_code(spec.name):
                options = ", ".join(f"{k}={v!r}" for k, v in spec.options.items())
                message = f"runs code: scorer {spec.name!r} ({options}); refused without --{TRUST} on the command line"
                yield loaded.document.at(("scorers", n), message)


Check = Callable[[LoadedTask], Iterator[str]]
#: Checks that need no data.
ALWAYS: tuple[Check, ...] = (_scorers, _reference)
CHECKS: tuple[Check, ...] = (_labels, _shadowed, _template, _target, _axes, _coarsen, steer_findings, *ALWAYS)
CHECKS_OF_SHARES: tuple[Check, ...] = (_shadowed, _template, axes_of_shares, steer_findings, *ALWAYS)
