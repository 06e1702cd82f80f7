"""Intervals of numbers that cannot leave a range: rates, areas under a curve, correlations."""

from __future__ import annotations

import numpy as np

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.agreement import ROUNDING
from lm_plural.harness.statistics.intervals import Estimates, quantile


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
