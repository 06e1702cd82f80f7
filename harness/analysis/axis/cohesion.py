"""How much a group agrees inside and with all other raters (GRASP, methods 7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_plural.harness.analysis.axis.comparison import Comparison
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.group import null
from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.groups.cohesion import cohesion_test
from lm_plural.harness.statistics.groups.family import Sides
from lm_plural.harness.statistics.measures import plurality
from lm_plural.harness.statistics.measures.across_groups import cross_negentropy, normalised_xrr, voting_agreement
from lm_plural.harness.statistics.measures.rarefaction import common_m
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.multiplicity import benjamini_hochberg
from lm_plural.harness.statistics.uncertainty.permutation import affordable


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


#: Share of a group's items that others rated, below which it cannot be told whether people or items agree less.
SHARED_ITEMS = 0.7


def cohesion(what: Comparison, sides: Sides, computed: Ints) -> dict[str, Any]:
    """Return agreement inside each group beside agreement with all others (GRASP, methods 7.1)."""
    coded, names = what.frame.whole_levels(), what.names
    if coded is None or what.options.inference == "none":
        return {}
    rng = generator(what.options.seed, what.axis, "cohesion")
    found = cohesion_test(coded, what.members, rng, n_permutations=permutations_of(what), strata=what.strata)
    numbers = {
        "xrr": found.xrr,
        "difference": found.difference,
        "gai": found.gai,
        "p": found.p,
        "p_bh": benjamini_hochberg(np.where(np.isin(np.arange(len(found.p)), computed), found.p, np.nan)),
        "p_gai": found.p_gai,
        "null_gai": found.null_gai,
    }
    extras = cohesion_extras(what.frame, sides, names, computed)
    shared = _shared_items(sides)
    out = {}
    for g in computed:
        row = {k: null(float(v[g])) for k, v in numbers.items()} | extras[names[g]]
        row["flags"] = []
        if shared[g] < SHARED_ITEMS:
            row |= dict.fromkeys(("p", "p_bh", "p_gai"))
            row["flags"] = [f"other_items: others rated {shared[g]:.0%} of the group's items, so no p"]
        elif row["difference"] is None:
            row["flags"] = ["no_agreement: agreement inside the group or with others is not defined"]
        elif row["p"] is None:
            row["flags"] = ["strata: no stratum has raters of the group and others, so no p"]
        out[names[g]] = row
    return out


def permutations_of(what: Comparison) -> int:
    """Return how many permutations of the raters of an axis are drawn: fewer than asked for of very many ratings."""
    size = len(what.frame.coded.rater) + what.frame.coded.n_items * what.members.n_groups
    return affordable(what.options.permutations, len(np.unique(what.members.rater)), size)


def _shared_items(sides: Sides) -> Floats:
    """Return the share of each group's pairs of ratings that are on items two others rated, shape (G,)."""
    n = sides.counts.sum(axis=2).astype(np.float64)
    mine, rest = np.split(n * (n - 1), 2, axis=1)
    return ratio((mine * (rest > 0)).sum(axis=0), mine.sum(axis=0), 1.0)
