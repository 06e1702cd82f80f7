"""The scorer ``preset``: published models that are known, each as its file says (``scorers/presets``).

Nothing is downloaded that is not pinned to a commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from lm_plural.harness.errors import UsageError
from lm_plural.harness.model.spec import snapshots
from lm_plural.harness.scoring import FloatArray, Listed, Sample, ScorerInfo, lists
from lm_plural.scorers.base import TextScorer, hash_options, plain, prompts, responses, version_of
from lm_plural.scorers.classifiers.chat import Conversation, Guard
from lm_plural.scorers.classifiers.heads import better, combined, weights_of
from lm_plural.scorers.classifiers.preset_file import COMMIT, SHA256, Name, Preset, load_preset, preset_names
from lm_plural.scorers.classifiers.pretrained import fitting_length, labels_of, load, model_version
from lm_plural.scorers.classifiers.torch import Classifier, Dtype, changes, choose_device

#: What of a preset changes a score, beside the model.
SCORING = {"model", "input", "unit", "head", "scores", "before", "messages", "template", "own_template", "languages"}
#: Dimension of a guard's own criteria, unless it is said.
OWN = "own_criteria"
#: Between two sentences.
SENTENCE = re.compile(r"(?<=[.!?…])\s+")

#: From samples that all have a response to scores of shape (samples, dimensions), and where it is computed.
Reader = tuple[Callable[[list[Sample]], FloatArray], str]


def _known(name: str) -> str:
    """Return the name of a preset, so that ``validate`` finds one that there is not."""
    try:
        load_preset(name)
    except UsageError as e:
        raise ValueError(str(e)) from e
    return name


def _listed() -> list[Listed]:
    found = {name: load_preset(name) for name in preset_names()}
    return [
        Listed(f"preset:{n}", p.measures, p.dimensions, tuple(p.languages), p.licence, _at_hand(p))
        for n, p in found.items()
    ]


def _at_hand(found: Preset) -> str:
    if snapshots(found.model, found.revision):
        return "yes"
    return "by hand" if found.gated else "fetch" if found.revision else "pin, fetch"


@lists(_listed)
def preset(
    *,
    preset: Annotated[str, AfterValidator(_known)],
    revision: Annotated[str, Field(pattern=COMMIT)] | None = None,
    sha256: Annotated[str, Field(pattern=SHA256)] | None = None,
    model: str | None = None,
    criteria: str | None = None,
    dimension: Name | None = None,
    languages: Literal["card", "any"] = "card",
    device: str = "auto",
    max_tokens: int | None = None,
    dtype: Dtype = "float32",
) -> TextScorer:
    """Make a scorer of a published model that is known; code in its repository is never run.

    Parameters
    ----------
    preset : str
        Name (``lm-plural ls scorers``) or YAML file.
    revision : str, optional
        Commit on the Hub, 40 hexadecimal digits, instead of the preset's; needed where the preset has none.
    sha256 : str, optional
        What the weights' must be, instead of the preset's: of the one file, or over names and contents of several.
    model : str, optional
        Folder with the model's files, for use offline.
    criteria : str, optional
        Of guards that take some: what to look for in a response, in a sentence; or the instruction on the card.
    dimension : str, optional
        What own criteria measure (default ``own_criteria``).
    languages : {"card", "any"}
        Which texts are scored: those in a language that the model's card names, or all.
    device : str
        ``auto`` (CUDA if there is one with room), ``cpu``, ``cuda``, ``cuda:1``, ...
    max_tokens : int, optional
        Tokens of one forward pass, padding counted (default 2,048 on a CPU, 32,768 elsewhere); halved when memory
        runs out.
    dtype : {"float32", "bfloat16"}
        Of the computation, and of the weights of guards and reward models.

    Returns
    -------
    TextScorer
        The preset's dimensions, each in [0, 1]. Scores have shape (samples, dimensions), NaN for a missing or blank
        response; of a guard, where it does not answer with a label; of a reward, without a reference to the prompt.

    Raises
    ------
    UsageError
        If no commit is pinned, or an option does not fit the preset.
    PluralError
        If the model cannot be loaded, or its weights or labels are not the preset's.
    """
    found, name = load_preset(preset), Path(preset).name.removesuffix(".yml").removesuffix(".yaml")
    who = f"preset {name!r}"
    source, commit = _source(found, who, revision, model)
    own = _criteria(found, who, criteria, dimension)
    choose_device(device)
    large = found.head in ("reward", "guard") and found.input == "chat"
    network, tokenizer = load(
        source,
        commit,
        who,
        "causal" if found.head == "guard" else "classifier",
        half=large and dtype == "bfloat16",
        sha256=sha256 or (found.sha256 if revision in (None, found.revision) else None),
    )
    length = fitting_length(found.max_length, network.config, tokenizer)
    how: dict[str, Any] = {"device": device, "max_tokens": max_tokens, "dtype": dtype, "max_length": length}
    conversation = None
    if found.input == "chat":
        conversation = Conversation(
            tokenizer,
            [m.model_dump() for m in found.messages],
            found.own_template if own and found.own_template else found.template,
            criteria=own,
            max_length=length,
            asks=found.head == "guard",
            who=who,
        )
    reader = {"guard": _guard, "reward": _reward}.get(found.head, _labels)
    rate, device = reader(found, who, network, tokenizer, conversation, how)
    said = found.model_dump(mode="json", include=SCORING)
    info = ScorerInfo(
        name=f"preset:{name}",
        dimensions=(dimension or OWN,) if own and found.own_template else found.dimensions,
        range=(0.0, 1.0),
        direction=found.direction,
        device=device,
        version=version_of(
            transformers=version("transformers"),
            model=model_version(source, commit),
            options=hash_options({**said, "max_length": length, "criteria": own, "languages": languages}),
            **changes(dtype),
        ),
        languages=tuple(found.languages) if languages == "card" else (),
        compares=found.head == "reward",
    )
    return TextScorer(info, rate)


def _source(found: Preset, who: str, revision: str | None, folder: str | None) -> tuple[str, str]:
    """Return where a preset's model comes from, and its commit."""
    if folder is not None:
        if not Path(folder).is_dir():
            raise UsageError(f"{who}: model={folder}: expected a folder with the files of {found.model}")
        return folder, "main"
    if commit := revision or found.revision:
        return found.model, commit
    where = f"https://huggingface.co/{found.model}/commits/main"
    raise UsageError(
        f"{who}: no commit of {found.model} is pinned; pin the one you mean by revision=<40 hexadecimal digits> "
        f"({where}), or give model=FOLDER with its files"
    )


def _criteria(found: Preset, who: str, criteria: str | None, dimension: str | None) -> str:
    """Return the user's criteria, empty without any, after a check that they fit the preset."""
    if criteria is not None and not (found.own_template or found.needs_criteria):
        raise UsageError(f"{who} takes no criteria")
    if criteria is not None and not criteria.strip():
        raise UsageError(f"{who}: criteria is blank; expected what to look for in a response")
    if dimension is not None and (not criteria or found.needs_criteria):
        raise UsageError(f"{who}: dimension names what own criteria measure; without them it is {found.dimensions[0]}")
    if found.needs_criteria and criteria is None:
        raise UsageError(
            f"{who} needs criteria: the instruction with its categories, as it stands on {found.licence_url}"
        )
    return plain(criteria or "")


def _guard(found: Preset, who: str, network: Any, _: Any, conversation: Conversation | None, how: Any) -> Reader:
    assert conversation
    places = [
        (before, tuple(labels), weights_of({name: labels}, list(labels), who))
        for before, (name, labels) in zip(found.before, found.scores.items(), strict=True)
    ]
    guard = Guard(network, conversation, places, **how)
    return lambda samples: guard.scores(prompts(samples), responses(samples)), guard.classifier.device


def _logits(found: Preset, classifier: Classifier, conversation: Conversation | None) -> Callable[..., FloatArray]:
    """Return a function of prompts and texts: what the network says of them."""

    def logits(asked: Sequence[str], said: Sequence[str]) -> FloatArray:
        if conversation is None:
            return classifier.logits(*([asked] if found.input == "pair" else []), said)
        ids = [conversation.encode(conversation.text(p, r)) for p, r in zip(asked, said, strict=True)]
        return classifier.logits_of([{"input_ids": row, "attention_mask": [1] * len(row)} for row in ids])

    return logits


def _reward(
    found: Preset, who: str, network: Any, tokenizer: Any, conversation: Conversation | None, how: Any
) -> Reader:
    if network.config.num_labels != 1:
        raise UsageError(f"{who}: the model has {network.config.num_labels} labels; expected the one of a reward")
    classifier = Classifier(network, tokenizer, **how)
    logits = _logits(found, classifier, conversation)

    def rate(samples: list[Sample]) -> FloatArray:
        out = np.full((len(samples), 1), np.nan)
        held = [i for i, s in enumerate(samples) if s.reference and s.reference.strip()]
        if not held:
            return out
        compared = [samples[i] for i in held]
        pairs = list(zip(prompts(compared), [plain(s.reference or "") for s in compared], strict=True))
        references = list(dict.fromkeys(pairs))  # several responses to a prompt share one
        of = dict(zip(references, logits(*zip(*references, strict=True))[:, 0], strict=True))
        rewards = logits(prompts(compared), responses(compared))[:, 0]
        out[held, 0] = better(rewards, np.array([of[pair] for pair in pairs]))
        return out

    return rate, classifier.device


def _labels(
    found: Preset, who: str, network: Any, tokenizer: Any, conversation: Conversation | None, how: Any
) -> Reader:
    has = labels_of(network.config)
    weights = weights_of(found.scores, has, who)
    if len(has) != len(found.labels):
        raise UsageError(f"{who}: the model has the labels {', '.join(has)}; expected {', '.join(found.labels)}")
    classifier = Classifier(network, tokenizer, **how)
    logits = _logits(found, classifier, conversation)

    def rate(samples: list[Sample]) -> FloatArray:
        texts, asked = responses(samples), prompts(samples)
        parts = [SENTENCE.split(text.strip()) if found.unit == "sentence" else [text] for text in texts]
        said = [part for of_text in parts for part in of_text]
        before = [p for p, of_text in zip(asked, parts, strict=True) for _ in of_text]
        each = combined(logits(before, said), weights, sigmoid=found.head == "sigmoid")
        starts = np.cumsum([0, *map(len, parts[:-1])])
        greatest: FloatArray = np.maximum.reduceat(each, starts, axis=0)
        return greatest

    return rate, classifier.device
