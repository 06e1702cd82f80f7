"""Two sets of predictions against the same ratings: values, refusals and their reasons, and how they stand in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.paired.changes import Paired
from lm_plural.harness.analysis.paired.compare import compare_predictions
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.coarsen import to_three, to_two
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable
from tests.ratings.build import FIVE, table

ITEMS = [f"i{n}" for n in range(12)]
RATERS = {
    f"r{n}": {"gender": ["woman" if n < 11 else "man"], "race": ["x", "y"] if n % 3 else ["y"]} for n in range(24)
}
STATISTICS = ["bias", "divergence", "rps", "skill", "log_equivalent_raters"]


def ratings(lines: Sequence[str] | None = None, raters: Any = RATERS, **options: Any) -> RatingTable:
    """One line of ratings per item, one letter per rater, ``-`` for none."""
    rows = [
        (i, r, v) for i, line in zip(ITEMS, lines or LINES, strict=False) for r, v in zip(raters, line, strict=True)
    ]
    return table(*(row for row in rows if row[2] != "-"), raters=raters, **options)


def drawn() -> list[str]:
    rng = np.random.default_rng(0)
    level = np.round(np.linspace(1, 5, 12)[:, None] + np.linspace(-0.5, 0.5, 24) + rng.normal(0, 0.8, (12, 24)))
    return ["".join(str(int(v)) for v in line) for line in level.clip(1, 5)]


LINES = drawn()


def near(spread: float, shift: float = 0.0, items: Sequence[str] = ITEMS) -> Predictions:
    """Distributions around where the items stand."""
    middle = np.array([np.linspace(1, 5, 12)[ITEMS.index(i)] for i in items])
    q = np.exp(-(((np.arange(1, 6) - middle[:, None] - shift) / spread) ** 2))
    return Predictions(list(items), q / q.sum(axis=1, keepdims=True))


A, B = near(1.0, 1.3), near(1.2, -0.9)


def compare(t: RatingTable, a: Predictions = A, b: Predictions = B, axes: Any = ("gender",), **options: Any) -> Paired:
    return compare_predictions(t, a, b, axes, Options(**{"draws": 200, **options}))


def block(*args: Any, **options: Any) -> dict[str, Any]:
    """Return the block as a reader of the file gets it; NaN would not be JSON."""
    return json.loads(json.dumps(compare(*args, **options).to_dict(), allow_nan=False))


def test_values_are_those_of_both_sets_one_by_one_and_so_are_not_the_intervals():
    t, plain = ratings(), Options(draws=200, permutations=19)
    found = compare(t)
    one = [disaggregate(t, p, ["gender"], plain) for p in (A, B)]
    for group, of_a, of_b in (
        (found.overall, *(o.overall for o in one)),
        *((found.by_group["gender"][g], *(o.by_group["gender"][g] for o in one)) for g in ("man", "woman")),
    ):
        for name in ("bias", "divergence", "rps", "skill"):
            expected = of_a.statistics[name].value - of_b.statistics[name].value
            assert group.statistics[name].value == pytest.approx(expected), name
        worth = [o.statistics["equivalent_raters"].value for o in (of_a, of_b)]
        assert group.statistics["log_equivalent_raters"].value == pytest.approx(np.log(worth[0] / worth[1]))
        change = group.statistics["divergence"]
        assert change.low < change.low_one_sided < change.value < change.high_one_sided < change.high_simultaneous
        assert change.low_simultaneous < change.low_one_sided
        assert (group.n_items, group.n_raters) == (12, of_a.n_raters)
    assert found.overall.statistics["divergence"].value > 0 > found.overall.statistics["skill"].value


def test_the_change_of_a_gap_is_that_of_side_a_less_that_of_side_b():
    found = compare(ratings())
    rows = found.contrasts().to_dicts()
    sides = [("man", "woman"), ("man", "rest"), ("woman", "rest")]
    assert [(r["statistic"], r["a"], r["b"]) for r in rows] == [(s, *c) for s in ("divergence", "rps") for c in sides]
    of = {g: v.statistics["divergence"].value for g, v in found.by_group["gender"].items()}
    assert [r["value"] for r in rows[:3]] == pytest.approx([of["man"] - of["woman"]] * 2 + [of["woman"] - of["man"]])
    assert all(r["low"] < r["value"] < r["high"] and 0 < r["p"] < 1 and 0 < r["p_adjusted"] < 1 for r in rows)
    assert (rows[0]["n_items"], rows[0]["n_raters_a"], rows[0]["n_raters_b"], rows[1]["family"]) == (12, 13, 11, 2)
    assert rows[0]["flags"] == ["approximate: 11 raters, intervals are a little too short"]


def test_a_rater_in_two_groups_counts_in_both_and_cells_are_groups():
    found = compare(ratings(), axes=["race", ("gender", "race")], min_raters=1)
    race = found.by_group["race"]
    assert {g: v.n_raters for g, v in race.items()} == {"x": 16, "y": 24}
    whole = found.overall.statistics
    assert {s: c.value for s, c in race["y"].statistics.items()} == pytest.approx(
        {s: c.value for s, c in whole.items()}
    )
    assert race["y"].statistics["divergence"].se == pytest.approx(whole["divergence"].se)
    assert set(found.by_group["gender & race"]) == {"man & x", "man & y", "woman & x", "woman & y"}


def test_equal_sets_differ_by_zero_and_say_why_there_is_no_interval():
    found = block(ratings(), A, A)
    for group in (found["overall"], *found["axes"]["gender"]["groups"].values()):
        for name in STATISTICS:
            assert group[name].pop("value") == 0
            assert set(group[name].values()) == {None}
        assert (
            group["flags"][0]
            == f"no_variation: the change is the same for all, so no interval of {', '.join(STATISTICS)}"
        )
    for row in found["axes"]["gender"]["contrasts"]:
        assert (row["value"], row["se"]) == (0, None)
        assert row["flags"][0] == "no_variation: the change is the same for all, so no interval of the gap"
    assert "the sets are equal on 12 of 12 compared items" in found["notes"]


def test_the_other_way_round_all_signs_turn():
    there, back = (compare(ratings(), *sets).to_frame() for sets in ((A, B), (B, A)))
    for name, turned in (("value", "value"), ("low", "high"), ("low_one_sided", "high_one_sided")):
        np.testing.assert_allclose(there[name].to_numpy(), -back[turned].to_numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(there["p_adjusted"].to_numpy(), back["p_adjusted"].to_numpy())


def test_only_items_in_both_sets_are_compared_and_the_others_counted():
    some_a, some_b = near(1, 1.3, ITEMS[:8]), near(1.2, -0.9, ITEMS[2:])
    found = block(ratings(), some_a, Predictions([*some_b.item_ids, "zz"], np.vstack([some_b.q, some_b.q[:1]])))
    assert found["notes"] == [
        "first set: 4 rated items without a prediction not compared",
        "second set: 1 predicted items without a rating left out",
        "second set: 2 rated items without a prediction not compared",
        "6 rated items predicted by one of the two sets only not compared",
    ]
    assert found["n_items"] == found["overall"]["n_items"] == 6
    weights = dict.fromkeys(ITEMS[2:8], 1.0)
    assert block(ratings(), item_weights=weights)["overall"]["rps"]["se"] == pytest.approx(
        found["overall"]["rps"]["se"]
    )


def test_sets_without_a_common_item_or_over_other_levels_are_errors():
    with pytest.raises(PluralError, match=r"no rated item is in both sets .* 2 are in the first only, 3 in the second"):
        compare(ratings(), near(1, 0, ITEMS[:2]), near(1, 0, ITEMS[2:5]))
    with pytest.raises(PluralError, match=r"second set of predictions: q has shape \(12, 3\), expected 5 columns"):
        compare(ratings(), A, Predictions(ITEMS, np.full((12, 3), 1 / 3)))
    with pytest.raises(PluralError, match="none of the 1 predicted items has a rating"):
        compare(ratings(), A, Predictions(["zz"], A.q[:1]))


def test_any_other_reference_than_all_ratings_is_refused():
    with pytest.raises(UsageError, match="reference 'majority': two sets are compared against all ratings only"):
        compare(ratings(), reference="majority")


def test_small_groups_are_refused_or_without_an_interval_with_the_reason():
    few = {r: {"gender": ["woman" if n < 15 else "man" if n < 21 else "other"]} for n, r in enumerate(RATERS)}
    found = block(ratings(raters=few))["axes"]["gender"]
    man, other, woman = (found["groups"][g] for g in ("man", "other", "woman"))
    assert other["flags"] == ["few_raters: 3 of at least 5"]
    assert {other[s]["value"] for s in STATISTICS} == {None}
    assert man["divergence"]["value"] is not None
    assert {man[s]["se"] for s in STATISTICS} == {None}
    assert man["flags"] == ["no_interval: 6 raters of at least 10"]
    assert woman["divergence"]["p_adjusted"] is not None
    assert woman["flags"] == ["not_for_gates: 15 raters and 12 items of 25 and 50"]
    rows = {(r["a"], r["b"]): r for r in found["contrasts"] if r["statistic"] == "rps"}
    assert set(rows) == {("man", "woman"), ("man", "rest"), ("woman", "rest")}
    assert (rows["man", "woman"]["se"], rows["man", "woman"]["flags"]) == (
        None,
        ["no_interval: 6 raters of at least 10"],
    )


def test_a_family_is_of_the_contrasts_with_an_interval():
    few = {r: {"gender": ["woman" if n < 12 else "man" if n < 18 else "other"]} for n, r in enumerate(RATERS)}
    rows = [r for r in block(ratings(raters=few))["axes"]["gender"]["contrasts"] if r["statistic"] == "rps"]
    found = {(r["a"], r["b"]): (r["se"] is not None, r["family"]) for r in rows}
    pairs, rest = (False, 0), (False, 1)
    others = {("man", "rest"): rest, ("other", "rest"): rest, ("woman", "rest"): (True, 1)}
    assert found == {("man", "other"): pairs, ("man", "woman"): pairs, ("other", "woman"): pairs} | others


def test_every_null_has_a_reason():
    alone = ["".join(v if (n + k) % 24 == 0 else "-" for n, v in enumerate(line)) for k, line in enumerate(LINES)]
    found = block(ratings(alone))["overall"]
    assert (
        found["flags"][0]
        == "no_pairs: no compared item has two raters of this group, so no skill, log_equivalent_raters"
    )
    assert found["divergence"]["p"] is not None
    same = block(ratings(["33333" * 4 + "3333"] * 12))["overall"]
    assert [f.split(":")[0] for f in same["flags"]][:1] == ["no_signal"]
    assert same["skill"]["value"] is None
    good = block(ratings(), near(1.0), near(1.05))["overall"]
    assert good["log_equivalent_raters"]["value"] is None
    assert "no_ratio: divergence of a set may be 0, so equivalent raters of both have no ratio" in good["flags"]
    noise = np.random.default_rng(0).integers(1, 6, (12, 24))
    weak = block(ratings(["".join(map(str, line)) for line in noise]))["overall"]
    assert (weak["skill"]["value"] is None, weak["skill"]["se"]) == (False, None)
    assert weak["flags"][0].startswith("weak_signal: ")
    halves = ["1" * 11 + "-" * 13] * 6 + ["-" * 11 + "2" * 13] * 6
    row = block(ratings(halves))["axes"]["gender"]["contrasts"][0]
    assert (row["value"], row["flags"]) == (None, ["no_common_items: no item has a rater of both"])


def test_without_inference_there_are_values_only():
    found = block(ratings(), inference="none")
    assert found["axes"]["gender"]["contrasts"] == []
    assert found["overall"]["divergence"]["value"] == pytest.approx(
        compare(ratings()).overall.statistics["divergence"].value
    )
    assert found["overall"]["divergence"]["se"] is None
    assert found["overall"]["flags"] == []
    assert found["inference"] == "none"


def test_coarsened_it_equals_ratings_and_predictions_given_coarse():
    turn, coarse = str.maketrans("12345", "11233"), to_three(FIVE)
    three = [Predictions(p.item_ids, coarse.distribution(p.q)) for p in (A, B)]
    native = block(ratings([line.translate(turn) for line in LINES], scales={"five": Scale(tuple("123"))}), *three)
    mapped = block(ratings(), coarsening=coarse)
    for name in STATISTICS:
        assert mapped["overall"][name] == pytest.approx(native["overall"][name]), name
    assert mapped["notes"] == ["coarsened from 5 to 3 levels: 1, 3, 5"]
    dropped = block(ratings(), coarsening=to_two(FIVE, "drop"))
    assert dropped["notes"][0].endswith("ratings left out: on a level the coarsening drops")
    assert dropped["overall"]["divergence"]["se"] > 0


def test_weights_of_the_user_and_of_raters():
    t = ratings([LINES[0], LINES[11][:12] + "-" * 12], RATERS)
    each = [block(t, item_weights={i: 1.0})["overall"]["rps"]["value"] for i in ITEMS[:2]]
    even, by_rater = (block(t, weights=w)["overall"]["rps"]["value"] for w in ("items", "pairs"))
    assert even == pytest.approx(np.mean(each))
    assert by_rater == pytest.approx((24 * each[0] + 12 * each[1]) / 36)
    assert block(t, item_weights={"i0": 3, "i1": 1})["weights"] == "items, times weights of the user"
    with pytest.raises(UsageError, match="weight -1 of item 'i0'"):
        compare(t, item_weights={"i0": -1})


def test_a_frame_has_a_row_for_every_statistic_of_every_group():
    frame = compare(ratings(), axes=["gender", "race"]).to_frame()
    assert frame.select("axis", "group").unique(maintain_order=True).rows() == [
        ("", "all"),
        ("gender", "man"),
        ("gender", "woman"),
        ("race", "x"),
        ("race", "y"),
    ]
    assert frame["statistic"].to_list() == STATISTICS * 5
    assert frame.columns[3:] == [
        *(
            "value",
            "se",
            "df",
            "low",
            "high",
            "low_simultaneous",
            "high_simultaneous",
            "low_one_sided",
            "high_one_sided",
        ),
        *("p", "p_adjusted", "n_items", "n_raters", "flags"),
    ]
