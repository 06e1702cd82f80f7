"""The block of a respond task: orientation of scores, means over prompts, what is null and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.responses.scores import Scores, mean_of_prompts
from lm_plural.harness.ratings.table import Axis
from lm_plural.harness.result.making.respond import respond_result
from lm_plural.harness.run.journal import Journal
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.plan import Request
from tests.suite import Suite

KEY = "profanity.toxicity"
NAN = float("nan")


def block(
    folder: Path,
    scores: Any,
    harm: Any,
    groups: str,
    *,
    references: Any = (),
    prompts: list[str] | None = None,
    axes: list[Axis] | None = None,
    limit: int | None = None,
    min_raters: int = 5,
    **options: Any,
) -> dict[str, Any]:
    """Run a respond task on paper and return its block as a reader of the file gets it.

    Parameters
    ----------
    scores : array_like, shape (P, repeats)
        NaN where the scorer refused.
    harm : array_like of int, shape (I, R)
        Ratings, 0 for none.
    groups : str
        A letter per rater.
    references : array_like, shape (I,)
        Scores of the references.
    prompts : list of str
        Of each item; default: each its own.
    limit : int
        Prompts asked.
    """
    scores, harm = np.asarray(scores, dtype=float), np.asarray(harm)
    prompts = prompts or [f"p{i}" for i in range(len(harm))]
    suite = Suite(folder / "tasks").respond(dimension="toxicity", doc_id="prompt_id", repeats=scores.shape[1])
    suite.task["groups"] = {"axes": ["gender"], "min_raters": min_raters}
    suite.items = [{"item_id": f"i{n}", "prompt_id": p, "text": "t", "lang": "en"} for n, p in enumerate(prompts)]
    suite.raters = "rater_id,gender,race\n" + "".join(f"r{j},{g},x\n" for j, g in enumerate(groups))
    rows = [f"i{i},r{j},{harm[i, j]}\n" for i, j in np.argwhere(harm)]
    suite.ratings = "item_id,rater_id,harm\n" + "".join(rows)
    suite.recipe["ratings"]["dimensions"] = {"toxicity": {"column": "harm", "scale": "bad"}}
    loaded = suite.load()
    requests = [Request(f"{d.id}/{n}", d, repeat=n) for d in loaded.docs(limit) for n in range(scores.shape[1])]
    journal = Journal(folder / "journal.jsonl")
    journal.append(
        {"key": r.key, "item_id": r.doc.id, "part": r.part, "doc": dict(r.doc.fields), "filtered_resps": ["words"]}
        for r in requests
    )
    journal.close()
    head = {"scorer": "profanity", "version": "1", "range": [0, 1], "direction": "more"}
    known = np.where(np.isnan(scores), None, scores)
    records = [
        {**head, "part": "0", "sample": r.key, "scores": {"toxicity": known[r.doc.index, r.repeat]}} for r in requests
    ]
    records += [
        {**head, "part": "reference", "sample": "", "item_id": f"i{n}", "scores": {"toxicity": v}}
        for n, v in enumerate(references)
    ]
    found = respond_result(Work(loaded, requests, journal), records, axes, Options(draws=999, **options))
    return json.loads(json.dumps(found, allow_nan=False))


def of(found: dict[str, Any], group: str) -> dict[str, Any]:
    return found["axes"]["gender"]["groups"][group]


def two_groups(folder: Path, n: int = 12, prompts: int = 10, **options: Any) -> dict[str, Any]:
    """Two groups of `n` raters who see harm in different prompts."""
    rng = np.random.default_rng(3)
    theta = rng.random(prompts)
    harm = 1 + rng.binomial(4, np.stack([theta] * n + [1 - theta] * n, axis=1))
    scores = np.clip(np.stack([theta, theta**2], axis=1), 0, 1)
    return block(folder, scores, harm, "a" * n + "b" * n, references=theta / 2, **options)


@pytest.mark.parametrize(
    ("low", "high", "more", "harm", "value", "bad"),
    [
        (0, 1, True, "higher", 0.8, 0.8),
        (0, 1, True, "lower", 0.8, 0.2),
        (0, 1, False, "higher", 0.8, 0.2),
        (0, 1, False, "lower", 0.8, 0.8),
        (1, 5, True, "higher", 4.0, 0.75),
    ],
)
def test_badness_runs_from_0_to_1(low: float, high: float, more: bool, harm: str, value: float, bad: float) -> None:
    scores = Scores("s", "d", "v", low, high, more, np.zeros((1, 1)), np.zeros(1))
    assert scores.badness(np.array([value]), harm)[0] == pytest.approx(bad)


def test_a_mean_over_prompts_has_scipys_t_interval() -> None:
    values, chosen = np.array([0.1, 0.5, NAN, 0.9, 0.4]), np.array([True, True, True, True, False])
    found = mean_of_prompts(values, chosen)
    expected = ttest_1samp([0.1, 0.5, 0.9], 0)
    interval = expected.confidence_interval(0.95)
    assert (found.value, found.df) == pytest.approx((0.5, 2))
    assert found.se == pytest.approx(0.5 / expected.statistic)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize(
    ("values", "inference"), [([0.5], "items"), ([0.5, 0.5], "items"), ([0, 1], "raters"), ([0, 1], "none")]
)
def test_a_mean_without_an_interval(values: list[float], inference: Any) -> None:
    found = mean_of_prompts(np.array(values), np.ones(len(values), dtype=bool), inference)
    assert found.value == pytest.approx(0.5)
    assert np.isnan([found.se, found.df, found.low, found.high]).all()


def test_every_statistic_has_an_interval_and_repeats_are_one_unit(tmp_path: Path) -> None:
    found = two_groups(tmp_path)
    assert found["inference"] == "items+raters"
    overall = found["overall"]["statistics"][KEY]
    assert set(overall) == {"mean", "expected_maximum", "exceedance", "reference_mean"}
    group = of(found, "a")
    assert set(group["statistics"][KEY]) == {*overall, "exposure", "reference_exposure"}
    for number in (*overall.values(), *group["statistics"][KEY].values(), group["concern"]):
        assert number["low"] < number["value"] < number["high"]
        assert number["se"] > 0
        assert number["df"] > 1
    assert overall["mean"]["df"] == 9
    assert (group["n_items"], group["n_ratings"]) == (10, 120)
    assert [f.split(":")[0] for f in group["flags"]] == ["approximate", "not_for_gates"]
    assert found["overall"]["flags"] == []


@pytest.mark.parametrize(
    ("inference", "scored", "exposed"), [("none", False, False), ("raters", False, True), ("items", True, True)]
)
def test_what_intervals_speak_of(tmp_path: Path, inference: str, scored: bool, exposed: bool) -> None:
    found = two_groups(tmp_path, inference=inference)
    numbers = of(found, "a")["statistics"][KEY]
    assert found["inference"] == inference
    assert (numbers["mean"]["low"] is not None, numbers["exposure"]["low"] is not None) == (scored, exposed)
    assert any("a scorer has no raters" in n for n in found["notes"]) == (inference == "raters")
    assert bool(found["axes"]["gender"]["contrasts"]) == (inference != "none")
    assert not any(f.startswith("no_") for f in of(found, "a")["flags"])


def test_too_few_raters_for_a_number_and_for_an_interval(tmp_path: Path) -> None:
    scores, harm = np.linspace(0, 1, 6)[:, None], np.arange(6 * 18).reshape(6, 18) % 5 + 1
    found = block(tmp_path, scores, harm, "a" * 10 + "b" * 5 + "c" * 3, references=scores[:, 0])
    a, b, c = (of(found, g) for g in "abc")
    assert a["statistics"][KEY]["exposure"]["se"] > 0
    assert b["statistics"][KEY]["exposure"]["value"] is not None
    assert b["statistics"][KEY]["exposure"]["se"] is None
    assert b["concern"]["low"] is None
    assert b["statistics"][KEY]["mean"]["se"] > 0  # its units are prompts
    assert "no_interval: 5 raters of at least 10" in b["flags"]
    assert c["flags"] == ["few_raters: 3 of at least 5"]
    assert {v["value"] for v in c["statistics"][KEY].values()} == {None}
    assert c["concern"]["value"] is not None


def test_nulls_have_a_reason(tmp_path: Path) -> None:
    harm = np.ones((4, 20), dtype=int)
    harm[:, 10:] = np.arange(40).reshape(4, 10) % 5 + 1
    found = block(tmp_path, np.full((4, 1), 0.5), harm, "a" * 10 + "b" * 10)
    a, b = of(found, "a")["flags"], of(found, "b")["flags"]
    lost = f"exposure:{KEY}, reference_exposure:{KEY}"
    assert f"no_concern: no harm seen in a scored prompt, so no {lost}" in a
    assert f"no_scores: nothing scored, so no reference_mean:{KEY}" in a
    assert f"no_variation: one prompt or all alike, so no interval of exposure:{KEY}" in b
    means = f"mean:{KEY}, expected_maximum:{KEY}, exceedance:{KEY}"
    assert f"no_variation: one prompt or all alike, so no interval of {means}" in b
    assert of(found, "b")["statistics"][KEY]["exposure"]["value"] == pytest.approx(0.5)
    assert found["overall"]["flags"] == b[2:4]


def test_a_group_that_rated_no_prompt_asked(tmp_path: Path) -> None:
    harm = np.array([[1, 2, 0], [3, 4, 0], [1, 1, 1]])
    found = block(tmp_path, [[0.0], [1.0], [0.5]], harm, "aab", min_raters=1, limit=2)
    assert found["overall"]["n_prompts"] == 2
    assert of(found, "b")["n_items"] == 0
    assert of(found, "b")["flags"] == ["few_raters: 0 of at least 1"]
    assert of(found, "b")["concern"]["value"] is None


def test_each_scorer_stands_beside_the_ratings_of_its_own_dimension(tmp_path: Path) -> None:
    """What is sensitive to one group is not to the other; toxicity is rated at random."""
    rng = np.random.default_rng(5)
    prompts, n = 20, 12
    theta = rng.random(prompts)
    suite = Suite(tmp_path / "tasks").respond(dimension="toxicity", doc_id="prompt_id", scorers=["profanity"])
    suite.task |= {"groups": {"axes": ["gender"], "min_raters": 5}, "doc_to_target": "text"}
    suite.items = [{"item_id": f"i{k}", "prompt_id": f"p{k}", "text": "t", "lang": "en"} for k in range(prompts)]
    suite.raters = "rater_id,gender,race\n" + "".join(f"r{j},{'ab'[j // n]},x\n" for j in range(2 * n))
    good = 1 + rng.binomial(4, np.stack([theta] * n + [1 - theta] * n, axis=1))
    rows = [f"i{i},r{j},{rng.integers(1, 6)},{good[i, j]}\n" for i in range(prompts) for j in range(2 * n)]
    suite.ratings = "item_id,rater_id,harm,good\n" + "".join(rows)
    suite.recipe["scales"]["good"] = suite.recipe["scales"]["bad"] | {"direction": "higher"}
    columns = {"toxicity": "bad", "sensitivity": "good", "helpfulness": "good"}
    suite.recipe["ratings"]["dimensions"] = {
        d: {"column": "harm" if scale == "bad" else "good", "scale": scale} for d, scale in columns.items()
    }
    loaded = suite.load()
    requests = [Request(f"{d.id}/0", d) for d in loaded.docs()]
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(
        {"key": r.key, "item_id": r.doc.id, "part": r.part, "doc": dict(r.doc.fields), "filtered_resps": ["words"]}
        for r in requests
    )
    journal.close()
    scorers = {"profanity": "toxicity", "judge:sensitivity": "sensitivity", "other": "sensitivity", "x": "unrated"}
    records = []
    for scorer, dimension in scorers.items():
        head = {"scorer": scorer, "version": "1", "range": [0, 1], "direction": "more"}
        for k, r in enumerate(requests):
            said = {"scores": {dimension: float(theta[k]) if scorer != "other" else float(1 - theta[k])}}
            records.append({**head, **said, "part": "0", "sample": r.key})
            records.append({**head, **said, "part": "reference", "sample": "", "item_id": f"i{k}"})
    found = respond_result(Work(loaded, requests, journal), records, None, Options(draws=999))
    overall = json.loads(json.dumps(found, allow_nan=False))["overall"]
    people = {key: s["people"] for key, s in overall["scorers"].items()}
    assert abs(people["profanity.toxicity"]["pearson"]["value"]) < 0.6
    assert people["judge:sensitivity"]["n_items"] == prompts
    assert "pearson" not in people["x.unrated"]
    assert people["x.unrated"]["flags"] == ["not_measured: nobody rated this dimension here"]
    (pair,) = overall["correlations"]
    assert (pair["dimension"], pair["a"], pair["b"]) == ("sensitivity", "judge:sensitivity", "other.sensitivity")
    assert pair["scorer_correlation"]["value"] == pytest.approx(-1)
    assert overall["no_scorer"] == ["helpfulness"]
    groups = found["axes"]["gender"]["groups"]
    exposed = {g: groups[g]["statistics"]["judge:sensitivity"]["exposure"]["value"] for g in "ab"}
    assert exposed["a"] > exposed["b"] + 0.2  # a sees the most harm where the responses are the least sensitive
    assert groups["a"]["concerns"]["sensitivity"]["value"] == pytest.approx(1 - (good[:, :n].mean() - 1) / 4)
    assert "exposure" not in groups["a"]["statistics"]["x.unrated"]
    assert {row["statistic"] for row in found["axes"]["gender"]["contrasts"]} == {
        "exposure:profanity.toxicity",
        "exposure:judge:sensitivity",
        "exposure:other.sensitivity",
    }
