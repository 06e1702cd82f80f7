"""Distances against libraries, the oracles O1 and O2 of the methods note, and what few raters do to them."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm, wasserstein_distance

from lm_plural.harness.statistics.measures import distances, rarefaction
from tests.statistics.by_hand import quick

O1 = np.array([[[1, 2, 0, 1, 0]]])
O1_Q = np.array([[0.1, 0.3, 0.3, 0.2, 0.1]])
STEPS = np.ones(4)


class Case(NamedTuple):
    counts: np.ndarray
    q: np.ndarray
    positions: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        return np.diff(self.positions) / np.ptp(self.positions)

    def everything(self, m: int = 2) -> dict[str, np.ndarray]:
        c, q, spacing = self.counts, self.q, self.spacing
        return {
            "plug": distances.w1_plug_in(c, q, spacing),
            "fit": distances.w1_cross_fit(c, q, spacing),
            "tv": distances.total_variation(c, q),
            "js": distances.jensen_shannon(c, q),
            "js corrected": distances.jensen_shannon_corrected(c, q),
            "l2": distances.l2_nominal(c, q),
            "ce": distances.soft_cross_entropy(c, q),
            "w1 rarefied": rarefaction.w1_rarefied(c, q, spacing, m),
            "tv rarefied": rarefaction.tv_rarefied(c, q, m),
            "js rarefied": rarefaction.js_rarefied(c, q, m),
        }


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Counts of 0 to 8 raters a group, predictions with zeros and ones among them, 2 to 11 levels, any spacing."""
    k, items, groups = draw(st.integers(2, 11)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    levels = draw(arrays(np.int64, (items, groups, 8), elements=st.integers(-1, k - 1)))
    counts = (levels[..., None] == np.arange(k)).sum(axis=2)
    share = draw(arrays(np.int64, (items, k), elements=st.sampled_from([0, 0, 1, 5]))) + np.eye(k, dtype=int)[0]
    steps = draw(st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=k - 1, max_size=k - 1))
    return Case(counts, share / share.sum(axis=1, keepdims=True), np.array([0.0, *steps]).cumsum() - 1)


def cells(case: Case, least: int = 1):
    """Yield (item, group), the levels chosen and the prediction, of cells with enough raters."""
    for i, g in np.ndindex(case.counts.shape[:2]):
        y = np.repeat(np.arange(len(case.positions)), case.counts[i, g])
        if len(y) >= least:
            yield (i, g), y, case.q[i]


def test_one_item_by_hand_gives_the_oracle_values():
    assert distances.w1_plug_in(O1, O1_Q, STEPS).item() == pytest.approx(0.65)
    assert distances.total_variation(O1, O1_Q).item() == pytest.approx(0.4)
    assert distances.jensen_shannon(O1, O1_Q).item() == pytest.approx(0.169258, abs=5e-7)
    assert distances.l2_nominal(O1, O1_Q).item() == pytest.approx(-0.043333, abs=5e-7)


def test_cross_entropy_by_hand_is_the_oracle_value_with_the_smoothing():
    # O1 gives the value without smoothing, 1.579992.
    by_hand = -(0.25 * np.log(0.1001) + 0.5 * np.log(0.2999) + 0.25 * np.log(0.2))
    assert distances.soft_cross_entropy(O1, O1_Q).item() == pytest.approx(by_hand)
    assert by_hand == pytest.approx(1.579992, abs=1e-4)


def test_rarefied_w1_by_hand_gives_the_oracle_values():
    found = [rarefaction.w1_rarefied(O1, O1_Q, STEPS, m).item() for m in (1, 2, 3, 4)]
    np.testing.assert_allclose(found, [1.35, 0.95, 0.75, 0.65])


@quick
@given(cases())
def test_plug_in_distances_are_those_of_the_libraries(case: Case):
    found = case.everything()
    index = distances.w1_plug_in(case.counts, case.q, np.ones(len(case.positions) - 1))
    cost = np.abs(np.subtract.outer(case.positions, case.positions)) / np.ptp(case.positions)
    for at, y, q in cells(case):
        p = np.bincount(y, minlength=len(q)) / len(y)
        assert found["plug"][at] == pytest.approx(ot.emd2(p, q, cost), abs=1e-12)
        levels = np.arange(len(q))
        assert index[at] == pytest.approx(wasserstein_distance(y, levels, v_weights=q), abs=1e-12)
        assert found["js"][at] == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-9)
        assert found["tv"][at] == pytest.approx(np.maximum(p - q, 0).sum(), abs=1e-12)


@quick
@given(cases())
def test_pairwise_forms_are_means_over_distinct_raters(case: Case):
    found = case.everything()
    for at, y, q in cells(case, least=2):
        one_hot, z = np.eye(len(q))[y], y[:, None] <= np.arange(len(q) - 1)
        cdf = q.cumsum()[:-1]
        pairs = list(combinations(one_hot, 2))
        nominal = np.mean([(a - q) @ (b - q) for a, b in pairs])
        others = (z.sum(axis=0) - z) / (len(y) - 1) - cdf
        sign = np.where(np.abs(others) < 1e-9, 0, np.sign(others))
        assert found["l2"][at] == pytest.approx(nominal, abs=1e-12)
        assert found["fit"][at] == pytest.approx((sign * (z - cdf)).mean(axis=0) @ case.spacing, abs=1e-12)


@quick
@given(cases(), st.integers(1, 4))
def test_rarefied_distances_are_means_over_all_subsets_of_m_raters(case: Case, m: int):
    found = case.everything(m)
    for at, y, q in cells(case, least=m):
        subsets = np.array([np.bincount(s, minlength=len(q)) for s in combinations(y, m)])
        one = Case(subsets[None], q[None], case.positions).everything()
        for name in ("tv", "js"):
            assert found[f"{name} rarefied"][at] == pytest.approx(one[name].mean(), abs=1e-10)
        assert found["w1 rarefied"][at] == pytest.approx(one["plug"].mean(), abs=1e-10)


@quick
@given(cases(), st.integers(1, 8))
def test_values_exist_exactly_where_there_are_raters_enough(case: Case, m: int):
    n = case.counts.sum(axis=-1)
    for name, value in case.everything(m).items():
        least = 2 if name in ("fit", "l2") else m if "rarefied" in name else 1
        np.testing.assert_array_equal(np.isnan(value), n < least, err_msg=name)


@quick
@given(cases(), st.randoms())
def test_groups_in_another_order_keep_their_values(case: Case, random):
    order = random.sample(range(case.counts.shape[1]), case.counts.shape[1])
    plain, moved = case.everything(), case._replace(counts=case.counts[:, order]).everything()
    for name, value in plain.items():
        np.testing.assert_allclose(moved[name], value[:, order], atol=1e-14, err_msg=name)


@quick
@given(cases())
def test_one_prediction_for_all_is_the_same_one_for_each(case: Case):
    each = np.repeat(case.q[:, None], case.counts.shape[1], axis=1)
    plain, apart = case.everything(), case._replace(q=each).everything()
    for name, value in plain.items():
        np.testing.assert_allclose(apart[name], value, atol=1e-14, err_msg=name)


@quick
@given(cases())
def test_turning_the_scale_around_changes_nothing(case: Case):
    turned = Case(case.counts[..., ::-1], case.q[:, ::-1], -case.positions[::-1])
    plain, other = case.everything(), turned.everything()
    for name, value in plain.items():
        np.testing.assert_allclose(other[name], value, atol=1e-12, err_msg=name)


@quick
@given(cases())
def test_cross_fit_stays_below_the_plug_in_in_every_cell(case: Case):
    # A rater pulls the sign of the others away from their own, so where signs differ each term is at most 0.
    found, some = case.everything(), case.counts.sum(axis=-1) >= 2
    assert (found["fit"][some] <= found["plug"][some] + 1e-12).all()


def test_certain_predictions_of_unanimous_groups_have_no_distance_and_the_opposite_all_of_it():
    counts, q = np.array([[[4, 0, 0]], [[0, 0, 4]]]), np.array([[1.0, 0, 0], [1.0, 0, 0]])
    found = Case(counts, q, np.arange(3.0)).everything()
    for name in ("plug", "fit", "tv", "w1 rarefied", "tv rarefied"):
        np.testing.assert_allclose(found[name][:, 0], [0, 1], atol=1e-12, err_msg=name)
    for name in ("js", "js corrected", "js rarefied"):
        np.testing.assert_allclose(found[name][:, 0], [0, np.log(2)], atol=1e-12, err_msg=name)
    np.testing.assert_allclose(found["l2"][:, 0], [0, 2])
    np.testing.assert_allclose(found["ce"][:, 0], -np.log([1 - 1e-3 * 2 / 3, 1e-3 / 3]))


def test_an_item_without_prediction_has_no_value_and_the_others_keep_theirs():
    counts, q = np.repeat(O1, 2, axis=0), np.stack([O1_Q[0], np.full(5, np.nan)])
    alone = Case(O1, O1_Q, np.arange(5.0)).everything()
    for name, value in Case(counts, q, np.arange(5.0)).everything().items():
        np.testing.assert_allclose(value[:, 0], [alone[name].item(), np.nan], err_msg=name)


def test_split_ratings_are_refused_where_raters_must_be_told_apart():
    found = Case(np.array([[[1.5, 1.5]], [[2, 2]]]), np.array([[0.2, 0.8]] * 2), np.arange(2.0)).everything()
    refused = {name for name, value in found.items() if np.isnan(value).all()}
    assert refused == {"fit", "l2", "js corrected", "w1 rarefied", "tv rarefied", "js rarefied"}
    assert not any(np.isnan(value).any() for name, value in found.items() if name not in refused)


@pytest.mark.parametrize(
    ("n", "w1", "tv", "js", "corrected"),
    [(2, 0.772, 0.511, 0.237, 0.209), (9, 0.363, 0.231, 0.064, 0.029), (60, 0.141, 0.089, 0.009, 0.001)],
)
def test_a_perfect_model_looks_as_bad_as_the_methods_note_says(n: int, w1, tv, js, corrected):
    # The table of 2.2: unit steps, items and ratings standard normal.
    rng = np.random.default_rng(n)
    cdf = norm.cdf(np.array([-1.2, -0.4, 0.4, 1.2]) - rng.normal(size=(6000, 1)))
    p = np.diff(np.hstack([np.zeros((6000, 1)), cdf, np.ones((6000, 1))]), axis=1)
    counts = rng.multinomial(n, p)[:, None]
    assert distances.w1_plug_in(counts, p, STEPS).mean() == pytest.approx(w1, rel=0.03)
    assert distances.total_variation(counts, p).mean() == pytest.approx(tv, rel=0.03)
    assert distances.jensen_shannon(counts, p).mean() == pytest.approx(js, rel=0.03, abs=0.0007)
    assert distances.jensen_shannon_corrected(counts, p).mean() == pytest.approx(corrected, rel=0.03, abs=0.0025)
    for unbiased in (distances.w1_cross_fit(counts, p, STEPS), distances.l2_nominal(counts, p)):
        assert abs(unbiased.mean()) < 3 * unbiased.std() / np.sqrt(6000)


@pytest.mark.parametrize("n", [2, 3, 9, 25])
def test_the_bracket_holds_the_true_distance_on_average(n: int):
    rng = np.random.default_rng(3)
    p, q = rng.dirichlet(np.ones(5), size=(2, 4000))
    counts = rng.multinomial(n, p)[:, None]
    truth = np.abs((p - q).cumsum(axis=1)[:, :-1]).sum(axis=1).mean()
    low, high = (f(counts, q, STEPS).mean() for f in (distances.w1_cross_fit, distances.w1_plug_in))
    assert low < truth < high
    if n == 25:
        assert high - low < 0.15 * truth


def test_l2_is_unbiased():
    rng = np.random.default_rng(4)
    p, q = rng.dirichlet(np.ones(5), size=(2, 8000))
    for n in (2, 5):
        error = distances.l2_nominal(rng.multinomial(n, p)[:, None], q)[:, 0] - ((p - q) ** 2).sum(axis=1)
        assert abs(error.mean()) < 3 * error.std() / np.sqrt(8000)


def test_the_correction_takes_most_of_the_bias_of_js_away_at_25_raters():
    rng = np.random.default_rng(5)
    p, q = rng.dirichlet(np.full(5, 2.0), size=(2, 8000))
    counts = rng.multinomial(25, p)[:, None]
    truth = distances.jensen_shannon(p[:, None] * 25, q).mean()
    plain, corrected = (f(counts, q).mean() for f in (distances.jensen_shannon, distances.jensen_shannon_corrected))
    assert abs(corrected - truth) < (plain - truth) / 3


def test_the_common_number_of_raters_is_the_smallest_median_of_the_groups_that_have_five():
    n = np.array([[9, 5, 4, 0], [7, 6, 50, 0], [0, 0, 4, 0], [8, 30, 3, 0]])
    m, kept = rarefaction.common_m(np.stack([n, 0 * n], axis=-1))
    assert (m, kept.tolist()) == (6, [True, True, False, False])
    assert rarefaction.common_m(np.full((3, 2, 1), 5)) == (5, pytest.approx([True, True]))
    assert rarefaction.common_m(np.full((3, 2, 1), 4))[0] == 0


def test_rarefied_to_none_is_refused():
    assert np.isnan(rarefaction.w1_rarefied(O1, O1_Q, STEPS, 0)).all()
