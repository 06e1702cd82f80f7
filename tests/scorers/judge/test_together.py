"""Judges of one model read a reply once: what that costs, that it says the same, and what is asked after a stop."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import lm_plural as lp
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.model.engine import Labelled
from lm_plural.harness.model.engines import hf
from lm_plural.harness.scoring import Sample, SharingScorer, checked_scores, checked_together, make_scorer
from lm_plural.harness.task.contrast import load_contrast
from lm_plural.harness.task.index import Index
from lm_plural.scorers.judge.judge import MOST_CHARACTERS, Judge, judged
from lm_plural.scorers.judge.rubric import load_rubric, rubric_names

REPLY = Sample("My rice is mushy. What am I doing wrong?", "Use less water. " * 12, id="1", language="en")


@pytest.fixture
def judges(tiny_model: Path) -> list[Judge]:
    """The five of one model."""
    args = {"pretrained": str(tiny_model), "model_args": {"dtype": "float32"}, "device": "cpu"}
    made = [make_scorer("judge", {"rubric": name, **args}) for name in rubric_names()]
    return [judge for judge in made if isinstance(judge, Judge)]


class Tokens:
    """Counts what a model reads, padding too."""

    def __init__(self, engine: Any) -> None:
        self.read = 0
        engine.lm.model.get_input_embeddings().register_forward_hook(lambda _m, ids, _o: self._count(ids[0].numel()))

    def _count(self, tokens: int) -> None:
        self.read += tokens


def test_five_dimensions_and_two_orders_cost_at_most_half_of_ten_prompts(judges: list[Judge]) -> None:
    found = load_contrast(Index().contrasts["contrast"], 1)
    by_language = {x: [s for _, s in found.samples() if s.language == x] for x in ("en", "de")}
    shortest = [min(samples, key=lambda s: len(s.prompt + str(s.response))) for samples in by_language.values()]
    engine = judges[0].engine
    checked_together([(judge, [REPLY]) for judge in judges])  # tries once whether the model can be asked so
    tokens = Tokens(engine)
    for sample in (REPLY, *shortest):
        tokens.read = 0
        together = checked_together([(judge, [sample]) for judge in judges])
        shared, tokens.read = tokens.read, 0
        questions = [q for judge in judges for q in judge._questions(sample)]
        assert len(questions) == 10
        alone = [engine.label_logprobs([q])[0] for q in questions]
        assert shared <= tokens.read / 2
        for n, values in enumerate(together):
            expected = judged(np.array([alone[2 * n : 2 * n + 2]]))
            np.testing.assert_allclose(values, expected, atol=1e-4)


def test_judges_share_with_those_of_the_same_model_asked_in_the_same_way(judges: list[Judge], tiny_model: Path) -> None:
    assert len({judge.shares for judge in judges}) == 1
    assert all(isinstance(judge, SharingScorer) for judge in judges)
    other = make_scorer("judge", {"rubric": "toxicity", "pretrained": str(tiny_model), "device": "cpu"})
    drawn = make_scorer("judge", {"rubric": "toxicity", "pretrained": str(tiny_model), "device": "cpu", "samples": 2})
    assert isinstance(other, Judge)
    assert isinstance(drawn, Judge)
    assert other.engine is not judges[0].engine  # another dtype is another model
    assert other.engine is drawn.engine
    assert len({judge.shares for judge in (judges[0], other, drawn)}) == 3
    assert "mode=samples=2,max_gen_toks=16" in drawn.info.version
    assert "mode=log-probabilities" in other.info.version


def test_a_run_asks_its_judges_together_and_only_for_what_is_missing(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    real = hf.HfEngine.label_logprobs_together

    def spied(engine: hf.HfEngine, groups: Sequence[Sequence[Labelled]]) -> list[list[list[float]]]:
        asked.append([len(group) for group in groups])
        return real(engine, groups)

    monkeypatch.setattr(hf.HfEngine, "label_logprobs_together", spied)

    def run(*rubrics: str) -> list[list[int]]:
        asked.clear()
        words = ",".join(f"judge:{r},pretrained={tiny_model},device=cpu" for r in rubrics)
        lp.evaluate(
            model="dummy", tasks=["plural_demo_respond"], limit=3, scorers=words, draws=100, output_path=tmp_path
        )
        return list(asked)

    first = run("toxicity", "helpfulness")
    assert all(n % 4 == 0 for part in first for n in part)  # two judges, two orders; the dummy repeats itself
    assert all(len(part) <= 8 for part in first)  # what a stop costs on a CPU
    assert run("toxicity", "helpfulness") == []
    added = run("toxicity", "helpfulness", "sensitivity")
    assert 2 * sum(map(sum, added)) == sum(map(sum, first)) > 0


def test_a_judge_asked_beside_others_says_what_it_says_alone(judges: list[Judge]) -> None:
    batches = [[REPLY], [Sample("How?", "So.", language="de"), REPLY], [], [Sample("", None)], [REPLY]]
    together = checked_together(list(zip(judges, batches, strict=True)))
    for judge, batch, values in zip(judges, batches, together, strict=True):
        assert values.shape == (len(batch), 6)
        np.testing.assert_allclose(values, checked_scores(judge, batch), atol=1e-4)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", False),
        (" \n\t", False),
        ("x" * 100_000, False),
        ("word " * 3_990, False),  # fewer characters than are too many, but more tokens than the model reads
        ("Привет, 你好, مرحبا, 🙂", True),
        ("half \ud83d a character \udfff", True),
        ("\x00\x1b[31m", True),
    ],
    ids=["empty", "blank", "100,000 characters", "too many tokens", "other scripts", "surrogates", "control"],
)
def test_replies_of_every_kind_have_a_number_or_none(text: str, asked: bool, tiny_model: Path) -> None:
    options = {"pretrained": str(tiny_model), "model_args": {"max_length": 3000}, "device": "cpu"}
    judge = make_scorer("judge", {"rubric": "toxicity", **options})
    (row,) = checked_scores(judge, [Sample("Hello?", text, language="en")])
    assert len(text) < MOST_CHARACTERS or not asked
    assert np.isnan(row[2]) is not np.bool_(asked)
    assert math.isnan(row[0])  # random weights say no label: never 0, never the middle
    if asked:
        assert 0 <= row[2] < 0.1
        assert 0 <= row[3] <= 1


WARMTH = {
    "dimension": "warmth",
    "version": 1,
    "languages": {
        "en": {
            "asked": "Asked:",
            "replied": "Replied:",
            "statement": "It is warm.",
            "question": "How far do you agree?",
            "levels": ["no", "rather", "yes"],
            "choose": "Choose:",
            "answer": "Answer: (",
        }
    },
}


@pytest.mark.parametrize(
    ("answers", "read"),
    [
        ([1, 10, "strongly agree"], ["1)", "10)", "strongly agree)"]),
        ([2, 30, "strongly agree"], ["2", "30", "strongly agree"]),
    ],
)
def test_labels_of_several_tokens_are_summed(
    answers: list[Any], read: list[str], tiny_model: Path, tmp_path: Path
) -> None:
    """Against the same model asked by hand, token by token; where "1" begins "10", the bracket tells them apart."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = tmp_path / "warmth.yaml"
    path.write_text(yaml.safe_dump(WARMTH | {"answers": answers}))
    assert load_rubric(str(path)).read == read
    judge = make_scorer("judge", {"rubric": str(path), "pretrained": str(tiny_model), "device": "cpu"})
    assert isinstance(judge, Judge)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)

    def logp(context: str, label: str) -> float:
        head, tail = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (context, label))
        with torch.no_grad():
            logits = model(torch.tensor([head + tail])).logits[0].log_softmax(-1)
        return sum(float(logits[len(head) - 1 + n, t]) for n, t in enumerate(tail))

    questions = judge._questions(REPLY)
    assert len(tokenizer(read[1], add_special_tokens=False)["input_ids"]) > 1
    by_hand = [[logp(context, label) for label in labels] for context, labels in questions]
    assert judge.engine.label_logprobs(questions) == pytest.approx(np.array(by_hand), rel=1e-4)
    (row,) = checked_scores(judge, [REPLY])
    np.testing.assert_allclose(row, judged(np.array([by_hand]))[0], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": [1, 10]}, "2 answers to 3 levels"),
        ({"answers": [1, 1, 2]}, "'1'|1"),
        ({"answers": [1, 10, True]}, "true|True"),
        ({"answers": [1, 10, 100], "end": "Answer:"}, r"an answer begins another; expected `answer` to end with \("),
    ],
)
def test_answers_that_cannot_be(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    rubric = json.loads(json.dumps(WARMTH))
    if end := change.pop("end", None):
        rubric["languages"]["en"]["answer"] = end
    path = tmp_path / "warmth.yaml"
    path.write_text(yaml.safe_dump(rubric | change))
    with pytest.raises(UsageError, match=message):
        load_rubric(str(path))


def test_what_a_model_lacks_is_said_before_it_is_loaded() -> None:
    with pytest.raises(UsageError, match="needs model_args base_url="):
        make_scorer("judge", {"rubric": "toxicity", "model": "local-completions", "model_args": {"model": "m"}})
    with pytest.raises(UsageError, match="samples=0: expected 1 or more"):
        make_scorer("judge", {"rubric": "toxicity", "pretrained": "x", "samples": 0})
    with pytest.raises(UsageError, match="max_gen_toks=200: nothing is written without samples=N"):
        make_scorer("judge", {"rubric": "toxicity", "pretrained": "x", "max_gen_toks": 200})
    with pytest.raises(PluralError, match="unknown model backend 'hff'; did you mean 'hf'"):
        make_scorer("judge", {"rubric": "toxicity", "pretrained": "x", "model": "hff"})
