"""More of GRASP (methods 7.1): the shape of a group's answers, and how they meet those of all other raters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.group import null
from lm_plural.harness.statistics import plurality
from lm_plural.harness.statistics.cohesion import cross_negentropy, normalised_xrr, voting_agreement
from lm_plural.harness.statistics.contrasts import Sides
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.rarefaction import common_m


def cohesion_extras(frame: Frame, sides: Sides, names: Sequence[str], computed: Ints) -> dict[str, dict[str, Any]]:
    """Return further cohesion of each group, by name.

    Parameters
    ----------
    frame : Frame
    sides : Sides
        Of the G groups and the rest of each.
    names : sequence of str
    computed : ndarray of int, shape (C,)
        Groups with enough raters.

    Returns
    -------
    dict
        Inside: ``plurality_size`` and ``negentropy`` (nats) at ``rarefied_to`` raters per item; null for a group whose
        median item has fewer than 5. With the rest: ``voting_agreement`` (nominal alpha of plurality votes),
        ``cross_negentropy`` (nats; the rest predicts the group) and ``normalised_xrr`` (interval distance). Empty where
        a coarsening splits a rating in two.
    """
    if frame.whole_levels() is None:
        return {}
    level = sides.counts @ frame.scaling.matrix
    inside, m = _inside(level[:, computed])
    positions = frame.scaling.positions
    out = {}
    for c, g in enumerate(computed):
        own, rest = level[:, g], level[:, g + len(names)]
        numbers = {name: float(v[c]) for name, v in inside.items()}
        numbers["voting_agreement"] = voting_agreement(own, rest, positions)
        numbers["cross_negentropy"] = cross_negentropy(own, rest)
        numbers["normalised_xrr"] = normalised_xrr(own, rest, positions)
        out[names[g]] = {name: null(v) for name, v in numbers.items()} | {"rarefied_to": m or None}
    return out


def _inside(level: Floats) -> tuple[dict[str, Floats], int]:
    """Return cohesion within each group at a common number of raters, and that number."""
    m, kept = common_m(level)
    found = {"plurality_size": plurality.plurality_size(level, m), "negentropy": plurality.negentropy(level, m)}
    return {name: np.where(kept, v, np.nan) for name, v in found.items()}, m
