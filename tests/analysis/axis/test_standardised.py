"""Gaps on one axis with the others held fixed, from the cells of an intersection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm_plural.harness.analysis.axis.standardised import standardised
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.statistics.catalogue import named
from lm_plural.harness.statistics.counts import Sums
from lm_plural.harness.statistics.groups.groups import GroupStatistics, Weighting, group_statistics
from lm_plural.harness.statistics.groups.standardise import standard_errors, standardise
from lm_plural.harness.statistics.uncertainty.jackknife import Covariance
from tests.analysis.axis.test_sensitivity import Case, case_of, popquorn, strict
from tests.ratings.build import table

AXIS = "gender & race"


def statistics_of(c: Case, q: np.ndarray | None = None, counts: np.ndarray | None = None) -> GroupStatistics:
    kept = c.counts if counts is None else counts
    weights = Weighting.of(Sums.of(kept, c.frame.scaling))
    return group_statistics(c.frame.coded, c.members, kept, c.frame.scaling, q, weights)


def rows_of(c: Case, axis: str = AXIS, q: Any = None, options: Options | None = None) -> list[dict[str, Any]]:
    raters = c.members.sizes(np.unique(c.frame.coded.rater))
    return strict(standardised(axis, c.names, statistics_of(c, q), raters, options or Options()))


def chosen(rows: list[dict[str, Any]], **keys: str) -> list[dict[str, Any]]:
    return [r for r in rows if keys.items() <= r.items()]


def given(values: dict[str, tuple[float, int]], items: int = 100) -> tuple[list[str], GroupStatistics, np.ndarray]:
    """Cells by name with their item mean and raters; each has variance .01 of items and .04 of raters."""
    mean, raters = (np.array(x) for x in zip(*values.values(), strict=True))
    g = len(values)
    nothing, n_items = np.zeros((g, g)), np.full(g, float(items))
    cov = Covariance(0.01 * np.eye(g), 0.04 * np.eye(g), nothing, np.arange(g), n_items, 1.0 * raters, nothing)
    return list(values), GroupStatistics(("item_mean",), mean[None], cov, "items+raters"), raters


#: Women and men differ by 1 among x and by 2 among y; women are mostly y, who rate 1 higher.
CELLS = {"man & x": (2.0, 30), "man & y": (3.0, 10), "woman & x": (3.0, 20), "woman & y": (5.0, 60)}


def test_a_gap_by_hand():
    names, found, raters = given(CELLS)
    (gender,) = chosen(strict(standardised(AXIS, names, found, raters, Options())), axis="gender")
    assert (gender["statistic"], gender["a"], gender["b"], gender["flags"]) == ("item_mean", "man", "woman", [])
    # of 120 raters 50 are x, 70 are y
    assert gender["standardised"] == pytest.approx(-(50 * 1 + 70 * 2) / 120)
    assert gender["marginal"] == pytest.approx((2 * 0.75 + 3 * 0.25) - (3 * 0.25 + 5 * 0.75))
    assert gender["composition"] == pytest.approx((0.75 - 0.25) * 5 / 2 + (0.25 - 0.75) * 8 / 2)
    assert gender["within"] == pytest.approx(-1 * (0.75 + 0.25) / 2 - 2 * (0.25 + 0.75) / 2)
    assert gender["marginal"] == pytest.approx(gender["composition"] + gender["within"])
    assert gender["covered"] == 1
    squares = 2 * ((50 / 120) ** 2 + (70 / 120) ** 2)
    assert gender["se"] == pytest.approx(np.sqrt(0.05 * squares))
    # Satterthwaite: V^2 / (items^2 / (I - 1) + sum of rater parts^2 / (n - 1))
    parts = [0.04 * (w / 120) ** 2 for w in (50, 70, 50, 70)]
    below = (0.01 * squares) ** 2 / 99 + sum(p**2 / (n - 1) for p, n in zip(parts, (30, 10, 20, 60), strict=True))
    assert gender["df"] == pytest.approx((0.05 * squares) ** 2 / below)
    assert gender["low"] < gender["standardised"] < gender["high"]


def test_each_axis_is_compared_at_its_own_composition():
    names, found, raters = given(CELLS)
    (race,) = chosen(strict(standardised(AXIS, names, found, raters, Options())), axis="race")
    # of 120 raters 40 are men, 80 women
    assert (race["a"], race["b"]) == ("x", "y")
    assert race["standardised"] == pytest.approx(-(40 * 1 + 80 * 2) / 120)


def test_cells_with_few_raters_are_dropped_and_what_is_covered_is_said():
    names, found, raters = given({**CELLS, "man & y": (3.0, 4), "woman & y": (5.0, 50)})
    (row,) = chosen(strict(standardised(AXIS, names, found, raters, Options())), axis="gender")
    assert row["standardised"] == row["marginal"] == pytest.approx(-1)
    assert (row["composition"], row["covered"]) == pytest.approx((0, 50 / 104))
    assert row["flags"] == ["covered: 48% of raters are in combinations with enough raters of both"]
    names, found, raters = given({**CELLS, "man & y": (3.0, 9)})
    (row,) = chosen(strict(standardised(AXIS, names, found, raters, Options(min_raters=10))), axis="gender")
    assert row["covered"] == pytest.approx(50 / 119)


def test_a_pair_that_meets_in_no_cell_is_refused_and_a_level_of_few_raters_left_out():
    names, found, raters = given({"man & x": (2.0, 9), "woman & y": (3.0, 9), "other & x": (2.0, 4)})
    rows = strict(standardised(AXIS, names, found, raters, Options()))
    assert [(r["axis"], r["a"], r["b"]) for r in rows] == [("gender", "man", "woman"), ("race", "x", "y")]
    for row in rows:
        assert row["flags"] == ["no_cells: no combination of the other axes has enough raters of both, and a value"]
        assert row["covered"] == 0
        assert {row[k] for k in ("marginal", "standardised", "composition", "within", "se", "df", "low", "high")} == {
            None
        }


@pytest.mark.parametrize(("n", "flag"), [(9, "no_interval: 9 raters of at least 10"), (14, "approximate: 14 raters")])
def test_few_raters_of_a_side_have_no_interval_or_an_approximate_one(n: int, flag: str):
    names, found, raters = given({"man & x": (2.0, n), "woman & x": (3.0, 30)})
    row = strict(standardised(AXIS, names, found, raters, Options()))[0]
    assert row["flags"][0].startswith(flag)
    assert (row["standardised"], row["se"] is None) == (-1, n < 10)


def test_what_is_no_intersection_has_no_block():
    names, found, raters = given({"man": (2.0, 30), "woman": (3.0, 30)})
    assert standardised("gender", names, found, raters, Options()) == []
    names, found, raters = given({"man & black & white": (2.0, 30), "woman & x": (3.0, 30)})
    assert standardised(AXIS, names, found, raters, Options()) == []


def test_of_three_axes_the_two_others_are_the_cells():
    values = {f"{g} & {r} & {e}": 1.0 * n for n, (g, r, e) in enumerate(np.ndindex(2, 2, 2))}
    names, found, raters = given({k: (v, 10) for k, v in values.items()})
    rows = strict(standardised("gender & race & age", names, found, raters, Options()))
    # cells are numbered by gender, race, age in binary, with equal raters: gaps of 4, 2 and 1
    assert {r["axis"]: r["standardised"] for r in rows} == {"gender": -4, "race": -2, "age": -1}
    assert {r["covered"] for r in rows} == {1}


def crossed(sizes: dict[str, int], mean: dict[str, float], items: int = 20, seed: int = 0) -> RatingTable:
    """Everybody rates everything."""
    rng = np.random.default_rng(seed)
    cells = [cell for cell, n in sizes.items() for _ in range(n)]
    raters = {f"r{n:03}": dict(zip(("gender", "race"), cell.split(" & "), strict=True)) for n, cell in enumerate(cells)}
    raters = {r: {k: [v] for k, v in p.items()} for r, p in raters.items()}
    severity = rng.normal(0, 0.5, len(cells)) + [mean[cell] for cell in cells]
    value = np.clip(np.rint(severity + rng.normal(0, 1, (items, 1)) + rng.normal(0, 0.5, (items, len(cells)))), 1, 5)
    rows = [(f"i{i:02}", f"r{r:03}", str(int(v))) for (i, r), v in np.ndenumerate(value)]
    return table(*rows, raters=raters)


def test_where_everybody_rated_everything_the_marginal_gap_is_that_of_the_axis():
    t = crossed({"m & x": 12, "m & y": 6, "w & x": 7, "w & y": 15}, {"m & x": 2, "m & y": 3, "w & x": 2.5, "w & y": 4})
    q = np.random.default_rng(1).dirichlet(np.ones(5), 20)
    rows = rows_of(case_of(t, ("gender", "race")), q=q)
    assert {r["statistic"] for r in rows} == set(named("standardised"))
    for axis in ("gender", "race"):
        c = case_of(t, axis)
        known = statistics_of(c, q)
        for name in ("item_mean", "bias"):  # which are linear in ratings
            (row,) = chosen(rows, axis=axis, statistic=name)
            assert row["marginal"] == pytest.approx(known.base(name)[0] - known.base(name)[1])


def test_one_cell_is_the_contrast_of_its_groups():
    t = crossed({"m & x": 12, "w & x": 17}, {"m & x": 2, "w & x": 3})
    c = case_of(t, ("gender", "race"))
    q = np.random.default_rng(1).dirichlet(np.ones(5), 20)
    families = c.contrasts(Options(), q)
    rows = chosen(rows_of(c, q=q), axis="gender")
    assert len(rows) == len(named("standardised"))
    for row in rows:
        e = families[row["statistic"]].estimates
        known = {"standardised": e.value, "se": e.se, "df": e.df, "low": e.low, "high": e.high}
        assert {k: row[k] for k in known} == pytest.approx({k: float(v[0]) for k, v in known.items()})


def test_a_gap_that_is_all_composition_goes_when_the_other_axis_is_held_fixed():
    sizes = {"m & x": 30, "m & y": 10, "w & x": 10, "w & y": 30}
    names, found, raters = given({k: (2.0 if k.endswith("x") else 4.0, n) for k, n in sizes.items()})
    (row,) = chosen(strict(standardised(AXIS, names, found, raters, Options())), axis="gender")
    assert (row["marginal"], row["composition"]) == pytest.approx((-1, -1))
    assert (row["standardised"], row["within"]) == pytest.approx((0, 0))


@pytest.mark.parametrize("inference", ["items+raters", "raters", "items"])
def test_standard_errors_are_those_of_the_weights_in_the_joint_covariance(inference: Any):
    t = crossed(
        {"m & x": 12, "m & y": 6, "w & x": 7, "w & y": 15}, dict.fromkeys(("m & x", "m & y", "w & x", "w & y"), 3)
    )
    c = case_of(t, ("gender", "race"))
    found = replace(statistics_of(c), inference=inference)
    raters = np.array([12, 6, 7, 15])
    rows = standardised(AXIS, c.names, found, raters, Options(inference=inference))
    (row,) = chosen(rows, axis="gender", statistic="item_mean")  # whose rater parts are all above 0 here
    one = standardise(found.base("item_mean").reshape(2, 2), raters.reshape(2, 2), [19, 21])
    se = standard_errors(one.weights, found.covariance.matrix(found.loadings({"item_mean": 1.0}), inference))
    assert (row["standardised"], row["se"]) == pytest.approx((one.gap, se[2]))


@pytest.mark.parametrize("inference", ["items+raters", "raters", "items"])
def test_the_interval_is_that_of_all_statistics_together(inference: Any, mirror: Path, tmp_path: Path):
    c = popquorn(mirror, tmp_path, ("gender", "race"))
    found, cells = replace(statistics_of(c), inference=inference), ["Man & White", "Woman & White"]
    raters = c.members.sizes(np.unique(c.frame.coded.rater)) * np.isin(c.names, cells)
    for row in chosen(standardised(AXIS, c.names, found, raters, Options(inference=inference)), axis="gender"):
        loadings = np.zeros((1, found.value.size))
        start = found.names.index(row["statistic"]) * len(c.names)
        loadings[0, [start + c.names.index(cell) for cell in cells]] = 1, -1
        variance, df = found.covariance.variance(loadings, inference)
        assert (row["se"], row["df"]) == pytest.approx((np.sqrt(variance[0]), df[0]))


def test_popquorn_has_a_row_for_every_pair_of_both_axes(mirror: Path, tmp_path: Path):
    c = popquorn(mirror, tmp_path, ("gender", "race"))
    rows = rows_of(c)
    (row,) = chosen(rows, statistic="item_mean", axis="gender", a="Man", b="Woman")
    assert row["covered"] > 0.9
    assert row["low"] < row["standardised"] < row["high"]
    assert row["marginal"] == pytest.approx(row["composition"] + row["within"])
    assert len(chosen(rows, statistic="disagreement")) == len(chosen(rows, statistic="item_mean"))
