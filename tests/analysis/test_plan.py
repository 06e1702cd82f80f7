"""Plans: smallest designs that reach a gap, the pilot's numbers beside those of its generator."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.analysis.design.plan import MODEL, STATISTICS, Plan, Question, would_show
from lm_plural.harness.analysis.design.planning import plan_from_components, plan_from_pilot
from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics import power
from tests.ratings.build import table
from tests.statistics.by_hand import quick

TRUE = (0.3, 0.5, 0.8)  # item, rater, residual
STEP = 0.5
LEVELS = Scale(tuple(str(-4 + STEP * k) for k in range(17)))
positive = st.floats(0.05, 2)


def pilot(sizes, n_items=30, share=1.0, seed=0):
    """Crossed ratings with known components (share of cells kept), so finely levelled that rounding adds little."""
    rng, groups = np.random.default_rng(seed), np.repeat(list(sizes), list(sizes.values()))
    own = TRUE[0] * rng.normal(size=(n_items, len(sizes)))[:, np.repeat(range(len(sizes)), list(sizes.values()))]
    shape = (n_items, len(groups))
    y = (
        rng.normal(size=(n_items, 1)) * 0.4
        + own
        + TRUE[1] * rng.normal(size=shape[1])
        + TRUE[2] * rng.normal(size=shape)
    )
    y = np.clip(np.rint(y / STEP) * STEP, -4, 4)
    rows = [(f"i{i}", f"r{j}", str(y[i, j])) for i, j in zip(*np.nonzero(rng.random(shape) < share), strict=True)]
    raters = {f"r{j}": {"g": [str(name)]} for j, name in enumerate(groups)}
    return table(*rows, raters=raters, scales={"five": LEVELS})


def predictions(n_items=30):
    q = np.full((n_items, LEVELS.size), 1 / LEVELS.size)
    return Predictions([f"i{i}" for i in range(n_items)], q)


@quick
@given(positive, positive, positive, st.floats(0.1, 1.5), st.integers(2, 400), st.sampled_from([None, 3, 40]))
def test_numbers_needed_are_the_smallest_that_reach_the_gap(item, rater, residual, gap, given_number, most):
    question = Question(gap, ratings_per_rater=most)
    plan = Plan(question, question.bonferroni, power.parts_of_sd(item, rater, residual), np.ones(2), given_number)
    raters, items = plan.raters_needed(given_number), plan.items_needed(given_number)
    for needed, least, detectable in (
        (raters, 10, lambda n: plan.detectable(given_number, n)),
        (items, 2, lambda n: plan.detectable(n, given_number)),
    ):
        if np.isnan(needed):
            assert detectable(1e12) >= gap * (1 - 1e-8)
        else:
            assert detectable(needed) <= gap * (1 + 1e-8)
            assert needed == least or detectable(needed - 1) >= gap * (1 - 1e-8)


def test_components_give_the_variance_of_the_methods_note():
    # 2 (.3^2 / 50 + .5^2 / 20 + .8^2 / 1000), and with 10 ratings by each of 20 raters 2 (.3^2/50 + .5^2/20 + .8^2/200)
    for most, residual in ((None, 1000), (10, 200)):
        question = Question(0.4, items=50, raters=20, ratings_per_rater=most)
        found = plan_from_components(question, *TRUE)["gaps"][0]
        variance = 2 * (TRUE[0] ** 2 / 50 + TRUE[1] ** 2 / 20 + TRUE[2] ** 2 / residual)
        assert found["detectable"] == pytest.approx((1.959964 + 0.841621) * np.sqrt(variance), rel=1e-5)


def test_the_limits_are_those_of_one_source_alone():
    found = plan_from_components(Question(0.3), *TRUE)["gaps"][0]
    z2 = (1.959964 + 0.841621) ** 2
    assert found["least_raters"] == np.ceil(2 * TRUE[1] ** 2 * z2 / 0.3**2)
    assert found["least_items"] == np.ceil(2 * TRUE[0] ** 2 * z2 / 0.3**2)


def test_nothing_below_what_has_an_interval_is_recommended():
    found = plan_from_components(Question(5, raters=500), *TRUE)["gaps"][0]
    assert (found["raters_needed"], found["items_needed"]) == (10, 2)
    assert (found["least_raters"], found["least_items"]) == (10, 2)


@pytest.mark.parametrize("question", [Question(0.4), Question(0.4, items=5), Question(0.4, ratings_per_rater=20)])
def test_the_grid_agrees_with_the_answer(question):
    plan = plan_from_components(question, *TRUE)
    grid = plan["grid"]
    reached = np.array(grid["detectable"]) <= question.gap * (1 + 1e-9)
    for k, needed in enumerate(grid["raters_needed"]):
        np.testing.assert_array_equal(reached[:, k], [needed is not None and n >= needed for n in grid["raters"]])
    for k, needed in enumerate(grid["items_needed"]):
        np.testing.assert_array_equal(reached[k], [needed is not None and i >= needed for i in grid["items"]])
    assert reached.any()
    assert not reached.all()
    if plan["gaps"][0]["raters_needed"]:
        assert plan["gaps"][0]["raters_needed"] in grid["raters"]
    else:
        assert grid["items"][0] < plan["gaps"][0]["least_items"] <= grid["items"][-1]


def test_more_comparisons_cost_more_and_by_bonferroni():
    one, six = (plan_from_components(Question(0.3, comparisons=m), *TRUE) for m in (None, 6))
    assert (one["critical"], six["critical"]) == pytest.approx((1.959964, 2.638257), rel=1e-5)
    assert six["gaps"][0]["raters_needed"] > one["gaps"][0]["raters_needed"]


def test_a_pilot_finds_the_components_it_was_drawn_from():
    found = [plan_from_pilot(pilot({"x": 30, "y": 50}, 60, seed=s), None, "g", Question(0.3)) for s in range(6)]
    variance = {k: np.mean([f["gaps"][0]["variance"][k] for f in found], axis=0) for k in ("item", "within", "rater")}
    residual = TRUE[2] ** 2 + TRUE[1] ** 2 + STEP**2 / 12  # raters' habits, too, make ratings of one item differ
    assert variance["item"] == pytest.approx(2 * TRUE[0] ** 2, rel=0.25)
    np.testing.assert_allclose(variance["within"], residual, rtol=0.1)
    np.testing.assert_allclose(variance["rater"], TRUE[1] ** 2, rtol=0.25)
    stated = plan_from_components(Question(0.3, items=60), *TRUE)["gaps"][0]["raters_needed"]
    assert np.mean([f["gaps"][0]["raters_needed"] for f in found]) == pytest.approx(stated, rel=0.25)


def test_the_precision_is_how_far_pilots_differ():
    found = [plan_from_pilot(pilot({"x": 12, "y": 12}, 20, seed=s), None, "g", Question(0.3)) for s in range(30)]
    v = np.array([f["gaps"][0]["detectable"] / (f["critical"] + 0.841621) for f in found]) ** 2
    assert np.mean([f["precision"] for f in found]) == pytest.approx(v.std() / v.mean(), rel=0.4)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_pilot_detects_what_its_result_says(statistic):
    t = pilot({"x": 12, "y": 15, "z": 20, "few": 4}, 20, share=0.7)
    model = predictions(20)
    block = disaggregate(t, model, ["g"], Options(permutations=1)).to_dict()["axes"]["g"]["mdg"][statistic]
    plan = plan_from_pilot(t, model, "g", Question(0.3, statistic=statistic))
    now = {(g["a"], g["b"]): g["now"] for g in block if g["b"] != "rest"}
    assert {(g["a"], g["b"]) for g in plan["gaps"]} == now.keys() == {("x", "y"), ("x", "z"), ("y", "z")}
    for gap in plan["gaps"]:
        assert gap["detectable"] == pytest.approx(now[gap["a"], gap["b"]], rel=0.03)  # max-T is drawn
    assert plan["comparisons"] == 3
    assert plan["notes"] == ["groups with fewer than 10 raters left out: few 4"]
    needed = [g["raters_needed"] or np.inf for g in plan["gaps"]]
    assert needed == sorted(needed, reverse=True)


def test_ratings_per_rater_of_a_sparse_pilot_are_its_own():
    gap = plan_from_pilot(pilot({"x": 40, "y": 40}, 40, share=0.25), None, "g", Question(0.3))["gaps"][0]
    assert gap["ratings_per_rater"] == pytest.approx([10, 10], rel=0.1)
    same = Question(0.3, ratings_per_rater=round(np.mean(gap["ratings_per_rater"])))
    again = plan_from_pilot(pilot({"x": 40, "y": 40}, 40, share=0.25), None, "g", same)["gaps"][0]
    assert again["detectable"] == pytest.approx(gap["detectable"], rel=0.02)
    assert again["least_raters"] > gap["least_raters"]  # more items no longer mean more ratings


@pytest.mark.parametrize(("statistic", "least"), [("item_mean", 1), ("disagreement", 2)])
def test_ratings_are_counted_on_items_that_raters_of_both_groups_rate(statistic, least):
    t = pilot({"x": 40, "y": 40}, 40, share=0.05)
    gap = plan_from_pilot(t, None, "g", Question(0.3, statistic=statistic))["gaps"][0]
    cells = t.ratings.join(t.groups("g"), on="rater_id").group_by("item_id", "group").len()
    common = cells.filter(pl.col("len") >= least).group_by("item_id").len().filter(pl.col("len") == 2)
    rated = t.ratings.join(t.groups("g"), on="rater_id").join(common, on="item_id").group_by("group")
    means = rated.agg(pl.len() / pl.col("rater_id").n_unique()).sort("group")["len"].to_list()
    assert (gap["items"], gap["ratings_per_rater"]) == (len(common), pytest.approx(means))


def test_chosen_groups_are_a_family_of_their_own():
    t = pilot({"x": 12, "y": 12, "z": 12})
    every, one = (plan_from_pilot(t, None, "g", Question(0.3), groups=g) for g in ((), ("z", "x")))
    assert [(g["a"], g["b"]) for g in one["gaps"]] == [("x", "z")]
    assert (every["comparisons"], one["comparisons"]) == (3, 1)
    assert one["critical"] < every["critical"]
    bonferroni = plan_from_pilot(t, None, "g", Question(0.3, comparisons=3))
    assert (bonferroni["critical_from"], every["critical_from"]) == ("Bonferroni", "max-T")


def test_items_without_a_prediction_are_no_items_of_the_plan():
    plan = plan_from_pilot(pilot({"x": 12, "y": 12}), predictions(20), "g", Question(0.3, statistic="bias"))
    assert (plan["gaps"][0]["items"], plan["gaps"][0]["items_of_pilot"]) == (20, 20)
    assert plan["notes"] == ["10 rated items without a prediction not compared"]


@pytest.mark.parametrize(
    ("sizes", "groups", "error", "words"),
    [
        ({"x": 12, "y": 4}, (), PluralError, "axis g: two groups of at least 10 raters each are needed .*: y 4"),
        ({"x": 12}, (), PluralError, "are needed to plan from; raters: x 12"),
        ({"x": 12, "y": 12, "z": 9}, ("x", "z"), PluralError, "are needed to plan from; raters: z 9"),
        ({"xenon": 12, "y": 12}, ("xenom", "y"), UsageError, "no group 'xenom' on axis g; did you mean 'xenon'"),
        ({"x": 12, "y": 12}, ("nobody", "y"), UsageError, "no group 'nobody' on axis g; there are x, y"),
    ],
)
def test_groups_that_cannot_be_planned_from_are_named_with_their_raters(sizes, groups, error, words):
    with pytest.raises(error, match=words):
        plan_from_pilot(pilot(sizes, 4), None, "g", Question(0.3), groups=groups)


def test_ratings_that_do_not_vary_are_nothing_to_plan_from():
    raters = {f"r{j}": {"g": ["xy"[j % 2]]} for j in range(24)}
    t = table(*((i, r, 3) for i in "ab" for r in raters), raters=raters)
    with pytest.raises(PluralError, match=r"nothing to plan from: .* or nothing varies \(x - y\)"):
        plan_from_pilot(t, None, "g", Question(0.3))


@pytest.mark.parametrize(("statistic", "widest"), [("item_mean", "8"), ("disagreement", "1"), ("cliff", "1")])
def test_a_gap_beyond_the_scale_is_a_usage_error(statistic, widest):
    with pytest.raises(UsageError, match=f"expected at most {widest}, the largest in {statistic}"):
        plan_from_pilot(pilot({"x": 12, "y": 12}, 4), None, "g", Question(float(widest) + 0.1, statistic=statistic))


@pytest.mark.parametrize("statistic", MODEL)
def test_a_statistic_of_a_model_needs_predictions(statistic):
    with pytest.raises(UsageError, match=f"'{statistic}' needs predictions"):
        plan_from_pilot(pilot({"x": 12, "y": 12}, 4), None, "g", Question(0.3, statistic=statistic))


def axis_of(sizes, seed=0):
    return disaggregate(pilot(sizes, seed=seed), None, ["g"], Options(permutations=1)).to_dict()["axes"]["g"]


def test_what_more_raters_would_show_is_what_groups_of_that_size_do():
    content = axis_of({"a": 20, "b": 20, "c": 20, "d": 20})
    for row in content["contrasts"]:
        row["p_adjusted"] = 1.0
    seen = [g for g in content["mdg"]["item_mean"] if g["b"] == "rest"]
    for raters, way in ((20, "now"), (40, "raters_x2")):
        number, gap = would_show(content, "item_mean", raters)
        assert number == raters
        assert gap == pytest.approx(np.median([g[way] for g in seen]), rel=0.05)
    assert would_show(content, "bias", 20) is None


def test_more_raters_show_a_gap_as_large_as_those_that_are_clear():
    content = axis_of({"a": 20, "b": 20, "c": 20, "d": 20})
    rows = [r for r in content["contrasts"] if r["statistic"] == "item_mean"]
    _, least = would_show({**content, "contrasts": [r | {"p_adjusted": 1.0} for r in rows]}, "item_mean", 10)
    for share in (0.9, 0.6):  # of what ten raters would show
        found = [r | {"p_adjusted": 0.01, "value": share * least} for r in rows]
        raters, gap = would_show(content | {"contrasts": found}, "item_mean", 10)
        assert gap == pytest.approx(share * least)
        unclear = [r | {"p_adjusted": 1.0} for r in rows]
        shows = [would_show(content | {"contrasts": unclear}, "item_mean", n)[1] for n in (raters, raters - 1)]
        assert shows[0] <= gap < shows[1]
    larger = [r | {"p_adjusted": 0.01, "value": 2 * least} for r in rows]
    assert would_show(content | {"contrasts": larger}, "item_mean", 10) == (10, pytest.approx(least))
