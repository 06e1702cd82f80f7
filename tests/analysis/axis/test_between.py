"""What is between groups, as it stands in files: nothing missing without a reason, nothing that is not a number."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.disaggregated import Disaggregated
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.coarsen import to_two
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable
from tests.ratings.build import FIVE, table

LOOSE = {"min_raters": 1, "min_raters_interval": 2, "permutations": 19, "draws": 200}


def panel(items: int = 30, raters: int = 40, groups: int = 2, seed: int = 0, axes: Any = None) -> RatingTable:
    """Draw ratings of raters who differ; rater j is in group g<j mod groups>."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(items, 1)) + 0.5 * rng.normal(size=raters) + rng.normal(size=(items, raters))
    level = np.digitize(y, [-1.2, -0.4, 0.4, 1.2]) + 1
    who = {f"r{j}": axes(j) if axes else {"g": [f"g{j % groups}"]} for j in range(raters)}
    rows = [(f"i{i}", f"r{j}", str(level[i, j])) for i in range(items) for j in range(raters)]
    return table(*rows, raters=who)


def guesses(items: int = 30, k: int = 5) -> Predictions:
    q = np.random.default_rng(9).dirichlet(np.ones(k), items)
    return Predictions([f"i{i}" for i in range(items)], q)


def run(t: RatingTable, p: Predictions | None = None, axes: Any = ("g",), **options: Any) -> Disaggregated:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return disaggregate(t, p, axes, Options(**{**LOOSE, **options}))


def block(*args: Any, **options: Any) -> dict[str, Any]:
    found = run(*args, **options).to_dict()
    complete(found)
    return json.loads(json.dumps(found, allow_nan=False))


def complete(found: dict[str, Any]) -> None:
    """Hold every number of a result to its promise: there, or missing for a reason."""
    groups = [found["overall"], *(g for a in found["axes"].values() for g in a["groups"].values())]
    for group in groups:
        numbers = [v for v in group.values() if isinstance(v, dict) and {"value", "se"} <= v.keys()]
        asked = ("value",) if found["inference"] == "none" else ("value", "low", "high")
        if any(n[k] is None for n in numbers for k in asked):
            assert group["flags"]
        for n in numbers:
            assert (n["se"] is None) == (n["df"] is None)
            assert n["low"] is None or n["high"] is None or n["low"] <= n["value"] <= n["high"]
    for axis in found["axes"].values():
        for row in axis["contrasts"]:
            assert row["se"] is not None or row["flags"]
            if row["se"] is not None:
                assert row["low_simultaneous"] <= row["value"] <= row["high_simultaneous"]
                assert 0 <= row["p"] <= 1
                assert 0 < row["p_adjusted"] <= 1


def test_an_axis_has_groups_contrasts_spread_cohesion_distances_and_what_could_be_detected():
    axis = block(panel(), guesses())["axes"]["g"]
    assert list(axis)[:7] == ["groups", "contrasts", "notes", "spread", "cohesion", "distances", "mdg"]
    row = next(r for r in axis["contrasts"] if r["statistic"] == "divergence")
    assert (row["a"], row["b"], row["family"], row["n_items"]) == ("g0", "g1", 1, 30)
    assert row["low_simultaneous"] == row["low"] < row["value"] < row["high"]  # a family of one
    rest = next(r for r in axis["contrasts"] if r["statistic"] == "divergence" and r["b"] == "rest")
    assert rest["p_adjusted"] == pytest.approx(rest["p"], abs=0.1)  # two rests that are one contrast
    assert {r["b"] for r in axis["contrasts"] if r["a"] == "g0"} == {"g1", "rest"}
    assert axis["cohesion"]["g0"].keys() >= {"alpha", "xrr", "gai", "p", "difference", "negentropy"}
    assert axis["effects"][0].keys() >= {"a", "b", "cliff", "pomp"}
    assert set(axis["sensitivity"]) == {"strategies", "coarsenings"}
    assert axis["distances"]["g0"]["g1"] == axis["distances"]["g1"]["g0"]
    gap = axis["mdg"]["divergence"][0]
    assert gap["raters_x2"] < gap["now"]
    assert gap["items_x2"] < gap["now"]


def test_cells_of_two_axes_have_standardised_gaps_and_names_may_hold_an_ampersand():
    t = panel(raters=60, axes=lambda j: {"g": [f"g{j % 2}"], "h": ["black & white" if j % 3 else "h"]})
    found = block(t, guesses(), axes=[("g", "h")])["axes"]["g & h"]
    assert "g0 & black & white" in found["groups"]
    assert found["standardised"] == []
    plain = panel(raters=60, axes=lambda j: {"g": [f"g{j % 2}"], "h": ["k" if j % 3 else "h"]})
    rows = block(plain, guesses(), axes=[("g", "h")])["axes"]["g & h"]["standardised"]
    assert {(r["axis"], r["statistic"]) for r in rows} >= {("g", "bias"), ("h", "divergence")}
    assert all(r["composition"] + r["within"] == pytest.approx(r["marginal"]) for r in rows)


def test_nobody_is_called_the_worst_when_groups_do_not_differ():
    spread = block(panel(groups=4), guesses())["axes"]["g"]["spread"]
    assert set(spread["divergence"]["worst"]["not_distinguishable"]) == {"g0", "g1", "g2", "g3"}
    assert sum(spread["divergence"]["worst"]["probability"].values()) == pytest.approx(1)
    assert "worst" not in spread["bias"]
    assert spread["divergence"]["range"]["low"] == 0


def test_a_group_the_model_misses_is_found():
    t = panel(groups=4, raters=80)
    apart = t.ratings.with_columns(
        level=pl.when(pl.col("rater_id").str.slice(1).cast(int) % 4 == 3)
        .then(4)
        .otherwise(pl.col("level"))
        .cast(pl.UInt8)
    )
    t = RatingTable(apart.cast({"level": t.ratings.schema["level"]}), t.raters, t.scales)
    found = block(t, guesses())["axes"]["g"]
    assert found["spread"]["divergence"]["worst"]["not_distinguishable"] == ["g3"]
    rows = [r for r in found["contrasts"] if r["statistic"] == "bias" and "g3" in (r["a"], r["b"])]
    assert all(r["p_adjusted"] < 0.01 for r in rows if r["b"] != "rest" or r["a"] == "g3")


def test_shrunken_values_lie_nearer_together():
    spread = block(panel(groups=5), guesses())["axes"]["g"]
    raw = [v["divergence"]["value"] for v in spread["groups"].values()]
    shrunken = [v["value"] for v in spread["spread"]["divergence"]["shrunken"].values()]
    assert len(shrunken) == 5
    assert np.ptp(shrunken) <= np.ptp(raw)


def test_the_same_seed_gives_the_same_result_and_another_only_other_draws():
    a, b, c = (block(panel(raters=20), guesses(), seed=s) for s in (1, 1, 2))
    assert a == b
    assert a["axes"]["g"]["groups"] == c["axes"]["g"]["groups"]
    assert a["axes"]["g"]["contrasts"] != c["axes"]["g"]["contrasts"]


def test_axes_are_families_of_their_own_adjusted_by_holm():
    t = panel(raters=60, axes=lambda j: {"g": [f"g{j % 2}"], "h": [f"h{j % 3}"]})
    done = run(t, guesses(), axes=["g", "h"])
    rows = [r for r in done.families if r["statistic"] == "bias"]
    least = done.contrasts("bias").filter(pl.col("b") != "rest").group_by("axis").agg(pl.col("p_adjusted").min())
    assert {r["axis"]: r["p"] for r in rows} == dict(least.iter_rows())
    assert max(r["p_holm"] for r in rows) >= max(r["p"] for r in rows)
    assert min(r["p_holm"] for r in rows) == min(1, 2 * min(r["p"] for r in rows))


def test_within_strata_raters_keep_their_stratum():
    # All of stratum s is in group a and harsh; within strata there is nothing to permute, so nothing to find.
    t = panel(raters=24, axes=lambda j: {"g": ["a" if j < 12 else "b"], "s": ["s" if j < 12 else "t"]})
    free, bound = (block(t, strata=s)["axes"]["g"] for s in (None, "s"))
    assert free["contrasts"][0]["p_permutation"] < 1
    assert bound["contrasts"][0]["p_permutation"] is None
    assert any(f.startswith("strata: ") for f in bound["contrasts"][0]["flags"])
    assert free["cohesion"]["a"]["p"] is not None
    assert bound["cohesion"]["a"]["p"] is None
    assert bound["cohesion"]["a"]["flags"][0].startswith("strata: ")
    mixed = panel(raters=24, axes=lambda j: {"g": ["a" if j < 12 else "b"], "s": [f"s{j % 3}"]})
    assert block(mixed, strata="s")["axes"]["g"]["contrasts"][0]["p_permutation"] is not None
    with pytest.raises(UsageError, match="no axis 'x'"):
        run(t, strata="x")


@pytest.mark.parametrize("strategy", ["mean", "median", "majority", "any_flag"])
def test_a_strategy_has_an_interval_of_bias_by_resampling(strategy):
    plain, other = block(panel(), guesses()), block(panel(), guesses(), reference=strategy)
    assert other["overall"]["bias"]["low"] < other["overall"]["bias"]["value"] < other["overall"]["bias"]["high"]
    assert other["overall"]["divergence"]["se"] is None
    if strategy == "mean":
        assert other["overall"]["bias"]["value"] == pytest.approx(plain["overall"]["bias"]["value"])
        assert other["overall"]["bias"]["se"] == pytest.approx(plain["overall"]["bias"]["se"], rel=0.2)
    items = block(panel(), guesses(), reference=strategy, inference="items")["overall"]
    assert items["bias"]["se"] is None
    assert "no_interval: of bias, for items+raters only" in items["flags"]


def test_a_strategy_without_an_interval_says_so():
    flags = block(panel(), guesses(), reference="dictator")["overall"]["flags"]
    assert "no_interval: of bias, none under this strategy" in flags


@pytest.mark.parametrize("q", [np.array([[1.5, -0.5, 0, 0, 0]]), np.array([[0.5] * 5]), np.ones((2, 1))])
def test_predictions_must_be_distributions(q):
    with pytest.raises(UsageError, match="predictions"):
        Predictions(["i0"], q)


def test_without_inference_there_are_points_only():
    found = block(panel(), guesses(), inference="none")
    assert found["inference"] == "none"
    assert found["overall"]["bias"]["se"] is None
    assert found["overall"]["bias"]["value"] is not None
    assert found["axes"]["g"]["contrasts"] == []


def test_inference_stands_in_the_result_and_changes_the_intervals():
    se = {
        i: block(panel(), guesses(), inference=i)["overall"]["bias"]["se"] for i in ("items", "raters", "items+raters")
    }
    assert len(set(se.values())) == 3
    assert se["items+raters"] == max(se.values())


@pytest.mark.parametrize(
    ("raters", "flag"), [(4, "few_raters"), (8, "no_interval"), (12, "approximate"), (20, "not_for_gates")]
)
def test_rules_for_small_groups(raters, flag):
    t = panel(raters=raters + 40, axes=lambda j: {"g": ["small" if j < raters else "large"]})
    found = block(t, guesses(), min_raters=5, min_raters_interval=10)["axes"]["g"]
    small = found["groups"]["small"]
    assert any(f.startswith(flag) for f in small["flags"])
    assert (small["divergence"]["value"] is None) == (raters == 4)
    assert (small["divergence"]["se"] is None) == (raters < 10)
    rows = [r for r in found["contrasts"] if r["a"] == "large" and r["b"] == "small"]
    assert bool(rows) == (raters > 4)
    assert all((r["se"] is None) == (raters < 10) for r in rows)
    assert all((r["p_permutation"] is None) == (raters >= 15 or r["statistic"] == "cliff") for r in rows)
    assert not any(f.startswith("not_for_gates") for f in found["groups"]["large"]["flags"]) or len(t.ratings) < 2500


def test_groups_that_share_no_item_have_no_contrast_and_say_so():
    rows = [(f"i{i}", f"r{j}", str((i + j) % 5 + 1)) for i in range(10) for j in range(12) if (i < 5) == (j < 6)]
    t = table(*rows, raters={f"r{j}": {"g": ["a" if j < 6 else "b"]} for j in range(12)})
    found = block(t)["axes"]["g"]
    no = "no_common_items: no item has enough raters of both"
    assert all(r["value"] is None and r["flags"] == [no] and r["p_permutation"] is None for r in found["contrasts"])
    assert found["spread"]["item_mean"]["tau"] is None
    assert found["spread"]["item_mean"]["flags"][0].startswith("no_common_items")
    assert found["cohesion"]["a"]["p"] is None
    assert found["cohesion"]["a"]["flags"] == ["other_items: others rated 0% of the group's items, so no p"]
    assert found["distances"]["a"]["b"] is None


def test_few_common_items_are_flagged():
    t = panel(items=40)
    keep = (pl.col("item_id").str.slice(1).cast(int) < 8) | (pl.col("rater_id").str.slice(1).cast(int) % 2 == 0)
    few = RatingTable(t.ratings.filter(keep), t.raters, t.scales)
    row = block(few)["axes"]["g"]["contrasts"][0]
    assert row["n_items"] == 8
    assert "little_common_support: 20% of items, the others may differ" in row["flags"]


def test_all_ratings_alike():
    rows = [(f"i{i}", f"r{j}", "3") for i in range(6) for j in range(12)]
    t = table(*rows, raters={f"r{j}": {"g": [f"g{j % 2}"]} for j in range(12)})
    found = block(t, Predictions([f"i{i}" for i in range(6)], np.tile(np.eye(5)[2], (6, 1))))
    assert found["overall"]["divergence"] == {"value": 0, "se": None, "df": None, "low": None, "high": None}
    assert any(f.startswith("no_variation") for f in found["overall"]["flags"]) or found["overall"]["flags"]
    assert found["axes"]["g"]["contrasts"][0]["value"] == 0


@pytest.mark.parametrize("k", [2, 11])
def test_two_and_eleven_levels_and_sure_predictions(k):
    rng = np.random.default_rng(k)
    scale = Scale(tuple(map(str, range(k))))
    rows = [(f"i{i}", f"r{j}", str(rng.integers(k)), "s") for i in range(12) for j in range(14)]
    t = table(*rows, raters={f"r{j}": {"g": [f"g{j % 2}"]} for j in range(14)}, scales={"s": scale})
    p = Predictions([f"i{i}" for i in range(12)], np.eye(k)[rng.integers(k, size=12)])
    found = block(t, p)
    assert found["overall"]["divergence"]["se"] is not None


def test_a_rater_in_two_groups_counts_in_both():
    t = panel(raters=24, axes=lambda j: {"g": ["a", "b"] if j % 3 == 0 else ["a"] if j % 3 == 1 else ["b"]})
    found = block(t, guesses())["axes"]["g"]
    assert [v["n_raters"] for v in found["groups"].values()] == [16, 16]
    row = found["contrasts"][0]
    alone = block(panel(raters=24, axes=lambda j: {"g": [["a"], ["a"], ["b"]][j % 3]}), guesses())["axes"]["g"]
    assert row["se"] < alone["contrasts"][0]["se"]  # raters they share cannot part them


def test_an_axis_of_forty_groups():
    found = block(panel(items=12, raters=240, groups=40))["axes"]["g"]
    assert sum(r["statistic"] == "item_mean" and r["b"] != "rest" for r in found["contrasts"]) == 780
    assert len(found["spread"]["item_mean"]["shrunken"]) == 40


def test_weights_of_items_by_the_user():
    t, p = panel(items=6), guesses(6)
    half = {f"i{i}": float(i < 3) for i in range(6)}
    some = RatingTable(t.ratings.filter(pl.col("item_id").is_in(["i0", "i1", "i2"])), t.raters, t.scales)
    a, b = block(t, p, item_weights=half), block(some, p)
    for name in ("bias", "divergence", "skill"):
        assert a["overall"][name] == pytest.approx(b["overall"][name])
    rows = zip(a["axes"]["g"]["contrasts"], b["axes"]["g"]["contrasts"], strict=True)
    assert all(x["value"] == pytest.approx(y["value"]) and x["se"] == pytest.approx(y["se"]) for x, y in rows)
    with pytest.raises(UsageError, match="no rated item has a weight above 0"):
        run(t, p, item_weights={"i0": 0.0})
    with pytest.raises(UsageError, match=r"weight -1.0 of item 'i0': expected a number of 0 or more"):
        run(t, p, item_weights={"i0": -1.0})


def test_coarsened_with_split_levels_has_contrasts_and_no_cohesion():
    found = block(panel(), guesses(), coarsening=to_two(FIVE, "split"))
    assert found["axes"]["g"]["contrasts"][0]["se"] is not None
    assert found["axes"]["g"]["cohesion"] == {}
    dropped = block(panel(), guesses(), coarsening=to_two(FIVE, "drop"))
    assert dropped["axes"]["g"]["cohesion"]["g0"]["p"] is not None


@settings(deadline=None, derandomize=True, max_examples=40, database=None)
@given(st.data())
def test_no_messy_table_gives_a_nan_a_warning_or_a_silent_null(data: st.DataObject):
    items, raters, k = (data.draw(st.integers(*r)) for r in ((1, 6), (1, 8), (2, 4)))
    level = st.integers(0, k)
    grid = [[data.draw(level) for _ in range(raters)] for _ in range(items)]
    groups = [data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True)) for _ in range(raters)]
    rows = [(f"i{i}", f"r{j}", str(v), "s") for i, line in enumerate(grid) for j, v in enumerate(line) if v]
    if not rows:
        return
    scale = Scale(tuple(str(v) for v in range(1, k + 1)))
    t = table(*rows, raters={f"r{j}": {"g": g} for j, g in enumerate(groups)}, scales={"s": scale})
    q = np.array(
        [data.draw(st.lists(st.integers(0, 3), min_size=k, max_size=k).filter(any)) for _ in range(items)], float
    )
    p = data.draw(
        st.sampled_from([None, Predictions([f"i{i}" for i in range(items)], q / q.sum(axis=1, keepdims=True))])
    )
    weights = data.draw(st.sampled_from(["items", "pairs"]))
    inference = data.draw(st.sampled_from(["items+raters", "items", "raters"]))
    block(t, p, weights=weights, inference=inference)


def test_frames_of_results_and_of_differences():
    done = run(panel(groups=3), guesses())
    frame = done.to_frame()
    assert set(frame["group"]) == {"all", "g0", "g1", "g2"}
    assert frame.filter((pl.col("group") == "g0") & (pl.col("statistic") == "bias"))["value"][0] == (
        done.by_group["g"]["g0"].statistics["bias"].value
    )
    to_rest, to_g1 = done.difference("bias", "g"), done.difference("bias", "g", to="g1")
    assert to_rest["a"].to_list() == ["g0", "g1", "g2"]
    assert to_g1["a"].to_list() == ["g0", "g2"]
    turned = done.contrasts("bias", "g").filter((pl.col("a") == "g1") & (pl.col("b") == "g2")).row(0, named=True)
    row = to_g1.row(1, named=True)
    assert (row["value"], row["low"], row["high"]) == (-turned["value"], -turned["high"], -turned["low"])
    assert set(done.spread()["statistic"]) >= {"bias", "divergence", "skill"}
    assert done.overall.statistics["bias"].low < done.overall.statistics["bias"].high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.contrasts("biass"), "no statistic 'biass'; did you mean 'bias'"),
        (lambda d: d.contrasts("bias", "gg"), "no axis 'gg'; did you mean 'g'"),
        (lambda d: d.difference("bias", "g", to="g9"), "no group 'g9'"),
        (lambda d: d.spread("x"), "no statistic 'x'"),
        (lambda d: d.plot("pie"), "no kind 'pie'; there are forest, heat_map"),
    ],
)
def test_unknown_names_are_refused_with_what_there_is(call, message):
    with pytest.raises(UsageError, match=message):
        call(run(panel(), guesses()))


def test_pictures(tmp_path):
    done = run(panel(groups=3), guesses())
    assert done.plot("forest", statistic="bias").to_dict()["$schema"]
    assert done.plot("heat_map", axis="g").to_dict()["$schema"]
    paths = done.save_plots(tmp_path)
    assert all(p.read_text().startswith("<svg") for p in paths)
    assert {"forest_divergence.svg", "heat_map_g.svg"} <= {p.name for p in paths}
