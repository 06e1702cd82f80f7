"""What a disagreement strategy or a coarser scale makes of the groups and of the gaps between them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import binom

from lm_plural.harness.analysis.axis.comparison import Comparison
from lm_plural.harness.analysis.axis.sensitivity import coarsenings, maps_of, strategies
from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.frame import Frame
from lm_plural.harness.analysis.one_reference import AgainstReference
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.data.own_files import read_ratings
from lm_plural.harness.ratings.coarsen import to_three, to_two
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.rules import Rules
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.strategies import STRATEGIES
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, count_levels
from lm_plural.harness.statistics.groups.contrasts import families
from lm_plural.harness.statistics.groups.family import Sides, choose
from lm_plural.harness.statistics.inference import Inferring
from tests.ratings.build import FIVE, table
from tests.statistics.by_hand import quick

PLAIN = Options(min_raters=1, min_raters_interval=2)
MEN, WOMEN = {"m1": "man", "m2": "man"}, {"w1": "woman", "w2": "woman", "w3": "woman"}
#: Of three women, then two men.
GRID = {"a": "11533", "b": "22445"}


class Case(NamedTuple):
    """An axis as it is given to the blocks."""

    frame: Frame
    members: Membership
    names: list[str]
    counts: np.ndarray

    @property
    def computed(self) -> np.ndarray:
        return np.arange(len(self.names))

    def contrasts(self, options: Options, q: np.ndarray | None = None, user: np.ndarray | None = None) -> dict:
        """Return the pairs as the contrasts of a result have them."""
        a, b = choose("pairs", self.computed, len(self.names))
        sides = Sides.of(self.frame.coded, self.members, self.counts)
        how, frame = Inferring(np.random.default_rng(0), draws=100), self.frame
        return families(frame.coded, sides, frame.scaling, q, a, b, how, weights=options.weights, user=user)

    def compared(self, q: Any = None, options: Options = PLAIN, user: Any = None) -> Comparison:
        return Comparison("gender", self.names, self.members, self.counts, self.frame, options, q, user)


def case_of(t: RatingTable, axis: Any = "gender", options: Options = PLAIN) -> Case:
    frame = Frame.of(t, options)
    members, names = frame.grouping(t.groups(axis))
    return Case(frame, members, names, count_levels(frame.coded, members))


def case(grid: dict[str, str] = GRID, genders: dict[str, str] | None = None, scale: Scale = FIVE) -> Case:
    """Items by line, one rater per letter; '-' is not rated."""
    raters = {r: {"gender": [g]} for r, g in (genders or WOMEN | MEN).items()}
    rows = [(i, r, v) for i, line in grid.items() for r, v in zip(raters, line, strict=True) if v != "-"]
    return case_of(table(*rows, raters=raters, scales={"five": scale}))


def of_levels(counts: dict[str, list[list[int]]], scale: Scale = FIVE) -> Case:
    """One rater per rating, from counts per level of each group's items."""
    groups = [(g, i, level) for g, items in counts.items() for i, row in enumerate(items) for level in expand(row)]
    raters = {f"r{n}": {"gender": [g]} for n, (g, _, _) in enumerate(groups)}
    rows = [(f"i{i}", f"r{n}", scale.levels[level]) for n, (_, i, level) in enumerate(groups)]
    return case_of(table(*rows, raters=raters, scales={"five": scale}))


def expand(row: list[int]) -> list[int]:
    return [level for level, times in enumerate(row) for _ in range(times)]


def under(c: Case, q: Any = None, options: Options = PLAIN, user: Any = None) -> dict[str, Any]:
    return strict(strategies(c.compared(q, options, user)))


def coarse(c: Case, q: Any = None, options: Options = PLAIN, user: Any = None) -> dict[str, Any]:
    return strict(coarsenings(c.compared(q, options, user)))


def strict(block: Any) -> Any:
    """Return the block as a reader of the file gets it; NaN would not be JSON."""
    return json.loads(json.dumps(block, allow_nan=False))


def popquorn(mirror: Path, folder: Path, axis: Any) -> Case:
    names = {"instance_id": "item_id", "user_id": "rater_id", "offensiveness": "rating"}
    rows = pl.read_csv(mirror / "popquorn" / "offensiveness_raw_data.csv", infer_schema=False).rename(names)
    (folder / "r.csv").write_text(rows.write_csv())
    return case_of(read_ratings(folder / "r.csv", FIVE, [axis], Rules()), axis)


def test_every_strategy_by_hand():
    found = under(case())
    (row,) = found["gaps"]
    assert (row["a"], row["b"]) == ("man", "woman")
    known = {"all": 3.75 - 2.5, "mean": 3.75 - 2.5, "median": 3.75 - 1.5, "majority": 3.75 - 1.5, "any_flag": 4 - 4.5}
    assert {s: row["gap"][s] for s in known} == pytest.approx(known)
    assert row["gap"]["dictator"] == pytest.approx(1.25, abs=0.5)
    assert {s: row["ratio"][s] for s in ("median", "any_flag")} == pytest.approx({"median": 1.8, "any_flag": -0.4})
    assert set(row["gap"]) == set(STRATEGIES) - {"weighted", "group_balanced"}
    assert found["groups"]["woman"]["majority"] == pytest.approx({"n_items": 2, "mean": 1.5})
    assert set(found["tau"].values()) == {None}


def test_a_gap_that_a_strategy_turns_round_is_flagged():
    (row,) = under(case())["gaps"]
    assert row["flags"] == [
        "strategy_turns: the gap has the other sign under any_flag",
        "strategy_shrinks: less than 1/2 of the gap under any_flag",
    ]


@pytest.mark.parametrize(("women", "flagged"), [("1112", False), ("1122", False), ("11122", True)])
def test_a_gap_that_a_strategy_enlarges_is_flagged_beyond_a_factor_of_two(women: str, flagged: bool):
    # the men stand at 1.5 either way; the women's mean is 1.25, 1.5 or 1.4, their majority 1, 1.5 or 1
    genders = {f"w{n}": "woman" for n in range(len(women))} | {f"m{n}": "man" for n in range(2)}
    (row,) = under(case({"a": women + "12"}, genders))["gaps"]
    assert row["gap"]["all"] == pytest.approx(1.5 - np.mean([int(v) for v in women]))
    assert any(f.startswith("strategy_enlarges") and "majority" in f for f in row["flags"]) == flagged


def test_without_consensus_there_is_no_gap_and_nothing_else_is_lost():
    found = under(case())
    assert found["groups"]["woman"]["consensus"] == {"n_items": 0, "mean": None}
    assert found["groups"]["man"]["consensus"] == {"n_items": 1, "mean": 3}
    (row,) = found["gaps"]
    assert (row["gap"]["consensus"], row["ratio"]["consensus"], row["n_items"]["consensus"]) == (None, None, 0)
    assert row["n_items"]["majority"] == 2
    assert not any("consensus" in f for f in row["flags"])


def test_no_gap_has_no_ratio_and_groups_without_common_items_have_no_gap():
    (equal,) = under(case({"a": "12-12"}))["gaps"]
    assert equal["gap"]["all"] == 0
    assert set(equal["ratio"].values()) == {None}
    (apart,) = under(case({"a": "125--", "b": "---12"}))["gaps"]
    assert set(apart["gap"].values()) == {None}
    assert apart["flags"] == []


def test_the_order_of_groups_under_a_strategy_is_compared_with_that_of_all_ratings():
    genders = {f"{g}{n}": g for g in "xyz" for n in range(3)}
    found = under(case({"a": "115" + "224" + "333"}, genders))
    # all: x 7/3 < y 8/3 < z 3; the worst anyone said: 5 > 4 > 3; the most frequent: 1 < 2 < 3
    assert (found["tau"]["all"], found["tau"]["any_flag"], found["tau"]["majority"]) == pytest.approx((1, -1, 1))


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_statistics_of_the_model_are_those_of_a_result_under_the_strategy(direction: str):
    rng = np.random.default_rng(1)
    grid = {f"i{n}": "".join(rng.choice(list("12345-"), 5)) for n in range(30)}
    c = case(grid, scale=Scale(tuple("12345"), direction))
    q = rng.dirichlet(np.ones(5), len(c.counts))
    q[3] = np.nan
    c = c._replace(counts=c.counts * ~np.isnan(q[:, :1, None]))
    found = under(c, q)["groups"]
    for s in ("all", "mean", "median", "majority", "consensus", "any_flag"):
        options = replace(PLAIN, reference=s, inference="none")
        known = AgainstReference(c.frame, options, q, None).groups(c.counts, c.members, None)
        for g, (numbers, _) in zip(c.names, known, strict=True):
            for k in ("bias", "divergence"):
                assert found[g][s][k] == pytest.approx(numbers[k].value)


def test_weights_of_ratings_make_one_more_strategy():
    c = case()
    only_first = np.where(np.isin(c.frame.coded.rater, [0, 3]), 1.0, 0.0)
    weighted = replace(c.frame, coded=replace(c.frame.coded, weight=only_first))
    (row,) = under(c._replace(frame=weighted))["gaps"]
    assert row["gap"]["weighted"] == pytest.approx((3 - 1 + 4 - 2) / 2)
    equal = replace(c.frame, coded=replace(c.frame.coded, weight=np.full(len(only_first), 0.5)))
    (row,) = under(c._replace(frame=equal))["gaps"]
    assert row["gap"]["weighted"] == pytest.approx(row["gap"]["all"])


@st.composite
def random_cases(draw: st.DrawFn) -> Case:
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    genders = {f"r{n}": g for n, g in enumerate(rng.choice(["x", "y", "z"], 9))} | {"a": "x", "b": "y", "c": "z"}
    grid = {f"i{n}": "".join(rng.choice(list("12345-"), len(genders))) for n in range(draw(st.integers(1, 6)))}
    return case(grid | {"last": "5" * len(genders)}, genders)


@settings(quick, max_examples=20)
@given(random_cases(), st.sampled_from(["items", "pairs"]), st.booleans())
def test_linear_strategies_keep_the_gap_which_is_the_contrast_of_item_means(c: Case, how: Any, by_user: bool):
    user = 1.0 + np.arange(len(c.counts)) if by_user else None
    options = replace(PLAIN, weights=how)
    rows = under(c, options=options, user=user)["gaps"]
    known = c.contrasts(options, user=user)["item_mean"].estimates.value
    for row, gap in zip(rows, known, strict=True):
        assert row["gap"]["all"] == pytest.approx(gap, abs=1e-12)
        assert row["gap"]["mean"] == pytest.approx(gap, abs=1e-12)


@settings(quick, max_examples=20)
@given(random_cases())
def test_other_names_for_the_groups_permute_the_block(c: Case):
    turned = np.array([2, 0, 1])  # the new number of each group
    members = Membership(c.members.rater, turned[c.members.group], 3)
    back = np.argsort(turned)
    other = Case(c.frame, members, [c.names[g] for g in back], c.counts[:, back])
    q = np.full((len(c.counts), 5), 0.2)
    for block in (under, coarse):
        assert block(other, q)["groups"] == block(c, q)["groups"]
    before = {(r["a"], r["b"]): r["gap"] for r in under(c)["gaps"]}
    before |= {(b, a): {s: None if x is None else -x for s, x in gap.items()} for (a, b), gap in before.items()}
    for row in under(other)["gaps"]:
        assert row["gap"] == pytest.approx(before[row["a"], row["b"]])


def test_gaps_of_methods_7_4_in_exact_expectation():
    # P(unsafe) varies over items on the probit scale (SD .3); an item for every pair of counts, as likely as it is
    node, weight = np.polynomial.hermite_e.hermegauss(31)
    share = weight / weight.sum()
    spread = np.sqrt(1 + 0.3**2)
    mean = np.array([-0.28976, -0.00251]) * spread  # probits of .386 and .499
    p = ndtr(mean[:, None] + 0.3 * node)
    pmf = share @ binom.pmf(np.arange(26), 25, p[..., None])
    x, y = (k.ravel() for k in np.meshgrid(np.arange(26), np.arange(26), indexing="ij"))
    counts = np.stack([np.stack([25 - k, k], axis=1) for k in (x, y)], axis=1)
    coded = Coded(*np.zeros((3, 1), dtype=int), len(x), 1, np.array([0.0, 1.0]))
    frame = Frame(coded, [], pl.Series([]), Scale(("0", "1")), Scaling.plain([0, 1]))
    members = Membership(np.zeros(1, dtype=int), np.zeros(1, dtype=int), 2)
    found = under(Case(frame, members, ["g", "h"], counts), user=np.outer(*pmf).ravel())
    known = {"all": (0.386, 0.499), "majority": (0.219, 0.497), "consensus": (0.057, 0.497), "any_flag": (0.999, 1)}
    for s, values in known.items():
        assert [found["groups"][g][s]["mean"] for g in "gh"] == pytest.approx(values, abs=0.006)
    (row,) = found["gaps"]
    assert row["gap"]["all"] == pytest.approx(-0.113, abs=0.001)
    assert row["ratio"]["majority"] == pytest.approx(0.277 / 0.113, abs=0.1)
    assert "majority, consensus" in row["flags"][0]
    assert "any_flag" in row["flags"][1]


O9 = {"h": [[5, 2, 1, 1, 1]], "g": [[3, 2, 2, 2, 1]]}


def test_cliffs_delta_on_coarser_scales_is_that_of_the_oracle():
    (row,) = coarse(of_levels(O9))["cliff"]
    # dropping the middle leaves 7:2 and 5:3, splitting it 7.5:2.5 and 6:4
    known = {"full": 0.22, "3": 0.19, "2:up": 0.2, "2:down": 0.1, "2:drop": 3 / 8 - 2 / 9, "2:split": 0.15}
    assert (row.pop("a"), row.pop("b")) == ("g", "h")
    assert row == pytest.approx(known)


@pytest.mark.parametrize("name", ["3", "2:up", "2:down", "2:drop", "2:split"])
def test_statistics_on_a_coarser_scale_are_those_of_a_coarsened_result(name: str):
    rng = np.random.default_rng(0)
    raters = {f"r{n}": {"gender": ["man" if n % 2 else "woman"]} for n in range(16)}
    level = np.clip(np.arange(12)[:, None] // 2 + rng.integers(0, 3, (12, 16)) - 1, 0, 4)
    t = table(*[(f"i{i}", f"r{r}", str(v + 1)) for (i, r), v in np.ndenumerate(level)], raters=raters)
    q = rng.dirichlet(np.ones(5), 12)
    q[0] = [0, 0, 1, 0, 0]  # wholly on the level that "2:drop" leaves out
    c = case_of(t)
    options = replace(PLAIN, coarsening=to_three(FIVE) if name == "3" else to_two(FIVE, name[2:]), inference="none")
    done = disaggregate(t, Predictions(c.frame.item_ids, q), ["gender"], options)
    before, after = (disaggregate(t, None, ["gender"], o).by_group["gender"] for o in (PLAIN, options))
    for g, found in coarse(c, q)["groups"].items():
        for k in ("divergence", "skill"):
            assert found[name][k] == pytest.approx(done.by_group["gender"][g].statistics[k].value)
        kept = after[g].statistics["disagreement"].value / before[g].statistics["disagreement"].value
        if name != "2:drop":  # which leaves some items without two ratings
            assert found[name]["kept"] == pytest.approx(kept)


@pytest.mark.parametrize(
    ("levels", "names"),
    [("12", []), ("123", ["2:up", "2:down", "2:drop", "2:split"]), ("1234", ["2"]), ("1234567", ["3", "2:up"])],
)
def test_a_scale_has_the_maps_that_make_it_coarser(levels: str, names: list[str]):
    found = list(maps_of(Scale(tuple(levels))))
    assert found[: len(names)] == names
    assert len(found) == {2: 0, 3: 4, 4: 1, 7: 5}[len(levels)]


def test_nothing_is_coarsened_twice_and_nothing_comes_from_nothing():
    c = case()
    assert coarse(c, options=replace(PLAIN, coarsening=to_three(FIVE))) == {}
    assert coarse(of_levels({"g": [[1, 2]], "h": [[2, 1]]}, Scale(("0", "1")))) == {}
    none = np.zeros(0, dtype=int)
    assert strategies(c.compared().only(none)) == {}
    assert coarsenings(c.compared().only(none)) == {}


def test_only_groups_with_enough_raters_are_there():
    c = case({"a": "115" + "224" + "333"}, {f"{g}{n}": g for g in "xyz" for n in range(3)})
    some = np.array([0, 2])
    found, full = strategies(c.compared().only(some)), under(c)
    assert found["groups"] == {g: full["groups"][g] for g in "xz"}
    assert [(r["a"], r["b"]) for r in found["gaps"]] == [("x", "z")]
    assert coarsenings(c.compared().only(some))["cliff"] == coarse(c)["cliff"][1:2]


def test_popquorn_has_every_number_and_its_gaps_are_the_contrasts(mirror: Path, tmp_path: Path):
    c = popquorn(mirror, tmp_path, "gender")
    q = np.random.default_rng(0).dirichlet(np.ones(5), len(c.counts))
    found, coarser = under(c, q), coarse(c, q)
    contrasts = c.contrasts(PLAIN)
    assert [r["gap"]["all"] for r in found["gaps"]] == pytest.approx(contrasts["item_mean"].estimates.value)
    assert [r["full"] for r in coarser["cliff"]] == pytest.approx(contrasts["cliff"].estimates.value)
    assert all(v is not None for s in found["groups"]["Woman"].values() for v in s.values())
    assert all(0 < s["kept"] < 2 for s in coarser["groups"]["Woman"].values() if "kept" in s)
