"""The secondary measures of an axis together."""

from __future__ import annotations

import numpy as np
import pytest

from lm_plural.harness.statistics.measures import correlation, distances, rarefaction, reliability
from lm_plural.harness.statistics.measures.secondary import BIAS, secondary

POSITIONS = np.arange(5.0)
SPACING = np.full(4, 0.25)


@pytest.fixture
def axis():
    """Three groups, the last of 3 raters at most but for one item, and a prediction for all items but one."""
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.full(5, 0.5), size=80)
    counts = np.stack([rng.multinomial(rng.integers(n // 3, n + 1, 80), p) for n in (14, 8, 3)], axis=1)
    counts[0, 2] = 4
    q = 0.7 * p + 0.06
    q[5] = np.nan
    return counts, q


def test_each_measure_is_the_mean_over_items_with_two_raters_and_a_prediction(axis):
    counts, q = axis
    values, m = secondary(counts, q, POSITIONS, SPACING)
    used = (counts.sum(axis=-1) >= 2) & ~np.isnan(q[:, :1])
    for g in range(3):
        c, p = counts[used[:, g], g][:, None], q[used[:, g]]
        assert values["w1_plug_in"][g] == pytest.approx(distances.w1_plug_in(c, p, SPACING).mean())
        assert values["l2"][g] == pytest.approx(distances.l2_nominal(c, p).mean())
        model, group = correlation.item_means(c, p, POSITIONS)
        assert values["pearson"][g] == pytest.approx(np.corrcoef(model[:, 0], group[:, 0])[0, 1])
        assert values["reliability"][g] == pytest.approx(reliability.reliability(c, POSITIONS).item())
        rich = c.sum(axis=-1)[:, 0] >= m
        if g < 2:
            by_item = rarefaction.w1_rarefied(c[rich], p[rich], SPACING, m)
            assert values["w1_rarefied"][g] == pytest.approx(by_item.mean())


def test_every_measure_has_a_word_on_its_bias_and_a_value(axis):
    values, m = secondary(*axis, POSITIONS, SPACING)
    assert list(values) == list(BIAS)
    assert m >= rarefaction.FLOOR
    for name, value in values.items():
        assert value.shape == (3,)
        assert not np.isnan(value[:2]).any(), name
    assert np.isnan([values[f"{name}_rarefied"][2] for name in ("w1", "tv", "js")]).all()
    assert values["w1_cross_fit"][0] < values["w1_plug_in"][0]


def test_groups_in_another_order_keep_their_values(axis):
    counts, q = axis
    plain, m = secondary(counts, q, POSITIONS, SPACING)
    moved, same_m = secondary(counts[:, [2, 0, 1]], q, POSITIONS, SPACING)
    assert m == same_m
    for name, value in plain.items():
        np.testing.assert_allclose(moved[name], value[[2, 0, 1]], err_msg=name)


def test_an_item_nobody_may_use_changes_nothing(axis):
    counts, q = axis
    plain, m = secondary(counts, q, POSITIONS, SPACING)
    more = np.concatenate([counts, np.full((20, 3, 5), 9)])
    wider, same_m = secondary(more, np.concatenate([q, np.full((20, 5), np.nan)]), POSITIONS, SPACING)
    assert m == same_m
    for name, value in plain.items():
        np.testing.assert_allclose(wider[name], value, err_msg=name)


def test_a_group_without_usable_items_has_no_value(axis):
    counts, q = axis
    counts = np.concatenate([counts, np.zeros_like(counts[:, :1])], axis=1)
    values, _ = secondary(counts, q, POSITIONS, SPACING)
    assert all(np.isnan(value[3]) for value in values.values())


def test_split_ratings_are_refused_where_raters_must_be_told_apart(axis):
    counts, q = axis
    values, m = secondary(counts / 2, q, POSITIONS, SPACING)
    refused = {name for name, value in values.items() if np.isnan(value).all()}
    needs_raters = {"w1_cross_fit", "js_corrected", "l2", "reliability", "pearson_disattenuated"}
    assert refused == needs_raters | {"w1_rarefied", "tv_rarefied", "js_rarefied"}
    assert m == 0


@pytest.mark.parametrize("k", [2, 11])
def test_any_number_of_levels_and_certain_predictions(k):
    rng = np.random.default_rng(k)
    said = rng.integers(k, size=60)
    counts = np.repeat(np.eye(k)[said][:, None] * 6, 2, axis=1)
    values, m = secondary(counts, np.eye(k)[said], np.arange(k), np.full(k - 1, 1 / (k - 1)))
    assert m == 6
    for name in ("w1_plug_in", "w1_cross_fit", "w1_rarefied", "tv", "js", "js_corrected", "js_rarefied", "l2"):
        np.testing.assert_allclose(values[name], 0, atol=1e-9, err_msg=name)
    for name in ("pearson", "spearman", "kendall", "qwk", "reliability", "pearson_disattenuated"):
        np.testing.assert_allclose(values[name], 1, err_msg=name)
