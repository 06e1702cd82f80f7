"""Ceilings and secondary measures of a group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.statistics.groups.ceiling import rater_ceiling
from lm_plural.harness.statistics.measures.reliability import crossed_reliability, reliability
from tests.analysis.axis.test_between import block, guesses, panel


def test_the_ceilings_are_people_in_the_models_place():
    overall = block(panel(), guesses())["overall"]
    u = overall["disagreement"]["value"]
    assert overall["ceiling"]["one_rater"] == u
    assert overall["ceiling"]["all_other_raters"] == pytest.approx(u / 39)
    placed = overall["ceiling"]["raters"]
    assert placed["n"] == 40
    assert placed["median_model"] < placed["median_rater"]
    assert placed["percentile"] == 0  # a model that guesses is behind everyone


def test_medians_are_of_the_raters_both_correlations_are_known_of():
    """Everyone but three rates the items of the model's one opinion, where it has no correlation; they all."""
    t, p = panel(), guesses()
    flat = Predictions(p.item_ids, np.where(np.arange(30)[:, None] < 20, p.q[:1], p.q))
    rows = t.ratings.filter(
        pl.col("rater_id").is_in(["r0", "r1", "r2"]) | pl.col("item_id").is_in([f"i{n}" for n in range(20)])
    )
    placed = block(replace(t, ratings=rows), flat)["overall"]["ceiling"]["raters"]
    alone = Frame.of(replace(t, ratings=rows), Options())
    scores = np.full((30, 40), np.nan)
    scores[alone.coded.item, alone.coded.rater] = alone.coded.level + 1
    q = alone.align(flat, Options(), [])
    found = rater_ceiling(scores, q @ np.arange(1.0, 6.0))
    assert ((~np.isnan(found.raters)).sum(), (~np.isnan(found.model)).sum(), placed["n"]) == (40, 3, 3)
    assert placed["median_rater"] == pytest.approx(np.median(found.raters[~np.isnan(found.model)]))


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
