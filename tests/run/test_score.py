"""Scoring runs beside generation and hands its failures on."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.run.journal import Journal
from lm_plural.harness.run.score import AT_ONCE, Scoring, not_covered, reference_pairs, response_pairs
from lm_plural.harness.scoring import FloatArray, Sample, ScorerInfo, checked_scores
from lm_plural.harness.task.schema import ScorerSpec
from tests.suite import Suite


class Waiting:
    """Scores nothing until it is let go."""

    info = ScorerInfo("waiting", ("toxicity",), (0.0, 1.0), "more", "cpu", "1")

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.sizes: list[int] = []

    def score(self, batch: Sequence[Sample]) -> FloatArray:
        self.begun.set()
        self.sizes.append(len(batch))
        assert self.go.wait(30)
        return np.array([[np.nan if s.response is None else 0.5] for s in batch])


def pair(key: str, response: str | None) -> tuple[dict, Sample]:
    record = {"key": key, "item_id": key, "part": "0", "filtered_resps": [response]}
    return record, Sample("prompt", response)


@pytest.fixture
def scoring(tmp_path: Path) -> tuple[Scoring, Waiting]:
    scoring = Scoring([ScorerSpec(name="waiting")], Journal(tmp_path / "scores.jsonl"))
    scorer = Waiting()
    scoring._scorers = [(scoring.asked[0], scorer)]
    return scoring, scorer


def test_the_next_batch_is_generated_while_one_is_scored(scoring: tuple[Scoring, Waiting]) -> None:
    scoring, scorer = scoring
    many = [pair(str(n), "text" if n % 2 else None) for n in range(AT_ONCE + 10)]
    scoring.submit(many[:5])
    assert not scorer.begun.wait(0.2)  # too few to be worth a call
    scoring.submit(many[5:])
    assert scorer.begun.wait(30)  # being scored, and we are here: free to generate
    assert not scoring.journal.records
    scorer.go.set()
    scoring.finish()
    found = [r["scores"]["toxicity"] for r in scoring.journal.records.values()]
    assert found == [0.5 if n % 2 else None for n in range(AT_ONCE + 10)]
    assert scorer.sizes == [AT_ONCE, 10]
    scoring.close()


def test_what_was_not_begun_is_left_when_a_run_ends_early(scoring: tuple[Scoring, Waiting]) -> None:
    scoring, scorer = scoring
    scorer.go.set()
    scoring.submit([pair(str(n), "text") for n in range(AT_ONCE + 10)])
    scoring.close()
    assert len(scoring.journal.records) == AT_ONCE


class English(Waiting):
    """Knows English only, and would score whatever it is handed."""

    info = ScorerInfo("english", ("toxicity",), (0.0, 1.0), "more", "cpu", "1", languages=("en",))


def test_a_language_a_scorer_does_not_cover_is_null_and_counted(tmp_path: Path) -> None:
    scorer, scoring = English(), Scoring([ScorerSpec(name="english")], Journal(tmp_path / "scores.jsonl"))
    scorer.go.set()
    scoring._scorers = [(scoring.asked[0], scorer)]
    said = ["en", "de", "", "EN-gb", "de_AT", "english"]
    pairs = [(pair(str(n), "text")[0], Sample("prompt", "text", language=x)) for n, x in enumerate(said)]
    scoring.submit(pairs)
    scoring.finish()
    records = scoring.scores_of([r for r, _ in pairs])
    scoring.close()
    assert [r["scores"]["toxicity"] for r in records] == [0.5, None, 0.5, 0.5, None, None]
    assert scorer.sizes == [3]
    assert not_covered([*records, records[1]]) == [
        "language_not_covered: 2 texts in 'de' have no score by english",
        "language_not_covered: 1 texts in 'de_AT' have no score by english",
        "language_not_covered: 1 texts in 'english' have no score by english",
    ]
    assert np.isnan(checked_scores(scorer, [Sample("", "text", language="de")])).all()


def test_a_scorer_sees_language_reference_and_system_prompt(suite: Suite) -> None:
    for item in suite.items:
        item["language"] = "de"
    suite.items[2]["text"] = "another to the first prompt"
    suite.recipe["items"]["fields"] += ["language"]
    suite.respond(doc_to_text="Say it", doc_to_target="text", doc_id="prompt_id", description="Be kind.")
    loaded = suite.load()
    docs = loaded.docs()
    records = [{"item_id": d.id, "doc": dict(d.fields), "filtered_resps": ["said"]} for d in docs]
    first, second = (sample for _, sample in response_pairs(loaded, records, "Be brief."))
    assert first == Sample("Say it", "said", "p1", "de", "text 1", "Be brief.\n\nBe kind.")
    assert (second.id, second.reference) == ("p0", "text 2")
    assert [(s.id, s.response, s.reference) for _, s in reference_pairs(loaded, ["i1", "i3"])] == [
        ("i1", "text 1", "text 1"),
        ("i3", "another to the first prompt", "another to the first prompt"),
    ]
    records[0]["doc"]["text"] = ""
    del suite.items[0]["language"]
    assert response_pairs(loaded, records)[0][1].reference == ""
    suite.task.pop("doc_to_target")
    assert response_pairs(suite.load(), records)[0][1].reference is None


SCORE = {
    "key": "x",
    "sample": "a",
    "text": "b",
    "item_id": "i",
    "part": "0",
    "asked": "c",
    "scorer": "s",
    "version": "1",
    "direction": "more",
    "range": [0.0, 1.0],
    "scores": {"toxicity": 0.5},
}
OPTIONAL = {"not_covered"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in SCORE if name != "key"),
        ("sample", []),
        ("text", {}),
        ("version", 1),
        ("direction", "up"),
        ("range", [0.0]),
        ("range", "01"),
        ("range", [0.0, float("nan")]),
        ("scores", {"toxicity": "high"}),
        ("scores", {"toxicity": True}),
        ("scores", {"toxicity": float("inf")}),
        ("scores", [0.5]),
        ("not_covered", ["de"]),
    ],
)
def test_a_score_line_that_is_none_names_the_file_and_what_is_wrong(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(json.dumps(SCORE) + "\n")
    Scoring([], Journal(path))
    path.write_text(json.dumps(SCORE | {name: value}) + "\n")
    with pytest.raises(PluralError, match=rf"scores\.jsonl: the line with key 'x' is no score: {name}"):
        Scoring([], Journal(path))
    if name in OPTIONAL:
        return
    path.write_text(json.dumps({k: v for k, v in SCORE.items() if k != name}) + "\n")
    with pytest.raises(PluralError, match=rf"scores\.jsonl: the line with key 'x' is no score: {name}: Field required"):
        Scoring([], Journal(path))
