"""Ceilings and secondary measures of a group."""

from __future__ import annotations

import numpy as np
import pytest

from lm_plural.harness.statistics.reliability import crossed_reliability, reliability
from tests.result.test_between import block, guesses, panel


def test_the_ceilings_are_people_in_the_models_place():
    overall = block(panel(), guesses())["overall"]
    u = overall["disagreement"]["value"]
    assert overall["ceiling"]["one_rater"] == u
    assert overall["ceiling"]["all_other_raters"] == pytest.approx(u / 39)
    placed = overall["ceiling"]["raters"]
    assert placed["n"] == 40
    assert placed["median_model"] < placed["median_rater"]
    assert placed["percentile"] == 0  # a model that guesses is behind everyone


def test_reliability_is_that_of_a_crossed_design_only_where_it_is_one():
    t = panel()
    codes = t.ratings.sort("item_id", "rater_id")["level"].cast(int).to_numpy().reshape(30, 40)
    found = block(t, guesses())["overall"]["secondary"]["reliability"]["value"]
    assert found == pytest.approx(crossed_reliability(codes))
    counts = np.stack([np.bincount(row, minlength=5) for row in codes])[:, None]
    assert found > reliability(counts, np.arange(5.0))[0]


def test_a_secondary_measure_that_is_refused_says_why():
    sparse = block(panel(raters=4, groups=2), guesses())["axes"]["g"]["groups"]["g0"]["secondary"]
    assert sparse["rarefied_to"] == 0
    assert sparse["w1_rarefied"]["refused"] == "fewer than 5 raters an item"
    assert all(("refused" in v) == (v["value"] is None) for k, v in sparse.items() if k != "rarefied_to")
    assert sparse["w1_cross_fit"]["value"] <= sparse["w1_plug_in"]["value"]


def test_without_a_model_there_is_a_ceiling_only():
    overall = block(panel())["overall"]
    assert "secondary" not in overall
    assert set(overall["ceiling"]) == {"one_rater", "all_other_raters"}
