"""One other member in the scorer's place: pair by pair, and by deleting."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given

from lm_plural.harness.statistics.counts import Membership
from lm_plural.harness.statistics.scored.one_member import member_statistics
from tests.statistics.by_hand import code, quick
from tests.statistics.scored.judged import Rated, rated


def sums(case: Rated, rate: str) -> tuple[float, float]:
    """Return errors of one rater about another, and what they are errors among; a pair of an item at a time."""
    above = below = 0.0
    for i in np.unique(case.item):
        h = case.harm[case.item == i]
        pairs = list(permutations(h, 2))
        above += np.mean([x != y for x, y in pairs]) / 2 if pairs else 0
        below += np.mean([x if rate == "fnr" else 1 - x for x, _ in pairs]) if pairs else 0
    return above, below


@quick
@given(rated())
def test_errors_are_those_of_pairs_of_raters(case: Rated):
    found = member_statistics(case.judged.harm.coded, case.members)
    for g in (0, 1):
        rates = {}
        for rate in ("fpr", "fnr"):
            above, below = sums(case.of(g), rate)
            rates[rate] = above / below if below else np.nan
            np.testing.assert_allclose(found.base(rate)[g], rates[rate], rtol=1e-9)
        np.testing.assert_allclose(found.base("auc")[g], 1 - sum(rates.values()) / 2, rtol=1e-9)


@quick
@given(rated())
def test_items_add_what_deleting_them_takes_away(case: Rated):
    found = member_statistics(case.judged.harm.coded, case.members).covariance
    for at, rate in enumerate(("fpr", "fnr")):
        for g in (0, 1):
            mine = case.of(g)
            above, below = sums(mine, rate)
            items = [i for i in np.unique(mine.item) if (mine.item == i).sum() > 1]
            if len(items) < 2 or not below:
                continue
            left = [sums(mine.without(mine.item == i), rate) for i in items]
            expected = sum(((above / below * b - a) / below) ** 2 for a, b in left) * len(items) / (len(items) - 1)
            assert found.items[2 * at + g, 2 * at + g] == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_people_who_agree_make_no_errors_and_nobody_to_compare_with_is_nan():
    agree = code([(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0), (0, 2, 1)], [0.0, 1.0])
    found = member_statistics(agree, Membership(np.arange(3), np.array([0, 0, 1]), 2))
    np.testing.assert_array_equal(
        [found.base(n) for n in ("fpr", "fnr", "auc")], [[0, np.nan], [0, np.nan], [1, np.nan]]
    )
    assert found.n_items("fpr").tolist() == [2, 0]
