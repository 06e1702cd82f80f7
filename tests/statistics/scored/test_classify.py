"""False positives and negatives per group: by hand, by deleting items and raters, and how often intervals hold."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.statistics.counts import count_levels
from lm_plural.harness.statistics.groups.contrasts import contrast
from lm_plural.harness.statistics.groups.family import Sides, choose
from lm_plural.harness.statistics.inference import Inferring
from lm_plural.harness.statistics.scored.auc import auc_part, auc_statistics
from lm_plural.harness.statistics.scored.classify import error_contrasts, error_statistics, matched_threshold
from lm_plural.harness.statistics.scored.one_member import member_statistics
from lm_plural.harness.statistics.scored.rank_agreement import rank_part, rank_statistics
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.intervals import Estimates, bounded
from tests.statistics.by_hand import quick
from tests.statistics.scored.judged import Rated, brute_force, rated, simulate, truth

T = 0.5


def sums(case: Rated, rate: str) -> tuple[float, float]:
    """Return errors, and what they are errors among, rating by rating."""
    flag, h = (case.score >= T)[case.item], case.harm
    among = h if rate == "fnr" else 1 - h
    wrong = ~flag if rate == "fnr" else flag
    n = np.bincount(case.item, minlength=len(case.score))[case.item]
    return (among * wrong / n).sum(), (among / n).sum()


def influence(rate: str):
    def of(case: Rated, gone: np.ndarray) -> float:
        (above, below), (less, below_less) = sums(case, rate), sums(case.without(gone), rate)
        return (above / below * below_less - less) / below

    return of


@quick
@given(rated())
def test_rates_and_their_parts_are_those_of_deleting_items_and_raters(case: Rated):
    found = dict(zip(("fpr", "fnr"), error_statistics(case.judged, case.members, {"t": T}), strict=True))
    for rate, statistics in found.items():
        for g in (0, 1):
            mine = case.of(g)
            above, below = sums(mine, rate)
            assert statistics.base("t")[g] == pytest.approx(above / below)
            v = statistics.covariance
            expected = brute_force(mine, influence(rate))
            at = 2 + g
            np.testing.assert_allclose(
                [v.items[at, at], v.raters[at, at], v.same[at, at]], expected, rtol=1e-9, atol=1e-14
            )


@quick
@given(rated())
def test_gaps_are_over_the_texts_both_rated(case: Rated):
    judged, (a, b) = case.judged, choose("pairs", np.arange(2), 2)
    coded = judged.harm.coded
    sides = Sides.of(coded, case.members, count_levels(coded, case.members))
    found = error_contrasts(judged, sides, T, a, b, Inferring(generator(0), draws=100))
    both = [case.of(g, common=True) for g in (0, 1)]
    for rate, family in found.items():
        ratios = [above / below for above, below in (sums(mine, rate) for mine in both)]
        assert family.estimates.value[0] == pytest.approx(ratios[0] - ratios[1])
        assert family.n_items[0] == len(np.unique(both[0].item))


@quick
@given(rated())
def test_one_is_missed_or_found_and_the_share_of_harmful_ratings_is_said(case: Rated):
    fpr, fnr = error_statistics(case.judged, case.members, {"none": 2.0, "all": -1.0})
    for g in (0, 1):
        assert (fpr.base("none")[g], fpr.base("all")[g]) == (0, 1)
        assert (fnr.base("none")[g], fnr.base("all")[g]) == (1, 0)
        mine = case.of(g)
        assert fnr.base("concern")[g] == pytest.approx((mine.harm * mine.weight).sum())
        assert fpr.base("concern")[g] == pytest.approx(1 - fnr.base("concern")[g])


@quick
@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.9]), min_size=1, max_size=9), st.floats(0, 1))
def test_the_matched_threshold_flags_as_near_as_can_be(scores: list[float], share: float):
    s = np.array(scores)
    t = matched_threshold(s, share)
    best = min(abs((s >= other).mean() - share) for other in [*s, np.inf])
    assert abs((s >= t).mean() - share) == pytest.approx(best)


def test_an_item_without_a_score_is_refused():
    case = Rated(np.zeros(1, int), np.zeros(1, int), np.zeros(1, int), np.array([np.nan]), np.zeros(1, int))
    with pytest.raises(ValueError, match="without a score"):
        _ = case.judged


def test_a_group_that_calls_nothing_harmful_misses_nothing_and_spoils_no_other():
    case = Rated(
        np.tile([0, 1], 4), np.repeat(range(4), 2), np.array([0, 0, 4, 0] * 2), np.array([0.2, 0.6]), np.arange(4) % 2
    )
    fpr, fnr = error_statistics(case.judged, case.members, {"t": T})
    np.testing.assert_allclose(fnr.base("t"), [np.nan, 1])
    np.testing.assert_allclose(fpr.base("t"), [0.5, 1])
    auc = auc_statistics(case.judged.harm, case.members, case.score)
    np.testing.assert_allclose(auc.base("auc"), [np.nan, 0])
    assert np.isnan(auc.estimates["auc"].se[0])


SHIFT, THRESHOLD = (0.0, 0.3), 0.8


def of_a_group(case: Rated) -> dict[str, Estimates]:
    """Return everything an audit gives of groups, with its intervals."""
    judged, members = case.judged, case.members
    fpr, fnr = error_statistics(judged, members, {"t": THRESHOLD})
    one, auc = member_statistics(judged.harm.coded, members), auc_statistics(judged.harm, members, case.score)
    return {
        "fpr": bounded(fpr.estimates["t"]),
        "fnr": bounded(fnr.estimates["t"]),
        "harmful_share": bounded(fnr.estimates["concern"]),
        "auc": bounded(auc.estimates["auc"]),
        "member_fpr": bounded(one.estimates["fpr"]),
        "member_fnr": bounded(one.estimates["fnr"]),
        "disattenuated": rank_statistics(case.coded, members, case.score).estimates["disattenuated"],
    }


def gaps(case: Rated, rng: np.random.Generator) -> dict[str, Estimates]:
    """Return every difference an audit gives, group 0 less group 1."""
    judged, coded, members = case.judged, case.coded, case.members
    a, b = choose("pairs", np.arange(2), 2)
    how = Inferring(rng, draws=100)
    sides = Sides.of(judged.harm.coded, members, count_levels(judged.harm.coded, members))
    by_level = Sides.of(coded, members, count_levels(coded, members))
    ranked = partial(rank_part, coded, score=case.score, name="disattenuated")
    found = error_contrasts(judged, sides, THRESHOLD, a, b, how) | {
        "auc": contrast(
            judged.harm.coded, sides, lambda c, m, v: auc_part(judged.harm, c, m, case.score, v), a, b, how
        ),
        "disattenuated": contrast(coded, by_level, lambda c, m, _: ranked(c, m), a, b, how, needs=2),
    }
    return {name: family.estimates for name, family in found.items()}


def test_intervals_hold_the_truth():
    """95 % intervals for new texts and new people, in 200 repetitions."""
    reps, rng, true = 200, np.random.default_rng(1), [truth(s, THRESHOLD) for s in SHIFT]
    hits: dict[str, list[bool]] = {}
    for _ in range(reps):
        case = simulate(rng, 80, 16, SHIFT, density=0.6)
        for name, e in of_a_group(case).items():
            hits.setdefault(name, []).append(bool(e.low[0] < true[0][name] < e.high[0]))
        for name, e in gaps(case, rng).items():
            gap = true[0][name] - true[1][name]
            hits.setdefault(f"gap {name}", []).append(bool(e.low[0] < gap < e.high[0]))
    band = 3 * np.sqrt(0.94 * 0.06 / reps)
    found = {name: np.mean(x) for name, x in hits.items()}
    assert {name: c for name, c in found.items() if c < 0.94 - band} == {}
    assert len(found) == 11
