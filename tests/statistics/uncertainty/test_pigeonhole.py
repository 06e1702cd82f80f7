"""The pigeonhole bootstrap: replicates by hand, exact variance of a mean, and beside the two-way jackknife."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.statistics.counts import Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.groups import Weighting, group_statistics
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.uncertainty import pigeonhole
from lm_plural.harness.statistics.uncertainty.draws import generator
from lm_plural.harness.statistics.uncertainty.intervals import Estimates
from tests.simulations.generate import Design, simulate
from tests.statistics.by_hand import Case, belong, cases, crossed, quick
from tests.statistics.resampled import item_statistics, mean_over_items

FIVE = np.arange(1.0, 6.0)


def by_duplication(case: Case, item: int, times: np.ndarray) -> dict[str, float]:
    """Write every copy of a rater down and compare all pairs of copies that are not of one rater."""
    scaling = Scaling.plain(case.positions)
    who = [j for j in np.flatnonzero(case.grid[item] >= 0) for _ in range(times[j])]
    pairs = [(j, h) for j in who for h in who if j != h]
    z, cdf = scaling.indicators[case.grid[item]], case.q[item].cumsum()[:-1]
    nan = np.full(len(cdf), np.nan)
    c = np.mean([(z[j] - cdf) * (z[h] - cdf) for j, h in pairs], axis=0) if pairs else nan
    u = np.mean([(z[j] - z[h]) ** 2 / 2 for j, h in pairs], axis=0) if pairs else nan
    mean = np.mean(case.positions[case.grid[item, who]]) if who else np.nan
    b = case.q[item] @ case.positions - mean
    return {"bias": b, "divergence": c @ scaling.spacing, "disagreement": u @ scaling.spacing}


@quick
@given(cases(), st.data())
def test_a_replicate_is_the_table_with_raters_and_items_written_down_as_often_as_drawn(case: Case, data: st.DataObject):
    n_items, n_raters = case.grid.shape
    raters = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n_raters, max_size=n_raters)))
    items = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n_items, max_size=n_items)))
    scaling, everyone = Scaling.plain(case.positions), Membership.everyone(n_raters)
    count = pigeonhole.counter(case.coded, everyone)
    replicate = pigeonhole.Replicates(count(raters[None] * 1.0), raters[None] * 1.0, items[None] * 1.0)
    expected = [by_duplication(case, i, raters) for i in range(n_items)]
    for name, statistic in item_statistics(scaling, case.q).items():
        value = np.array([e[name] for e in expected])
        squares = count(raters[None] ** 2.0)
        np.testing.assert_allclose(statistic(replicate.counts, squares)[0, :, 0], value, atol=1e-12)
        found = mean_over_items(statistic, case.coded, everyone, np.full((n_items, 1), 1 / n_items))(replicate)[0, 0]
        copies = [v for v, times in zip(value, items, strict=True) for _ in range(times) if not np.isnan(v)]
        assert found == pytest.approx(np.mean(copies) if copies else np.nan, nan_ok=True)


@pytest.mark.parametrize("size", [2, 5, 29, 30, 60])
def test_units_change_places_within_their_stratum_and_a_small_one_gives_one_fewer(size):
    strata = np.repeat([1, 0], [size, 40])[np.random.default_rng(0).permutation(size + 40)]
    w = pigeonhole.draw(strata, generator(1, "draw").random((3000, size + 40)))
    mine = w[:, strata == 1]
    np.testing.assert_allclose(mine.sum(axis=1), size)
    np.testing.assert_allclose(w[:, strata == 0].sum(axis=1), 40)
    drawn = size - 1 if size < 30 else size
    variance = (size / drawn) ** 2 * drawn * (1 / size) * (1 - 1 / size)
    np.testing.assert_allclose(mine.mean(axis=0), 1, atol=5 * np.sqrt(variance / 3000))
    assert mine.var() == pytest.approx(variance, rel=0.05)


def test_variance_of_a_mean_is_that_of_its_parts_item_rater_and_rest():
    # exact for a crossed table: sum a^2/(I m) + sum b^2/(R n) + sum e^2/(I m R n), m and n the numbers drawn
    grid = np.random.default_rng(3).integers(0, 5, size=(6, 8)) // np.array([1, 1, 1, 1, 1, 2, 3, 4])
    coded, q = crossed(grid, FIVE), np.full((6, 5), 0.2)
    a, b = grid.mean(axis=1) - grid.mean(), grid.mean(axis=0) - grid.mean()
    rest = grid - grid.mean() - a[:, None] - b
    exact = (a**2).sum() / (6 * 5) + (b**2).sum() / (8 * 7) + (rest**2).sum() / (6 * 5 * 8 * 7)
    everyone = Membership.everyone(8)
    mean = mean_over_items(item_statistics(Scaling.plain(FIVE), q)["bias"], coded, everyone, np.full((6, 1), 1 / 6))
    found = pigeonhole.pigeonhole(coded, everyone, mean, 20_000, generator(4, "mean"))
    assert found.mean() == pytest.approx(3 - (grid.mean() + 1), abs=4 * np.sqrt(exact / 20_000))
    assert found.var() == pytest.approx(exact, rel=0.05)


def beside_the_jackknife(design: Design) -> tuple[dict[str, np.ndarray], dict[str, Estimates]]:
    """Return 400 replicates of each statistic, and the jackknife's estimates."""
    data = simulate(design, generator(5, "beside"))
    scaling, counts = Scaling.plain(FIVE), count_levels(data.coded, data.members)
    weights = Weighting.of(Sums.of(counts, scaling))
    jackknife = group_statistics(data.coded, data.members, counts, scaling, data.q, weights)
    replicates = {
        name: pigeonhole.pigeonhole(
            data.coded,
            data.members,
            mean_over_items(s, data.coded, data.members, weights.by_name(name)),
            400,
            generator(6, name),
        )
        for name, s in item_statistics(scaling, data.q).items()
    }
    each = {name: jackknife.combine(jackknife.base(name), {name: 1.0}) for name in replicates}
    return replicates, each


def test_where_everyone_rates_everything_it_centres_on_the_estimate_with_the_error_of_the_jackknife():
    replicates, jackknife = beside_the_jackknife(Design("", 150, (12, 40)))
    for name, found in replicates.items():
        se, known = found.std(axis=0, ddof=1), jackknife[name]
        np.testing.assert_allclose((found.mean(axis=0) - known.value) / se, 0, atol=4 / np.sqrt(400))
        # a mean within the error of 400 replicates; pairs of raters hold more of what is counted up to three times
        np.testing.assert_allclose(se / known.se, 1.0 if name == "bias" else 1.1, atol=0.12 if name == "bias" else 0.2)


def test_where_few_raters_meet_it_is_conservative():
    replicates, jackknife = beside_the_jackknife(Design("", 300, (240, 240), density=0.02))
    for name, found in replicates.items():
        ratio = found.std(axis=0, ddof=1) / jackknife[name].se
        assert (ratio > 1.2).all(), (name, ratio)
        assert (ratio < 2.0).all(), (name, ratio)


def test_weights_in_numbers_of_any_size_do_not_matter():
    case = crossed(np.random.default_rng(1).integers(0, 5, size=(4, 6)), FIVE)
    q, w = np.full((4, 5), 0.2), np.array([[2, 0, 1, 1, 3, 0]]) / 1.0
    count = pigeonhole.counter(case, Membership.everyone(6))
    for statistic in item_statistics(Scaling.plain(FIVE), q).values():
        one, two = (statistic(count(k * w), count((k * w) ** 2)) for k in (1, 7 / 6))
        np.testing.assert_allclose(one, two, atol=1e-12)


def test_memory_of_the_machine_does_not_change_the_result(monkeypatch):
    coded = crossed(np.random.default_rng(2).integers(-1, 5, size=(7, 9)), FIVE)
    members = belong([(j, j % 2) for j in range(9)])
    disagreement = item_statistics(Scaling.plain(FIVE), np.full((7, 5), 0.2))["disagreement"]
    mean = mean_over_items(disagreement, coded, members, np.full((7, 2), 1 / 7))
    whole = pigeonhole.pigeonhole(coded, members, mean, 50, generator(7, "chunks"))
    monkeypatch.setattr(pigeonhole, "CELLS", 500)
    np.testing.assert_array_equal(pigeonhole.pigeonhole(coded, members, mean, 50, generator(7, "chunks")), whole)


def test_a_rater_in_two_groups_is_drawn_once_for_both():
    coded = crossed(np.random.default_rng(3).integers(0, 5, size=(5, 8)), FIVE)
    members = belong([(j, g) for j in range(8) for g in range(2)])
    disagreement = item_statistics(Scaling.plain(FIVE), np.full((5, 5), 0.2))["disagreement"]
    mean = mean_over_items(disagreement, coded, members, np.full((5, 2), 0.2))
    found = pigeonhole.pigeonhole(coded, members, mean, 30, generator(8, "two"))
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    assert found[:, 0].std() > 0


def test_one_rater_cannot_be_drawn_otherwise_and_has_no_value():
    coded = crossed(np.random.default_rng(4).integers(0, 5, size=(5, 6)), FIVE)
    members, q = belong([(0, 0), *((j, 1) for j in range(1, 6))]), np.full((5, 5), 0.2)
    bias = item_statistics(Scaling.plain(FIVE), q)["bias"]
    mean = mean_over_items(bias, coded, members, np.full((5, 2), 0.2))
    found = pigeonhole.pigeonhole(coded, members, mean, 20, generator(9, "one"))
    assert np.isnan(found[:, 0]).all()
    assert not np.isnan(found[:, 1]).any()


def test_coarsened_ratings_count_in_shares():
    grid = np.random.default_rng(5).integers(0, 5, size=(6, 7))
    split = np.array([[1, 0], [1, 0], [0.5, 0.5], [0, 1], [0, 1]])
    scaling, coded = Scaling(np.array([0.0, 1.0]), split), crossed(grid, FIVE)
    q, everyone = np.full((6, 2), 0.5), Membership.everyone(7)
    once = pigeonhole.counter(coded, everyone)(np.ones((1, 7)))
    direct = agreement.per_item(Sums.of(count_levels(coded, everyone), scaling), q)
    for name, statistic in item_statistics(scaling, q).items():
        np.testing.assert_allclose(statistic(once, once)[0], getattr(direct, name), atol=1e-12)
