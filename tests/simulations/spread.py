"""Simulations S4 (spread, range and max-T of six equal groups) and S9 (three confounded axes) of the methods note."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from lm_plural.harness.statistics.groups.spread import range_interval, spread
from lm_plural.harness.statistics.groups.standardise import standardise
from lm_plural.harness.statistics.uncertainty.multiplicity import max_t

#: S4: own standard errors of six groups, and of what their shared items add to all.
OWN, COMMON = np.linspace(0.03, 0.08, 6), 0.05
COVARIANCE = np.diag(OWN**2) + COMMON**2
PAIRS = np.column_stack(np.triu_indices(6, 1))
CONTRASTS = np.eye(6)[PAIRS[:, 0]] - np.eye(6)[PAIRS[:, 1]]


class Equal(NamedTuple):
    """Of each repetition: tau^2, the raw range, whether the range interval covers, whether no pair is significant."""

    tau2: np.ndarray
    raw_range: np.ndarray
    range_covered: np.ndarray
    none_significant: np.ndarray


def six_groups(repetitions: int, rng: np.random.Generator, truth: np.ndarray | None = None, draws: int = 2000) -> Equal:
    """S4, each repetition with max-T draws of its own; with `truth` the groups differ."""
    truth = np.zeros(6) if truth is None else truth
    v = CONTRASTS @ COVARIANCE @ CONTRASTS.T
    se = np.sqrt(np.diag(v))
    rows = []
    for x in rng.multivariate_normal(truth, COVARIANCE, size=repetitions):
        d = CONTRASTS @ x
        critical, p = max_t(d / se, v / np.outer(se, se), np.inf, rng, draws)
        low, high = range_interval(d, se, critical)
        rows.append((spread(x, COVARIANCE), np.ptp(x), low <= np.ptp(truth) <= high, not (p <= 0.05).any()))
    return Equal(*np.array(rows, dtype=float).T)


class Confounded(NamedTuple):
    """Errors of each repetition: estimate minus the standardised gap of the population."""

    standardised: np.ndarray
    marginal: np.ndarray


#: S9: raters of two groups in the four cells of two other axes that go with the group, and what each adds to the mean.
RATERS = np.array([[24, 10, 10, 6], [6, 10, 10, 24]])
CELL_EFFECTS = np.array([0.0, 0.5, 0.4, 0.9])
GROUP_EFFECTS = np.array([0.4, 0.1])
CUTS = np.array([-1.2, -0.4, 0.4, 1.2])


def true_standardised_gap() -> float:
    """Return the gap in mean rating with the raters' pooled shares, by the normal distribution of latent ratings."""
    mean = GROUP_EFFECTS[:, None] + CELL_EFFECTS
    rating = 1 + norm.sf((CUTS - mean[..., None]) / np.sqrt(1 + 0.25 + 0.36 + 1)).sum(axis=-1)
    return float((rating[0] - rating[1]) @ (RATERS.sum(axis=0) / RATERS.sum()))


def confounded_axes(repetitions: int, rng: np.random.Generator, items: int = 40) -> Confounded:
    """S9 on DGM-1, fully crossed: item N(0,1), item by group N(0,.5^2), rater N(0,.6^2), residual N(0,1)."""
    code = np.repeat(np.arange(8), RATERS.ravel())
    group, cell = code // 4, code % 4
    truth, errors = true_standardised_gap(), []
    for _ in range(repetitions):
        item = rng.normal(size=(items, 1)) + 0.5 * rng.normal(size=(items, 2))[:, group]
        rater = GROUP_EFFECTS[group] + CELL_EFFECTS[cell] + 0.6 * rng.normal(size=len(code))
        latent = item + rater + rng.normal(size=(items, len(code)))
        by_rater = 1 + (latent[..., None] > CUTS).sum(axis=-1).mean(axis=0)
        cells = (np.bincount(code, by_rater) / RATERS.ravel()).reshape(2, 4)
        found = standardise(cells, RATERS)
        errors.append((found.gap - truth, by_rater[group == 0].mean() - by_rater[group == 1].mean() - truth))
    return Confounded(*np.array(errors).T)
