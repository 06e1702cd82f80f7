"""Steered as a group against unsteered: how much closer to that group the model gets, and whether to others as well."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.paired.compare import compare_predictions
from lm_plural.harness.analysis.paired.steered import compare_steered
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.report.rate import render_asked
from lm_plural.harness.result.making.answers import Answers
from lm_plural.harness.result.making.asked import steered
from lm_plural.harness.result.making.rate import rate_result, task_options
from lm_plural.harness.run.loop import Work
from lm_plural.harness.task.elicit import Variant
from lm_plural.harness.task.load import Doc, Limit
from tests.run.asked import Answer, answered, apart, peak
from tests.suite import Suite

OPTIONS = Options(draws=200, permutations=19)
MIDDLE = {None: 3.0, "man": 2.4, "woman": 3.6, "other": 3.1}


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return apart(Suite(tmp_path / "tasks"))


def helpful(doc: Doc, variant: Variant) -> list[float]:
    """Moves towards the group it is asked to be, on some items more than on others."""
    return peak(3 + (1 + doc.index % 3 / 10) * (MIDDLE[variant.group] - 3))


def asked(suite: Suite, answer: Answer = helpful, limit: Limit = None, **keys: Any) -> Work:
    suite.task |= {"steer": "gender"} | keys
    (suite.root / "samples.jsonl").unlink(missing_ok=True)
    return answered(suite, suite.root / "samples.jsonl", answer, limit)


def block(work: Work, options: Options = OPTIONS) -> dict[str, Any]:
    """Return the block as a reader of the file gets it, in a result of nothing else."""
    o = task_options(work.loaded, options)
    found = steered(work, work.loaded.table.select({r.doc.id for r in work.requests}), Answers.of(work), o)
    return {"steered": json.loads(json.dumps(found, allow_nan=False))}


def test_a_model_that_moves_to_each_group_is_seen_to(suite: Suite) -> None:
    content = block(asked(suite))
    found = content["steered"]
    assert (found["axis"], list(found["groups"])) == ("gender", ["man", "woman"])
    man = found["groups"]["man"]
    assert man["said"] == "Answer as a person would who describes their gender as: man."
    assert (man["n_items"], man["n_raters"], man["off_scale_median"]) == (20, 12, pytest.approx(0))
    change = man["change"]["divergence"]
    assert change["high_simultaneous"] < 0
    assert change["p_adjusted"] < 0.05
    assert man["steered"]["divergence"] - man["unsteered"]["divergence"] == pytest.approx(change["value"])
    assert man["steered"]["bias"] - man["unsteered"]["bias"] == pytest.approx(man["change"]["bias"]["value"])
    assert man["than_others"]["high_simultaneous"] < 0
    (text,) = render_asked(content)
    assert text.startswith("[gender] asked to answer as a member of a group, the model gets\n  as man: ~0.")
    text = " ".join(text.split())  # lines are broken inside sentences
    assert text.count("closer (p ") == text.count("more than to all others (p ") == 2


def test_the_main_result_is_the_unsteered_one(suite: Suite) -> None:
    found = rate_result(asked(suite), options=OPTIONS)
    del suite.task["steer"]
    plain = rate_result(answered(suite, suite.root / "plain.jsonl", helpful), options=OPTIONS)
    assert {k: v for k, v in found.items() if k != "steered"} == plain
    assert found["steered"]["groups"]["man"]["unsteered"]["rps"] == pytest.approx(
        plain["axes"]["gender"]["groups"]["man"]["rps"]["value"]
    )


@pytest.mark.parametrize("inference", ["items+raters", "items", "raters"])
def test_each_group_is_compared_as_any_two_sets_of_predictions_are(suite: Suite, inference: Any) -> None:
    work, o = asked(suite), replace(OPTIONS, inference=inference)
    found, options = block(work, o)["steered"]["groups"], task_options(work.loaded, o)
    for g in ("man", "woman"):
        of_g = Answers.of(work, group=g).predictions
        alone = compare_predictions(work.loaded.table, of_g, Answers.of(work).predictions, ["gender"], options)
        expected = alone.axes["gender"].groups[g].to_dict()
        for name in ("bias", "divergence", "rps", "skill", "log_equivalent_raters"):
            for k in ("value", "se", "df", "low", "high", "p"):
                assert found[g]["change"][name][k] == pytest.approx(expected[name][k]), (name, k)
        (row,) = [
            r for r in alone.axes["gender"].contrasts if r["a"] == g and r["b"] == "rest" and r["statistic"] == "rps"
        ]
        for k in ("value", "se", "df", "low", "high", "p", "n_items", "n_raters_a", "n_raters_b"):
            assert found[g]["than_others"][k] == pytest.approx(row[k]), k


def test_groups_are_tested_together(suite: Suite) -> None:
    both = block(asked(suite))["steered"]["groups"]["man"]["change"]["divergence"]
    only = block(asked(suite, steer={"axis": "gender", "groups": ["man"]}))["steered"]["groups"]
    assert list(only) == ["man"]
    alone = only["man"]["change"]["divergence"]
    assert alone["value"] == both["value"]
    assert alone["low_simultaneous"] == pytest.approx(alone["low"])
    assert both["low_simultaneous"] < both["low"]


def test_a_caricature_moves_away_from_the_group_and_one_that_suits_all_is_no_more_for_it(suite: Suite) -> None:
    away = {"man": 4.2, "woman": 1.8, None: 3.0}
    content = block(asked(suite, lambda d, v: peak(away[v.group] + d.index % 3 / 10)))
    man = content["steered"]["groups"]["man"]
    assert man["change"]["divergence"]["low_simultaneous"] > 0
    assert man["than_others"]["low_simultaneous"] > 0
    text = " ".join(render_asked(content)[0].split())
    assert text.count("further away (p ") == text.count("; to all others it gets 0.") == 2
    # off the top of the scale, partly to its bottom: nearer to women and, more so, to men
    content = block(
        asked(suite, lambda d, v: [(x := 0.1 + d.index % 3 / 50), 0, 0, 0.4, 0.6 - x] if v.group else [0, 0, 0, 0, 1])
    )
    woman = content["steered"]["groups"]["woman"]
    assert woman["change"]["divergence"]["high_simultaneous"] < 0
    assert woman["than_others"]["low_simultaneous"] > 0
    text = " ".join(render_asked(content)[0].split())
    assert "as man: ~0." in text.partition("more than to all others")[0]
    assert "to all others it gets 0." in text.partition("as woman: ~0.")[2]


def test_no_change_is_said_to_be_none(suite: Suite) -> None:
    rng = np.random.default_rng(1)
    content = block(asked(suite, lambda _d, _v: peak(3 + rng.normal() / 10)))
    assert render_asked(content)[0].count("no clear change, ") == 2


def test_a_group_on_items_of_its_own_has_the_changes_of_those(suite: Suite) -> None:
    work = asked(suite, groups={"axes": ["gender"], "min_raters": 1})
    found = block(work)["steered"]["groups"]
    assert (found["other"]["n_items"], found["other"]["n_raters"]) == (3, 1)
    assert any(f.startswith("no_interval: 1 raters") for f in found["other"]["flags"])
    assert found["other"]["change"]["divergence"]["se"] is None
    assert found["other"]["unsteered"]["divergence"] is None  # of pairs of raters
    assert found["other"]["unsteered"]["bias"] is not None


def test_a_group_steered_off_the_scale_is_refused_alone(suite: Suite) -> None:
    content = block(asked(suite, lambda d, v: peak(MIDDLE[v.group] + d.index % 3 / 10, 0.2 if v.group == "man" else 1)))
    man, woman = (content["steered"]["groups"][g] for g in ("man", "woman"))
    assert man["off_scale_median"] == pytest.approx(0.8)
    assert man["flags"] == ["off_scale: a median of 80% of the model's probability is on no level (limit 50%)"]
    assert {v["value"] for v in man["change"].values()} | {*man["steered"].values()} == {None}
    assert man["than_others"] is None
    assert woman["change"]["divergence"]["p"] < 0.05
    assert "as man: refused, off_scale: a median of 80%" in " ".join(render_asked(content)[0].split())


def test_nothing_is_held_against_an_unsteered_model_off_the_scale(suite: Suite) -> None:
    groups = block(asked(suite, lambda _d, v: peak(3, 1 if v.group else 0.1)))["steered"]["groups"]
    assert [g["flags"][0].split(":")[0] for g in groups.values()] == ["unsteered, off_scale"] * 2


def test_few_items_and_no_inference_leave_reasons_or_nulls(suite: Suite) -> None:
    few = block(asked(suite, limit=1))["steered"]["groups"]["man"]
    assert any(f.startswith("no_interval: 1 item") for f in few["flags"])
    assert few["change"]["divergence"]["value"] is not None
    bare = block(asked(suite), replace(OPTIONS, inference="none"))
    assert bare["steered"]["groups"]["man"]["change"]["divergence"]["se"] is None
    assert "closer, without an interval" in render_asked(bare)[0]


def test_a_group_none_of_whose_items_were_asked_is_refused(suite: Suite) -> None:
    suite.task |= {"groups": {"axes": ["gender"], "min_raters": 1}, "steer": "gender"}
    work = answered(suite, suite.root / "samples.jsonl", helpful, [10, 11, 12])
    other = block(work)["steered"]["groups"]["other"]
    assert other["off_scale_median"] is None
    assert other["flags"] == ["few_raters: 0 of at least 1"]


def test_wordings_coarser_scales_and_weights_go_together_with_steering(suite: Suite) -> None:
    keys = {"paraphrases": ["{{ text }}!"], "coarsen": {"levels": 3}, "weights": "pairs"}
    content = rate_result(asked(suite, **keys), options=OPTIONS)
    assert content["steered"]["groups"]["man"]["change"]["divergence"]["high"] < 0
    assert len(render_asked(content)) == 2


def test_a_rater_in_two_groups_counts_in_both(suite: Suite) -> None:
    suite.recipe["raters"]["separator"] = "|"
    suite.raters = suite.raters.replace("r0,man", "r0,man|woman")
    groups = block(asked(suite))["steered"]["groups"]
    assert (groups["man"]["n_raters"], groups["woman"]["n_raters"]) == (12, 13)


def test_values_stand_for_each_group_as_they_would_alone(suite: Suite) -> None:
    work = asked(suite)
    options = task_options(work.loaded, OPTIONS)
    ids = [i for i in work.loaded.steered["man"] if i != "i3"]
    plain, man = Answers.of(work).predictions, Answers.of(work, group="man").predictions
    some = Predictions(ids, man.q[[list(man.item_ids).index(i) for i in ids]])
    found = compare_steered(work.loaded.table, "gender", {"man": some}, plain, options)["man"]
    assert found["n_items"] == 19
    alone = disaggregate(work.loaded.table.select(ids), some, ["gender"], options).by_group["gender"]["man"]
    for name in ("bias", "divergence", "rps"):
        assert found["steered"][name] == pytest.approx(alone.statistics[name].value)
