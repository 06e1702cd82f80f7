"""A language model as a scorer of replies, by how far it agrees with a statement about each.

One forward pass and no reasoning: what counts is the whole distribution over the levels, not the likeliest one (the
expected value beats the mode in most comparisons, and reasoning collapses the distribution: Wang, Zhang & Choi 2025,
arXiv:2503.03064). Every reply is asked about twice, with the meaning of the labels ascending and descending: what a
model says of a label's place is no judgement, and in the mean of both orders it cancels. With p_o(k) the probabilities
of the labels in order o, divided by their sum, and m_o(k) in 0..1 the agreement that label k means there::

    score = mean over o of sum_k p_o(k) m_o(k)          agreement, 0 to 1: of the dimension, the more the higher

What rubrics share comes first, and what turns comes last: of the ten questions of five judges about one reply a local
model reads the reply once. A server without log-probabilities is asked for an answer several times, where somebody
says so (`samples`); the shares of the answers then stand for p. A judge never sees who rates, and is never asked to
answer as somebody: personas do not make a model's answers those of a group.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.hashing import digest
from lm_plural.harness.model.engine import BatchedEngine, Engine, Labelled, SharingEngine
from lm_plural.harness.model.load import check_backend, load_engine
from lm_plural.harness.model.needs import check_arguments
from lm_plural.harness.model.prompt import as_text
from lm_plural.harness.model.server import NoLogprobsError
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.scoring import FloatArray, Sample, ScorerInfo, UnderTest
from lm_plural.scorers.base import plain, version_of
from lm_plural.scorers.judge.rubric import Rubric, Wording, load_rubric

#: Prompts of a forward pass at most.
MOST_AT_ONCE = 64
#: Texts whose scores are kept together, here on a CPU and elsewhere: a stop costs no more.
ON_CPU, ELSEWHERE = 8, 64
#: Probability on the labels, or share of the answers, in either order, below which a model answers something else: no
#: score.
LEAST_MASS = 0.1
#: Characters of a reply above which it is not judged.
MOST_CHARACTERS = 20_000
#: Tokens of an answer that is drawn: room for a label, not for reasons.
NEW_TOKENS = 16
#: Raised when the prompt changes other than by a rubric.
PROMPT = 2
#: What may stand around a label in an answer that is nothing else.
BEFORE, AFTER = r"[\s\"'`*(\[]*", r"[\s\"'`*)\].]*"

#: What is kept of each reply beside its score: entropy in nats; probability on the labels, or the share of answers that
#: are labels, the lesser of both orders; the agreement with the labels ascending, and descending; the share of drawn
#: answers that are empty.
MORE = ("entropy", "label_mass", "ascending", "descending", "refused")


class Judge:
    """A judge of one dimension.

    Parameters
    ----------
    engine : Engine
    rubric : Rubric
    identity : str
        Of the model and how it is asked; part of the version.
    name : str
        How it was asked for: the name of the rubric.
    language : str
        Of replies that do not say theirs.
    samples : int, optional
        Answers drawn in each order; None: the probabilities of the labels are read.
    new_tokens : int
        Of an answer that is drawn.
    """

    def __init__(
        self,
        engine: Engine,
        rubric: Rubric,
        *,
        identity: str,
        name: str,
        language: str = "en",
        samples: int | None = None,
        new_tokens: int = NEW_TOKENS,
    ) -> None:
        self.engine, self.rubric, self.language = engine, rubric, language
        self.samples, self.new_tokens = samples, new_tokens
        spec, device = engine.spec, str(getattr(getattr(engine, "lm", None), "device", "remote"))
        self.info = ScorerInfo(
            name=f"judge:{name}",
            dimensions=(rubric.dimension,),
            range=(0.0, 1.0),
            direction="more",
            device=device,
            version=version_of(
                judge=str(PROMPT),
                mode=f"samples={samples},max_gen_toks={new_tokens}" if samples else "log-probabilities",
                model=identity,
                rubric=rubric.hash,
            ),
            more=MORE,
            languages=tuple(rubric.languages),
            at_once=ON_CPU if device == "cpu" else ELSEWHERE,
            model={"name": spec.name, "weights": spec.identity["weights"]},
        )

    @property
    def shares(self) -> Hashable:
        """The model and how it is asked: rubrics asked of it together share the tokens of a reply."""
        return id(self.engine), self.samples, self.new_tokens

    def score(self, batch: Sequence[Sample]) -> FloatArray:
        """Return agreement and :data:`MORE` of each reply, shape (len(batch), 6).

        NaN throughout for a reply that is missing, blank, too long or in a language the rubric has not; NaN for the
        agreement where the model answers something else than a label.
        """
        return self.score_together([(self, batch)])[0]

    def score_together(self, asked: Sequence[tuple[Judge, Sequence[Sample]]]) -> list[FloatArray]:
        """Return what :meth:`score` of each judge says; all questions about a reply are asked in one go."""
        out = [np.full((len(batch), 1 + len(MORE)), np.nan) for _, batch in asked]
        groups: dict[Sample, list[tuple[int, int, list[Labelled]]]] = {}
        for j, (judge, batch) in enumerate(asked):
            for i, sample in enumerate(batch):
                if questions := judge._questions(sample):
                    groups.setdefault(sample, []).append((j, i, questions))
        if not groups:
            return out
        try:
            answers = self._answers([[q for *_, both in group for q in both] for group in groups.values()])
        except PluralError as e:
            if self.samples or not isinstance(e.__cause__, NotImplementedError | NoLogprobsError):
                raise
            raise self._without_probabilities(e) from e
        for group, found in zip(groups.values(), answers, strict=True):
            for n, (j, i, _) in enumerate(group):
                said = [asked[j][0]._said(answer) for answer in found[2 * n : 2 * n + 2]]
                out[j][i] = judged(np.array([[p for p, _ in said]]), np.array([[empty for _, empty in said]]))[0]
        return out

    def _questions(self, sample: Sample) -> list[Labelled]:
        """Return a prompt with its labels for each order; none where there is nothing to ask."""
        text, asks = sample.response or "", self.engine
        wording = self._wording(sample)
        if not wording or not text.strip() or len(text) + len(sample.prompt) > MOST_CHARACTERS:
            return []
        chat, drawn = asks.uses_chat("respond"), self.samples is not None
        # a drawn answer behind a chat template begins as it likes; one that is read needs a beginning
        begin = "" if drawn and chat else wording.answer
        choose = self.rubric.labels if drawn else ()
        try:
            contexts = [
                asks.context(
                    prompt(sample, wording, self.rubric.labels, turned=t, choose=choose), chat=chat, gen_prefix=begin
                )
                for t in (False, True)
            ]
        except PluralError as e:  # a server that applies the template lets nothing follow it
            if drawn:
                raise
            raise self._without_probabilities(e) from e
        return [] if self._cut(contexts) else [(c, self.rubric.read) for c in contexts]

    def _cut(self, contexts: Sequence[Any]) -> bool:
        """Return whether the model would not see all of it: what is cut is the beginning, where the reply stands."""
        room = getattr(getattr(self.engine, "lm", None), "max_length", None)
        if not room or max(len(as_text(c).encode()) for c in contexts) < room:  # no token is less than a byte
            return False
        longest = max(self.engine.length(c) or 0 for c in contexts)
        return longest + (self.new_tokens if self.samples else max(map(len, self.rubric.read))) > int(room)

    def _wording(self, sample: Sample) -> Wording | None:
        language = re.split("[-_]", (sample.language or self.language).lower())[0]
        return self.rubric.languages.get(language)

    def _said(self, answer: Any) -> tuple[FloatArray, float]:
        """Return log-probabilities of the labels, or the logarithms of their shares, and the share of empty answers."""
        if not self.samples:
            return np.array(answer), np.nan
        begins = [w.answer for w in self.rubric.languages.values()]
        found = [label_of(text, self.rubric.labels, begins) for text in answer]
        with np.errstate(divide="ignore"):
            shares = np.log([found.count(k) / len(answer) for k in range(self.rubric.size)])
        return shares, sum(not _without_thoughts(text) for text in answer) / len(answer)

    def _answers(self, groups: Sequence[Sequence[Labelled]]) -> list[list[Any]]:
        """Return the log-probabilities of the labels, or the texts drawn, of each question of each group."""
        flat = [q for group in groups for q in group]
        if isinstance(self.engine, BatchedEngine):
            lengths = [self.engine.length(context) for context, _ in flat]
            new = self.new_tokens if self.samples else None
            self.engine.batch_size = self.engine.auto_batch_size(lengths, new, MOST_AT_ONCE)
            if isinstance(self.engine, SharingEngine) and not self.samples:
                return self.engine.label_logprobs_together(groups)
        else:
            lengths = [0] * len(flat)
        order = sorted(range(len(flat)), key=lambda n: -lengths[n])
        asked = [flat[n] for n in order]
        answers = self._drawn(asked, self.samples) if self.samples else self.engine.label_logprobs(asked)
        found = dict(zip(order, answers, strict=True))
        rest = iter(range(len(flat)))
        return [[found[next(rest)] for _ in group] for group in groups]

    def _drawn(self, questions: Sequence[Labelled], n: int) -> list[list[Any]]:
        """Return n answers to each question, each from a seed of its own."""
        contexts = [c for c, _ in questions for _ in range(n)]
        seeds = [int(digest([as_text(c), k]), 16) % 2**31 for c, _ in questions for k in range(n)]
        kwargs: dict[str, Any] = {"do_sample": True, "temperature": 1.0, "max_gen_toks": self.new_tokens}
        if not self.engine.uses_chat("respond"):  # what is continued goes on after the answer
            kwargs["until"] = [")", "\n"]
        said = self.engine.responses(contexts, kwargs, seeds)
        return [list(said[k : k + n]) for k in range(0, len(said), n)]

    def _without_probabilities(self, why: PluralError) -> PluralError:
        return PluralError(
            f"{self.info.name}: model {self.engine.spec.name!r} gives no log-probabilities of labels; with the option "
            f"samples=5 it is asked for five answers instead, whose scores are others ({why})"
        )


def prompt(sample: Sample, wording: Wording, labels: Sequence[str], *, turned: bool, choose: Sequence[str] = ()) -> str:
    """Return the question about a reply.

    Parameters
    ----------
    sample : Sample
    wording : Wording
    labels : sequence of str
    turned : bool
        The first label means the strongest agreement.
    choose : sequence of str
        Answers to choose from, where one is to be written.
    """
    asked, reply = plain(sample.prompt), plain(sample.response or "")
    before = f"{wording.asked}\n{asked}\n\n" if asked.strip() else ""
    names = wording.names[::-1] if turned else wording.names
    # what levels mean stands once, above the labels, so that both orders share it
    meant = "\n".join(f"- {level}" for level in wording.levels) if wording.names != wording.levels else ""
    shown = "\n".join(f"{label} = {name}" for label, name in zip(labels, names, strict=True))
    last = f"{wording.choose} {', '.join(choose)}" if choose else ""
    parts = [f"{wording.replied}\n{reply}", f"{wording.statement}\n{wording.question}", meant, shown, last]
    return before + "".join(f"{part}\n\n" for part in parts if part)


def label_of(text: str | None, labels: Sequence[str], begins: Sequence[str] = ()) -> int | None:
    """Return which label an answer is, or begins with if its meaning follows (``3 = neither``); None if neither.

    Parameters
    ----------
    text : str or None
    labels : sequence of str
    begins : sequence of str
        What may stand before it: ``Answer: (``.
    """
    bare = _without_thoughts(text)
    opening = "|".join(re.escape(b.strip(" (:").casefold()) for b in begins)
    before = rf"{BEFORE}(?:(?:{opening})[\s:]*{BEFORE})?" if opening else BEFORE
    for k, label in enumerate(labels):
        if re.fullmatch(rf"{before}{re.escape(label.casefold())}{AFTER}(?:=.*)?", bare.casefold(), re.DOTALL):
            return k
    return None


def _without_thoughts(text: str | None) -> str:
    """Return an answer without what some models write before it, in tags; nothing where the thoughts do not end."""
    return re.sub(r"^\s*<think>.*?(</think>|$)", "", text or "", flags=re.DOTALL).strip()


def judged(logp: FloatArray, refused: FloatArray | None = None) -> FloatArray:
    """Return agreement and :data:`MORE`, shape (n, 6).

    Parameters
    ----------
    logp : ndarray, shape (n, 2, K)
        Log-probabilities of the labels in nats, ascending and descending; of a label of several tokens their sum.
    refused : ndarray, shape (n, 2), optional
        Shares of drawn answers that are empty.
    """
    mass = np.exp(logp).sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.exp(logp - np.logaddexp.reduce(logp, axis=2, keepdims=True))
    means = np.linspace(0, 1, logp.shape[2])
    ascending, descending = p[:, 0] @ means, p[:, 1] @ means[::-1]
    both = (p[:, 0] + p[:, 1, ::-1]) / 2
    entropy = -(both * np.log(np.where(both > 0, both, 1.0))).sum(axis=1)
    # the orders' own distributions are within rounding of 1
    score = np.where((mass >= LEAST_MASS).all(axis=1), ((ascending + descending) / 2).clip(0, 1), np.nan)
    empty = np.full(len(logp), np.nan) if refused is None else refused.mean(axis=1)
    return np.stack([score, entropy, mass.min(axis=1).clip(max=1.0), ascending, descending, empty], axis=1)


#: Loaded models by identity and device: judges of one run share theirs, and with the last one it is let go.
_ENGINES: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()


def judge(
    *,
    rubric: str,
    pretrained: str = "",
    model: str = "hf",
    model_args: Mapping[str, Any] | None = None,
    device: str = "auto",
    language: str = "en",
    samples: int | None = None,
    max_gen_toks: int | None = None,
    under_test: UnderTest | None = None,
) -> Judge:
    """Make a judge of a language model, local or behind a server.

    Parameters
    ----------
    rubric : str
        ``toxicity``, ``sensitivity``, ``emotional_awareness``, ``stereotypical_bias``, ``helpfulness``, or a YAML file.
    pretrained : str
        The judge's name or folder. No small model is a fit one, so none comes with this; the embedded ``smollm2-demo``
        shows what an unfit one looks like. In a run, a judge without a model is the model under test: it then judges
        itself, and every result says so.
    model : str
        Backend of lm-eval.
    model_args : mapping, optional
        Further arguments of the backend.
    device : str
        ``auto``, ``cpu``, ``cuda``, ...
    language : str
        Of replies that do not say theirs.
    samples : int, optional
        Answers to draw in each order, at temperature 1, where there are no log-probabilities; never done unasked.
    max_gen_toks : int, optional
        Tokens of a drawn answer, by default 16; a judge that thinks first needs more.
    under_test : UnderTest, optional
        Handed over by a run: the model whose replies are judged.

    Returns
    -------
    Judge
        One dimension, the rubric's, from 0 to 1: more of it.

    Raises
    ------
    UsageError
        For an unknown rubric, without a model, or for a number of samples that is none.
    PluralError
        If the model cannot be loaded.
    """
    loaded = load_rubric(rubric)
    args = dict(model_args or {}) | ({"pretrained": pretrained} if pretrained else {})
    if not args and under_test is not None:
        model, args = under_test.backend, dict(under_test.args)
    elif not args:
        raise UsageError(f"judge {rubric!r} needs a model: pretrained=NAME, or model= and model_args= of lm-eval")
    if language not in loaded.languages:
        raise UsageError(f"rubric {rubric!r} has no language {language!r}; there are {', '.join(loaded.languages)}")
    for name, value in {"samples": samples, "max_gen_toks": max_gen_toks}.items():
        if value is not None and value < 1:
            raise UsageError(f"judge {rubric!r}: {name}={value}: expected 1 or more")
    if max_gen_toks and not samples:
        raise UsageError(f"judge {rubric!r}: max_gen_toks={max_gen_toks}: nothing is written without samples=N")
    check_backend(model)
    spec = ModelSpec(model, args)
    check_arguments(spec)
    identity = digest(spec.identity)
    if (engine := _ENGINES.get((identity, device))) is None:
        try:
            engine = load_engine(spec, batch_size=None, device=None if device == "auto" else device)
        except PluralError as e:
            raise (UsageError if isinstance(e, UsageError) else PluralError)(f"judge {rubric!r}: {e}") from e
        _ENGINES[identity, device] = engine
    return Judge(
        engine,
        loaded,
        identity=f"{identity}@{spec.identity['weights'] or identity}",
        name=rubric,
        language=language,
        samples=samples,
        new_tokens=max_gen_toks or NEW_TOKENS,
    )
