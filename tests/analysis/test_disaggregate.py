"""The block of a result: groups, refusals and their reasons."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import MODEL_STATISTICS, Options
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.coarsen import Coarsening, to_three, to_two
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable
from tests.ratings.build import FIVE, table

RATERS = {
    "r1": {"gender": ["woman"], "race": ["x"]},
    "r2": {"gender": ["woman"], "race": ["x", "y"]},
    "r3": {"gender": ["man"], "race": ["y"]},
    "r4": {"gender": ["man"], "race": ["undeclared"]},
    "r5": {"gender": ["man"], "race": ["y"]},
}
GRID = {"a": "11342", "b": "12155", "c": "54233", "d": "3-121"}


def ratings(grid: dict[str, str] = GRID, raters: Any = RATERS, **options: Any) -> RatingTable:
    rows = [(i, r, v) for i, line in grid.items() for r, v in zip(raters, line, strict=False) if v != "-"]
    return table(*rows, raters=raters, **options)


def guess(**levels: int) -> Predictions:
    return Predictions(list(levels), np.eye(5)[[v - 1 for v in levels.values()]])


def block(t: RatingTable, p: Predictions | None = None, axes: Any = ("gender",), **options: Any) -> dict[str, Any]:
    """Return the block as a reader of the file gets it; NaN would not be JSON."""
    done = disaggregate(t, p, axes, Options(**{"min_raters": 1, "inference": "none", **options}))
    return json.loads(json.dumps(done.to_dict(), allow_nan=False))


def values(group: dict[str, Any]) -> dict[str, float | None]:
    return {name: group[name]["value"] for name in MODEL_STATISTICS}


MIDDLE = guess(a=2, b=3, c=3, d=1)


def test_groups_are_described_without_a_model():
    found = block(ratings())
    man = found["axes"]["gender"]["groups"]["man"]
    assert (man["n_items"], man["n_raters"], man["n_ratings"]) == (4, 3, 12)
    assert man["mean"] == pytest.approx(32 / 12)
    assert man["rates"] == pytest.approx({">=2": 9 / 12, ">=3": 6 / 12, ">=4": 3 / 12, ">=5": 2 / 12})
    assert "bias" not in man
    assert found["overall"]["n_ratings"] == 19
    assert found["scale"] == {
        "levels": list("12345"),
        "labels": list("12345"),
        "positions": [1.0, 2.0, 3.0, 4.0, 5.0],
        "direction": "lower",
    }


def test_a_rater_in_two_groups_counts_in_both_and_undeclared_is_a_group():
    groups = block(ratings(), axes=["race"])["axes"]["race"]["groups"]
    assert {g: (v["n_raters"], v["n_ratings"]) for g, v in groups.items()} == {
        "undeclared": (1, 4),
        "x": (2, 7),
        "y": (3, 11),
    }


def test_cells_are_the_groups_of_an_intersection():
    groups = block(ratings(), axes=[("gender", "race")])["axes"]["gender & race"]["groups"]
    assert {g: v["n_raters"] for g, v in groups.items()} == {
        "man & undeclared": 1,
        "man & y": 2,
        "woman & x": 2,
        "woman & y": 1,
    }


def test_a_group_is_compared_as_if_its_ratings_were_all_there_are():
    women = {r: p for r, p in RATERS.items() if p["gender"] == ["woman"]}
    found = block(ratings(), MIDDLE)["axes"]["gender"]["groups"]["woman"]
    alone = block(ratings(raters=women), MIDDLE)["overall"]
    assert values(found) == pytest.approx(values(alone))
    assert found["alpha"] == pytest.approx(alone["alpha"])


@pytest.mark.parametrize(
    ("raters", "least", "flag"),
    [
        (("r3",), 2, "few_raters: 1 of at least 2"),
    ],
)
def test_a_group_that_is_too_small_is_refused_with_the_reason(raters, least, flag):
    men_alone = {r: p for r, p in RATERS.items() if p["gender"] == ["woman"] or r in raters}
    groups = block(ratings(raters=men_alone), MIDDLE, min_raters=least)["axes"]["gender"]["groups"]
    assert flag in groups["man"]["flags"]
    assert set(values(groups["man"]).values()) == {None}
    assert groups["man"]["item_mean"]["value"] is None
    assert groups["man"]["mean"] is not None
    assert groups["woman"]["bias"]["value"] is not None


def test_one_rater_says_something_of_bias_and_nothing_of_divergence():
    men_alone = {r: p for r, p in RATERS.items() if p["gender"] == ["woman"] or r == "r3"}
    man = block(ratings(raters=men_alone), MIDDLE)["axes"]["gender"]["groups"]["man"]
    assert man["bias"]["value"] == pytest.approx(np.mean([2 - 3, 3 - 1, 3 - 2, 1 - 1]))
    assert [k for k, v in values(man).items() if v is None] == list(MODEL_STATISTICS[1:])
    lost = "divergence, disagreement, rps, skill, equivalent_raters"
    assert f"no_pairs: no compared item has two raters of this group, so no {lost}" in man["flags"]


def test_every_null_of_a_comparable_group_has_a_flag():
    same = {"a": "33333", "b": "33333"}
    found = block(ratings(same), guess(a=3, b=3))["overall"]
    assert values(found) == {
        "bias": 0,
        "divergence": 0,
        "disagreement": 0,
        "rps": 0,
        "skill": None,
        "equivalent_raters": None,
    }
    assert [f.split(":")[0] for f in found["flags"]] == ["no_signal", "no_divergence", "alpha_undefined"]


def test_a_refused_model_leaves_the_groups_described():
    done = disaggregate(
        ratings(), MIDDLE, ["gender"], Options(1, inference="none"), refused="off_scale: too much"
    ).to_dict()
    for group in (done["overall"], *done["axes"]["gender"]["groups"].values()):
        assert set(values(group).values()) == {None}
        assert "off_scale: too much" in group["flags"]
        assert group["mean"] is not None


def test_items_without_a_counterpart_are_counted_in_notes():
    found = block(ratings(), guess(a=2, b=3, zz=1))
    assert found["notes"] == [
        "1 predicted items without a rating left out",
        "2 rated items without a prediction not compared",
    ]
    part = {i: GRID[i] for i in "ab"}
    assert values(found["overall"]) == pytest.approx(values(block(ratings(part), guess(a=2, b=3))["overall"]))


def test_predictions_of_other_items_only_are_an_error_with_examples():
    with pytest.raises(PluralError, match=r"none of the 1 predicted items has a rating; .* like 'a', .* like 'zz'"):
        block(ratings(), guess(zz=1))


def test_exclusions_of_the_table_are_notes():
    dirty = ratings({**GRID, "e": "99999"}, off_scale="drop")
    assert block(dirty)["notes"] == ["5 ratings left out: not on the scale ('9')"]


def test_weights_by_pairs_favour_items_with_more_raters():
    t = ratings({"a": "11---", "b": "22222"})
    p = guess(a=1, b=5)
    assert block(t, p)["overall"]["divergence"]["value"] == pytest.approx(0.75 / 2)
    assert block(t, p, weights="pairs")["overall"]["divergence"]["value"] == pytest.approx(0.75 * 20 / 22)


def test_under_a_strategy_bias_and_divergence_are_against_one_reference_and_flagged():
    found = block(ratings(), MIDDLE, reference="majority")
    woman = found["axes"]["gender"]["groups"]["woman"]
    # Majority of the women: 1; 1 or 2; 4 or 5; 3. The model: 2, 3, 3, 1.
    assert woman["bias"]["value"] == pytest.approx(np.mean([1, 1.5, -1.5, -2]))
    assert woman["divergence"]["value"] == pytest.approx(np.mean([1, 1 + 0.25, 1 + 0.25, 2]) / 4)
    assert [woman[n]["value"] for n in MODEL_STATISTICS[2:]] == [None] * 4
    assert woman["flags"] == [
        "strategy_majority: divergence is plug-in and has no interval; the rest needs all ratings"
    ]
    assert found["notes"] == ["measured under strategy 'majority', not against all ratings"]


def test_items_without_consensus_are_dropped_and_a_group_without_any_is_flagged():
    t = ratings({"a": "11155", "b": "12345"})
    woman, man = (
        block(t, guess(a=1, b=1), reference="consensus")["axes"]["gender"]["groups"][g] for g in ("woman", "man")
    )
    assert woman["bias"]["value"] == 0
    assert man["bias"]["value"] is None
    assert "no_reference: no predicted item has a reference under this strategy" in man["flags"]


def test_group_balanced_weighs_the_groups_of_the_first_axis_equally():
    t, p = ratings({"a": "11555"}), guess(a=3)
    found = block(t, p, axes=["gender", "race"], reference="group_balanced")
    assert found["overall"]["bias"]["value"] == pytest.approx(3 - (1 + 5) / 2)
    groups = found["axes"]["gender"]["groups"]
    assert (groups["woman"]["bias"]["value"], groups["man"]["bias"]["value"]) == pytest.approx((2, -2))
    assert "the reference of all raters is the mean over the groups of gender" in found["notes"]
    some = block(ratings({"a": "11555", "b": "12345"}), p, reference="group_balanced")["overall"]
    assert some["bias"]["value"] == found["overall"]["bias"]["value"]
    plain = block(t, p, axes=[], reference="group_balanced")["overall"]
    assert plain["bias"]["value"] == pytest.approx(3 - 17 / 5)


@pytest.mark.parametrize(("direction", "worst"), [("lower", 5), ("higher", 1)])
def test_any_flag_looks_for_the_harmful_end_of_the_scale(direction: str, worst: int):
    t = ratings({"a": "12345"}, scales={"five": Scale(tuple("12345"), direction)})
    assert block(t, guess(a=3), reference="any_flag")["overall"]["bias"]["value"] == pytest.approx(3 - worst)


def test_a_reference_of_weights_is_refused_where_there_are_none():
    with pytest.raises(UsageError, match="needs a column weight"):
        block(ratings(), MIDDLE, reference="weighted")


@pytest.mark.parametrize(
    ("coarse", "mean"),
    [(to_three(FIVE), (10 * 1 + 4 * 2 + 5 * 3) / 19), (to_two(FIVE, "up"), (10 * 1 + 9 * 2) / 19)],
)
def test_ratings_are_described_on_the_coarse_scale(coarse: Coarsening, mean: float):
    found = block(ratings(), MIDDLE, coarsening=coarse)
    assert found["overall"]["mean"] == pytest.approx(mean)
    assert found["overall"]["n_ratings"] == 19
    assert found["scale"]["levels"] == list(coarse.scale.levels)


def test_coarsened_comparison_equals_ratings_and_predictions_given_coarse():
    turn = {"1": "1", "2": "1", "3": "2", "4": "3", "5": "3", "-": "-"}
    coarse = {i: "".join(turn[v] for v in line) for i, line in GRID.items()}
    three = Predictions(list("abcd"), np.eye(3)[[0, 1, 1, 0]])
    native = block(ratings(coarse, scales={"five": Scale(tuple("123"))}), three)["overall"]
    mapped = block(ratings(), MIDDLE, coarsening=to_three(FIVE))["overall"]
    assert values(mapped) == pytest.approx(values(native))
    assert mapped["alpha"] == pytest.approx(native["alpha"])


def test_ratings_and_predictions_on_a_dropped_level_are_left_out_and_counted():
    found = block(ratings(), MIDDLE, coarsening=to_two(FIVE, "drop"))
    kept = sum(v not in "3-" for v in "".join(GRID.values()))
    assert found["overall"]["n_ratings"] == kept
    assert found["notes"] == [
        f"{19 - kept} ratings left out: on a level the coarsening drops",
        "coarsened from 5 to 2 levels: 1, 5",
        "2 predictions wholly on a level the coarsening drops not compared",
    ]
    assert found["overall"]["bias"]["value"] is not None


def test_a_coarsening_that_drops_every_rating_is_an_error():
    with pytest.raises(PluralError, match="no ratings left: all are on a level the coarsening drops"):
        block(ratings({"a": "33333"}), coarsening=to_two(FIVE, "drop"))


def test_a_split_level_agrees_with_itself():
    found = block(ratings({"a": "33333", "b": "11111"}), coarsening=to_two(FIVE, "split"))["overall"]
    assert found["alpha"] == pytest.approx({"nominal": 1, "ordinal": 1, "interval": 1})


def test_ratings_on_two_scales_are_refused_with_their_counts():
    scales = {"five": FIVE, "three": Scale(tuple("123"))}
    t = table(("a", "r1", "5"), ("b", "r1", "3", "three"), scales=scales)
    with pytest.raises(UsageError, match=r"2 scales \(\{'five': 1, 'three': 1\}\)"):
        block(t)


def test_items_without_any_rating_are_an_error():
    with pytest.raises(PluralError, match="the selected items have no ratings"):
        block(ratings().select(["zz"]))


def test_a_group_that_rated_none_of_the_selected_items_is_empty_not_a_crash():
    t = ratings({"a": "11---", "b": "12345"}).select(["a"])
    man = block(t, guess(a=1), min_raters=2)["axes"]["gender"]["groups"]["man"]
    assert (man["n_raters"], man["n_items"], man["mean"], man["rates"][">=2"]) == (0, 0, None, None)
    assert man["flags"][0] == "few_raters: 0 of at least 2"
