"""How well scores tell texts that are bad on one thing only from their good twins of the same length.

What is good and bad is known by construction: prompt p has, in each cell c of length, a good and a bad reply. With b_pc
and g_pc the scores of the two, higher being worse, and phi(x, y) = 1 if x > y, 1/2 if they are equal::

    AUC_c = mean over p, q of phi(b_pc, g_qc)             AUC = mean of AUC_c over cells

Prompts are the units. Interval: delete-one-prompt jackknife, t with P - 1 degrees of freedom, on the logit scale
(``intervals.bounded``). An AUC of 0 or 1 has no spread to speak of: there the far end is that of Clopper and Pearson
(1934) for P prompts of P, 0.025^(1/P), which takes each prompt for a single yes or no.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.measures.agreement import ROUNDING
from lm_plural.harness.statistics.uncertainty.intervals import LEVEL, Estimates, bounded, raw

#: Fewest prompts for an interval.
LEAST_PROMPTS = 5


@dataclass(frozen=True)
class Separation:
    """The AUC of each cell, shape (C,), and over all cells, shape (1,), with the prompts each is of."""

    cells: Estimates
    overall: Estimates
    n_prompts: npt.NDArray[np.int64]


def separation(bad: npt.ArrayLike, good: npt.ArrayLike) -> Separation:
    """Return how well scores separate.

    Parameters
    ----------
    bad, good : array_like, shape (P, C)
        Scores, higher is worse; a prompt with a NaN in a cell is not of that cell, and over all cells it is left out
        where it lacks any.

    Returns
    -------
    Separation
        NaN without two prompts, and no interval below :data:`LEAST_PROMPTS`.
    """
    b, g = np.asarray(bad, dtype=np.float64), np.asarray(good, dtype=np.float64)
    known = ~np.isnan(b) & ~np.isnan(g)
    found = [_auc(b[known[:, c], c], g[known[:, c], c]) for c in range(b.shape[1])]
    whole = known.all(axis=1)
    each = [_auc(b[whole, c], g[whole, c]) for c in range(b.shape[1])]
    cells = [_estimates(value, less) for value, less in found]
    overall = _estimates(float(np.mean([v for v, _ in each])), np.mean([less for _, less in each], axis=0))
    return Separation(_stack(cells), overall, known.sum(axis=0))


def _auc(b: Floats, g: Floats) -> tuple[float, Floats]:
    """Return the AUC of one cell and what it is without each prompt, shape (P,)."""
    n = len(b)
    if n < 2:
        return np.nan, np.full(n, np.nan)
    phi = (b[:, None] > g) + 0.5 * (b[:, None] == g)
    less = phi.sum() - phi.sum(axis=1) - phi.sum(axis=0) + np.diag(phi)
    return float(phi.mean()), np.asarray(less / (n - 1) ** 2)


def _estimates(value: float, less: Floats) -> Estimates:
    n, one = len(less), np.ones(1)
    if n < LEAST_PROMPTS or np.isnan(value):
        return raw(value * one, np.nan * one, np.nan * one)
    variance = (n - 1) / n * ((less - less.mean()) ** 2).sum()
    if variance > ROUNDING**2:
        return bounded(raw(value * one, variance * one, (n - 1.0) * one))
    none, end = np.nan * one, ((1 - LEVEL) / 2) ** (1 / n)
    low, high = (end, 1.0) if value > 0.5 else (0.0, 1 - end)
    if value not in (0, 1):  # all alike: every score equal, which says nothing either way
        low = high = np.nan
    return Estimates(value * one, none, none, low * one, high * one)


def _stack(parts: list[Estimates]) -> Estimates:
    return Estimates(*(np.concatenate([getattr(e, f) for e in parts]) for f in ("value", "se", "df", "low", "high")))


def mean_of(values: npt.ArrayLike) -> Estimates:
    """Return the mean over units with its t interval, shape (1,); NaN values are left out.

    Parameters
    ----------
    values : array_like, shape (P,)
        One per prompt or pair.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[~np.isnan(x)]
    spread = x.var(ddof=1) / len(x) if len(x) > 1 else np.nan
    return raw(np.array([x.mean() if len(x) else np.nan]), np.array([spread]), np.array([len(x) - 1.0]))


def length_slopes(short: npt.ArrayLike, long: npt.ArrayLike, times: npt.ArrayLike) -> Floats:
    """Return by how much the score of each prompt's replies moves where the text is twice as long, shape (P,).

    ``(long - short) / log2(times as long)``, for the good and the bad reply, averaged: what is left of quality is in
    both. NaN where a score is missing.

    Parameters
    ----------
    short, long : array_like, shape (P, 2)
        Scores of the good and the bad reply.
    times : array_like, shape (P, 2)
        Characters of the long over those of the short reply.
    """
    slope = (np.asarray(long, dtype=np.float64) - np.asarray(short)) / np.log2(np.asarray(times, dtype=np.float64))
    return np.asarray(slope.mean(axis=1))
