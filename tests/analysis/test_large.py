"""Tables beyond a stated size: what is done without, and that it is said."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import polars as pl
import pytest

from lm_plural.harness.analysis import disaggregate as disaggregated
from lm_plural.harness.analysis.audit.audit import audit
from lm_plural.harness.analysis.axis import between
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.paired.compare import compare_predictions
from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.report.table import render_block
from lm_plural.harness.statistics.counts import Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.groups import Weighting, group_statistics
from tests.analysis.axis.test_between import block, guesses, panel, run
from tests.ratings.build import FIVE


def one_item(raters: int) -> RatingTable:
    names = [f"r{n}" for n in range(raters)]
    level = np.random.default_rng(0).integers(0, 5, raters)
    ratings = pl.DataFrame({"item_id": "i", "rater_id": names, "scale": "s", "level": level})
    people = pl.DataFrame({"rater_id": names, "g": [[f"g{n % 2}"] for n in range(raters)]})
    return RatingTable(ratings, people, {"s": FIVE})


@pytest.mark.parametrize(
    ("limit", "most", "reason"),
    [
        ("MOST_TOGETHER", 6, "7 groups, at most 6 are compared"),
        ("MOST_COMPARED", 4, "5 groups with enough raters, at most 4 are compared"),
        ("MOST_CELLS", 1000, "30 items x 7 groups x 5 levels, at most 1,000 in all are compared"),
    ],
)
@pytest.mark.parametrize("reference", ["all", "majority"])
def test_groups_beyond_a_limit_are_described_as_before_but_not_compared(
    limit: str, most: int, reason: str, reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def who(j: int) -> dict[str, list[str]]:
        return {"g": ["small"] if j == 0 else [f"g{j % 5}"], "h": ["a" if j < 30 else "b"]}

    t = panel(raters=58, axes=who)
    t = RatingTable(t.ratings, t.raters.with_columns(pl.Series("g", who_rated(t))), t.scales)
    options = {"min_raters": 5, "reference": reference}
    before = block(t, guesses(), ["g", "h"], **options)
    for module in (between, disaggregated):
        if hasattr(module, limit):
            monkeypatch.setattr(module, limit, most)
    after = block(t, guesses(), ["g", "h"], **options)
    assert f"groups of g are not compared: {reason}" in after["notes"]
    assert set(after["axes"]["g"]) == {"groups", "contrasts"}
    assert after["axes"]["g"]["contrasts"] == []
    assert after["axes"]["h"] == before["axes"]["h"]
    assert list(after["axes"]["g"]["groups"]) == list(before["axes"]["g"]["groups"])
    for name, group in before["axes"]["g"]["groups"].items():
        group.pop("secondary", None)
        group.get("ceiling", {}).pop("raters", None)
        found = after["axes"]["g"]["groups"][name]
        if reference == "all":
            same(found, group)
        else:
            same(found["divergence"], group["divergence"])  # of bias the interval is drawn
    assert reason.split(" are")[0] in " ".join(render_block("x", after).split())


def who_rated(t: RatingTable) -> list[list[str]]:
    """Put some raters' memberships on a second group, and one group's people all among those without a rating."""
    groups = t.raters["g"].to_list()
    return [[*g, "both"] if n in (7, 8, 9) else g for n, g in enumerate(groups)]


def same(one: Any, two: Any) -> None:
    """Compare JSON, numbers up to rounding."""
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            same(one[key], two[key])
    elif isinstance(one, float):
        assert one == pytest.approx(two, rel=1e-9, abs=1e-12)
    else:
        assert one == two


def test_a_group_whose_raters_rated_nothing_may_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    t = panel(items=5, raters=6, groups=3)
    idle = pl.DataFrame({"rater_id": ["idle"], "g": [["gone"]]})
    t = RatingTable(t.ratings, pl.concat([t.raters, idle]), t.scales)
    monkeypatch.setattr(between, "MOST_TOGETHER", 1)
    monkeypatch.setattr(disaggregated, "MOST_COMPARED", 1)
    for options in ({}, {"reference": "majority"}, {"inference": "none"}):
        groups = run(t, guesses(5), **options).by_group["g"]
        assert {name: g.n_ratings for name, g in groups.items()} == {"g0": 10, "g1": 10, "g2": 10, "gone": 0}


def test_too_many_items_for_pairs_leave_each_against_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(between, "MOST_CELLS", 30 * 5 * 4)
    axis = block(panel(groups=4))["axes"]["g"]
    assert {r["kind"] for r in axis["contrasts"]} == {"rest"}
    assert axis["notes"] == ["4 groups of 5 levels on 30 items: each against all others, not by pairs"]
    assert axis["effects"] == []


def test_permutations_of_very_many_ratings_are_fewer_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    t = panel(raters=12)
    monkeypatch.setattr("lm_plural.harness.statistics.uncertainty.permutation.MOST_MOVED", 1)
    axis = block(t, permutations=1_999)["axes"]["g"]
    said = "12 raters with 360 ratings: p from 199 or more permutations instead of 1,999"
    assert axis["notes"] == [said]
    few = block(t, permutations=199)["axes"]["g"]
    assert few["notes"] == []
    assert few["contrasts"] == axis["contrasts"]
    assert few["cohesion"] == axis["cohesion"]


def test_an_id_of_raters_is_no_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lm_plural.harness.ratings.table.MOST_GROUPS", 9)
    t = panel(raters=10, axes=lambda j: {"worker": [f"w{j}"]})
    with pytest.raises(UsageError, match=r"axis 'worker' has 10 groups; expected at most 9 \(an id of raters is no"):
        run(t, axes=["worker"])


def test_groups_that_are_computed_together_are_fewer() -> None:
    t = panel(items=2, raters=401, axes=lambda j: {"worker": [f"w{j}"]})
    with pytest.raises(UsageError, match="axis 'worker' has 401 groups; expected at most 400"):
        audit(t, {"i0": 0.2, "i1": 0.8}, ["worker"])
    with pytest.raises(UsageError, match="axis 'worker' has 401 groups; expected at most 400"):
        compare_predictions(t, guesses(2), guesses(2), ["worker"])


@pytest.mark.parametrize("disjoint", [True, False])
def test_without_inference_there_is_no_covariance(disjoint: bool) -> None:
    t = panel(groups=4, axes=None if disjoint else lambda j: {"g": [f"g{j % 4}", f"g{(j + 1) % 4}"]})
    frame = Frame.of(t, Options())
    members, _ = frame.grouping(t.groups("g"))
    counts = count_levels(frame.coded, members)
    weights = Weighting.of(Sums.of(counts, Scaling.plain(frame.coded.positions)))
    how = frame.coded, members, counts, frame.scaling, guesses().q, weights
    points, full = (group_statistics(*how, inference) for inference in ("none", "items+raters"))
    assert points.covariance.items.size == points.covariance.own.size == 0
    for name in full.estimates:
        np.testing.assert_array_equal(points.estimates[name].value, full.estimates[name].value)
        assert np.isnan(points.estimates[name].se).all()
        np.testing.assert_array_equal(points.n_raters(name), full.n_raters(name))
        np.testing.assert_array_equal(points.n_items(name), full.n_items(name))


def test_an_item_that_thousands_rated_takes_no_longer_than_it_should() -> None:
    begin = time.process_time()
    found = block(one_item(4_000))
    assert time.process_time() - begin < 20  # it was without end: the cube of the raters
    assert found["axes"]["g"]["cohesion"]["g0"]["rarefied_to"] == 150
    json.dumps(found, allow_nan=False)
