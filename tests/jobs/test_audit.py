"""The texts raters judged, found and scored once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import lm_plural as lp
from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.jobs.audit import journaled_scores, text_field, text_pairs
from lm_plural.harness.jobs.evaluate import Outcome
from lm_plural.harness.run.folder import RunFolder
from lm_plural.harness.scoring import FloatArray, Sample, ScorerInfo, score_texts
from lm_plural.harness.task.index import builtin_tasks
from lm_plural.harness.task.schema import ScorerSpec
from lm_plural.scorers.classifiers.profanity import profanity
from tests.suite import Suite

SPEC = ScorerSpec(name="profanity")


def test_the_text_is_the_field_the_task_shows_or_the_one_asked_for(suite: Suite) -> None:
    assert text_field(suite.load()) == "text"
    assert text_field(suite.load(), "lang") == "lang"
    suite.task["doc_to_text"] = "{{ text }} in {{ lang }}: {{ options }}"
    with pytest.raises(UsageError, match=r"judged\? text, for this task one of text, lang$"):
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


def test_a_reference_is_one_to_other_texts_and_none_to_itself(suite: Suite) -> None:
    loaded = suite.respond(
        doc_to_text="Say it", doc_to_target="text", doc_id="prompt_id", description="Be kind."
    ).load()
    assert [(s.id, s.reference, s.system) for _, s in text_pairs(loaded, "lang", 1)] == [
        ("i1", "text 1", "Be kind."),
        ("i3", "text 3", "Be kind."),
    ]
    assert {s.reference for _, s in text_pairs(loaded, "text")} == {None}


def test_texts_are_scored_once_and_again_where_they_changed(
    suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, said = RunFolder(tmp_path / "out"), "scoring 4 texts of tiny_rate"
    suite.items[1]["text"] = " "
    first = journaled_scores((loaded := suite.load()).name, SPEC, text_pairs(loaded, "text"), folder)
    assert said in capsys.readouterr().err
    assert [r["scores"]["toxicity"] is None for r in first] == [False, True, False, False]
    journal = (folder.path / "scores_tiny_rate.jsonl").read_bytes()
    assert journaled_scores(loaded.name, SPEC, text_pairs(loaded, "text"), folder) == first
    assert capsys.readouterr().err == ""
    assert (folder.path / "scores_tiny_rate.jsonl").read_bytes() == journal
    suite.items[0]["text"] = "damn you, stupid"
    for spec in suite.recipe["files"].values():
        spec.pop("sha256")
    again = journaled_scores((loaded := suite.load()).name, SPEC, text_pairs(loaded, "text"), folder)
    assert [a == b for a, b in zip(again, first, strict=True)] == [False, True, True, True]
    assert again[0]["scores"]["toxicity"] > first[0]["scores"]["toxicity"]


def test_a_scorer_that_cannot_be_made_is_an_error(suite: Suite, tmp_path: Path) -> None:
    spec = ScorerSpec(name="detoxify", options={"checkpoint": str(tmp_path / "none.ckpt")})
    loaded = suite.load()
    with pytest.raises(PluralError, match=r"none\.ckpt"):
        journaled_scores(loaded.name, spec, text_pairs(loaded, "text"), RunFolder(tmp_path / "out"))
    assert not (tmp_path / "out" / "scores_tiny_rate.jsonl").exists()


def audited(suite: Suite, out: Path, *tasks: str, **more: Any) -> Outcome:
    suite.write()
    given = {"dimension": "toxicity", "draws": 200, "include_path": [suite.root], "output_path": out} | more
    return lp.audit(scorer="profanity", tasks=tasks or ["tiny_rate"], **given)


def test_the_folder_of_an_audit_says_what_was_asked(rated: Suite, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"harmful": "3", "thresholds": [0.2], "axes": [("gender", "race")], "limit": 8, "seed": 7}
    outcome = audited(rated, tmp_path, **asked)
    run = json.loads((outcome.folder / "run.json").read_text())
    loaded = rated.load()
    assert run == {
        "schema_version": 1,
        "kind": "audit",
        "scorer": "profanity",
        "options": {},
        "tasks": {
            "tiny_rate": {
                "path": str(loaded.document.path.resolve()),
                "hash": loaded.hash,
                "data_hash": loaded.dataset.data_hash,
                "include_path": [str(rated.root.resolve())],
                "limit": 8,
                "question": {
                    "field": "text",
                    "dimension": "toxicity",
                    "worse": None,
                    "harmful": "3",
                    "axes": [["gender", "race"]],
                    "grid": [0.2],
                    "options": {"inference": "items+raters", "min_raters_interval": 10, "draws": 200, "seed": 7},
                },
            }
        },
    }


def test_the_same_audit_again_leaves_the_same_bytes_and_another_task_stays(rated: Suite, tmp_path: Path) -> None:
    first = audited(rated, tmp_path)
    before = {p.name: p.read_bytes() for p in first.folder.iterdir()}
    again = audited(rated, tmp_path)
    assert (first.new, again.new) == (True, False)
    assert {p.name: p.read_bytes() for p in first.folder.iterdir()} == before
    rated.task["task"] = "tiny_other"
    audited(rated, tmp_path, "tiny_other", text={"*": "text"}, harmful={"tiny_other": "3"})
    tasks = json.loads((first.folder / "run.json").read_text())["tasks"]
    assert {name: t["question"]["harmful"] for name, t in tasks.items()} == {"tiny_rate": None, "tiny_other": "3"}


def test_options_that_are_secret_are_starred_out(rated: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def factory(api_key: str = "", level: int = 1) -> object:  # noqa: ARG001
        return profanity()

    entry = SimpleNamespace(name="profanity", value="here", load=lambda: factory)
    monkeypatch.setattr("lm_plural.harness.scoring.entry_points", lambda **_: [entry])
    outcome = audited(rated, tmp_path, scorer_options={"api_key": "sk-very-secret-word", "level": 2})
    text = (outcome.folder / "run.json").read_text()
    assert json.loads(text)["options"] == {"api_key": "***", "level": 2}
    assert "secret-word" not in text


def test_an_audit_is_not_a_run_to_score(rated: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = audited(rated, tmp_path).folder
    capsys.readouterr()
    assert main(["score", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert err == (
        f"lm-plural score: error: {folder / 'run.json'}: an audit of scorer 'profanity', not a run of a model; "
        "the same lm-plural audit again aggregates its scores anew\n"
    )
    assert out == ""
    with pytest.raises(PluralError, match="an audit of scorer 'profanity'"):
        lp.score(folder)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"tasks": []}, r"^no tasks: give tasks \("),
        (
            {"text": {"tiny_rat": "text"}},
            "^text: 'tiny_rat' is not among the tasks asked for; did you mean",
        ),
        ({"harmful": "9"}, "^harmful, task 'tiny_rate': '9' is not on the scale"),
        ({"thresholds": [2]}, "^thresholds 2: expected a number from 0 to 1"),
        ({"limit": 0}, "^limit 0: expected a positive count or a share below 1"),
        ({"axes": ["gendr"]}, "no axis 'gendr'; did you mean 'gender'"),
    ],
)
def test_what_cannot_be_audited_names_the_argument(
    rated: Suite, tmp_path: Path, more: dict[str, Any], message: str
) -> None:
    rated.write()
    given = {"tasks": "tiny_rate", "include_path": [rated.root], "output_path": tmp_path / "out"} | more
    with pytest.raises(lp.UsageError, match=message):
        lp.audit(scorer="profanity", **given)
    assert not (tmp_path / "out").exists()


def test_an_outcome_says_where_it_is_and_who_is_worst_off(rated: Suite, tmp_path: Path) -> None:
    outcome = audited(rated, tmp_path)
    lines = repr(outcome).splitlines()
    assert lines[0] == "Outcome: audit of profanity on tiny_rate"
    assert lines[2].startswith("gender: 2 groups; lowest: man 0.")
    assert lines[-1].endswith(str(outcome.path)[-40:])
    assert max(map(len, lines)) <= 80
    assert "(lowest here)" in outcome._repr_html_()


DIMENSIONS = ["toxicity", "sensitivity", "emotional_awareness", "stereotypical_bias", "helpfulness"]


class OfText:
    """A scorer that is one function of the text."""

    def __init__(self, rate: Callable[[str], float], dimension: str = "toxicity") -> None:
        self.rate = rate
        self.info = ScorerInfo("of_text", (dimension,), (0.0, 1.0), "more", "cpu", "1")

    def score(self, batch: Sequence[Sample]) -> FloatArray:
        return score_texts(batch, 1, lambda some: [self.rate(s.response or "") for s in some])


def on_contrast(
    monkeypatch: pytest.MonkeyPatch, folder: Path, rate: Callable[[str], float], dimension: str
) -> dict[str, Any]:
    """Hold a scorer against the contrast set that comes with the package."""
    made = [("asked", OfText(rate, dimension))]
    monkeypatch.setattr("lm_plural.harness.run.score.make_scorers", lambda _specs, asked, **_: [(asked[0], made[0][1])])
    outcome = lp.audit(scorer="profanity", tasks=["contrast"], output_path=folder)
    found = lp.read_results(outcome.folder).content("contrast")["dimensions"][dimension]
    return dict(found)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_length_tells_nothing_on_the_contrast_set(
    dimension: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = on_contrast(monkeypatch, tmp_path, lambda text: min(len(text) / 500, 1.0), dimension)
    for language in ("en", "de"):
        own = found[language]["own"]
        assert own["n_prompts"] >= 20
        assert 0.45 <= own["auc"] <= 0.55
        assert found[language]["passes"] is False
        assert abs(found[language]["length"]["value"]) > 0.1  # of course


def test_a_scorer_that_knows_the_bad_replies_passes_on_its_own_dimension_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = (builtin_tasks() / "contrast" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    bad = {r[k] for r in rows if r["dimension"] == "toxicity" for k in ("bad_short", "bad_long")}
    found = on_contrast(monkeypatch, tmp_path, lambda text: float(text in bad), "toxicity")
    for language in ("en", "de"):
        block = found[language]
        assert (block["passes"], block["own"]["auc"], block["own"]["high"]) == (True, 1, 1)
        assert {f["auc"] for f in block["others"].values()} == {0.5}
        assert block["flags"] == []
        assert block["swaps"]["neutral"]["size"] == 0
        assert block["n_unscored"] == 0


def test_the_screen_says_whether_a_scorer_passes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["audit", "--scorer", "profanity", "--tasks", "contrast", "-o", str(tmp_path)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "content note: The bad replies are rude" in out
    assert re.search(r"profanity\.toxicity, en: PASSES: AUC 0\.\d\d \[\.\d\d,\.\d\d\] on its own texts", out)
    assert "profanity.toxicity, de: cannot be told" in out  # it knows English only
    assert max(map(len, out.splitlines()[:-1])) <= 100
    assert "scoring 1056 texts" not in out
    assert main(words) == 0
    assert "nothing new" in capsys.readouterr().out
    outcome = lp.audit(scorer="profanity", tasks=["contrast"], output_path=tmp_path)
    assert repr(outcome).splitlines()[1].startswith("profanity.toxicity, en: PASSES")
    assert "<li>profanity.toxicity, en: PASSES" in outcome._repr_html_()
    (folder,) = tmp_path.iterdir()
    assert main(["show", str(folder)]) == 0
    assert "texts differ on" in capsys.readouterr().out
    assert lp.read_results(folder).to_frame().is_empty()  # no raters


def test_a_contrast_set_stands_beside_rated_tasks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tasks = ["--tasks", "contrast,plural_demo_toxicity", "--text", "plural_demo_toxicity=response"]
    assert main(["audit", "--scorer", "profanity", *tasks, "--draws", "200", "-o", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "contrast: profanity.toxicity, en: PASSES" in out
    assert len(out.splitlines()) <= 24


def test_no_model_is_asked_a_contrast_set(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["run", "--model", "dummy"], ["run", "--model", "dummy", "--dry_run"]):
        assert main([*words, "--tasks", "contrast"]) == 2
        assert "'contrast' is a contrast set, which tests scorers" in capsys.readouterr().err
    assert main(["validate", "contrast"]) == 0
