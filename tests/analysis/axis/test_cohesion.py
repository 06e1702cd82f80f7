"""The shape of a group's answers, and how they meet those of all others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lm_plural.harness.analysis.axis.cohesion import cohesion_extras
from lm_plural.harness.ratings.coarsen import to_two
from lm_plural.harness.statistics.counts import Membership
from lm_plural.harness.statistics.groups.family import Sides
from lm_plural.harness.statistics.measures.across_groups import cross_negentropy, normalised_xrr, voting_agreement
from tests.analysis.axis.test_sensitivity import FIVE, Case, Scaling, case, of_levels, popquorn, strict


def extras(c: Case) -> dict:
    return strict(cohesion_extras(c.frame, Sides.of(c.frame.coded, c.members, c.counts), c.names, c.computed))


def test_inside_a_group_by_hand():
    found = extras(of_levels({"g": [[5, 0, 0, 0, 0], [0, 5, 0, 0, 0]], "h": [[3, 0, 2, 0, 0]] * 2}))
    assert found["g"]["rarefied_to"] == found["h"]["rarefied_to"] == 5
    assert (found["g"]["plurality_size"], found["h"]["plurality_size"]) == pytest.approx((1, 0.6))
    entropy = -(0.6 * np.log(0.6) + 0.4 * np.log(0.4))
    assert (found["g"]["negentropy"], found["h"]["negentropy"]) == pytest.approx((np.log(5), np.log(5) - entropy))


def test_groups_are_looked_at_with_equally_many_raters_and_small_ones_not():
    found = extras(of_levels({"big": [[10, 10, 0, 0, 0]], "five": [[3, 2, 0, 0, 0]], "few": [[4, 0, 0, 0, 0]]}))
    assert {g: v["rarefied_to"] for g, v in found.items()} == dict.fromkeys(found, 5)
    assert found["big"]["plurality_size"] > 0.6  # 5 of 10 and 10 are never divided evenly
    assert (found["few"]["plurality_size"], found["few"]["negentropy"]) == (None, None)
    assert found["few"]["cross_negentropy"] is not None
    assert {v["rarefied_to"] for v in extras(case()).values()} == {None}


def test_the_rest_is_everybody_else_of_the_axis():
    rng = np.random.default_rng(0)
    genders = {f"{g}{n}": g for g in "xyz" for n in range(3)}
    c = case({f"i{n}": "".join(rng.choice(list("1233"), 9)) for n in range(12)}, genders)
    found = extras(c)
    for g, name in enumerate(c.names):
        own, rest = c.counts[:, g], c.counts.sum(axis=1) - c.counts[:, g]
        known = {
            "voting_agreement": voting_agreement(own, rest, np.arange(5)),
            "cross_negentropy": cross_negentropy(own, rest),
            "normalised_xrr": normalised_xrr(own, rest, np.arange(5)),
        }
        assert {k: found[name][k] for k in known} == pytest.approx(
            {k: None if np.isnan(v) else v for k, v in known.items()}
        )


def test_who_is_alone_has_no_rest_and_a_split_rating_no_shape():
    c = case({"a": "11335"})
    alone = Case(c.frame, Membership(np.arange(5), np.zeros(5, dtype=int), 1), ["all"], c.counts.sum(1, keepdims=True))
    assert {v for k, v in extras(alone)["all"].items() if k != "plurality_size" and k != "negentropy"} == {None, 5}
    split = to_two(FIVE, "split")
    frame = replace(c.frame, scale=split.scale, scaling=Scaling(np.array([1.0, 2.0]), split.matrix))
    assert extras(c._replace(frame=frame)) == {}


def test_popquorn_has_every_number_that_its_raters_allow(mirror: Path, tmp_path: Path):
    found = extras(popquorn(mirror, tmp_path, "gender"))
    assert {g for g, v in found.items() if v["plurality_size"] is None} == set(found)  # 4 of a group rate an item
    for name in ("voting_agreement", "cross_negentropy", "normalised_xrr"):
        assert all(0 < v[name] < 1.5 for v in found.values())
