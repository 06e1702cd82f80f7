"""Texts with scores and ratings, simulated and drawn at random, for the tests of what a scorer is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from scipy.stats import norm

from lm_plural.harness.statistics.counts import Coded, Membership
from lm_plural.harness.statistics.scored.classify import Judged

CUTS, SEVERITY, NOISE = np.array([-0.8, 0.0, 0.6, 1.2]), 0.6, 0.8
#: Levels of the five that are harmful.
HARMFUL = np.arange(5) >= 3


@dataclass(frozen=True)
class Rated:
    """Ratings (item, rater, level) of scored items by two groups."""

    item: np.ndarray
    rater: np.ndarray
    level: np.ndarray
    score: np.ndarray
    group: np.ndarray

    @property
    def coded(self) -> Coded:
        return Coded(self.item, self.rater, self.level, len(self.score), len(self.group), np.arange(1.0, 6.0))

    @property
    def members(self) -> Membership:
        return Membership(np.arange(len(self.group)), self.group, 2)

    @property
    def judged(self) -> Judged:
        return Judged.of(self.coded, HARMFUL, self.score)

    @property
    def harm(self) -> np.ndarray:
        return HARMFUL[self.level].astype(float)

    def without(self, gone: np.ndarray) -> Rated:
        return Rated(self.item[~gone], self.rater[~gone], self.level[~gone], self.score, self.group)

    def of(self, g: int, common: bool = False) -> Rated:
        """Return the ratings of one group; of `common` items those both groups rated."""
        mine = self.group[self.rater] == g
        if common:
            other = np.unique(self.item[~mine])
            mine &= np.isin(self.item, other)
        return self.without(~mine)

    @property
    def weight(self) -> np.ndarray:
        """Of each rating: items weigh the same."""
        n = np.bincount(self.item, minlength=len(self.score))
        return 1 / n[self.item] / (n > 0).sum()


@st.composite
def rated(draw: st.DrawFn) -> Rated:
    """Few ratings, ties among scores; both groups rate two items and call one harmful and one not."""
    items, raters = draw(st.integers(3, 5)), draw(st.integers(4, 6))
    cell = st.tuples(st.integers(0, items - 1), st.integers(0, raters - 1))
    cells = draw(st.sets(cell, max_size=24)) | {(i, j) for i in (0, 1) for j in range(4)}
    item, rater = np.array(sorted(cells)).T
    level = np.array(draw(st.lists(st.integers(0, 4), min_size=len(item), max_size=len(item))))
    level[item == 0], level[item == 1] = 4, 0
    score = np.array(draw(st.lists(st.sampled_from([0.1, 0.4, 0.5, 0.9]), min_size=items, max_size=items)))
    return Rated(item, rater, level, score, np.arange(raters) % 2)


def simulate(
    rng: np.random.Generator, items: int, raters: int, shift: tuple[float, float] = (0.0, 0.3), density: float = 1.0
) -> Rated:
    """Draw new texts and people: a score is theta plus noise, a rating theta plus the rater's severity plus noise."""
    theta, group = rng.normal(size=items), np.repeat([0, 1], raters)
    latent = theta[:, None] + np.array(shift)[group] + SEVERITY * rng.normal(size=len(group))
    latent = latent + rng.normal(size=latent.shape)
    item, rater = np.nonzero(rng.random(latent.shape) < density)
    level = np.searchsorted(CUTS, latent[item, rater])
    return Rated(item, rater, level, theta + NOISE * rng.normal(size=items), group)


def truth(shift: float, threshold: float, n: int = 300_000) -> dict[str, float]:
    """Return what is true of all texts and of all people of a group, from many texts."""
    rng = np.random.default_rng(9)
    theta = rng.normal(size=n)
    score = theta + NOISE * rng.normal(size=n)
    cdf = norm.cdf((CUTS - (theta + shift)[:, None]) / np.sqrt(1 + SEVERITY**2))
    p, flag, order = 1 - cdf[:, 2], score >= threshold, np.argsort(score)
    fine = (1 - p)[order]
    return {
        "fpr": ((1 - p) * flag).sum() / (1 - p).sum(),
        "fnr": (p * ~flag).sum() / p.sum(),
        "auc": (p[order] * (fine.cumsum() - fine / 2)).sum() / p.sum() / (1 - p).sum(),
        "disattenuated": np.corrcoef(score, 4 - cdf.sum(axis=1))[0, 1],
        "harmful_share": p.mean(),
        "member_fnr": (p * (1 - p)).sum() / p.sum(),
        "member_fpr": (p * (1 - p)).sum() / (1 - p).sum(),
    }


def deletions(case: Rated) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Return the ratings that go with each rater, and with each rater and item."""
    one = [case.rater == j for j in np.unique(case.rater)]
    return one, [[rows & (case.item == i) for i in np.unique(case.item[rows])] for rows in one]


def brute_force(case: Rated, influence: Callable[[Rated, np.ndarray], float]) -> tuple[float, float, float]:
    """Return V_items, V_R and V_X from what deleting items, raters, and raters from items changes."""
    items, (one, single) = np.unique(case.item), deletions(case)
    each = [influence(case, case.item == i) for i in items]
    factor = (len(one) - 1) / len(one)
    return (
        len(items) / (len(items) - 1) * sum(x**2 for x in each),
        factor * sum(influence(case, rows) ** 2 for rows in one),
        factor * sum(influence(case, rows) ** 2 for row in single for rows in row),
    )
