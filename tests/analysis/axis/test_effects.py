"""How two groups differ, in the measures people use, each under its own name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from lm_plural.harness.analysis.axis.effects import effects
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.counts import Membership
from tests.analysis.axis.test_sensitivity import O9, PLAIN, Case, case, of_levels, popquorn, random_cases, strict
from tests.statistics.by_hand import quick

CUTS = [">=2", ">=3", ">=4", ">=5"]


def pairs(c: Case, options: Options = PLAIN, user: Any = None) -> list[dict[str, Any]]:
    return strict(effects(c.compared(None, options, user)))


def test_every_number_of_the_oracle():
    (row,) = pairs(of_levels(O9))
    assert (row["a"], row["b"], row["n_items"], row["flags"]) == ("g", "h", 1, [])
    assert (row["cliff"], row["superiority"]) == pytest.approx((0.22, 0.61))
    assert (row["pomp"], row["pomp_within_items"]) == pytest.approx((12.5, 12.5))
    assert row["odds_ratios"] == pytest.approx(dict(zip(CUTS, [7 / 3, 7 / 3, 12 / 7, 1], strict=True)))
    assert row["percent_odds_ratio"] == pytest.approx(
        dict(zip(CUTS, [400 / 3, 400 / 3, 500 / 7, 0], strict=True)), abs=1e-9
    )
    assert row["percent_mean_ratio"] == [
        {"origin": 1, "value": pytest.approx(100 * 0.5 / 1.1)},
        {"origin": 0, "value": pytest.approx(100 * 0.5 / 2.1)},
    ]
    exceeding = [100 * (0.7 / 0.5 - 1), 100 * (0.5 / 0.3 - 1), 100 * (0.3 / 0.2 - 1), 0]
    assert row["percent_exceedance"] == pytest.approx(dict(zip(CUTS, exceeding, strict=True)), abs=1e-9)
    # one item: a rater's mean is the rating, with variances 1.84 x 10 / 9 and 1.89 x 10 / 9
    sd = np.sqrt((10 * 1.84 + 10 * 1.89) / 18)
    variances = [np.average((np.arange(5) - m) ** 2, weights=w[0]) for m, w in ((1.6, O9["g"]), (1.1, O9["h"]))]
    assert variances == pytest.approx([1.84, 1.89])
    assert row["rater_sd_difference"] == pytest.approx({"value": 0.5 / sd, "sd": sd})


@pytest.mark.parametrize(("positions", "origins"), [((0, 1, 2), [0]), ((-1, 0, 1), [-1]), ((2, 3, 4), [2, 0])])
def test_a_ratio_of_means_is_given_with_every_origin_it_can_have(positions: tuple[float, ...], origins: list[float]):
    scale = Scale(("a", "b", "c"), positions=positions)
    (row,) = pairs(of_levels({"g": [[0, 1, 1]], "h": [[1, 1, 0]]}, scale))
    assert [x["origin"] for x in row["percent_mean_ratio"]] == origins
    known = [100 * ((positions[0] + 1.5 - o) / (positions[0] + 0.5 - o) - 1) for o in origins]
    assert [x["value"] for x in row["percent_mean_ratio"]] == pytest.approx(known)


def test_what_has_no_denominator_is_null():
    (row,) = pairs(of_levels({"g": [[0, 0, 0, 1, 1]], "h": [[2, 0, 0, 0, 0]]}))
    assert set(row["odds_ratios"].values()) == set(row["percent_exceedance"].values()) == {None}
    assert row["percent_mean_ratio"] == [{"origin": 1, "value": None}, {"origin": 0, "value": pytest.approx(350)}]
    assert row["cliff"] == 1
    (equal,) = pairs(case({"a": "222--", "b": "---44", "c": "22233"}))
    assert equal["rater_sd_difference"] == {"value": None, "sd": 0}


def test_groups_without_a_common_item_are_not_compared():
    (row,) = pairs(case({"a": "125--", "b": "---12"}))
    assert row.pop("flags") == ["no_common_items: no item has a rater of both"]
    assert (row.pop("a"), row.pop("b"), row.pop("n_items")) == ("man", "woman", 0)
    origins = row.pop("percent_mean_ratio")
    assert {x["value"] for x in origins} == {None}
    numbers = [x for v in row.values() for x in (v.values() if isinstance(v, dict) else [v])]
    assert set(numbers) == {None}


def test_a_mix_of_items_is_told_from_a_difference_of_people():
    # on each item all say the same; the women rated the bad item more often
    genders = {f"w{n}": "woman" for n in range(4)} | {f"m{n}": "man" for n in range(4)}
    (row,) = pairs(case({"good": "1---1111", "bad": "55555---"}, genders))
    assert (row["cliff"], row["pomp_within_items"]) == (0, 0)
    assert row["pomp"] == pytest.approx(100 * ((4 + 5) / 5 - (1 + 20) / 5) / 4)
    assert row["flags"] == [f"item_mix: pooled the difference is {row['pomp']:.1f} POMP, inside items 0.0"]
    assert row["rater_sd_difference"]["value"] is None


def test_the_sd_is_between_raters_who_may_have_seen_other_items():
    # women are 1 above the men on every item; the second of each is .5 above the first
    levels = Scale(tuple("123456789"))
    women, men = {"a": "45--", "b": "56--", "c": "-9--"}, {"a": "--23", "b": "--34", "c": "---7"}
    both = {i: women[i][:2] + men[i][2:] for i in women}
    (row,) = pairs(case(both, {"w1": "woman", "w2": "woman", "m1": "man", "m2": "man"}, levels))
    # deviations from the middles 3.5, 4.5 and 8: women .5, .5 | 1.5, 1.5, 1; men -1.5, -1.5 | -.5, -.5, -1
    x1, x2 = np.array([-1.5, -2 / 3]), np.array([0.5, 4 / 3])
    sd = np.sqrt((np.var(x1) * 2 + np.var(x2) * 2) / 2)
    assert row["rater_sd_difference"] == pytest.approx({"value": (x1.mean() - x2.mean()) / sd, "sd": sd})


def test_what_rounding_leaves_of_a_spread_is_no_standard_deviation():
    # women are .1 above the men on every item, and nobody differs from the group
    scale = Scale(tuple("12345"), positions=(0.1, 0.2, 0.3, 0.4, 0.5))
    (row,) = pairs(case({"a": "--544", "b": "4443-", "c": "4-4-3", "d": "3-3--", "e": "33322"}, scale=scale))
    assert row["pomp_within_items"] == pytest.approx(-25)
    assert row["rater_sd_difference"] == {"value": None, "sd": pytest.approx(0, abs=1e-12)}


def test_weights_of_items_count_in_pooled_numbers_too():
    c = case({"a": "11133", "b": "22255"})
    (one,) = pairs(c, user=np.array([1.0, 0.0]))
    (alone,) = pairs(case({"a": "11133"}))
    for row in (one, alone):
        row.pop("rater_sd_difference")
    assert one == alone
    (heavy,) = pairs(c, user=np.array([3.0, 1.0]))
    assert heavy["pomp"] == heavy["pomp_within_items"] == pytest.approx(100 * (3 * 2 + 3) / 4 / 4)


@settings(quick, max_examples=20)
@given(random_cases())
def test_a_pair_the_other_way_round_is_the_mirror_image(c: Case):
    turned = np.array([2, 1, 0])
    members = Membership(c.members.rater, turned[c.members.group], 3)
    other = Case(c.frame, members, c.names[::-1], c.counts[:, ::-1])
    before = {(r["a"], r["b"]): r for r in pairs(c)}
    for row in pairs(other):
        known = before[row["b"], row["a"]]
        assert row["flags"] == [] or row["flags"][0].split(":")[0] == known["flags"][0].split(":")[0]
        for name in ("cliff", "pomp", "pomp_within_items"):
            assert row[name] == pytest.approx(-known[name], abs=1e-12)
        assert row["superiority"] == pytest.approx(1 - known["superiority"])
        assert row["rater_sd_difference"]["sd"] == pytest.approx(known["rater_sd_difference"]["sd"])
        for cut, odds in row["odds_ratios"].items():
            if odds and known["odds_ratios"][cut]:
                assert odds * known["odds_ratios"][cut] == pytest.approx(1)


def test_popquorn_agrees_with_the_contrasts(mirror: Path, tmp_path: Path):
    c = popquorn(mirror, tmp_path, "race")
    rows, contrasts = pairs(c), c.contrasts(PLAIN)
    value = {name: f.estimates.value for name, f in contrasts.items()}
    assert [r["cliff"] for r in rows] == pytest.approx(value["cliff"])
    assert [r["pomp_within_items"] for r in rows] == pytest.approx(100 * value["item_mean"] / 4)
    assert [r["n_items"] for r in rows] == contrasts["cliff"].n_items.tolist()
