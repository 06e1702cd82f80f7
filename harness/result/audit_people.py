"""How the group's members order texts, one by one: what the scorer's correlation is read against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.result.group import null
from lm_plural.harness.statistics.ceiling import rater_ceiling
from lm_plural.harness.statistics.counts import Coded

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
