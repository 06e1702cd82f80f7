"""Results on shares of answers: numbers against scipy, what is refused and said, and every verb on the way."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ttest_rel, wasserstein_distance

from lm_plural.harness.analysis.options import Options
from lm_plural.harness.cli.main import main
from lm_plural.harness.report.table import render_block
from lm_plural.harness.result.making.shares import shares_result
from lm_plural.harness.run.loop import Work
from lm_plural.harness.task.elicit import Variant
from lm_plural.harness.task.load import Doc
from tests.opinions import Opinions, results_in

#: What people said, by item and group, and what the model says; places of the options on a line.
PEOPLE = {
    ("q1", "Here"): [0.5, 0.25, 0.25],
    ("q1", "There"): [0.1, 0.2, 0.7],
    ("q2", "Here"): [0.8, 0.2],
    ("q2", "There"): [0.3, 0.7],
    ("q3", "Here"): [0.2, 0.3, 0.5],
    ("q4", "Here"): [1.0, 0.0],
    ("q4", "There"): [0.4, 0.6],
}
MODEL = {"q1": [0.6, 0.3, 0.1], "q2": [0.5, 0.5], "q3": [0.1, 0.1, 0.8], "q4": [0.7, 0.3]}
PLACES = {"q1": [1, 2, 3], "q2": [1, 2], "q3": [1, 2, 1.5]}


def told(doc: Doc, _variant: Variant) -> list[float]:
    return MODEL[doc.id]


def js(p: list[float], q: list[float]) -> float:
    return 1 - jensenshannon(p, q, base=2)


def w1(item: str, p: list[float], q: list[float]) -> float:
    at = PLACES[item]
    return 1 - wasserstein_distance(at, at, p, q) / (max(at) - min(at))


@pytest.fixture
def opinions(tmp_path: Path) -> Opinions:
    return Opinions(tmp_path / "tasks")


def block(work: Work, options: Options | None = None) -> dict[str, Any]:
    """Return the block as a reader of the file gets it."""
    return json.loads(json.dumps(shares_result(work, options=options), allow_nan=False))


def group(found: dict[str, Any], name: str) -> dict[str, Any]:
    return found["axes"]["country"]["groups"][name]


def test_every_statistic_is_the_mean_over_the_items_a_group_answered(opinions: Opinions) -> None:
    found = block(opinions.answered(told))
    for name, items in (("Here", ["q1", "q2", "q3", "q4"]), ("There", ["q1", "q2", "q4"])):
        one = group(found, name)
        assert one["js_similarity"]["value"] == pytest.approx(np.mean([js(PEOPLE[i, name], MODEL[i]) for i in items]))
        ordered = [i for i in items if i in PLACES]
        expected = [w1(i, PEOPLE[i, name], MODEL[i]) for i in ordered]
        assert one["w1_alignment"]["value"] == pytest.approx(np.mean(expected))
        far = [np.abs(np.subtract(PEOPLE[i, name], MODEL[i])).sum() / 2 for i in items]
        assert one["tv"]["value"] == pytest.approx(np.mean(far))
        assert (one["n_items"], one["n_raters"], one["answers_per_item"]) == (len(items), None, None)


def test_the_average_group_weighs_groups_the_same_on_each_item(opinions: Opinions) -> None:
    found = block(opinions.answered(told))["overall"]
    both = [np.mean([js(p, MODEL[i]) for (j, _), p in PEOPLE.items() if j == i]) for i in MODEL]
    assert found["js_similarity"]["value"] == pytest.approx(np.mean(both))
    assert (found["n_items"], found["n_raters"]) == (4, None)


def test_intervals_stay_in_0_to_1_and_speak_of_items(opinions: Opinions) -> None:
    found = block(opinions.answered(told))
    assert found["inference"] == "items"
    for name in ("Here", "There"):
        for statistic in ("js_similarity", "w1_alignment", "tv"):
            n = group(found, name)[statistic]
            assert 0 < n["low"] < n["value"] < n["high"] < 1
    x = [js(PEOPLE[i, "There"], MODEL[i]) for i in ("q1", "q2", "q4")]
    assert group(found, "There")["js_similarity"]["se"] == pytest.approx(np.std(x, ddof=1) / math.sqrt(3))
    assert group(found, "There")["js_similarity"]["df"] == 2


def test_a_difference_is_paired_over_common_items(opinions: Opinions) -> None:
    rows = block(opinions.answered(told))["axes"]["country"]["contrasts"]
    (row,) = [r for r in rows if (r["statistic"], r["kind"]) == ("js_similarity", "pairs")]
    here, there = ([js(PEOPLE[i, g], MODEL[i]) for i in ("q1", "q2", "q4")] for g in ("Here", "There"))
    assert (row["a"], row["b"], row["n_items"]) == ("Here", "There", 3)
    assert row["value"] == pytest.approx(np.mean(here) - np.mean(there))
    expected = ttest_rel(here, there)
    assert row["p"] == pytest.approx(expected.pvalue)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert row["p_adjusted"] >= row["p"]
    assert not row["flags"]
    rest = [r for r in rows if (r["statistic"], r["kind"]) == ("js_similarity", "rest")]
    assert [r["value"] for r in rest] == pytest.approx([row["value"], -row["value"]]), (
        "of two groups the rest is the other"
    )


def test_beside_each_group_stand_a_model_that_knows_nothing_and_the_other_groups(opinions: Opinions) -> None:
    found = group(block(opinions.answered(told)), "There")["beside"]
    items = ("q1", "q2", "q4")
    even = {i: [1 / len(MODEL[i])] * len(MODEL[i]) for i in items}
    assert found["uniform"]["js_similarity"] == pytest.approx(np.mean([js(PEOPLE[i, "There"], even[i]) for i in items]))
    other = [js(PEOPLE[i, "There"], PEOPLE[i, "Here"]) for i in items]
    assert found["other_groups"]["js_similarity"] == pytest.approx(np.mean(other))


def test_who_answers_as_a_group_does_is_equal_to_it(opinions: Opinions) -> None:
    found = block(opinions.answered(lambda doc, _: PEOPLE[doc.id, "Here"]))
    here = group(found, "Here")
    assert here["js_similarity"]["value"] == pytest.approx(1, abs=1e-3)
    assert here["w1_alignment"]["value"] == pytest.approx(1, abs=1e-3)
    assert here["tv"]["value"] == pytest.approx(0, abs=1e-3)
    assert group(found, "There")["js_similarity"]["value"] < 0.8


def test_the_order_in_which_options_are_shown_is_undone(opinions: Opinions) -> None:
    """A model that always says A is for the first option half of the time, and for the last the other half."""
    work = opinions.answered(lambda doc, v: _first(doc, v))
    q = dict(zip(*_predictions(work), strict=True))
    assert q["q1"] == pytest.approx([0.5, 0, 0.5], abs=1e-6)
    assert q["q2"] == pytest.approx([0.5, 0.5, 0], abs=1e-6)


def _first(doc: Doc, variant: Variant) -> list[float]:
    """Answers are kept option by option, so who says A chooses the last one when options are shown backwards."""
    k = len(json.loads(doc.fields["options"]))
    return [1.0 if n == (0 if variant.order == "ascending" else k - 1) else 0.0 for n in range(k)]


def _predictions(work: Work) -> tuple[Any, Any]:
    from lm_plural.harness.result.making.answers import Answers

    found = Answers.of(work).predictions
    return found.item_ids, found.q


def test_every_group_says_that_raters_are_not_known_and_what_that_costs(opinions: Opinions) -> None:
    found = block(opinions.answered(told))
    for one in (found["overall"], group(found, "Here"), group(found, "There")):
        assert one["flags"][0] == "no_raters: only the group's shares are known"
        assert any(f.startswith("not_for_gates") for f in one["flags"])
        assert not {"divergence", "disagreement", "skill", "equivalent_raters", "bias"} & one.keys()
    text = " ".join(found["notes"])
    assert "no divergence, disagreement or skill" in text
    assert "no correction for small groups" in text
    assert "not of other people" in text


def test_nothing_is_computed_of_a_model_that_does_not_answer_with_letters(opinions: Opinions) -> None:
    found = block(opinions.answered(lambda doc, v: [0.2 * p for p in told(doc, v)]))
    assert found["elicitation"]["refused"] is True
    assert found["elicitation"]["off_scale_median"] == pytest.approx(0.8)
    for one in (found["overall"], group(found, "Here")):
        assert one["js_similarity"]["value"] is None
        assert one["flags"][1].startswith("off_scale: a median of 80%")
    assert found["axes"]["country"]["contrasts"] == []
    assert any("comparison with the groups refused" in n for n in found["notes"])
    assert group(found, "Here")["beside"]["uniform"]["js_similarity"] is not None
    assert "refused" in render_block("t", {"mode": "rate"} | found)


def test_a_group_on_one_item_has_a_value_and_a_reason_for_no_interval(opinions: Opinions) -> None:
    opinions.shares += "q2,country,Small,a,0.5\nq2,country,Small,b,0.5\n"
    found = block(opinions.answered(told))
    small = group(found, "Small")
    assert small["js_similarity"]["value"] == pytest.approx(1, abs=1e-6)
    assert small["js_similarity"]["low"] is None
    assert "no_interval: 1 item, at least 2 needed (js_similarity, w1_alignment, tv)" in small["flags"]
    rows = [r for r in found["axes"]["country"]["contrasts"] if (r["kind"], r["statistic"]) == ("pairs", "tv")]
    assert [r["flags"] for r in rows if "Small" in (r["a"], r["b"])] == [
        ["little_common_support: 25% of items, the others may differ", "no_interval: 1 item, at least 2 needed"],
        ["common_support: 33% of items", "no_interval: 1 item, at least 2 needed"],
    ]


def test_without_order_there_is_no_alignment_and_a_reason(opinions: Opinions) -> None:
    del opinions.recipe["shares"]["options"]["position"]
    found = block(opinions.answered(told))
    assert group(found, "Here")["w1_alignment"]["value"] is None
    assert any(f.startswith("no_order") for f in group(found, "Here")["flags"])
    assert {r["statistic"] for r in found["axes"]["country"]["contrasts"]} == {"js_similarity", "tv"}
    assert "W1 alignment" not in render_block("t", {"mode": "rate"} | found).split("\n\n")[1]


def test_few_answers_are_left_out_where_their_number_is_known(opinions: Opinions) -> None:
    opinions.recipe["shares"]["counts"] = True
    opinions.task["groups"]["min_raters"] = 10
    lines = [line.rsplit(",", 1) for line in opinions.shares.splitlines()[1:]]
    opinions.shares = "item,axis,group,option,share\n" + "".join(f"{a},{float(n) * 20:g}\n" for a, n in lines)
    opinions.shares = opinions.shares.replace("q2,country,There,a,6\nq2,country,There,b,14", "q2,country,There,b,9")
    found = block(opinions.answered(told))
    assert group(found, "Here")["answers_per_item"] == 20
    assert group(found, "There")["n_items"] == 2
    assert "1 (item, group) pair left out: fewer than 10 answers" in found["notes"]


@pytest.mark.parametrize("inference", ["none", "raters"])
def test_other_people_cannot_be_spoken_of(opinions: Opinions, inference: Any) -> None:
    found = block(opinions.answered(told), Options(inference=inference))
    assert found["inference"] == "none"
    assert group(found, "Here")["js_similarity"]["se"] is None
    assert all(r["p"] is None for r in found["axes"]["country"]["contrasts"])
    text = render_block("t", {"mode": "rate"} | found)
    assert "no comparison has an interval" in text


def test_the_spread_over_wordings_is_told(opinions: Opinions) -> None:
    opinions.task["paraphrases"] = ["Please say.\n{{ question }}\n{{ options }}\n"]
    other = {"q1": [0.1, 0.2, 0.7], "q2": [0.3, 0.7], "q3": [0.3, 0.3, 0.4], "q4": [0.4, 0.6]}
    found = block(opinions.answered(lambda doc, v: other[doc.id] if v.wording else MODEL[doc.id]))
    there = found["paraphrases"]["axes"]["country"]["groups"]["There"]["js_similarity"]
    items = ("q1", "q2", "q4")
    expected = [np.mean([js(PEOPLE[i, "There"], q[i]) for i in items]) for q in (MODEL, other)]
    assert there["by_wording"] == pytest.approx(expected, abs=1e-6)
    assert (there["min"], there["max"]) == pytest.approx((min(expected), max(expected)), abs=1e-6)
    moved = f"{max(expected) - min(expected):.3f}"
    assert f"over 2 wordings of the question: JS similarity of a group moves by up to {moved}" in render_block(
        "t", {"mode": "rate"} | found
    )


def test_asked_as_a_member_the_change_is_paired(opinions: Opinions) -> None:
    opinions.task["steer"] = {"axis": "country", "names": {"There": "far away"}}
    found = block(opinions.answered(lambda doc, v: PEOPLE[doc.id, v.group] if v.group else MODEL[doc.id]))["steered"]
    there = found["groups"]["There"]
    assert there["said"] == "Answer as a person would who describes their country as: far away."
    items = ("q1", "q2", "q4")
    before = [js(PEOPLE[i, "There"], MODEL[i]) for i in items]
    change = there["change"]["js_similarity"]
    assert there["n_items"] == 3
    assert change["value"] == pytest.approx(np.mean(1 - np.array(before)), abs=1e-3)
    assert change["p"] == pytest.approx(ttest_rel([1, 1, 1], before).pvalue, rel=0.02)
    assert change["p_adjusted"] >= change["p"]
    assert found["groups"]["Here"]["n_items"] == 4


def test_a_refused_steering_costs_only_itself(opinions: Opinions) -> None:
    opinions.task["steer"] = "country"
    work = opinions.answered(lambda doc, v: [(0.1 if v.group == "Here" else 1) * p for p in MODEL[doc.id]])
    found = block(work)
    here, there = (found["steered"]["groups"][g] for g in ("Here", "There"))
    assert here["change"]["js_similarity"]["value"] is None
    assert here["flags"][0].startswith("off_scale")
    assert there["change"]["js_similarity"]["value"] == pytest.approx(0, abs=1e-9)
    assert "as Here: refused, off_scale" in render_block("t", {"mode": "rate"} | found).replace("\n      ", " ")


def test_a_dummy_run_its_files_and_its_scores_again(
    opinions: Opinions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert opinions.run(out, "--tables") == 0
    printed = capsys.readouterr().out
    assert "note: only shares of answers by group are known, no raters" in printed
    assert "[low,high]: 95 % interval for other questions, not for other people" in printed
    assert max(map(len, printed.splitlines()[:-2])) <= 100
    assert "W1 alignment" in printed
    content = results_in(out)
    name = "opinions_opinion"
    found = content["disaggregated"][name]
    assert (found["kind"], found["mode"], found["simulated_raters"]) == ("shares", "rate", False)
    assert content["results"][name]["js_similarity,none"] == found["overall"]["js_similarity"]["value"]
    assert content["results"][name]["js_similarity_stderr,none"] == found["overall"]["js_similarity"]["se"]
    assert content["higher_is_better"][name] == {
        "js_similarity": True,
        "w1_alignment": True,
        "tv": False,
        **dict.fromkeys(["js_similarity_stderr", "w1_alignment_stderr", "tv_stderr"]),
    }
    assert content["n-samples"][name] == {"original": 4, "effective": 4}
    (folder,) = out.iterdir()
    lines = [json.loads(line) for line in (folder / f"samples_{name}.jsonl").read_text().splitlines()]
    first = next(line for line in lines if (line["item_id"], line["part"]) == ("q1", "letters/ascending"))
    assert first["doc"]["options"] == '["yes", "maybe", "no"]'
    assert first["arguments"][0][0] == "INVENTED question 1\n(A) yes\n(B) maybe\n(C) no\nAnswer: ("
    assert first["arguments"][0][1] == ["A", "B", "C"]
    assert main(["score", str(folder)]) == 0
    assert "nothing new; the same results are in" in capsys.readouterr().out
    assert main(["score", str(folder), "--axes", "contry"]) == 2
    assert capsys.readouterr().err == (
        "lm-plural score: error: no axis 'contry'; did you mean 'country'?; there are country\n"
    )


def test_other_options_are_asked_again(opinions: Opinions, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert opinions.run(out, "--predict_only") == 0
    (folder,) = out.iterdir()
    before = (folder / "samples_opinions_opinion.jsonl").read_text().splitlines()
    opinions.task["filters"] = {"no_maybe": True}
    assert opinions.run(out, "--predict_only") == 0
    after = (folder / "samples_opinions_opinion.jsonl").read_text().splitlines()
    assert after[: len(before)] == before
    assert [json.loads(line)["item_id"] for line in after[len(before) :]] == ["q1", "q1"]


def test_the_embedded_model_answers_three_invented_questions(opinions: Opinions, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--model_args", "pretrained=smollm2-demo,dtype=float32", "--limit", 3]
    assert opinions.run(out, *arguments, model="hf") == 0
    found = results_in(out)["disaggregated"]["opinions_opinion"]
    assert found["elicitation"]["n_items"] == 3
    assert found["elicitation"]["refused"] is False
    here = group(found, "Here")
    assert 0 < here["js_similarity"]["low"] < here["js_similarity"]["value"] < here["js_similarity"]["high"] < 1
    assert 0 < here["w1_alignment"]["value"] < 1
    journal = [json.loads(line) for line in next(out.rglob("samples_*.jsonl")).read_text().splitlines()]
    assert sorted(len(r["filtered_resps"][0]) for r in journal) == [2, 2, 3, 3, 3, 3]


def test_groups_that_are_too_many_are_compared_with_the_rest_only(opinions: Opinions) -> None:
    more = [
        f"q{i},country,C{n:02},a,{n / 50}\nq{i},country,C{n:02},b,{1 - n / 50}\n" for n in range(45) for i in (2, 4)
    ]
    opinions.shares += "".join(more)
    found = block(opinions.answered(told), Options(draws=200))
    rows = found["axes"]["country"]["contrasts"]
    assert {r["kind"] for r in rows} == {"rest"}
    assert len(rows) == 3 * 47
    text = render_block("t", {"mode": "rate"} | found)
    assert "(35 more)" in text
    assert "the average other group" in text


def test_ls_and_show_know_of_shares(opinions: Opinions, capsys: pytest.CaptureFixture[str]) -> None:
    opinions.write()
    here = ["--include_path", str(opinions.root)]
    assert main(["ls", "datasets", *here]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("opinions ")]
    assert row.endswith("  not known, shares only")
    assert main(["ls", "axes", "--json", *here]) == 0
    rows = [r for r in json.loads(capsys.readouterr().out) if r["dataset"] == "opinions"]
    assert [(r["group"], r["raters"]) for r in rows] == [("Here", None), ("There", None)]
    assert main(["data", "show", "opinions", *here]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "opinion: shares of answers to 4 items by group; raters are not known",
        "country, items of a group: Here 4, There 3",
    ]
    assert main(["validate", "opinions_opinion", *here]) == 0


def test_an_audit_needs_ratings(opinions: Opinions, capsys: pytest.CaptureFixture[str]) -> None:
    opinions.write()
    words = ["--scorer", "profanity", "--tasks", "opinions_opinion", "--include_path", str(opinions.root)]
    assert main(["audit", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "opinions_opinion" in line
    assert "shares" in line
