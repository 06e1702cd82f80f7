"""The texts raters judged, found and scored once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.jobs.audit import score_texts, text_field, text_pairs
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.task.schema import ScorerSpec
from tests.suite import Suite

SPEC = ScorerSpec(name="profanity")


def test_the_text_is_the_field_the_task_shows_or_the_one_asked_for(suite: Suite) -> None:
    assert text_field(suite.load()) == "text"
    assert text_field(suite.load(), "lang") == "lang"
    suite.task["doc_to_text"] = "{{ text }} in {{ lang }}: {{ options }}"
    with pytest.raises(UsageError, match=r"--text tiny_rate=FIELD, FIELD one of text, lang$"):
        text_field(suite.load())
    with pytest.raises(UsageError, match=r"no field 'txt'; did you mean 'text'\?; there are prompt_id, text, lang"):
        text_field(suite.load(), "txt")


def test_the_text_of_a_respond_task_is_its_reference_response_to_its_prompt(suite: Suite) -> None:
    loaded = suite.respond(doc_to_text="In {{ lang }}: say it", doc_to_target="text", doc_id="prompt_id").load()
    assert text_field(loaded) == "text"
    pairs = text_pairs(loaded, "text")
    assert [(r["item_id"], s.prompt, s.response) for r, s in pairs] == [
        (f"i{n}", "In en: say it", f"text {n}") for n in range(1, 5)
    ]
    assert [r["item_id"] for r, _ in text_pairs(loaded, "text", 1)] == ["i1", "i3"]  # both of the first prompt


def test_a_field_called_prompt_is_what_was_asked(suite: Suite) -> None:
    for item in suite.items:
        item["prompt"] = "why?"
    suite.recipe["items"]["fields"] += ["prompt"]
    loaded = suite.load()
    assert {s.prompt for _, s in text_pairs(loaded, "text")} == {"why?"}
    assert {(s.prompt, s.response) for _, s in text_pairs(loaded, "prompt")} == {("", "why?")}


def test_texts_are_scored_once_and_again_where_they_changed(
    suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, said = RunFolder(tmp_path / "out"), "scoring 4 texts of tiny_rate"
    suite.items[1]["text"] = " "
    first = score_texts(loaded := suite.load(), SPEC, text_pairs(loaded, "text"), folder)
    assert said in capsys.readouterr().err
    assert [r["scores"]["toxicity"] is None for r in first] == [False, True, False, False]
    journal = (folder.path / "scores_tiny_rate.jsonl").read_bytes()
    assert score_texts(loaded, SPEC, text_pairs(loaded, "text"), folder) == first
    assert capsys.readouterr().err == ""
    assert (folder.path / "scores_tiny_rate.jsonl").read_bytes() == journal
    suite.items[0]["text"] = "damn you, stupid"
    for spec in suite.recipe["files"].values():
        spec.pop("sha256")
    again = score_texts(loaded := suite.load(), SPEC, text_pairs(loaded, "text"), folder)
    assert [a == b for a, b in zip(again, first, strict=True)] == [False, True, True, True]
    assert again[0]["scores"]["toxicity"] > first[0]["scores"]["toxicity"]


def test_a_scorer_that_cannot_be_made_is_an_error(suite: Suite, tmp_path: Path) -> None:
    spec = ScorerSpec(name="detoxify", options={"checkpoint": str(tmp_path / "none.ckpt")})
    loaded = suite.load()
    with pytest.raises(PluralError, match=r"none\.ckpt"):
        score_texts(loaded, spec, text_pairs(loaded, "text"), RunFolder(tmp_path / "out"))
    assert not (tmp_path / "out" / "scores_tiny_rate.jsonl").exists()
