"""A scorer held against groups of raters: values, refusals with reasons, who is served worse."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from lm_plural.harness.analysis.audit.audit import audit
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.harmful import Cut
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable
from tests.ratings.build import FIVE, table

QUICK = Options(draws=200, min_raters=5)


def texts(n: int, seed: int = 1) -> tuple[np.ndarray, dict[str, float]]:
    """Return how bad simulated texts are, and scores that see it with some noise."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=n)
    scores = 1 / (1 + np.exp(-theta - 0.5 * rng.normal(size=n)))
    return theta, {f"i{i}": float(s) for i, s in enumerate(scores)}


def ratings(theta: np.ndarray, people: dict[str, tuple[str, float]], seed: int = 2, scale: Scale = FIVE) -> RatingTable:
    """Simulate people by name: their group, and how much of theta they see (-1: the contrary)."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, (_, sees) in people.items():
        latent = sees * theta + 0.5 * rng.normal() + 0.7 * rng.normal(size=len(theta))
        level = np.searchsorted([-1.2, -0.4, 0.4, 1.2], latent) + 1
        rows += [(f"i{i}", name, str(v)) for i, v in enumerate(level)]
    raters = {name: {"side": [group]} for name, (group, _) in people.items()}
    return table(*rows, raters=raters, scales={"five": scale})


def crowd(group: str, n: int, sees: float = 1.0) -> dict[str, tuple[str, float]]:
    return {f"{group}{j}": (group, sees) for j in range(n)}


def numbers(found: Any) -> list[Any]:
    """Return every value of nested JSON."""
    if isinstance(found, dict):
        return [x for v in found.values() for x in numbers(v)]
    return [x for v in found for x in numbers(v)] if isinstance(found, list) else [found]


@pytest.fixture(scope="module")
def two() -> dict[str, Any]:
    """Group a sees what the scorer sees, b only half of it; c is small, d too small."""
    theta, scores = texts(60)
    people = crowd("a", 16) | crowd("b", 16, 0.2) | crowd("c", 6) | crowd("d", 3)
    return audit(ratings(theta, people), scores, ["side"], options=QUICK)


def test_a_small_table_by_hand():
    rows = [("p", "a", 5), ("p", "b", 4), ("q", "a", 1), ("q", "b", 5), ("r", "a", 2), ("r", "b", 1)]
    found = audit(table(*rows), {"p": 0.9, "q": 0.6, "r": 0.2}, ["gender"], options=Options(min_raters=1), grid=[0.25])
    whole = found["overall"]
    assert (whole["n_items"], whole["n_raters"], whole["n_ratings"]) == (3, 2, 6)
    assert whole["harmful_share"]["value"] == pytest.approx(0.5)
    # harmful: p a, p b, q b; harmless: q a, r a, r b; by two raters of two texts: five pairs, all in order
    assert whole["auc"]["value"] == 1
    assert whole["rates"]["0.5"]["fnr"]["value"] == 0
    assert whole["rates"]["0.5"]["fpr"]["value"] == pytest.approx(1 / 3)
    assert [t["name"] for t in found["thresholds"]] == ["0.25", "0.5", "matched"]
    assert [t["flagged_share"] for t in found["thresholds"]] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert found["harmful"] == {"level": "4", "levels": ["4", "5"], "rule": "worse than the middle level"}
    assert whole["ranks"]["pearson"]["value"] is None
    assert [f.split(":")[0] for f in whole["flags"]] == ["no_interval", "few_items"]


def test_the_block_is_strict_json_and_every_number_is_inside_its_range(two: dict[str, Any]):
    assert json.loads(json.dumps(two, allow_nan=False)) == two
    for group in two["axes"]["side"]["groups"].values():
        rates = [group["auc"], group["harmful_share"], *(r for t in group["rates"].values() for r in t.values())]
        assert all(0 <= x <= 1 for v in rates for x in (v["value"], v["low"], v["high"]) if x is not None)


def test_a_group_the_scorer_does_not_follow_is_named(two: dict[str, Any]):
    worse = two["axes"]["side"]["worse"]
    assert {(w["statistic"], w["group"], w["than"]) for w in worse if w["kind"] == "pairs"} >= {
        (s, "b", "a") for s in ("auc", "fnr@0.5", "fpr@0.5")
    }
    assert {w["group"] for w in worse if w["kind"] == "rest" and w["than"] is None} == {"b"}
    assert {w["than"] for w in worse if w["kind"] == "rest" and w["group"] is None} <= {"a"}
    assert all(0 <= w["low"] <= w["gap"] <= w["high"] and w["p_adjusted"] <= 0.05 for w in worse)


def test_rows_are_differences_of_groups_with_what_would_have_been_seen(two: dict[str, Any]):
    axis = two["axes"]["side"]
    groups = axis["groups"]
    rows = {(r["statistic"], r["a"], r["b"]): r for r in axis["contrasts"]}
    for statistic, of in (
        ("auc", lambda g: g["auc"]),
        ("fpr@0.5", lambda g: g["rates"]["0.5"]["fpr"]),
        ("fnr@matched", lambda g: g["rates"]["matched"]["fnr"]),
        ("harmful_share", lambda g: g["harmful_share"]),
        ("disattenuated", lambda g: g["ranks"]["disattenuated"]),
    ):
        row = rows[statistic, "a", "b"]  # everyone rated everything, so on the same texts
        assert row["value"] == pytest.approx(of(groups["a"])["value"] - of(groups["b"])["value"], rel=1e-6), statistic
        assert row["low_simultaneous"] <= row["low"] <= row["value"] <= row["high"] <= row["high_simultaneous"]
        assert {g["a"] for g in axis["mdg"][statistic]} == {"a", "b"}
    assert not [r for r in axis["contrasts"] if "d" in (r["a"], r["b"])]
    assert rows["auc", "a", "c"]["se"] is None
    assert rows["auc", "a", "c"]["flags"] == ["no_interval: 6 raters of at least 10"]


def test_a_gap_whose_p_is_too_small_for_a_float_is_named():
    theta, scores = texts(5)
    found = audit(
        ratings(theta, crowd("a", 800) | crowd("b", 800, -1.0)),
        scores,
        ["side"],
        options=Options(draws=100, inference="raters"),
    )["axes"]["side"]
    gone = [r for r in found["contrasts"] if r["p_adjusted"] == 0.0]
    assert {("auc", "pairs")} <= {(r["statistic"], r["kind"]) for r in gone}
    assert {("auc", "b", "a")} <= {(w["statistic"], w["group"], w["than"]) for w in found["worse"]}


def test_several_axes_are_adjusted_for(two: dict[str, Any]):
    axis = two["axes"]["side"]
    p = min(r["p_adjusted"] for r in axis["contrasts"] if r["statistic"] == "auc" and r["kind"] == "pairs" and r["se"])
    assert {"statistic": "auc", "axis": "side", "p": p, "p_holm": p} in two["families"]
    theta, scores = texts(40)
    people = crowd("a", 12) | crowd("b", 12, 0.3)
    both = ratings(theta, people)
    both.raters.insert_column(2, both.raters["side"].alias("again"))
    found = audit(both, scores, ["side", "again"], options=QUICK)["families"]
    assert [r["p_holm"] for r in found if r["statistic"] == "auc"] == pytest.approx(
        [min(2 * r["p"], 1) for r in found if r["statistic"] == "auc"], abs=0.02
    )


def test_small_groups_are_refused_or_have_no_interval(two: dict[str, Any]):
    groups = two["axes"]["side"]["groups"]
    assert groups["d"]["flags"] == ["few_raters: 3 of at least 5"]
    written = {k: v for k, v in groups["d"].items() if k not in ("n_items", "n_raters", "n_ratings", "flags")}
    assert set(numbers(written)) == {None}
    assert groups["c"]["auc"]["value"] > 0.5
    assert groups["c"]["auc"]["low"] is None
    assert groups["c"]["flags"] == ["no_interval: 6 raters of at least 10"]


def test_members_and_raters_are_set_beside_the_scorer(two: dict[str, Any]):
    a, b = (two["axes"]["side"]["groups"][g] for g in "ab")
    assert a["one_member"]["auc"]["value"] > b["one_member"]["auc"]["value"]
    assert a["ranks"]["ceiling"]["value"] == pytest.approx(np.sqrt(a["ranks"]["reliability"]["value"]))
    assert a["ranks"]["disattenuated"]["value"] > a["ranks"]["pearson"]["value"] > a["ranks"]["kendall"]["value"]
    assert a["ranks"]["raters"]["n"] == 16
    assert 0 <= a["ranks"]["raters"]["percentile"] <= 100


def test_on_a_scale_whose_high_end_is_good_everything_turns():
    theta, scores = texts(40)
    people = crowd("a", 12)
    bad = audit(ratings(theta, people), scores, [], options=QUICK)
    good = audit(ratings(-theta, people, scale=Scale(tuple("12345"), "higher")), scores, [], options=QUICK)
    assert good["harmful"]["levels"] == ["1", "2"]
    assert good["overall"]["auc"]["value"] > 0.7
    assert good["overall"]["ranks"]["pearson"]["value"] > 0.5
    assert good["overall"]["ranks"]["raters"]["median_scorer"] > 0.5
    assert bad["overall"]["auc"]["value"] == pytest.approx(good["overall"]["auc"]["value"], abs=0.1)


def test_texts_without_a_score_are_left_out_and_counted():
    theta, scores = texts(30)
    scores |= {"i0": float("nan")}
    del scores["i1"]
    found = audit(ratings(theta, crowd("a", 10)), scores | {"other": 0.5}, ["side"], options=QUICK)
    assert (found["n_unscored"], found["overall"]["n_items"]) == (2, 28)
    assert "2 of 30 rated texts left out: no score" in found["notes"]
    with pytest.raises(PluralError, match="none of the 30 rated texts has a score"):
        audit(ratings(theta, crowd("a", 10)), {"i0": float("nan")}, ["side"])


@pytest.mark.parametrize(("level", "lost", "what"), [("1", "fnr", "nothing"), ("5", "fpr", "everything")])
def test_where_all_are_called_alike_the_reason_is_said(level: str, lost: str, what: str):
    people = crowd("a", 12) | crowd("b", 12)
    theta, scores = texts(20)
    usual = ratings(theta, people).ratings
    rows = [
        (i, r, level if r.startswith("b") else str(v + 1))
        for i, r, v in usual.select("item_id", "rater_id", "level").iter_rows()
    ]
    raters = {name: {"side": [group]} for name, (group, _) in people.items()}
    found = audit(table(*rows, raters=raters), scores, ["side"], options=QUICK)["axes"]["side"]
    b = found["groups"]["b"]
    assert (b["auc"]["value"], b["rates"]["0.5"][lost]["value"]) == (None, None)
    assert f"one_sided: {what} was called harmful: no {lost} and no auc" in b["flags"]
    row = next(r for r in found["contrasts"] if r["statistic"] == "auc" and r["kind"] == "pairs")
    assert (row["value"], row["flags"]) == (
        None,
        ["one_sided: a side called all alike harmful or not on the common texts"],
    )


def test_unreliable_means_are_not_freed_from_noise():
    theta, scores = texts(40)
    found = audit(ratings(theta, crowd("a", 12, 0.0)), scores, ["side"], options=QUICK)["overall"]
    assert found["ranks"]["disattenuated"]["value"] is None
    assert [f.split(":")[0] for f in found["flags"]].count("low_reliability") == 1


def test_what_was_asked_is_kept_and_repeated():
    theta, scores = texts(30)
    cut = Cut.of(FIVE, "3")
    asked = Options(inference="raters", draws=150, seed=3)
    once, again = (
        audit(ratings(theta, crowd("a", 12) | crowd("b", 12)), scores, ["side"], cut, asked, [0.3]) for _ in "12"
    )
    assert once == again
    assert (once["inference"], once["draws"], once["seed"], once["harmful"]["level"]) == ("raters", 150, 3, "3")
    both = audit(ratings(theta, crowd("a", 12) | crowd("b", 12)), scores, ["side"], cut, Options(draws=150), [0.3])
    assert once["overall"]["auc"]["se"] < both["overall"]["auc"]["se"]
    points = audit(ratings(theta, crowd("a", 12)), scores, ["side"], cut, Options(inference="none"), [0.3])
    assert (points["overall"]["auc"]["se"], points["axes"]["side"]["contrasts"]) == (None, [])


def test_a_threshold_outside_the_scores_is_refused():
    theta, scores = texts(10)
    with pytest.raises(UsageError, match=r"threshold 1\.5: expected 0 to 1"):
        audit(ratings(theta, crowd("a", 5)), scores, ["side"], grid=[1.5])
