"""People's ratings of a model's own responses: per group, over the responses rated and over all (methods 6.4).

What was rated is a sample; what a scorer says of all responses makes means over all of them more precise, without a
word of the scorer being believed. Differences between groups are from ratings alone: a scorer says nothing of groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import Number, null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.ratings.table import MOST_TOGETHER, Axis, RatingTable, axis_name
from lm_plural.harness.statistics.counts import Ints, Membership, Sums, count_levels
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.scored.powered import Powered, Sampled, powered_means

#: The mean over all responses, in blocks.
POWERED = "powered"


@dataclass(frozen=True)
class AllResponses:
    """All prompts of a run, and which response of which was rated.

    Parameters
    ----------
    prompt_of : mapping of str to int
        Place of its prompt, by rated item.
    stratum : ndarray of int, shape (P,)
    weights : mapping of str to float
        Of the items drawn: one over the probability of being drawn.
    scorer : str or None
        Whose scores these are.
    by_prompt : ndarray, shape (P,), or None
        Mean score of the prompt's responses, more meaning more of the dimension; NaN without one.
    own : mapping of str to float
        Score of the very response, by item.
    """

    prompt_of: Mapping[str, int]
    stratum: Ints
    weights: Mapping[str, float]
    scorer: str | None = None
    by_prompt: Floats | None = None
    own: Mapping[str, float] | None = None

    @property
    def all_rated(self) -> bool:
        """Whether a response of every prompt is to be rated."""
        return len(self.prompt_of) == len(self.stratum)


def rated_result(
    table: RatingTable, everything: AllResponses, axes: Sequence[Axis], options: Options | None = None
) -> dict[str, Any]:
    """Return the block of a dimension that people rated.

    Parameters
    ----------
    table : RatingTable
        Of one dimension, items being those drawn.
    everything : AllResponses
    axes : sequence
    options : Options, optional

    Raises
    ------
    PluralError
        If no rating is left.
    """
    options = options or Options()
    unequal = len({round(w, 9) for w in everything.weights.values()}) > 1
    weighed = replace(options, item_weights=everything.weights) if unequal else options
    found = disaggregate(table, None, axes, weighed)
    block = found.to_dict()
    if unequal:
        block["weights"] = f"{options.weights}, times one over the probability of being drawn"
    n_rated = block["overall"]["n_items"]
    block |= {
        "mode": "annotated",
        "n_responses": len(everything.stratum),
        "n_rated": n_rated,
        "scorer": None,
    }
    if everything.all_rated and n_rated == len(everything.stratum):
        block["notes"].append("every prompt has a rated response: plain two-way estimates, no scorer is needed")
        return block
    frame = Frame.of(table, options)
    sampled, how = _sampled(frame, everything)
    block["scorer"] = how
    if how is None:
        block["notes"].append(
            "no scorer has scores of these responses, so means over all responses are from the ratings alone"
        )
    groupings: list[tuple[str | None, Membership, list[str]]] = [
        (None, Membership.everyone(frame.coded.n_raters), ["all"])
    ]
    groupings += [(axis_name(axis), *frame.grouping(table.groups(axis, MOST_TOGETHER))) for axis in axes]
    for axis, members, names in groupings:
        means = powered_means(frame.coded, members, frame.scaling, sampled, options.inference)
        for g, name in enumerate(names):
            group = block["overall"] if axis is None else block["axes"][axis]["groups"][name]
            group[POWERED] = _powered(means, g, options, scored=how is not None)
            if not means.whole[g]:
                group["flags"].append("not_whole: a stratum has too few responses that this group rated")
    return block


def _sampled(frame: Frame, everything: AllResponses) -> tuple[Sampled, dict[str, Any] | None]:
    """Return the sample with predictions in scale points, and what is said of the scorer.

    A scorer has no unit: its scores are stretched to the spread of the ratings, about their mean, so that lam is its
    correlation, up to how many are unrated. A response without a score is predicted as the average one.
    """
    place = np.array([everything.prompt_of[item] for item in frame.item_ids])
    nothing = np.zeros(len(everything.stratum))
    if everything.by_prompt is None or np.isnan(everything.by_prompt).all():
        return Sampled(nothing, everything.stratum, place), None
    f = everything.by_prompt
    own = np.array([(everything.own or {}).get(item, math.nan) for item in frame.item_ids])
    unscored = int(np.isnan(f).sum())
    own = np.where(np.isnan(own), f[place], own)
    middle = float(np.nanmean(f))
    f, own = np.nan_to_num(f, nan=middle), np.nan_to_num(own, nan=middle)
    everyone = Membership.everyone(frame.coded.n_raters)
    y = agreement.item_mean(Sums.of(count_levels(frame.coded, everyone), frame.scaling))[:, 0]
    spread = float(f.std())
    stretch = float(y.std()) / spread if spread > 0 else 0.0
    correlation = float(np.corrcoef(y, own)[0, 1]) if y.std() > 0 and own.std() > 0 else math.nan
    how = {"name": everything.scorer, "correlation": null(correlation), "n_unscored": unscored}
    return Sampled((f - middle) * stretch, everything.stratum, place, (own - middle) * stretch), how


def _powered(found: Powered, g: int, options: Options, *, scored: bool) -> dict[str, Any]:
    """Return the mean over all responses of a group, refused and without interval by the rules of any other."""
    raters, items = int(found.n_raters[g]), int(found.n_rated[g])
    few = flags.too_few(raters, options) is not None or not found.whole[g]
    limits = flags.of_interval(raters, items, options)
    interval = not few and flags.has_interval(limits, options)
    numbers = (
        Number.at(e, g, interval=interval) if not few else Number(math.nan) for e in (found.estimates, found.alone)
    )
    powered, alone = (number.to_dict() for number in numbers)
    return {
        **powered,
        "alone": alone,
        "trust": null(float(found.trust[g])) if scored and not few else None,
        "gain": null(float(found.gain[g])) if scored and interval else None,
        "n_rated": items,
        "n_unrated": int(found.n_unrated[g]),
    }
