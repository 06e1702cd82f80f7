"""The spread over the wordings of a question: point values as if only one had been asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.report.rate import render_asked
from lm_plural.harness.result.making.answers import Answers
from lm_plural.harness.result.making.rate import rate_result, task_options
from lm_plural.harness.run.loop import Work
from lm_plural.harness.task.elicit import Variant
from lm_plural.harness.task.load import Doc
from tests.run.asked import Answer, answered, apart, peak
from tests.suite import Suite

OPTIONS = Options(draws=200, permutations=19)
WORDS = ["A: {{ text }} {{ options }}", "B: {{ text }} {{ options }}"]


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return apart(Suite(tmp_path / "tasks"))


def near_men(doc: Doc, variant: Variant) -> list[float]:
    """Near the men under the first two wordings, near the women under the last."""
    return peak([1.2, 1.9, 4.2][variant.wording] + doc.index / 100)


def asked(suite: Suite, answer: Answer = near_men, **keys: Any) -> Work:
    suite.task |= {"paraphrases": WORDS} | keys
    return answered(suite, suite.root / "samples.jsonl", answer)


def block(work: Work) -> dict[str, Any]:
    """Return the result as a reader of the file gets it."""
    return json.loads(json.dumps(rate_result(work, options=OPTIONS), allow_nan=False))


def test_values_of_a_wording_are_those_of_a_task_with_that_wording_alone(suite: Suite) -> None:
    work = asked(suite)
    found = block(work)["paraphrases"]
    for n in range(3):
        predictions = Answers.of(work, wording=n).predictions
        alone = disaggregate(work.loaded.table, predictions, ["gender"], task_options(work.loaded, OPTIONS))
        pairs = [(found["overall"], alone.overall)]
        pairs += [(found["axes"]["gender"]["groups"][g], v) for g, v in alone.by_group["gender"].items()]
        for of, group in pairs:
            for name in ("bias", "divergence", "skill"):
                value = group.statistics[name].value
                assert of[name]["by_wording"][n] == (None if np.isnan(value) else pytest.approx(value))


def test_the_model_is_the_mean_over_all_wordings_and_orders(suite: Suite) -> None:
    work = asked(suite)
    q = Answers.of(work).predictions.q
    assert q == pytest.approx(np.mean([Answers.of(work, wording=n).predictions.q for n in range(3)], axis=0))
    assert q[0] == pytest.approx(np.mean([peak(1.2), peak(1.9), peak(4.2)], axis=0))


def test_the_spread_is_told_by_its_ends_and_its_standard_deviation(suite: Suite) -> None:
    bias = block(asked(suite))["paraphrases"]["overall"]["bias"]
    assert bias["min"] == min(bias["by_wording"])
    assert bias["max"] == max(bias["by_wording"])
    assert bias["sd"] == pytest.approx(np.std(bias["by_wording"], ddof=1))


def test_a_clear_difference_that_turns_under_a_wording_is_named(suite: Suite) -> None:
    work = asked(suite)
    content = block(work)
    (pair,) = [
        r for r in content["paraphrases"]["differences"] if (r["kind"], r["statistic"]) == ("pairs", "divergence")
    ]
    assert (pair["a"], pair["b"], pair["turns"]) == ("man", "woman", True)
    assert [v > 0 for v in pair["by_wording"]] == [False, False, True]
    for n in range(3):
        predictions = Answers.of(work, wording=n).predictions
        rows = disaggregate(work.loaded.table, predictions, ["gender"], task_options(work.loaded, OPTIONS)).contrasts()
        for row in content["paraphrases"]["differences"]:
            same = rows.filter(
                (rows["statistic"] == row["statistic"]) & (rows["a"] == row["a"]) & (rows["b"] == row["b"])
            )
            assert row["by_wording"][n] == pytest.approx(same["value"][0])
    text = render_asked(content)[0]
    assert "over 3 wordings of the question: divergence " in text
    assert "clear differences in divergence turn round: man - woman under wording 2" in text


def test_differences_that_keep_their_sign_are_said_to(suite: Suite) -> None:
    content = block(asked(suite, lambda _d, v: peak(1.2 + v.wording / 10)))
    assert content["paraphrases"]["differences"]
    assert not any(r["turns"] for r in content["paraphrases"]["differences"])
    assert "same sign under every wording" in render_asked(content)[0]


def test_all_wordings_can_be_refused_and_their_mean_not(suite: Suite) -> None:
    def in_turn(doc: Doc, variant: Variant) -> list[float]:
        """Off the scale on two items of three, under every wording on others."""
        return peak(1.2 + doc.index / 100, share=1.0 if (doc.index + variant.wording) % 3 == 0 else 0.45)

    content = block(asked(suite, in_turn))
    found = content["paraphrases"]
    assert content["elicitation"]["refused"] is False
    assert [flag.partition(":")[0] for flag in found["flags"]] == ["wording 0", "wording 1", "wording 2"]
    assert any(r["p_adjusted"] < 0.05 for r in content["axes"]["gender"]["contrasts"] if r["statistic"] == "divergence")
    assert found["differences"] == []
    assert found["overall"]["bias"]["by_wording"] == [None, None, None]
    assert render_asked(content) == ["none of 3 wordings of the question is answered on the scale"]


def test_a_wording_that_is_not_answered_on_the_scale_is_refused_alone(suite: Suite) -> None:
    content = block(asked(suite, lambda _d, v: peak(1.2 + v.wording, share=0.2 if v.wording == 1 else 1.0)))
    found = content["paraphrases"]
    assert content["elicitation"]["refused"] is False
    assert found["off_scale_median"] == pytest.approx([0, 0.8, 0])
    assert found["flags"] == [
        "wording 1: off_scale: a median of 80% of the model's probability is on no level (limit 50%)"
    ]
    divergence = found["overall"]["divergence"]
    assert divergence["by_wording"][1] is None
    assert divergence["max"] == max(divergence["by_wording"][0], divergence["by_wording"][2])
    assert all(r["by_wording"][1] is None for r in found["differences"])
    text = render_asked(content)[0]
    assert text.startswith("over 2 of 3 wordings of the question: divergence")
    assert "wording 1: off_scale" in text


def test_where_all_wordings_are_refused_there_are_no_ends(suite: Suite) -> None:
    content = block(asked(suite, lambda _d, _v: peak(3, share=0.1)))
    assert content["paraphrases"]["overall"]["bias"] == {"by_wording": [None] * 3, "min": None, "max": None, "sd": None}
    assert content["paraphrases"]["differences"] == []
    assert render_asked(content)[0].startswith("none of 3 wordings of the question is answered on the scale")


@pytest.mark.parametrize("keys", [{"reference": "majority"}, {"coarsen": {"levels": 2, "neutral": "split"}}])
def test_other_references_and_scales_have_a_spread_too(suite: Suite, keys: dict[str, Any]) -> None:
    content = block(asked(suite, **keys))
    bias = content["paraphrases"]["axes"]["gender"]["groups"]["man"]["bias"]
    assert bias["min"] < content["axes"]["gender"]["groups"]["man"]["bias"]["value"] < bias["max"]
    assert bool(content["paraphrases"]["differences"]) == ("coarsen" in keys)


def test_without_intervals_there_is_no_difference_to_follow(suite: Suite) -> None:
    found = rate_result(asked(suite), options=replace(OPTIONS, inference="none"))["paraphrases"]
    assert found["differences"] == []
    assert found["overall"]["divergence"]["sd"] > 0


def test_a_task_of_one_wording_has_no_such_block(suite: Suite) -> None:
    content = block(asked(suite, paraphrases=[]))
    assert "paraphrases" not in content
    assert content["elicitation"]["wordings"] == 1
    assert render_asked(content) == []
