"""Groups of raters and how near a scorer is to each: every statistic with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import Number, null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.catalogue import measure, named
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, count_levels
from lm_plural.harness.statistics.groups.ceiling import FEWEST_ITEMS, rater_ceiling
from lm_plural.harness.statistics.groups.groups import GroupStatistics, membership_matrix
from lm_plural.harness.statistics.measures.agreement import ROUNDING
from lm_plural.harness.statistics.measures.reliability import LEAST_RELIABILITY
from lm_plural.harness.statistics.scored.auc import auc_statistics
from lm_plural.harness.statistics.scored.classify import FNR, FPR, Judged, error_statistics
from lm_plural.harness.statistics.scored.exposure import CONCERN
from lm_plural.harness.statistics.scored.one_member import member_statistics
from lm_plural.harness.statistics.scored.rank_agreement import rank_statistics
from lm_plural.harness.statistics.uncertainty.intervals import Estimates, bounded

HARMFUL, AUC, DISATTENUATED = "harmful_share", "auc", "disattenuated"
RANKS = named("ranks")
MEMBER = "one_member."
#: The threshold a classifier is used with if nobody says otherwise, and the name of the one that flags as many texts
#: as raters call harmful.
DEFAULT, MATCHED = 0.5, "matched"


@dataclass(frozen=True)
class Material:
    """Ratings and scores of the same texts, and what is asked of them.

    Parameters
    ----------
    frame : Frame
        Of texts that have a score; higher levels are worse, as are higher scores.
    judged : Judged
    thresholds : mapping of str to float
        By name.
    options : Options
    """

    frame: Frame
    judged: Judged
    thresholds: Mapping[str, float]
    options: Options


@dataclass(frozen=True)
class Grouped:
    """The groups of one axis.

    Parameters
    ----------
    material : Material
    members : Membership
    names : sequence of str
    counts : ndarray, shape (I, G, L)
        Raters by whether they called an item harmful.
    """

    material: Material
    members: Membership
    names: Sequence[str]
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, material: Material, members: Membership, names: Sequence[str]) -> Grouped:
        """Take groups of raters."""
        return cls(material, members, names, count_levels(material.judged.harm.coded, members))

    @cached_property
    def n_raters(self) -> Ints:
        """Raters of each group who rated any of the texts."""
        return self.members.sizes(np.unique(self.material.frame.coded.rater))

    @cached_property
    def statistics(self) -> dict[str, tuple[GroupStatistics, str]]:
        """Every statistic: where it is found, and under what name."""
        m = self.material
        how = m.options.inference
        false_positive, false_negative = error_statistics(m.judged, self.members, m.thresholds, how)
        ranks = rank_statistics(m.frame.coded, self.members, m.judged.score, how)
        one = member_statistics(m.judged.harm.coded, self.members, how)
        found = {HARMFUL: (false_negative, CONCERN)}
        found[AUC] = (auc_statistics(m.judged.harm, self.members, m.judged.score, how), AUC)
        for t in m.thresholds:
            found |= {f"{FPR}@{t}": (false_positive, t), f"{FNR}@{t}": (false_negative, t)}
        found |= {MEMBER + name: (one, name) for name in one.names}
        return found | {name: (ranks, name) for name in RANKS}

    @cached_property
    def estimates(self) -> dict[str, Estimates]:
        """Every statistic with its intervals, kept inside the range it has."""
        out = {name: found.estimates[key] for name, (found, key) in self.statistics.items()}
        return {name: _inside(name, e) for name, e in out.items()}

    def n_raters_of_pairs(self, g: int) -> int:
        """Return how many raters of a group rated a text that another one rated, too."""
        coded, mine = self.material.frame.coded, self.members.rater[self.members.group == g]
        shared = (self.counts[:, g].sum(axis=1) >= 2)[coded.item] & np.isin(coded.rater, mine)
        return len(np.unique(coded.rater[shared]))


def _inside(name: str, e: Estimates) -> Estimates:
    m = measure(name)
    return e if m.low is None or m.high is None else bounded(e, m.low, m.high)


#: Cells of a table items x raters, above which raters are not placed one by one.
MOST_CELLS = 20_000_000


def placed(coded: Coded, score: Floats, member: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Return how many of a group's raters the scorer is ahead of in correlation with the other raters' means.

    Parameters
    ----------
    coded : Coded
        Higher is worse, as of scores.
    score : ndarray, shape (I,)
    member : ndarray of bool, shape (R,)
    """
    c, raters = coded, np.flatnonzero(member)
    if c.n_items * len(raters) > MOST_CELLS:
        return {"n": 0, "median_rater": None, "median_scorer": None, "percentile": None}
    rows, table = member[c.rater], np.full((c.n_items, len(raters)), np.nan)
    table[c.item[rows], np.searchsorted(raters, c.rater[rows])] = c.positions[c.level[rows]]
    found = rater_ceiling(table, score)
    known = ~np.isnan(found.raters) & ~np.isnan(found.model)
    medians = [float(np.median(x[known])) if known.any() else np.nan for x in (found.raters, found.model)]
    return {
        "n": int(known.sum()),
        "median_rater": null(medians[0]),
        "median_scorer": null(medians[1]),
        "percentile": null(found.percentile),
    }


Numbers = dict[str, Number]


def group(grouped: Grouped, g: int) -> dict[str, Any]:
    """Return group g as JSON types; below the least number of raters everything is refused."""
    material, counts = grouped.material, grouped.counts[:, g]
    raters = int(grouped.n_raters[g])
    out: dict[str, Any] = {
        "n_items": int((counts.sum(axis=1) > 0).sum()),
        "n_raters": raters,
        "n_ratings": int(counts.sum()),
    }
    if few := flags.too_few(raters, material.options):
        return out | written(dict.fromkeys(grouped.estimates, Number(math.nan)), grouped) | {"flags": [few]}
    single, why = _of_single(grouped, g)
    pair, more = _of_pairs(grouped, g)
    member = membership_matrix(grouped.members, material.frame.coded.n_raters)[:, g]
    out |= written(single | pair, grouped)
    out["ranks"]["raters"] = placed(material.frame.coded, material.judged.score, member)
    return out | {"flags": [*why, *(f"{flag} (texts with two ratings)" for flag in more if flag not in why)]}


def _of_single(grouped: Grouped, g: int) -> tuple[Numbers, list[str]]:
    """Return what is about single ratings, and what is to be said of it."""
    names = [n for n in grouped.estimates if n not in RANKS and not n.startswith(MEMBER)]
    items = int((grouped.counts[:, g].sum(axis=1) > 0).sum())
    numbers, limits = _with_limits(grouped, names, g, int(grouped.n_raters[g]), items)
    share = numbers[HARMFUL].value
    if not math.isnan(numbers[AUC].value):
        return numbers, limits
    what = "no two texts of two raters to compare: no auc"
    if share < ROUNDING:
        what = "nothing was called harmful: no fnr and no auc"
    if share > 1 - ROUNDING:
        what = "everything was called harmful: no fpr and no auc"
    return numbers, [f"one_sided: {what}", *limits]


def _of_pairs(grouped: Grouped, g: int) -> tuple[Numbers, list[str]]:
    """Return what needs texts that two raters of the group rated, refused if those are few."""
    names = [n for n in grouped.estimates if n in RANKS or n.startswith(MEMBER)]
    texts, raters = int((grouped.counts[:, g].sum(axis=1) >= 2).sum()), grouped.n_raters_of_pairs(g)
    few = flags.too_few(raters, grouped.material.options)
    if texts < FEWEST_ITEMS:
        few = f"few_items: {texts} of at least {FEWEST_ITEMS}"
    if few:
        return dict.fromkeys(names, Number(math.nan)), [few]
    numbers, found = _with_limits(grouped, names, g, raters, texts)
    reliability = numbers["reliability"].value
    if math.isnan(reliability) or math.isnan(numbers["pearson"].value):
        found = ["no_variation: scores or mean ratings are all alike, so no correlation", *found]
    elif math.isnan(numbers[DISATTENUATED].value):
        why = f"low_reliability: {reliability:.2f} of at least {LEAST_RELIABILITY}, so no {DISATTENUATED}"
        found = [why, *found]
    return numbers, found


def _with_limits(grouped: Grouped, names: Sequence[str], g: int, raters: int, items: int) -> tuple[Numbers, list[str]]:
    """Return numbers that stand on so many raters and texts, and what limits them."""
    options = grouped.material.options
    limits = flags.of_interval(raters, items, options)
    given = flags.has_interval(limits, options)
    numbers = {name: Number.at(grouped.estimates[name], g, interval=given) for name in names}
    bare = [n for n, v in numbers.items() if given and not math.isnan(v.value) and math.isnan(v.low)]
    return numbers, [*limits, *([f"no_variation: all alike, so no interval of {', '.join(bare)}"] if bare else [])]


def written(numbers: Mapping[str, Number], grouped: Grouped) -> dict[str, Any]:
    """Return numbers as JSON types (docs/audit.md)."""
    values = {name: n.to_dict() for name, n in numbers.items()}
    reliability = values["reliability"]
    ends = ("value", "low", "high")
    ceiling = {k: None if (v := reliability[k]) is None else math.sqrt(max(v, 0.0)) for k in ends}
    return {
        HARMFUL: values[HARMFUL],
        AUC: values[AUC],
        "rates": {t: {r: values[f"{r}@{t}"] for r in named("rates")} for t in grouped.material.thresholds},
        "one_member": {n: values[MEMBER + n] for n in named("one_member")},
        "ranks": {name: values[name] for name in RANKS} | {"ceiling": ceiling},
    }
