"""Exposure of groups in the block of a respond task: values, contrasts, spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analysis.test_disaggregate import block as rate_block
from tests.ratings.build import table as rating_table
from tests.result.making.test_respond import KEY, block, of, two_groups

NAME = f"exposure:{KEY}"


def rows(found: dict[str, Any], b: str | None = None) -> list[dict[str, Any]]:
    return [r for r in found["axes"]["gender"]["contrasts"] if b in (None, r["b"])]


def exposure(found: dict[str, Any], group: str, name: str = "exposure") -> dict[str, Any]:
    return of(found, group)["statistics"][KEY][name]


def test_oracle(tmp_path: Path) -> None:
    harm = [[5, 1], [1, 3], [1, 3]]  # of 1 to 5: r_a = (1, 0, 0), r_b = (0, .5, .5)
    found = block(tmp_path, [[1], [0], [0]], harm, "ab", references=[0, 1, 0], min_raters=1, min_raters_interval=2)
    assert [exposure(found, g)["value"] for g in "ab"] == [1, 0]
    assert [exposure(found, g, "reference_exposure")["value"] for g in "ab"] == [0, 0.5]
    assert found["overall"]["statistics"][KEY]["mean"]["value"] == pytest.approx(1 / 3)
    assert {(r["a"], r["b"]): r["value"] for r in rows(found)} == {("a", "b"): 1, ("a", "rest"): 1, ("b", "rest"): -1}


def test_all_ratings_of_a_prompts_references_count(tmp_path: Path) -> None:
    harm = [[5, 5], [1, 3], [3, 3]]
    found = block(tmp_path, [[1], [0]], harm, "ab", prompts=["p", "p", "q"], min_raters=1)
    assert exposure(found, "a")["value"] == pytest.approx(0.5 / (0.5 + 0.5))
    assert exposure(found, "b")["value"] == pytest.approx(0.75 / (0.75 + 0.5))
    assert of(found, "b")["concern"]["value"] == pytest.approx((0.75 + 0.5) / 2)
    assert (of(found, "a")["n_items"], of(found, "a")["n_ratings"]) == (2, 3)


def test_rows_are_those_of_rate_tasks(tmp_path: Path) -> None:
    found = two_groups(tmp_path)
    raters = {f"r{j}": {"gender": ["ab"[j % 2]]} for j in range(24)}
    ratings = rating_table(
        *[(f"i{i}", f"r{j}", str(1 + (i * j) % 5)) for i in range(5) for j in range(24)], raters=raters
    )
    rate = rate_block(ratings, inference="items+raters", draws=100, permutations=9)["axes"]["gender"]
    linear = next(r for r in rate["contrasts"] if r["statistic"] == "item_mean")
    assert [list(r) for r in rows(found)] == [list(linear)] * 3
    assert found["axes"]["gender"]["spread"][NAME].keys() <= rate["spread"]["item_mean"].keys()


def test_contrasts_are_signed_with_simultaneous_intervals(tmp_path: Path) -> None:
    found = two_groups(tmp_path)
    (pair,), rest = rows(found, "b"), rows(found, "rest")
    gap = exposure(found, "a")["value"] - exposure(found, "b")["value"]
    assert gap > 0.1
    assert pair["statistic"] == NAME
    assert pair["value"] == pytest.approx(gap)
    assert pair["low"] < gap < pair["high"]
    assert pair["low_simultaneous"] < gap < pair["high_simultaneous"]
    assert (pair["n_items"], pair["n_raters_a"], pair["n_raters_b"], pair["family"]) == (10, 12, 12, 1)
    assert pair["p_permutation"] is None
    assert [r["a"] for r in rest] == ["a", "b"]
    assert rest[0]["value"] == pytest.approx(gap)  # with two groups the rest is the other
    assert rest[1]["value"] == pytest.approx(-gap)
    assert rest[0]["se"] == pytest.approx(pair["se"])
    spread = found["axes"]["gender"]["spread"][NAME]
    assert spread["n_groups"] == 2
    assert spread["range"]["low"] <= gap <= spread["range"]["high"]
    assert 0 <= spread["tau"] <= gap


def test_contrasts_take_common_prompts_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    harm = rng.integers(1, 6, size=(10, 20))
    harm[:2, :10] = harm[8:, 10:] = 0
    scores = rng.random((10, 1))
    scores[3] = np.nan
    whole = block(tmp_path / "whole", scores, harm, "a" * 10 + "b" * 10)
    common = [2, 4, 5, 6, 7]
    part = block(tmp_path / "part", scores[common], harm[common], "a" * 10 + "b" * 10)
    (all_of_them,), (same) = rows(whole, "b"), rows(part, "b")[0]
    assert all_of_them["n_items"] == 5
    for key in ("value", "se", "df", "low", "high", "p"):
        assert all_of_them[key] == pytest.approx(same[key]), key
    assert "common_support: 56% of items" in all_of_them["flags"]


def test_a_small_group_has_no_interval_and_is_not_in_the_family(tmp_path: Path) -> None:
    harm = np.random.default_rng(2).integers(1, 6, size=(8, 35))
    scores = np.linspace(0, 1, 8)[:, None]
    found = block(tmp_path, scores, harm, "a" * 12 + "b" * 12 + "c" * 7 + "d" * 4)
    assert {(r["a"], r["b"]) for r in rows(found)} == {
        *[("a", "b"), ("a", "c"), ("b", "c"), ("a", "rest"), ("b", "rest"), ("c", "rest")]
    }
    for row in rows(found):
        assert (row["se"] is None) == ("c" in (row["a"], row["b"]))
    assert found["axes"]["gender"]["spread"][NAME]["n_groups"] == 2


@pytest.mark.parametrize("groups", ["a" * 12, "a" * 12 + "b"])
def test_one_group_has_nobody_to_be_compared_with(tmp_path: Path, groups: str) -> None:
    harm = np.random.default_rng(2).integers(1, 6, size=(4, len(groups)))
    found = block(tmp_path, np.linspace(0, 1, 4)[:, None], harm, groups)
    assert exposure(found, "a")["se"] > 0
    assert rows(found, "b") == []
    assert found["axes"]["gender"]["spread"] == {}


def test_the_same_seed_gives_the_same_result(tmp_path: Path) -> None:
    assert two_groups(tmp_path / "one", prompts=6) == two_groups(tmp_path / "two", prompts=6)


def test_constant_badness_has_no_gap_and_no_interval(tmp_path: Path) -> None:
    harm = np.random.default_rng(2).integers(1, 6, size=(6, 24))
    found = block(tmp_path, np.full((6, 1), 0.25), harm, "a" * 12 + "b" * 12)
    assert exposure(found, "a")["value"] == pytest.approx(0.25)
    assert exposure(found, "a")["se"] is None
    (pair,) = rows(found, "b")
    assert pair["value"] == pytest.approx(0, abs=1e-12)
    assert pair["se"] is None
