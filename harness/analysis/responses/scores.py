"""Scores of a model's responses: arranged by prompt, and their means over prompts (methods 7.3)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.group import Number
from lm_plural.harness.analysis.judging import called
from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.scored.responses import correlation, exceedance, expected_maximum
from lm_plural.harness.statistics.uncertainty.intervals import raw

#: Which prompts count, shape (P,).
ChosenPrompts = npt.NDArray[np.bool_]
#: Inference that speaks of new prompts.
ITEMS = ("items+raters", "items")


@dataclass(frozen=True)
class Scores:
    """Scores of one scorer on one dimension.

    Parameters
    ----------
    scorer, dimension, version : str
    low, high : float
        Range of the scorer.
    more : bool
        Whether a higher score means more of the dimension.
    by_prompt : ndarray, shape (P, repeats)
        NaN where unscored.
    reference : ndarray, shape (P,)
        Mean score of the prompt's reference responses; NaN without any.
    by_item : mapping of str to float
        Score of each reference response, by item.
    """

    scorer: str
    dimension: str
    version: str
    low: float
    high: float
    more: bool
    by_prompt: Floats
    reference: Floats
    by_item: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name in results: ``profanity.toxicity``, ``judge:toxicity``."""
        return called(self.scorer, self.dimension)

    @property
    def mean(self) -> Floats:
        """Mean score of each prompt's responses, shape (P,); NaN where none was scored."""
        return ratio(np.nansum(self.by_prompt, axis=1), (~np.isnan(self.by_prompt)).sum(axis=1))

    def badness(self, values: Floats, harm: str) -> Floats:
        """Return scores from 0 (good) to 1 (bad); `harm` is the end of the dimension that is bad."""
        share = (values - self.low) / (self.high - self.low)
        return share if self.more == (harm == "higher") else 1 - share

    def per_prompt(self, k: int, threshold: float) -> dict[str, Floats]:
        """Return what is averaged over prompts, each of shape (P,), NaN where it is not known."""
        return {
            "mean": self.mean,
            "expected_maximum": np.array([expected_maximum(x, k) for x in self.by_prompt]),
            "exceedance": np.array([exceedance(x, k, threshold) for x in self.by_prompt]),
            "reference_mean": self.reference,
        }


def mean_of_prompts(values: Floats, chosen: ChosenPrompts, inference: Inference = "items+raters") -> Number:
    """Return the mean over the chosen prompts that have a value, each equal: mean +- t sd / sqrt(P), P - 1 df.

    Prompts are the units; repeats of one were put together before. A scorer has no raters, so there is no interval for
    new raters alone (``raters``), nor for one prompt or prompts all alike.
    """
    known = values[chosen & ~np.isnan(values)]
    n = len(known)
    if not n:
        return Number(math.nan)
    spread = known.var(ddof=1) / n if n > 1 and inference in ITEMS else math.nan
    return Number.at(raw(np.array([known.mean()]), np.array([spread]), np.array([n - 1.0])), 0)


@dataclass(frozen=True)
class PromptMeans:
    """What is averaged over prompts, by scorer and name, each of shape (P,), and what intervals speak of.

    Of `hidden` scorers it is said elsewhere why they have no numbers.
    """

    per_prompt: dict[str, dict[str, Floats]]
    inference: Inference
    hidden: frozenset[str] = frozenset()

    def over(self, chosen: ChosenPrompts) -> dict[str, dict[str, Number]]:
        """Return the means over the chosen prompts."""
        return {
            key: {name: mean_of_prompts(v, chosen, self.inference) for name, v in values.items()}
            for key, values in self.per_prompt.items()
        }

    def flags(self, found: dict[str, dict[str, Number]]) -> list[str]:
        """Return why means are missing or lack the interval they are due."""
        told = {key: values for key, values in found.items() if key not in self.hidden}
        numbers = {f"{name}:{key}": n for key, values in told.items() for name, n in values.items()}
        due = numbers if self.inference in ITEMS else ()
        return reasons(numbers, due, "no_scores: nothing scored")


def reasons(numbers: Mapping[str, Number], due: Collection[str], lost: str) -> list[str]:
    """Return the reason for numbers that are missing, `lost`, and for those `due` an interval that have none."""
    missing = [name for name, n in numbers.items() if math.isnan(n.value)]
    bare = [name for name in due if name not in missing and math.isnan(numbers[name].low)]
    found = [f"{lost}, so no {', '.join(missing)}"] if missing else []
    return found + ([f"no_variation: one prompt or all alike, so no interval of {', '.join(bare)}"] if bare else [])


def beside_each_other(scores: Sequence[Scores], harm: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return how far scorers of one dimension say the same of the same responses, two by two.

    Parameters
    ----------
    scores : sequence of Scores
    harm : mapping of str to {"lower", "higher"}
        By dimension, the end that is bad; of others it is the higher one.
    """
    out = []
    for a, b in combinations(scores, 2):
        if a.dimension != b.dimension:
            continue
        x, y = (s.badness(s.by_prompt, harm.get(s.dimension, "higher")) for s in (a, b))
        known = ~np.isnan(x) & ~np.isnan(y)
        out.append(
            {
                "dimension": a.dimension,
                "a": a.key,
                "b": b.key,
                "n_prompts": int(known.any(axis=1).sum()),
                "n_responses": int(known.sum()),
                "scorer_correlation": Number.at(correlation(_only(x, known), _only(y, known)), 0).to_dict(),
            }
        )
    return out


def _only(values: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    return np.where(known, values, np.nan)
