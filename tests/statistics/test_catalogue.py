"""The catalogue holds what results hold, is the only list of measures, and is true of them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given

from lm_plural.harness.analysis.axis.sensitivity import maps_of
from lm_plural.harness.cli.main import main
from lm_plural.harness.ratings.strategies import STRATEGIES
from lm_plural.harness.result.making.shares import shares_result
from lm_plural.harness.result.read import read_content
from lm_plural.harness.statistics import shares
from lm_plural.harness.statistics.catalogue import MEASURES, PLACES, Place, measure, named
from lm_plural.harness.statistics.counts import Membership, count_levels
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.measures.alpha import METRICS, krippendorff_alpha
from lm_plural.harness.statistics.measures.effects import cliffs_delta
from lm_plural.harness.statistics.measures.secondary import secondary
from lm_plural.harness.statistics.scored.auc import auc_statistics
from lm_plural.harness.statistics.scored.classify import Judged, error_statistics
from lm_plural.harness.statistics.scored.exposure import exposure
from lm_plural.harness.statistics.scored.one_member import member_statistics
from lm_plural.harness.statistics.scored.rank_agreement import FUNCTIONS
from tests.conftest import ROOT
from tests.opinions import Opinions
from tests.ratings.build import FIVE
from tests.result.making.test_shares import told
from tests.statistics.by_hand import Case, cases, crossed, estimate, quick

NAMES = {m.name for m in MEASURES}
BLOCKS = ("overall", "axes", "elicitation", "paraphrases", "steered", "thresholds")
#: What is said of a measure: the parts of an estimate, and gaps as they would be seen by other designs.
PARTS = {"value", "se", "df", "low", "high", "low_simultaneous", "high_simultaneous", "low_one_sided", "high_one_sided"}
PARTS |= {"by_wording", "min", "max", "sd", "now", "raters_x2", "items_x2", "gap"}
#: What is none: sizes of what was counted, tests, and what a number was taken at.
SIZES = {"n", "n_items", "n_raters", "n_ratings", "n_raters_a", "n_raters_b", "n_groups", "family", "rarefied_to"}
SIZES |= {"n_prompts", "n_responses", "n_empty", "answers_per_item", "n_wordings", "wordings", "origin"}
#: Sides of a difference; null is all others.
SIDES = {"group", "than"}
TESTS = {"p", "p_bh", "p_gai", "p_adjusted", "p_permutation"}


def leaves(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every number, or null in its place; a row is under its statistic."""
    if isinstance(found, dict):
        path += (found["statistic"],) if "statistic" in found else ()
        for key, value in found.items():
            yield from leaves(value, (*path, key))
    elif isinstance(found, list):
        for value in found:
            yield from leaves(value, path)
    elif not isinstance(found, str | bool):
        yield path


def called(block: dict[str, Any]) -> set[str]:
    """Return the names in a block that are of its data: groups, axes, levels, thresholds, scorers, maps."""
    groups = {g for content in block["axes"].values() for g in content["groups"]}
    steered = block.get("steered", {}).get("groups", {})
    levels = {f">={level}" for level in block.get("scale", {}).get("levels", ())}
    scorers = set(block["overall"].get("statistics", ()))
    dimensions = {found["dimension"] for found in block["overall"].get("scorers", {}).values()}
    return {
        *block["axes"],
        *groups,
        *steered,
        *levels,
        *scorers,
        *dimensions,
        *METRICS,
        *STRATEGIES,
        *maps_of(FIVE),
        "full",
    }


def entry(path: tuple[str, ...], names: set[str]) -> str | None:
    """Return the measure a number is of, None for a size or a test; a number of nothing known fails."""
    if path[-1] in SIZES | TESTS | SIDES or {"n_unscored", "n_items"} & {*path} or path == ("thresholds", "value"):
        return None
    if path[:2] == ("overall", "judges"):  # whether a judge is fit to judge
        return None
    path = tuple("concern" if part == "concerns" else part for part in path)  # by dimension
    if "mdg" in path:
        return "mdg" if measure(path[path.index("mdg") + 1]) else None
    for n in range(len(path) - 1, -1, -1):
        for name in (*(f"{above}.{path[n]}" for above in path[:n]), path[n].partition("@")[0].partition(":")[0]):
            if name in NAMES:
                return name
        assert path[n] in PARTS | names, " / ".join(path)
    raise AssertionError(" / ".join(path))


def held(block: dict[str, Any]) -> set[str]:
    """Return the measures of a block."""
    names = called(block)
    return {m for path in leaves({k: block[k] for k in BLOCKS if k in block}) if (m := entry(path, names))}


def written(folder: Path, *words: str) -> dict[str, Any]:
    """Run a verb and return the results file it writes."""
    assert main([*words, "--output_path", str(folder)]) == 0
    (path,) = folder.glob("*/results_*.json")
    return read_content(path)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Results as every verb writes them."""
    folder, rng = tmp_path_factory.mktemp("results"), np.random.default_rng(1)
    few = ["--limit", "12", "--draws", "200", "--permutations", "19"]
    tasks = ["plural_demo_toxicity_steer_gender", "plural_demo_respond"]
    scorers = ["--scorers", "profanity,judge:toxicity,judge:sensitivity", "--show_unfit"]
    run = written(folder / "run", "run", "--model", "dummy", "--tasks", *tasks, *few, *scorers)
    audited = written(folder / "audit", "audit", "--scorer", "profanity", "--tasks", tasks[1])["audited"]
    rows = [
        f"i{i},r{j},{np.clip(rng.integers(1, 4) + i % 3, 1, 5)},{'ab'[j % 2]},{'xy'[j // 12]}\n"
        for i in range(12)
        for j in range(24)
    ]
    (folder / "r.csv").write_text("item_id,rater_id,rating,side,place\n" + "".join(rows))
    (folder / "p.csv").write_text("item_id,prediction\n" + "".join(f"i{i},{1 + i % 3}\n" for i in range(12)))
    axes = ["--axes", "side", "side*place", "--permutations", "19"]
    whole = ["--ratings", str(folder / "r.csv"), "--scale", "1,2,3,4,5", *axes]
    found = {}
    for name, more in (("people", []), ("predictions", ["--predictions", str(folder / "p.csv")])):
        assert main(["disaggregate", *whole, *more, "-o", str(folder / f"{name}.json")]) == 0
        found[name] = json.loads((folder / f"{name}.json").read_text())
    shared = shares_result(Opinions(folder / "tasks").answered(told))
    blocks = run["disaggregated"]
    return found | {"rate": blocks[tasks[0]], "respond": blocks[tasks[1]], "audit": audited[tasks[1]], "shares": shared}


@pytest.mark.parametrize("verb", ["rate", "respond", "shares", "audit", "people", "predictions"])
def test_every_number_of_a_results_file_is_of_a_measure(results: dict[str, dict[str, Any]], verb: str) -> None:
    assert held(results[verb])


def test_every_measure_stands_in_some_results_file(results: dict[str, dict[str, Any]]) -> None:
    assert NAMES - {name for block in results.values() for name in held(block)} == set()


def test_an_unknown_number_is_noticed() -> None:
    assert entry(("axes", "x", "groups", "y", "divergence", "low"), {"x", "y"}) == "divergence"
    assert entry(("axes", "x", "contrasts", "fnr@0.5", "value"), {"x"}) == "fnr"
    for unknown in ("axes/x/groups/y/fairness/value", "axes/x/contrasts/fairness/value", "overall/fairness"):
        with pytest.raises(AssertionError):
            entry(tuple(unknown.split("/")), {"x", "y"})


def test_entries_are_whole() -> None:
    assert len(NAMES) == len(MEASURES)
    for m in MEASURES:
        words = (m.name, m.heading, m.unit, m.formula, m.source)
        assert all(words), m.name
        assert m.sentence.endswith("."), m.name
        assert m.sentence.count(". ") == 0, m.name
        assert m.low is None or m.high is None or m.low < m.high, m.name
        assert len(m.shown) == len(set(m.shown)), m.name
    assert set(PLACES) == set(get_args(Place))
    assert {p for m in MEASURES for p in m.shown} == set(PLACES)


def test_a_measure_is_found_with_its_threshold_or_scorer() -> None:
    assert measure("fnr@matched").heading == "missed"
    assert measure("exposure:profanity.toxicity").better is False
    assert named("one_member") == ("fpr", "fnr", "auc")
    with pytest.raises(KeyError):
        measure("fairness")


def constant(node: ast.expr) -> bool:
    """Tell whether nothing in an expression is computed, and it is more than the null of a number that is refused."""
    return not (isinstance(node, ast.Constant) and node.value is None) and all(
        isinstance(n, ast.Constant | ast.Tuple | ast.List | ast.expr_context | ast.UnaryOp | ast.unaryop)
        for n in ast.walk(node)
    )


def lists_of_measures(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield every tuple, list, set or dict of constants in a file that names two measures or more.

    No list are names bound one by one (``FPR, FNR = "fpr", "fnr"``) and names with their computed values.
    """
    tree = ast.parse(path.read_text())
    apart = [n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Tuple)]
    for node in ast.walk(tree):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.Tuple | ast.List | ast.Set) and node not in apart:
            parts = [*node.elts]
        elif isinstance(node, ast.Dict):
            parts = [k for k, v in zip(node.keys, node.values, strict=True) if constant(v)]
        found = [p.value for p in parts if isinstance(p, ast.Constant) and p.value in {m.key for m in MEASURES}]
        if len(found) > 1:
            yield tuple(found)


def test_nothing_else_lists_measures() -> None:
    lists = {
        (str(path.relative_to(ROOT)), found)
        for path in (ROOT / "harness").rglob("*.py")
        if path.name
        not in ("catalogue.py", "details.py")  # the second cuts blocks, some of which are called as measures
        for found in lists_of_measures(path)
    }
    assert lists == set()


def test_a_list_of_measures_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    for line in ('A = ("bias", "rps")', 'A = {"bias": 2, "rps": (3, -1)}', 'f(["skill", "x", "bias"])'):
        path.write_text(line)
        assert list(lists_of_measures(path)), line
    path.write_text('A, B = "bias", "rps"\nC = {"bias": f(1), "rps": None}\nD = ("bias", "x")')
    assert list(lists_of_measures(path)) == []


def test_formulas_are_those_of_the_catalogue() -> None:
    assert set(FUNCTIONS) == set(named("ranks"))
    assert set(agreement.PerItem.__dataclass_fields__) < {*named("model")}


def values(case: Case) -> Iterator[tuple[str, Any]]:
    """Yield values of measures that cost little, by name."""
    coded, positions, q = case.coded, case.positions, case.q
    everyone, k = Membership.everyone(coded.n_raters), len(positions)
    counts, spacing = count_levels(coded, everyone), np.diff(positions) / np.ptp(positions)
    yield from estimate(coded, q)._asdict().items()
    yield from secondary(counts, q, positions, spacing)[0].items()
    for metric in METRICS:
        yield "alpha", krippendorff_alpha(counts[:, 0], positions, metric)
    p = counts / np.where(counts.sum(axis=-1, keepdims=True) > 0, counts.sum(axis=-1, keepdims=True), np.nan)
    yield "js_similarity", shares.js_similarity(p, q)
    yield "w1_alignment", shares.w1_alignment(p, q, np.tile(positions, (len(q), 1)))
    yield "tv", shares.total_variation(p, q)
    sides = count_levels(coded, Membership(np.arange(coded.n_raters), np.arange(coded.n_raters) % 2, 2))
    yield "cliff", cliffs_delta(sides[:, 0], sides[:, 1])
    score = q @ np.linspace(0, 1, k)
    judged = Judged.of(coded, np.arange(k) > 0, score)
    errors = error_statistics(judged, everyone, {"0.5": 0.5}, "none")
    for name, found in zip(named("rates"), errors, strict=True):
        yield name, found.base("0.5")
    yield "harmful_share", errors[1].base("concern")
    yield "auc", auc_statistics(judged.harm, everyone, score, "none").base("auc")
    for name, found in member_statistics(judged.harm.coded, everyone, "none").estimates.items():
        yield f"one_member.{name}", found.value
    yield "exposure", exposure(p @ np.linspace(0, 1, k), score)


@quick
@given(cases())
def test_no_value_leaves_its_range(case: Case) -> None:
    for name, found in values(case):
        if name == "signal":  # what there is to know, a part of skill
            continue
        m, known = measure(name), np.asarray(found, dtype=np.float64)
        known = known[~np.isnan(known)]
        assert m.low is None or (known >= m.low - 1e-9).all(), name
        assert m.high is None or (known <= m.high + 1e-9).all(), name


@pytest.mark.parametrize(
    ("name", "end", "grid", "q"),
    [
        ("divergence", "low", [[0, 1]], [[0.5, 0.5]]),
        ("divergence", "high", [[0, 0]], [[0, 1]]),
        ("disagreement", "low", [[0, 0]], [[0, 1]]),
        ("disagreement", "high", [[0, 1]], [[0, 1]]),
        ("rps", "low", [[0, 0]], [[1, 0]]),
        ("rps", "high", [[0, 0]], [[0, 1]]),
    ],
)
def test_ends_are_reached(name: str, end: str, grid: list[list[int]], q: list[list[float]]) -> None:
    found = estimate(crossed(np.array(grid), [1.0, 2.0]), np.array(q, dtype=float))
    assert getattr(found, name)[0] == pytest.approx(getattr(measure(name), end))


@pytest.mark.parametrize("name", ["bias", "divergence", "disagreement", "rps"])
def test_what_is_linear_of_two_halves_of_a_group_is_their_mean(name: str) -> None:
    rng = np.random.default_rng(3)
    grid, q = rng.integers(0, 4, (6, 8)), rng.dirichlet(np.ones(4), 6)
    whole, first, last = (getattr(estimate(crossed(g, range(4)), q), name)[0] for g in (grid, grid[:, :4], grid[:, 4:]))
    assert (abs(whole - (first + last) / 2) < 1e-12) == measure(name).linear


def test_the_page_of_measures_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs" / "make_measures.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_catalogue_imports_nothing_heavy() -> None:
    code = "import sys, lm_plural.harness.statistics.catalogue; print({'numpy', 'polars', 'scipy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
