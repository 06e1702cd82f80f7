"""Intervals from a variance and its degrees of freedom (methods 0, row 6, and 3.2), of bounded numbers too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.measures.agreement import ROUNDING

LEVEL = 0.95
#: A statistic nearer to 0 than this many standard errors has no log scale to speak of.
NEAR_ZERO = 1.5


@dataclass(frozen=True)
class Estimates:
    """Numbers with their uncertainty, each array of one shape.

    Parameters
    ----------
    value, se, df, low, high : ndarray
        NaN where there is none.
    """

    value: Floats
    se: Floats
    df: Floats
    low: Floats
    high: Floats

    @property
    def p(self) -> Floats:
        """Two-sided p against 0; NaN without a standard error."""
        return p_value(self.value, self.se, self.df)


def quantile(df: Floats, level: float = LEVEL) -> Floats:
    """Return the two-sided t quantile; NaN for NaN, the normal one for infinitely many degrees of freedom."""
    return np.asarray(stdtrit(np.minimum(df, 1e9), (1 + level) / 2))


def p_value(value: Floats, se: Floats, df: Floats) -> Floats:
    """Return the two-sided p of value / se under t with df."""
    t = np.abs(ratio(value, se))
    return np.asarray(2 * stdtr(np.minimum(df, 1e9), -t))


def raw(value: Floats, variance: Floats, df: Floats, level: float = LEVEL) -> Estimates:
    """Return value +- t SE. A variance of 0 (all alike) knows nothing of the spread: no interval, SE NaN."""
    variance = np.where(variance > ROUNDING**2, variance, np.nan)
    se = np.sqrt(variance)
    df = np.where(np.isnan(se), np.nan, df)
    half = quantile(df, level) * se
    return Estimates(value, se, df, value - half, value + half)


def on_log_scale(estimates: Estimates, level: float = LEVEL) -> Estimates:
    """Return the interval of a ratio on the log scale, value * exp(+- t SE / value); NaN if it is not above 0."""
    e = estimates
    factor = _factor(e, e.value, level)
    return Estimates(e.value, e.se, e.df, e.value / factor, e.value * factor)


def of_a_square(estimates: Estimates, level: float = LEVEL) -> Estimates:
    """Return the interval of a statistic whose true value is not below 0, such as C: wide where it is near 0.

    The lower end is the raw one and the upper end that on the log scale, each the farther of the two; within 1.5 SE of
    0 the upper end is ``max(value, 0) + t SE``. Raw or log intervals alone cover 88 to 93 % where C is small
    (docs/coverage.md).
    """
    e = estimates
    clear = e.value > NEAR_ZERO * e.se
    factor = _factor(e, np.where(clear, e.value, np.inf), level)
    high = np.where(clear, e.value * factor, np.maximum(e.value, 0.0) + quantile(e.df, level) * e.se)
    return Estimates(e.value, e.se, e.df, e.low, high)


def _factor(e: Estimates, value: Floats, level: float) -> Floats:
    # beyond e^50 the end is as good as open, and squares of it still are numbers
    return np.asarray(np.exp(np.minimum(quantile(e.df, level) * ratio(e.se, value), 50.0)))


def bounded(estimates: Estimates, low: float = 0.0, high: float = 1.0) -> Estimates:
    """Return intervals that stay between `low` and `high`: value +- t SE on the logit scale of the range.

    Between -1 and 1 this is Fisher's z. A value at an end has no logit: no interval.
    """
    e = estimates
    share = (e.value - low) / (high - low)
    room = share * (1 - share)
    half = quantile(e.df) * ratio(e.se, np.where(room > ROUNDING, room, 0.0) * (high - low))
    odds = np.log(ratio(share, 1 - share, np.nan), where=room > ROUNDING, out=np.full(share.shape, np.nan))

    def back(logit: Floats) -> Floats:
        return np.asarray(low + (high - low) / (1 + np.exp(-np.clip(logit, -700, 700))))

    known = ~np.isnan(half)
    se, df = (np.where(known, x, np.nan) for x in (e.se, e.df))
    return Estimates(e.value, se, df, back(odds - half), back(odds + half))
