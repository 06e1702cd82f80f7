"""Group-weighted exposure (methods 6.6): oracle, properties, deleting prompts and raters by hand, coverage."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lm_plural.harness.statistics.counts import Membership, count_levels
from lm_plural.harness.statistics.groups.family import Sides, choose
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.scored.exposure import Concerns, exposure, exposure_contrasts, exposure_statistics
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.intervals import raw
from tests.statistics.by_hand import belong, quick

shares = st.floats(0, 1).map(lambda x: round(x, 3))
quarters = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
ONE = np.eye(1)


def alone() -> Inferring:
    return Inferring(generator(0), least=1)


@dataclass
class Rated:
    """Ratings of prompts' references, several by one rater of one prompt included, by two groups of raters."""

    prompt: np.ndarray
    rater: np.ndarray
    harm: np.ndarray
    badness: np.ndarray
    group: np.ndarray

    @property
    def concerns(self) -> Concerns:
        return Concerns.of(self.prompt, self.rater, self.harm, len(self.badness), len(self.group))

    @property
    def members(self) -> Membership:
        return Membership(np.arange(len(self.group)), self.group, 2)

    def without(self, gone: np.ndarray) -> Rated:
        return Rated(self.prompt[~gone], self.rater[~gone], self.harm[~gone], self.badness, self.group)

    def sums(self, g: int, common: bool = False) -> tuple[float, float]:
        """Return ``sum r s`` and ``sum r``, over all of the group's scored prompts or those both groups rated."""
        of_group = [self.group[self.rater] == h for h in (0, 1)]
        above = below = 0.0
        for i in np.flatnonzero(~np.isnan(self.badness)):
            here = [rows & (self.prompt == i) for rows in of_group]
            if here[g].any() and (not common or here[1 - g].any()):
                r = self.harm[here[g]].mean()
                above, below = above + r * self.badness[i], below + r
        return above, below

    def influence(self, gone: np.ndarray, g: int, common: bool = False) -> float:
        """Return ``(E - E without some ratings) x (sum r without them) / sum r``: the first order of what they add."""
        (above, below), (above_less, below_less) = self.sums(g, common), self.without(gone).sums(g, common)
        return ((above / below) * below_less - above_less) / below

    def contrast(self, gone: np.ndarray) -> float:
        return self.influence(gone, 0, common=True) - self.influence(gone, 1, common=True)


@st.composite
def ratings(draw: st.DrawFn) -> Rated:
    prompts, raters = draw(st.integers(2, 4)), draw(st.integers(4, 6))
    rows = draw(st.lists(st.tuples(st.integers(0, prompts - 1), st.integers(0, raters - 1), quarters), max_size=25))
    sure = [(i, j, 0.5) for i in (0, 1) for j in (0, 1)]  # both groups rate two prompts and see harm
    prompt, rater, harm = np.array([*rows, *sure]).T
    badness = draw(arrays(float, prompts, elements=quarters | st.just(np.nan)))
    badness[:2] = [0.25, 1]
    return Rated(prompt.astype(int), rater.astype(int), harm, badness, np.arange(raters) % 2)


def one_group(concern: np.ndarray, badness: list[float], **options):
    """Everyone's statistics, raters being the columns of `concern`."""
    i, j = np.nonzero(~np.isnan(concern))
    concerns = Concerns.of(i, j, concern[i, j], *concern.shape)
    everyone = Membership.everyone(concern.shape[1])
    return exposure_statistics(concerns, everyone, {"exposure": np.array(badness)}, **options)


def test_oracle():
    concern = np.array([[1, 0], [0, 0.5], [0, 0.5]])
    np.testing.assert_allclose(exposure(concern, [1, 0, 0]), [1, 0])
    i, j = np.indices(concern.shape).reshape(2, -1)
    concerns, members = Concerns.of(i, j, concern.ravel(), 3, 2), belong([(0, 0), (1, 1)])
    badness = np.array([1.0, 0, 0])
    found = exposure_statistics(concerns, members, {"exposure": badness})
    np.testing.assert_allclose(found.base("exposure"), [1, 0])
    np.testing.assert_allclose(found.base("concern"), [1 / 3, 1 / 3])
    sides = Sides.of(concerns.coded, members, count_levels(concerns.coded, members))
    pairs = exposure_contrasts(concerns, sides, badness, *choose("pairs", np.arange(2), 2), alone())
    assert pairs.estimates.value == pytest.approx([1])


@quick
@given(arrays(float, (4, 3), elements=shares), shares)
def test_constant_badness_is_everyones_exposure(concern, s):
    concern[0] = 1
    np.testing.assert_allclose(exposure(concern, np.full(4, s)), s, atol=1e-12)
    found = one_group(concern, [s] * 4).estimates["exposure"]
    assert found.value == pytest.approx([s], abs=1e-12)
    assert np.isnan(found.se).all()


@quick
@given(arrays(float, 4, elements=shares), st.floats(0.01, 1))
def test_constant_concern_makes_exposure_the_plain_mean(s, r):
    np.testing.assert_allclose(exposure(np.full((4, 2), r), s), s.mean(), atol=1e-12)
    se = one_group(np.full((4, 2), r), s).estimates["exposure"].se[0]
    expected = s.std(ddof=1) / 2
    assert (np.isnan(se) and expected < 1e-9) or se == pytest.approx(expected)


@quick
@given(arrays(float, (4, 3), elements=shares), arrays(float, 4, elements=shares), st.floats(0.01, 100))
def test_scaling_a_groups_concern_changes_nothing(concern, s, factor):
    concern[0] = 1
    np.testing.assert_allclose(exposure(concern * factor, s), exposure(concern, s), atol=1e-12)
    found = [one_group(c, s).covariance for c in (concern, concern * factor)]
    for name in ("items", "raters", "same", "n_items", "n_raters"):
        once, again = (getattr(c, name) for c in found)
        np.testing.assert_allclose(once[-1:], again[-1:] if once.ndim == 1 else again[-1:] * [1 / factor, 1], atol=1e-9)


def test_unrated_and_unscored_prompts_and_weights():
    nan = float("nan")
    concern = np.array([[1, nan], [0.5, 1], [1, 1]])
    np.testing.assert_allclose(exposure(concern, [1, 0, nan]), [1 / 1.5, 0])
    np.testing.assert_allclose(exposure(concern, [1, 0, nan], [1, 2, 5]), [0.5, 0])


def test_a_group_without_any_concern_has_no_exposure_and_spoils_no_other():
    assert np.isnan(exposure(np.array([[0.0], [0.0]]), [1, 1]))[0]
    concerns = Concerns.of(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), np.array([0.0, 0, 1, 0.5]), 2, 2)
    found = exposure_statistics(concerns, belong([(0, 0), (1, 1)]), {"exposure": np.array([0.0, 1])})
    e = found.estimates["exposure"]
    np.testing.assert_allclose(e.value, [np.nan, 1 / 3])
    assert np.isnan(e.se[0])
    assert e.se[1] > 0
    assert found.estimates["concern"].value == pytest.approx([0, 0.75])


def test_no_ratings_at_all_are_no_error():
    nobody = np.zeros(0, dtype=np.int64)
    found = exposure_statistics(
        Concerns.of(nobody, nobody, np.zeros(0), 2, 3), Membership.everyone(3), {"exposure": np.ones(2)}
    )
    assert np.isnan([found.base("exposure"), found.base("concern")]).all()


def brute_force(changes: list[float], grouped: list[list[float]], n: int) -> tuple[float, float]:
    """Return V_R and V_X from what deleting each rater, and each rater from each prompt, changes."""
    factor = (n - 1) / n
    return factor * sum(x**2 for x in changes), factor * sum(x**2 for row in grouped for x in row)


def deletions(case: Rated, g: int) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    raters = [j for j in np.unique(case.rater) if case.group[j] == g]
    one = [case.rater == j for j in raters]
    return one, [[rows & (case.prompt == i) for i in np.unique(case.prompt)] for rows in one]


@quick
@given(ratings())
def test_deleting_one_prompt_and_one_rater_of_a_group(case: Rated):
    found = exposure_statistics(case.concerns, case.members, {"exposure": case.badness})
    scored = ~np.isnan(case.badness)[case.prompt]
    case = case.without(~scored)
    for g in (0, 1):
        at = 2 + g
        above, below = case.sums(g)
        assert found.base("exposure")[g] == pytest.approx(above / below)
        mine = case.group[case.rater] == g
        prompts = np.unique(case.prompt[mine])
        items = [case.influence(mine & (case.prompt == i), g) ** 2 for i in prompts]
        assert found.n_items("exposure")[g] == len(prompts)
        assert found.covariance.items[at, at] == pytest.approx(sum(items) * ratio(len(prompts)))
        one, single = deletions(case, g)
        assert found.n_raters("exposure")[g] == len(one)
        v_raters, v_same = brute_force(
            [case.influence(d, g) for d in one], [[case.influence(d, g) for d in row] for row in single], len(one)
        )
        assert found.covariance.raters[at, at] == pytest.approx(v_raters, abs=1e-12)
        assert found.covariance.same[at, at] == pytest.approx(v_same, abs=1e-12)


def ratio(n: int) -> float:
    return n / (n - 1)


@quick
@given(ratings())
def test_deleting_one_prompt_and_one_rater_of_a_contrast(case: Rated):
    concerns, members = case.concerns, case.members
    sides = Sides.of(concerns.coded, members, count_levels(concerns.coded, members))
    found = exposure_contrasts(concerns, sides, case.badness, np.array([0]), np.array([1]), alone())
    (above, below), (above_b, below_b) = case.sums(0, common=True), case.sums(1, common=True)
    assert found.estimates.value[0] == pytest.approx(above / below - above_b / below_b)
    of = [np.unique(case.prompt[case.group[case.rater] == g]) for g in (0, 1)]
    common = np.intersect1d(*of)
    common = common[~np.isnan(case.badness[common])]
    assert found.n_items[0] == len(common)
    items = sum(case.contrast(case.prompt == i) ** 2 for i in common) * ratio(len(common))
    case = case.without(~np.isin(case.prompt, common))
    v = [
        brute_force([case.contrast(d) for d in one], [[case.contrast(d) for d in row] for row in single], len(one))
        for one, single in (deletions(case, g) for g in (0, 1))
    ]
    got, cross = found.covariance.parts(found.loadings)
    assert got[0] == pytest.approx(items, abs=1e-12)
    for pool in (0, 1):
        assert cross[pool, 0] == pytest.approx(max(v[pool][0] - v[pool][1], 0), abs=1e-12)
        assert found.covariance.same[pool, pool] == pytest.approx(v[pool][1], abs=1e-12)


def test_concern_is_a_linear_mean():
    grid = np.array([[0, 0.5, 1], [0.25, 0.25, np.nan], [np.nan, 0.75, np.nan]])
    found = one_group(grid, [0.0, 0, 0]).estimates["concern"]
    means = np.array([0.5, 0.25, 0.75])
    psi = np.array([[-0.25, 0, 0.25], [0, 0, 0], [0, 0.25, 0]]) / 3  # (y - mean) / (n - 1); the only rater: mean - T
    raters = psi.sum(axis=0)
    expected = means.var(ddof=1) / 3 + 2 / 3 * ((raters**2).sum() - (psi**2).sum())
    assert found.value == pytest.approx([0.5])
    assert found.se == pytest.approx([np.sqrt(expected)])


def test_a_rater_of_several_references_leaves_with_all_of_them():
    prompt, rater = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 0, 1])
    case = Concerns.of(prompt, rater, np.array([0.0, 1, 0.5, 1, 0]), 2, 2)
    counts = count_levels(case.coded, Membership.everyone(2))
    assert case.coded.rater.tolist() == [0, 1, 0, 1]
    assert case.mean(counts)[:, 0] == pytest.approx([0.5, 0.5])
    left = case.without_one(counts)[case.coded.item, 0, case.coded.level]
    assert left == pytest.approx([0.5, 0.5, 0, 1])


def drawn(rng: np.random.Generator, raters: int, prompts: int) -> Rated:
    """Draw two equal groups: a rater sees harm with chance 1/2 + slope (theta - 1/2), so that raters matter."""
    theta, slope = rng.random(prompts), rng.uniform(-1, 1, 2 * raters)
    saw = rng.random((prompts, 2 * raters)) < 0.5 + slope * (theta[:, None] - 0.5)
    i, j = np.indices(saw.shape).reshape(2, -1)
    return Rated(i, j, saw.ravel().astype(float), theta, np.arange(2 * raters) % 2)


def test_intervals_cover():
    reps, rng, hits = 300, np.random.default_rng(5), np.zeros(6)
    for _ in range(reps):
        case = drawn(rng, raters=12, prompts=40)
        case = case.without(rng.random(len(case.prompt)) < 0.3)
        found = exposure_statistics(case.concerns, case.members, {"exposure": case.badness})
        e, concern = found.estimates["exposure"], found.estimates["concern"]
        alone = replace(found, inference="raters").estimates["exposure"]
        counts = count_levels(case.concerns.coded, case.members)
        sides = Sides.of(case.concerns.coded, case.members, counts)
        how = Inferring(rng, draws=9)
        pair = exposure_contrasts(case.concerns, sides, case.badness, np.array([0]), np.array([1]), how)
        gap, gap_alone, items = (
            raw(pair.estimates.value, *pair.covariance.variance(pair.loadings, how))
            for how in ("items+raters", "raters", "items")
        )
        hits += [
            e.low[0] < 0.5 < e.high[0],  # E = E[theta p] / E[p], and slopes are 0 on average
            alone.low[0] < case.badness.mean() < alone.high[0],
            concern.low[0] < 0.5 < concern.high[0],
            gap.low[0] < 0 < gap.high[0],
            gap_alone.low[0] < 0 < gap_alone.high[0],
            items.low[0] < 0 < items.high[0],
        ]
    band = 3 * np.sqrt(0.95 * 0.05 / reps)
    assert np.abs(hits[:5] / reps - 0.95).max() < band
    assert hits[5] / reps < 0.8  # prompts alone are far too short
