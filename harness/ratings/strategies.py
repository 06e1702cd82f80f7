"""Disagreement strategies (methods 7.4): from what each rater said to one reference per item.

Only ``all`` keeps the ratings. Of the others, mean, dictator, group_balanced and weighted keep a group's mean;
majority, consensus, median and any_flag do not, and can make or erase a gap: they are sensitivity analyses, and their
results are reported as "measured under strategy s".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.errors import UsageError

Strategy = Literal[
    "all", "mean", "median", "majority", "consensus", "dictator", "group_balanced", "weighted", "any_flag"
]
STRATEGIES: tuple[str, ...] = get_args(Strategy)


CONSENSUS_SHARE = 0.7
DICTATOR_DRAWS = 100


def reference(
    counts: npt.ArrayLike,
    strategy: Strategy = "all",
    *,
    harm: str = "higher",
    seed: int = 0,
) -> Floats:
    """Return the reference distribution of every item under a strategy.

    Parameters
    ----------
    counts : array_like, shape (..., K)
        Ratings per level of one group, or summed weights for ``weighted``; for ``group_balanced`` shape
        (..., G, K), and the result is the mean of the groups' distributions.
    strategy : str
        One of ``STRATEGIES``. ``mean`` is not rounded: its mass is split between the two levels around it, so that
        the mean of the reference *is* the mean (on evenly spaced levels).
    harm : str, "higher" or "lower"
        Which end of the scale is the harm ``any_flag`` looks for: the reference is the worst level anyone chose.
    seed : int
        For ``dictator``: mean over 100 draws of one rater per item.

    Returns
    -------
    ndarray, shape (..., K)
        Sums to 1; NaN where there are no ratings or, under ``consensus``, no level with a share >= 0.7.

    Raises
    ------
    UsageError
        If the strategy is unknown.
    """
    c = np.asarray(counts, dtype=np.float64)
    if strategy == "any_flag":
        return _any_flag(c, harm)
    if strategy == "dictator":
        return _dictator(c, seed)
    if strategy not in _RULES:
        raise UsageError(f"reference {strategy!r}; expected one of {', '.join(STRATEGIES)}")
    return _RULES[strategy](c)


def _shares(c: Floats) -> Floats:
    n = c.sum(axis=-1, keepdims=True)
    return ratio(c, n)


def _mean(c: Floats) -> Floats:
    levels = np.arange(c.shape[-1])
    mean = (_shares(c) * levels).sum(axis=-1)
    low = np.minimum(np.floor(mean), c.shape[-1] - 2)[..., None]
    share = mean[..., None] - low
    out: Floats = np.where(levels == low, 1 - share, np.where(levels == low + 1, share, 0.0 * share))
    return out


def _median(c: Floats) -> Floats:
    """Half the mass on the lower median, half on the upper: one level unless the middle two differ."""
    cdf = c.cumsum(axis=-1)
    n = cdf[..., -1:]
    levels = np.arange(c.shape[-1])
    lower = (cdf < n / 2).sum(axis=-1, keepdims=True)
    upper = (cdf <= n / 2).sum(axis=-1, keepdims=True)
    out = ((levels == lower) * 0.5 + (levels == upper) * 0.5).astype(np.float64)
    return np.where(n > 0, out, np.nan)


def _majority(c: Floats) -> Floats:
    """All mass on the most frequent level; ties split it."""
    return _shares(((c == c.max(axis=-1, keepdims=True)) & (c.sum(axis=-1, keepdims=True) > 0)).astype(np.float64))


def _consensus(c: Floats) -> Floats:
    p = _shares(c)
    return np.where(p.max(axis=-1, keepdims=True) >= CONSENSUS_SHARE, _majority(c), np.nan)


def _any_flag(c: Floats, harm: str) -> Floats:
    chosen = c > 0
    worst = c.shape[-1] - 1 - chosen[..., ::-1].argmax(axis=-1) if harm == "higher" else chosen.argmax(axis=-1)
    out = (np.arange(c.shape[-1]) == worst[..., None]).astype(np.float64)
    return np.where(chosen.any(axis=-1, keepdims=True), out, np.nan)


def _dictator(c: Floats, seed: int) -> Floats:
    rng = np.random.Generator(np.random.Philox(seed))
    p = _shares(c)
    cdf = p.cumsum(axis=-1)[..., :-1]
    u = rng.random((DICTATOR_DRAWS, *c.shape[:-1]))
    at_most = [(u <= cdf[..., k]).sum(axis=0, dtype=np.int16) for k in range(cdf.shape[-1])]
    out = np.diff(np.stack(at_most, axis=-1), prepend=0, append=DICTATOR_DRAWS) / DICTATOR_DRAWS
    return np.where(np.isnan(p), np.nan, out)


def _group_balanced(c: Floats) -> Floats:
    p = _shares(c)
    rated = ~np.isnan(p).any(axis=-1, keepdims=True)
    n = rated.sum(axis=-2)
    total = np.where(rated, p, 0.0).sum(axis=-2)
    return ratio(total, n)


_RULES: dict[str, Callable[[Floats], Floats]] = {
    "all": _shares,
    "weighted": _shares,
    "mean": _mean,
    "median": _median,
    "majority": _majority,
    "consensus": _consensus,
    "group_balanced": _group_balanced,
}
