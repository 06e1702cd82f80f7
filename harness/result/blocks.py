"""The blocks of a results file as types: what every reader may rely on (docs/files.md).

A key that is named here must be there, of its type and no other (``1.0`` is no count, ``true`` no number); keys that
are not named here are kept, so that a later version may add some, such as a measure. What has a default stands in the
details, or is there in some results only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

Inference = Literal["items+raters", "raters", "items", "none"]
Version = Literal[1, 2]


class Part(BaseModel):
    """A part of a result."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False)


class Number(Part):
    """An estimate with its standard error and 95 % interval; null what was refused."""

    value: float | None
    se: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None


class Group(Part):
    """Raters of one kind: who they are, and every statistic of theirs."""

    n_items: NonNegativeInt
    n_raters: NonNegativeInt | None
    """Null where only shares of answers are known, or each rating has an id of its own."""
    flags: list[str]

    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Yield each statistic with its name, those of a later version too."""
        for name, value in self:
            if isinstance(value, Number):
                yield name, value
            elif name in (self.model_extra or {}) and isinstance(value, Mapping) and {"value", "se"} <= value.keys():
                yield name, Number.model_validate(value)


class RatedGroup(Group):
    """A group of a rate task: its ratings and, with a model, how near that is."""

    n_ratings: NonNegativeInt
    mean: float | None
    item_mean: Number
    disagreement: Number
    bias: Number | None = None
    divergence: Number | None = None
    rps: Number | None = None
    skill: Number | None = None
    equivalent_raters: Number | None = None
    rates: dict[str, float | None] | None = None
    alpha: dict[str, float | None] | None = None
    ceiling: dict[str, Any] | None = None
    secondary: dict[str, Any] | None = None


class SharesGroup(Group):
    """A group of which only shares of answers are known."""

    js_similarity: Number
    w1_alignment: Number
    tv: Number


class ExposedGroup(Group):
    """A group of a respond task: scores of the responses to the prompts it rated."""

    n_ratings: NonNegativeInt
    concern: Number
    concerns: dict[str, Number] = Field(default_factory=dict)
    """On other dimensions that a scorer measures."""
    statistics: dict[str, dict[str, Number]]

    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Yield each statistic as ``<scorer>.<dimension>.<statistic>``."""
        yield "concern", self.concern
        yield from _by_scorer(self.statistics)


class WithPeople(Part):
    """How far a scorer agrees with what people said of the same reference responses; flags alone: not measured."""

    auc: Number | None = None
    pearson: Number | None = None
    reliability: Number | None = None
    disattenuated: Number | None = None
    n_items: NonNegativeInt | None = None
    flags: list[str]


class TrustedScorer(Part):
    """What is known of a scorer of responses."""

    scorer: str
    dimension: str
    version: str
    people: WithPeople


class ScorerPair(Part):
    """Two scorers of one dimension beside each other."""

    dimension: str
    a: str
    b: str
    n_prompts: NonNegativeInt
    n_responses: NonNegativeInt
    scorer_correlation: Number


class Responses(Part):
    """All prompts of a respond task."""

    n_prompts: NonNegativeInt
    n_responses: NonNegativeInt
    n_empty: NonNegativeInt
    n_unscored: dict[str, NonNegativeInt]
    statistics: dict[str, dict[str, Number]]
    scorers: dict[str, TrustedScorer] = Field(default_factory=dict)
    correlations: list[ScorerPair] = Field(default_factory=list)
    no_scorer: list[str] = Field(default_factory=list)
    """Rated dimensions that no scorer measures."""
    flags: list[str]

    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Yield each statistic as ``<scorer>.<dimension>.<statistic>``."""
        yield from _by_scorer(self.statistics)


def _by_scorer(statistics: Mapping[str, Mapping[str, Number]]) -> Iterator[tuple[str, Number]]:
    for scorer, found in statistics.items():
        for name, number in found.items():
            yield f"{scorer}.{name}", number


class AuditedGroup(Group):
    """A group of an audit: how near the scorer is to its ratings."""

    n_ratings: NonNegativeInt
    harmful_share: Number
    auc: Number
    rates: dict[str, dict[str, Number]] | None = None
    one_member: dict[str, Number] | None = None
    ranks: dict[str, Any] | None = None

    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Yield each statistic; rates as contrasts name them, ``fpr@0.5``, and ``one_member.auc``."""
        yield from super().numbers()
        for threshold, found in (self.rates or {}).items():
            for name, number in found.items():
                yield f"{name}@{threshold}", number
        for name, number in (self.one_member or {}).items():
            yield f"one_member.{name}", number
        for name, value in (self.ranks or {}).items():
            if isinstance(value, Mapping) and {"value", "se"} <= value.keys():
                yield name, Number.model_validate(value)


class Contrast(Part):
    """A signed difference, a less b, with its interval among its family; ``b`` is ``rest`` for all other groups."""

    statistic: str
    kind: Literal["pairs", "rest"]
    a: str
    b: str
    value: float | None
    low_simultaneous: float | None
    high_simultaneous: float | None
    p_adjusted: float | None
    flags: list[str]


class Spread(Part):
    """How far the groups of an axis are apart in a statistic."""

    tau: float | None
    tau2: float | None
    n_groups: NonNegativeInt
    range: dict[str, float | None]
    flags: list[str] = []


class Axis(Part):
    """The groups of an axis and what is between them."""

    contrasts: list[Contrast]
    spread: dict[str, Spread] = {}


class RatedAxis(Axis):
    """An axis of a rate task."""

    groups: dict[str, RatedGroup]
    cohesion: dict[str, dict[str, Any]] | None = None
    distances: dict[str, dict[str, float | None]] | None = None
    mdg: dict[str, list[dict[str, Any]]] | None = None
    effects: list[dict[str, Any]] | None = None
    sensitivity: dict[str, Any] | None = None
    standardised: list[dict[str, Any]] | None = None


class SharesAxis(Axis):
    """An axis where shares of answers are known."""

    groups: dict[str, SharesGroup]


class ExposedAxis(Axis):
    """An axis of a respond task."""

    groups: dict[str, ExposedGroup]


class AuditedAxis(Axis):
    """An axis of an audit; ``worse``: for which group the scorer works worse than for which, clear of chance."""

    groups: dict[str, AuditedGroup]
    worse: list[dict[str, Any]] = []
    mdg: dict[str, list[dict[str, Any]]] | None = None


class Scale(Part):
    """Levels, lowest first."""

    levels: list[str]
    labels: list[str]
    positions: list[float]
    direction: Literal["lower", "higher"]


class Elicitation(Part):
    """How the model was asked, and whether it answered on the scale."""

    codings: list[str]
    orders: list[str]
    n_items: NonNegativeInt
    off_scale_median: float | None
    refused: bool


class Paraphrases(Part):
    """How much hangs on the wording."""

    n_wordings: NonNegativeInt
    off_scale_median: list[float | None]
    flags: list[str]
    overall: dict[str, Any] | None = None
    axes: dict[str, Any] | None = None
    differences: list[dict[str, Any]] = []


class SteeredGroup(Part):
    """How much nearer the model gets to a group when asked to answer as a member; ``change`` below 0 is nearer."""

    said: str
    n_items: NonNegativeInt
    off_scale_median: float | None
    change: dict[str, Number]
    flags: list[str]


class Steered(Part):
    """The model asked to answer as each group."""

    axis: str
    text: str
    groups: dict[str, SteeredGroup]


class _Block(Part):
    """What every block says."""

    schema_version: Version
    inference: Inference
    min_raters: NonNegativeInt
    draws: NonNegativeInt
    seed: NonNegativeInt
    notes: list[str]
    mode: str | None = None
    """None in a file of ``lm-plural disaggregate``, which knows no task."""
    simulated_raters: bool | None = None


class PeopleBlock(_Block):
    """Groups of raters and no model: ``lm-plural disaggregate`` without predictions."""

    mode: Literal["rate"] | None = None
    scale: Scale
    reference: str
    weights: str
    min_raters_interval: NonNegativeInt
    permutations: NonNegativeInt
    strata: str | None
    overall: RatedGroup
    axes: dict[str, RatedAxis]
    families: list[dict[str, Any]]
    elicitation: Elicitation | None = None
    """In runs only; there with ``refused`` where the model did not answer on the scale."""


class _NearGroup(RatedGroup):
    """All raters, and how near the model is."""

    bias: Number
    divergence: Number
    rps: Number
    skill: Number
    equivalent_raters: Number


class RateBlock(PeopleBlock):
    """A rate task: a model's distributions beside each group's ratings."""

    overall: _NearGroup
    paraphrases: Paraphrases | None = None
    steered: Steered | None = None


class SharesBlock(_Block):
    """A rate task where only shares of answers by group are known."""

    kind: Literal["shares"]
    mode: Literal["rate"]
    dimension: str
    overall: SharesGroup
    axes: dict[str, SharesAxis]
    families: list[dict[str, Any]]
    elicitation: Elicitation
    paraphrases: Paraphrases | None = None
    steered: Steered | None = None


class RespondBlock(_Block):
    """A respond task: scores of a model's responses, and what of them each group is exposed to."""

    mode: Literal["respond"]
    dimension: str
    k: NonNegativeInt
    threshold: float
    min_raters_interval: NonNegativeInt
    overall: Responses
    axes: dict[str, ExposedAxis]


class Powered(Number):
    """A group's mean over all responses of a run, rated or not.

    ``alone`` is from the ratings alone; ``trust`` how far the scorer is trusted, 0 to 1; ``gain`` the variance of the
    ratings alone over that with the scorer.
    """

    alone: Number
    trust: float | None
    gain: float | None
    n_rated: NonNegativeInt
    n_unrated: NonNegativeInt


class PeoplesGroup(RatedGroup):
    """A group that rated a model's own responses; ``powered`` where not all of them are rated."""

    powered: Powered | None = None


class PeoplesAxis(RatedAxis):
    """An axis of raters of a model's own responses."""

    groups: dict[str, PeoplesGroup]  # type: ignore[assignment]


class AnnotatedBlock(_Block):
    """People's ratings of a model's own responses, on one dimension."""

    mode: Literal["annotated"]
    dimension: str
    statement: str
    language: str
    scale: Scale
    reference: str
    weights: str
    min_raters_interval: NonNegativeInt
    permutations: NonNegativeInt
    strata: str | None
    n_responses: NonNegativeInt
    n_rated: NonNegativeInt
    n_excluded: NonNegativeInt
    scorer: dict[str, Any] | None
    overall: PeoplesGroup
    axes: dict[str, PeoplesAxis]
    families: list[dict[str, Any]]


class Scorer(Part):
    """The scorer under test on a task."""

    name: str
    version: str
    dimension: str
    range: list[float]
    direction: Literal["more", "less"]
    worse: Literal["more", "less"]


class AuditBlock(_Block):
    """A scorer beside each group's ratings of the same texts."""

    mode: Literal["audit"]
    dataset: str
    dimension: str
    text: str
    scorer: Scorer
    scale: Scale
    min_raters_interval: NonNegativeInt
    harmful: dict[str, Any]
    n_unscored: NonNegativeInt
    thresholds: list[dict[str, Any]]
    overall: AuditedGroup
    axes: dict[str, AuditedAxis]
    families: list[dict[str, Any]]


class Separated(Part):
    """How well texts that are bad on one dimension are told from their good twins; null what has no interval."""

    auc: float | None
    low: float | None
    high: float | None
    n_prompts: NonNegativeInt


class Contrasted(Part):
    """One dimension of a scorer on a contrast set in one language."""

    passes: bool | None
    own: Separated | None
    others: dict[str, Separated]
    length: Number
    swaps: dict[str, dict[str, Any]]
    n_unscored: NonNegativeInt
    flags: list[str]


class ContrastBlock(Part):
    """A scorer on a contrast set: texts good or bad on one dimension by construction, and no raters."""

    mode: Literal["contrast"]
    title: str
    warning: str | None
    hash: str
    version: str | int | float
    scorer: dict[str, Any]
    notes: list[str]
    axes: dict[str, Any]
    dimensions: dict[str, dict[str, Contrasted]]


def kind(block: Mapping[str, Any]) -> str:
    """Return which block it is, by what it says of itself; of human ratings alone where no model stands beside them."""
    if block.get("kind") == "shares":
        return "shares"
    if (mode := block.get("mode")) in ("respond", "audit", "contrast", "annotated"):
        return str(mode)
    overall = block.get("overall")
    return "rate" if isinstance(overall, Mapping) and "divergence" in overall else "people"


Block = RateBlock | PeopleBlock | SharesBlock | RespondBlock | AuditBlock | ContrastBlock | AnnotatedBlock
#: The block of each kind.
KINDS: dict[str, type[Block]] = {
    "rate": RateBlock,
    "people": PeopleBlock,
    "shares": SharesBlock,
    "respond": RespondBlock,
    "audit": AuditBlock,
    "contrast": ContrastBlock,
    "annotated": AnnotatedBlock,
}


class RunResults(Part):
    """A results file of ``lm-plural run`` or ``score``; lm-eval's keys beside ours."""

    schema_version: Version = 1
    details: str | None = None
    model_name: str
    disaggregated: dict[str, RateBlock | PeopleBlock | SharesBlock | RespondBlock]


class AuditResults(Part):
    """A results file of ``lm-plural audit``."""

    schema_version: Version
    details: str | None = None
    scorer: dict[str, Any]
    audited: dict[str, AuditBlock | ContrastBlock]


class AnnotatedResults(Part):
    """A results file of ``lm-plural annotate import``."""

    schema_version: Version
    details: str | None = None
    model_name: str
    run: str
    task: str
    excluded: list[dict[str, Any]]
    counts: dict[str, NonNegativeInt]
    annotated: dict[str, AnnotatedBlock]


#: What a results file may hold; the last two are files of ``lm-plural disaggregate``.
ResultsFile = RunResults | AuditResults | AnnotatedResults | RateBlock | PeopleBlock
