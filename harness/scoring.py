"""The Scorer contract and its registry.

A scorer turns responses into numbers on one or more dimensions. It is made by a *factory function* found through
the entry point group ``lm_plural.scorers``; the factory's keyword arguments are its options, checked against
their annotations, so that a task YAML can say ``{name: detoxify, variant: unbiased}``.

A factory that can run code which its options name (a script, code from a hub) declares ``trust_remote_code: bool =
False`` and refuses to while it is false. It is no option: only the command line can make it true. One that needs a
language model declares ``under_test: UnderTest | None = None``: the model whose responses are scored, handed to it by
the run, which it may use where its options name no model. It is no option either.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from lm_plural.harness.errors import PluralError, UsageError, did_you_mean

GROUP = "lm_plural.scorers"

#: Keyword of factories that can run code their options name, and of those that may use the model under test.
TRUST, UNDER_TEST = "trust_remote_code", "under_test"

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """One thing to score, and what of its circumstances a scorer may use; nothing of raters.

    Parameters
    ----------
    prompt : str
        What was asked, without a chat template.
    response : str or None
        What was answered; None: no answer came.
    id : str
        Of the answer inside its task, for messages.
    language : str
        As the items say (``en``, ``de``); empty: not known.
    reference : str or None
        The task's reference response to the same prompt; empty: this prompt has none; None: the task has none.
    system : str
        The system prompt the model was given.
    """

    prompt: str
    response: str | None
    id: str = ""
    language: str = ""
    reference: str | None = None
    system: str = ""


@dataclass(frozen=True)
class UnderTest:
    """The model whose responses are scored: its backend in lm-eval, and its arguments."""

    backend: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class ScorerInfo:
    """What a scorer measures and with what, written into every result.

    Parameters
    ----------
    name : str
        Registered name with its variant, e.g. ``detoxify:unbiased``; unique inside a run.
    dimensions : tuple of str
        The columns of :meth:`Scorer.score`, in order.
    range : tuple of float
        Least and greatest value a score can take.
    direction : {"more", "less"}
        Whether a higher score means more or less of the dimension (a toxicity score: ``more`` toxic).
    device : str
        ``cpu``, ``cuda``, ... or ``remote``.
    version : str
        Hash that changes with anything that changes a score (weights, library, prompt, options).
    more : tuple of str
        Further columns of :meth:`Scorer.score`, after the dimensions: what is kept of each answer beside its score,
        in no range, such as how sure a judge was.
    languages : tuple of str
        Those it covers (``en``, ``de``), or none: it is handed texts in any. A text in another language has no score.
    compares : bool
        Whether a score says how a response compares with the task's reference: without one the scorer is refused.
    at_once : int
        Texts handed over at once, if there are so many; scores of them are kept together, so a stop costs no more.
    model : mapping, optional
        Of a scorer that is a language model: its ``name``, and its ``weights``, null where only a server knows.
    """

    name: str
    dimensions: tuple[str, ...]
    range: tuple[float, float]
    direction: Literal["more", "less"]
    device: str
    version: str
    more: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    compares: bool = False
    at_once: int = 512
    model: Mapping[str, str | None] | None = None

    def covers(self, language: str) -> bool:
        """Return whether texts in a language are scored (``de-AT`` is ``de``); those of no known language are."""
        return not (self.languages and language) or re.split("[-_]", language.lower())[0] in self.languages


@dataclass(frozen=True)
class Listed:
    """What ``lm-plural ls scorers`` says of a scorer that a factory can make, without making it.

    Parameters
    ----------
    scorer : str
        As on the command line.
    what : str
        In a sentence.
    dimensions, languages : tuple of str
        Empty: as its options say, any.
    licence : str
    at_hand : str
        ``yes``, ``fetch`` (it is downloaded), ``pin, fetch`` (once you say which commit), ``by hand`` (behind a gate),
        or empty: as its options say.
    """

    scorer: str
    what: str
    dimensions: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    licence: str = ""
    at_hand: str = ""


Factory = TypeVar("Factory", bound=Callable[..., object])


def lists(rows: Callable[[], list[Listed]]) -> Callable[[Factory], Factory]:
    """Return a decorator of factories that says what they can make; `rows` loads no model."""

    def decorate(factory: Factory) -> Factory:
        factory.__dict__["listed"] = rows
        return factory

    return decorate


def listed(name: str) -> list[Listed]:
    """Return what is said of the scorers of the factory registered as `name`; raises as :func:`scorer_factory`."""
    factory = scorer_factory(name)
    rows: Callable[[], list[Listed]] | None = getattr(factory, "listed", None)
    return rows() if rows else [Listed(name, (inspect.getdoc(factory) or "").split("\n")[0])]


@runtime_checkable
class Scorer(Protocol):
    """What the run loop needs of a scorer."""

    @property
    def info(self) -> ScorerInfo:
        """What is measured and with what."""
        ...

    def score(self, batch: Sequence[Sample]) -> FloatArray:
        """Score a batch.

        Returns
        -------
        ndarray of float64, shape (len(batch), len(info.dimensions) + len(info.more))
            NaN where a response is missing, empty or could not be scored: never 0.
        """
        ...


@runtime_checkable
class SharingScorer(Scorer, Protocol):
    """A scorer that costs less beside others: judges by one model, which reads a text once for all of them."""

    @property
    def shares(self) -> Hashable:
        """Equal for scorers that do."""
        ...

    def score_together(self, asked: Sequence[tuple[Any, Sequence[Sample]]]) -> list[FloatArray]:
        """Return what :meth:`Scorer.score` of each scorer says of its own texts, which may be the same or not."""
        ...


def scorer_entry_points() -> dict[str, EntryPoint]:
    """Return the registered factories by name, none of them imported."""
    return {e.name: e for e in entry_points(group=GROUP)}


def scorer_factory(name: str) -> Callable[..., Scorer]:
    """Import and return the factory registered as `name`.

    Raises
    ------
    UsageError
        If no such scorer is registered (with a suggestion).
    PluralError
        If it is registered but its package cannot be imported.
    """
    known = scorer_entry_points()
    if name not in known:
        raise UsageError(f"unknown scorer {name!r}{did_you_mean(name, known)} (lm-plural ls scorers)")
    try:
        factory: Callable[..., Scorer] = known[name].load()
    except Exception as e:  # other people's code: whatever it raises, the user gets one line
        raise PluralError(f"scorer {name!r} cannot be imported from {known[name].value}: {e}") from e
    return factory


def check_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `options` checked and converted by the factory's annotations, without making the scorer.

    Raises
    ------
    UsageError
        For an unknown option (with a suggestion), a missing one or a value of the wrong type.
    """
    from pydantic import TypeAdapter, ValidationError

    parameters = inspect.signature(scorer_factory(name), eval_str=True).parameters
    checked: dict[str, Any] = {}
    for key, value in options.items():
        if key == TRUST:
            raise UsageError(f"scorer {name!r}: {TRUST} is no option; only --{TRUST} on the command line turns it on")
        if key == UNDER_TEST:
            raise UsageError(f"scorer {name!r}: {UNDER_TEST} is no option; a run hands it the model it evaluates")
        if key not in parameters:
            raise UsageError(f"scorer {name!r} has no option {key!r}{did_you_mean(key, parameters)}")
        try:
            checked[key] = TypeAdapter(parameters[key].annotation).validate_python(value)
        except ValidationError as e:
            why = e.errors()[0]["msg"].removeprefix("Value error, ")
            raise UsageError(f"scorer {name!r}: option {key}={value!r}: {why}") from e
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in checked:
            raise UsageError(f"scorer {name!r} needs the option {key!r}")
    return checked


def runs_code(name: str) -> bool:
    """Return whether the scorer `name` runs code that its options name, where it is allowed to."""
    return TRUST in inspect.signature(scorer_factory(name)).parameters


def make_scorer(
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    trust_remote_code: bool = False,
    under_test: UnderTest | None = None,
) -> Scorer:
    """Make the scorer `name` with `options`; weights are loaded here, once.

    Parameters
    ----------
    name : str
    options : mapping, optional
    trust_remote_code : bool
        Whether the user allowed it to run code that the options name.
    under_test : UnderTest, optional
        The model whose responses it will score.
    """
    checked = check_options(name, options or {})
    parameters = inspect.signature(scorer_factory(name)).parameters
    handed = {TRUST: trust_remote_code, UNDER_TEST: under_test}
    try:
        scorer = scorer_factory(name)(**checked, **{k: v for k, v in handed.items() if k in parameters})
    except PluralError:
        raise
    except (Exception, SystemExit) as e:
        raise PluralError(f"scorer {name!r} cannot be made: {type(e).__name__}: {e}") from e
    if not isinstance(getattr(scorer, "info", None), ScorerInfo):
        raise PluralError(f"scorer {name!r} has no info; expected a ScorerInfo")
    return scorer


def checked_scores(scorer: Scorer, batch: Sequence[Sample]) -> FloatArray:
    """Score a batch and hold the scorer to what it declares; it is not handed texts in languages it does not cover.

    Raises
    ------
    PluralError
        If it fails, or returns another shape, an infinite value, or one outside its range.
    """
    return checked_together([(scorer, batch)])[0]


def checked_together(asked: Sequence[tuple[Scorer, Sequence[Sample]]]) -> list[FloatArray]:
    """Do what :func:`checked_scores` does with several scorers, which share what they cost, and each its batch."""
    covered = [[i for i, s in enumerate(batch) if scorer.info.covers(s.language)] for scorer, batch in asked]
    handed = [(scorer, [batch[i] for i in own]) for (scorer, batch), own in zip(asked, covered, strict=True) if own]
    found, out = iter(_scored(handed)), []
    for (scorer, batch), own in zip(asked, covered, strict=True):
        values = np.full((len(batch), len(scorer.info.dimensions) + len(scorer.info.more)), np.nan)
        if own:
            values[own] = _checked(scorer.info, len(own), next(found))
        out.append(values)
    return out


def _scored(handed: Sequence[tuple[Scorer, list[Sample]]]) -> list[FloatArray]:
    """Return the scores of each, by one call where there are several."""
    if not handed:
        return []
    first = handed[0][0]
    try:
        found = (
            first.score_together(handed)
            if isinstance(first, SharingScorer) and len(handed) > 1
            else [scorer.score(texts) for scorer, texts in handed]
        )
        return [np.asarray(values, dtype=np.float64) for values in found]
    except PluralError:
        raise
    except (Exception, SystemExit) as e:
        raise PluralError(f"scorer {first.info.name!r} failed: {type(e).__name__}: {e}") from e


def _checked(info: ScorerInfo, n: int, values: FloatArray) -> FloatArray:
    """Return scores of n texts; raises as :func:`checked_scores`."""
    if values.shape != (expected := (n, len(info.dimensions) + len(info.more))):
        raise PluralError(f"scorer {info.name!r} returned shape {values.shape}; expected {expected}")
    (low, high), scores, more = info.range, *np.split(values, [len(info.dimensions)], axis=1)
    if np.isinf(more).any():
        raise PluralError(f"scorer {info.name!r} returned {more[np.isinf(more)][0]} beside a score; expected numbers")
    known = scores[~np.isnan(scores)]
    if (bad := known[(known < low) | (known > high)]).size:
        raise PluralError(f"scorer {info.name!r} returned {bad[0]}; expected {low} to {high}")
    return values


def score_texts(batch: Sequence[Sample], columns: int, score: Callable[[list[Sample]], npt.ArrayLike]) -> FloatArray:
    """Score the samples that have a response and return NaN for the others (the rule every scorer follows).

    Parameters
    ----------
    batch : sequence of Sample
    columns : int
        Number of dimensions.
    score : callable
        From the samples with a non-blank response to an array of shape (number of them, `columns`).
    """
    out = np.full((len(batch), columns), np.nan)
    answered = [i for i, s in enumerate(batch) if s.response is not None and s.response.strip()]
    if answered:
        out[answered] = np.asarray(score([batch[i] for i in answered]), dtype=np.float64).reshape(-1, columns)
    return out
