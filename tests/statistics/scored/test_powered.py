"""Two-way PPI++ over a stratified sample: oracles by hand, and what predictions may and may not do."""

from __future__ import annotations

import numpy as np
import pytest

from lm_plural.harness.statistics.counts import Coded, Membership, Scaling
from lm_plural.harness.statistics.scored.powered import Powered, Sampled, powered_means
from lm_plural.harness.statistics.uncertainty.ppi import prediction_powered

POSITIONS = np.arange(1.0, 6.0)


def rated(levels: np.ndarray, sampled: Sampled, groups: Membership | None = None, **how: str) -> Powered:
    """Levels of shape (I, R), -1 for no rating."""
    item, rater = np.nonzero(levels >= 0)
    coded = Coded(item, rater, levels[item, rater], *levels.shape, POSITIONS)
    members = groups or Membership.everyone(levels.shape[1])
    return powered_means(coded, members, Scaling.plain(POSITIONS), sampled, **how)  # type: ignore[arg-type]


def some(n: int = 20, raters: int = 8, more: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ratings of n responses, and predictions of all, the rated ones first."""
    rng = np.random.default_rng(seed)
    item = rng.normal(size=n + more)
    y = 2 + item[:n, None] + 0.5 * rng.normal(size=raters) + rng.normal(size=(n, raters))
    return np.clip(np.rint(y), 0, 4).astype(int), item + 0.5 * rng.normal(size=n + more)


def test_one_stratum_is_ppi_plus_plus():
    levels, f = some()
    found = rated(levels, Sampled(f, np.zeros(220, dtype=int), np.arange(20)))
    plain = prediction_powered(POSITIONS[levels].mean(axis=1), f[:20], f[20:])
    assert found.estimates.value[0] == pytest.approx(plain.value)
    assert found.trust[0] == pytest.approx(plain.trust)
    assert 0 < found.trust[0] < 1
    assert found.alone.value[0] == pytest.approx(POSITIONS[levels].mean())
    assert found.gain[0] > 1
    assert (found.n_rated[0], found.n_unrated[0], found.n_raters[0]) == (20, 200, 8)


def test_strata_by_hand():
    levels = np.array([[0, 1], [2, 3], [4, 4], [4, 3]])  # means 1.5, 3.5, 5, 4.5 in scale points
    f = np.array([1.0, 2.0, 4.0, 5.0, 3.0, 1.0, 4.0, 4.0])
    stratum = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    found = rated(levels, Sampled(f, stratum, np.arange(4)))
    cov, spread = np.array([1.0, -0.25]), np.array([f[[0, 1, 4, 5]].var(ddof=1), f[[2, 3, 6, 7]].var(ddof=1)])
    lam = (0.25 * cov / 2).sum() / (0.25 * spread * (1 / 2 + 1 / 2)).sum()
    assert found.trust[0] == pytest.approx(lam)
    theta = [2.5 + lam * (2.0 - 1.5), 4.75 + lam * (4.0 - 4.5)]
    assert found.estimates.value[0] == pytest.approx(np.mean(theta))
    assert found.alone.value[0] == pytest.approx((2.5 + 4.75) / 2)


def test_unequal_sampling_is_weighed_back():
    levels = np.array([[0] * 4, [0] * 4, [4] * 4, [4] * 4])  # half of the sample is of the tenth that is bad
    stratum = np.array([0, 0, 1, 1] + [0] * 34 + [1] * 2)
    found = rated(levels, Sampled(np.zeros(40), stratum, np.arange(4)))
    assert found.alone.value[0] == pytest.approx((36 * 1 + 4 * 5) / 40)
    assert found.trust[0] == 0
    assert found.estimates.value[0] == found.alone.value[0]


def test_a_shift_of_predictions_changes_nothing_and_a_turned_one_is_left_out():
    levels, f = some()
    where = np.zeros(220, dtype=int), np.arange(20)
    a, b = rated(levels, Sampled(f, *where)), rated(levels, Sampled(f + 3, *where))
    assert a.estimates.value == pytest.approx(b.estimates.value)
    turned = rated(levels, Sampled(-f, *where))
    assert turned.trust[0] == 0
    assert turned.gain[0] == 1
    assert turned.estimates.se == pytest.approx(turned.alone.se)


def test_all_rated_needs_no_predictions():
    levels, f = some(more=0)
    found = rated(levels, Sampled(f, np.zeros(20, dtype=int), np.arange(20)))
    assert found.trust[0] == 0
    assert found.estimates.value[0] == pytest.approx(POSITIONS[levels].mean())


def test_groups_and_a_stratum_a_group_has_not_rated():
    levels, f = some()
    levels = levels.copy()
    levels[10:, 4:] = -1
    groups = Membership(np.arange(8), np.array([0] * 4 + [1] * 4), 2)
    stratum = np.array([0] * 10 + [1] * 10 + [0] * 100 + [1] * 100)
    found = rated(levels, Sampled(f, stratum, np.arange(20)), groups)
    assert found.whole.tolist() == [True, False]
    assert np.isnan(found.estimates.value[1])
    one = rated(levels[:, :4], Sampled(f, stratum, np.arange(20)))
    assert found.estimates.value[0] == pytest.approx(one.estimates.value[0])
    assert found.estimates.se[0] == pytest.approx(one.estimates.se[0])


def test_what_intervals_speak_of():
    levels, f = some()
    sampled = Sampled(f, np.zeros(220, dtype=int), np.arange(20))
    se = {how: rated(levels, sampled, inference=how).estimates.se[0] for how in ("items+raters", "items", "raters")}
    assert se["items"] < se["items+raters"]
    assert se["raters"] < se["items+raters"]
    assert np.isnan(rated(levels, sampled, inference="none").estimates.se[0])


def test_predictions_of_the_very_response():
    levels, f = some()
    own = f[:20] + np.random.default_rng(1).normal(size=20) * 0.1
    found = rated(levels, Sampled(f, np.zeros(220, dtype=int), np.arange(20), own))
    plain = prediction_powered(POSITIONS[levels].mean(axis=1), own, f[20:], trust=float(found.trust[0]))
    assert found.estimates.value[0] == pytest.approx(plain.value)
