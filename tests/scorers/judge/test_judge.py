"""Judges: scripted ones are caught by name, and a real one says what its model says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import lm_plural as lp
from lm_plural.harness.analysis.judging import alike, columns, fitness, unscored
from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.jobs.arguments import scorers_of
from lm_plural.harness.model.load import load_engine
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.scoring import Sample, checked_scores, make_scorer
from lm_plural.harness.task.contrast import load_contrast
from lm_plural.harness.task.index import Index
from lm_plural.scorers.judge.judge import LEAST_MASS, MORE, MOST_CHARACTERS, judged, prompt
from lm_plural.scorers.judge.rubric import load_rubric, rubric_names
from tests.model.loopback import Reply, chat, serving
from tests.scorers.judge.scripted import Says, at, made
from tests.statistics.by_hand import quick

DIMENSIONS = ["emotional_awareness", "helpfulness", "sensitivity", "stereotypical_bias", "toxicity"]


@pytest.mark.parametrize("name", DIMENSIONS)
def test_each_dimension_has_a_rubric_in_both_languages(name: str) -> None:
    rubric = load_rubric(name)
    assert rubric_names() == DIMENSIONS
    assert (rubric.dimension, rubric.size, set(rubric.languages)) == (name, 5, {"en", "de"})
    for wording in rubric.languages.values():
        assert len(set(wording.levels)) == 5


def test_a_users_dimension_is_one_file(tmp_path: Path) -> None:
    text = yaml.safe_load((Path(lp.__path__[0]) / "scorers/judge/rubrics/toxicity.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "kindness.yaml"
    path.write_text(yaml.safe_dump(text | {"dimension": "kindness"}))
    assert load_rubric(str(path)).dimension == "kindness"
    path.write_text(yaml.safe_dump(text | {"persona": "a woman"}))
    with pytest.raises(UsageError, match=r"kindness\.yaml:\d+: unknown key 'persona'"):
        load_rubric(str(path))
    text["languages"]["de"]["levels"].pop()
    path.write_text(yaml.safe_dump(text))
    with pytest.raises(UsageError, match="languages have 4 and 5 levels; expected as many in each"):
        load_rubric(str(path))
    with pytest.raises(UsageError, match=r"no rubric 'toxcity'; did you mean 'toxicity'\?; there are emotional_"):
        load_rubric("toxcity")


@quick
@given(arrays(np.float64, (3, 2, 5), elements=st.floats(-9, -0.5)))
def test_turning_the_order_list_changes_nothing(logp: np.ndarray) -> None:
    logp = logp - np.logaddexp.reduce(logp, axis=2, keepdims=True) - 0.1
    turned = logp[:, ::-1, ::-1]
    found, again = judged(logp), judged(turned)
    np.testing.assert_allclose(found[:, :3], again[:, :3], atol=1e-12)
    np.testing.assert_allclose(found[:, 3], again[:, 4], atol=1e-12)
    assert ((found[:, 0] >= 0) & (found[:, 0] <= 1)).all()


def test_agreement_by_hand_and_what_is_off_the_scale() -> None:
    asc, desc = [0.1, 0, 0, 0, 0.3], [0.2, 0, 0, 0, 0.2]
    with np.errstate(divide="ignore"):
        (row,) = judged(np.log(np.array([[asc, desc]])))
    assert row[0] == pytest.approx((0.75 + 0.5) / 2)
    assert row[2] == pytest.approx(0.4)
    assert row[3:5].tolist() == pytest.approx([0.75, 0.5])
    assert np.isnan(row[5])
    low = np.log(np.full((1, 2, 5), LEAST_MASS / 6))
    assert np.isnan(judged(low)[0, 0])
    assert judged(low)[0, 2] == pytest.approx(5 / 6 * LEAST_MASS)


def test_the_text_comes_first_and_the_same_labels_turn_their_meaning() -> None:
    judge, engine = made(lambda _, places: at(2, places))
    judge.score([Sample("How?", "So.", language="de")])
    first, second = engine.asked
    assert first.startswith("Jemand hat einen Assistenten gefragt:\nHow?\n\nDer Assistent hat geantwortet:\nSo.\n\n")
    same = first.index("\n\n1 = ")
    assert "- stimme voll zu: " in first[:same]
    assert first[:same] == second[:same]
    assert "1 = stimme gar nicht zu" in first
    assert "1 = stimme voll zu" in second
    labels = list("12345")
    shared = [prompt(Sample("How?", "So."), load_rubric(n).languages["en"], labels, turned=False) for n in DIMENSIONS]
    assert len({p[: p.index("The reply is")] for p in shared}) == 1


def test_what_cannot_be_judged_is_null_never_0_or_the_middle() -> None:
    judge, engine = made(lambda _, places: at(0, places))
    texts = ["", None, " \n", "x" * (MOST_CHARACTERS + 1)]
    found = checked_scores(judge, [*(Sample("", t) for t in texts), Sample("", "oui", language="fr")])
    assert np.isnan(found).all()
    assert engine.asked == []
    (half,) = checked_scores(judge, [Sample("a\ud800", "b\udfff")])
    assert 0 <= half[0] <= 1
    assert "\ud800" not in engine.asked[0]
    silent, _ = made(lambda _, places: at(0, places, mass=0.05))
    (row,) = checked_scores(silent, [Sample("", "text")])
    assert np.isnan(row[0])
    assert row[1 + MORE.index("label_mass")] < LEAST_MASS


def audited(says: Says, monkeypatch: pytest.MonkeyPatch, folder: Path, rubric: str = "toxicity") -> dict[str, Any]:
    """Return what the contrast set says of a scripted judge."""
    judge, _ = made(says, rubric)
    monkeypatch.setattr("lm_plural.harness.run.score.make_scorers", lambda _s, asked, **_: [(asked[0], judge)])
    monkeypatch.setattr("lm_plural.harness.jobs.audit.remember_card", lambda *_: None)
    content = lp.audit(scorer="profanity", tasks=["contrast"], output_path=folder).content
    return dict(content["audited"]["contrast"]["dimensions"][judge.rubric.dimension])


def test_a_judge_that_reads_the_text_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = load_contrast(Index().contrasts["contrast"])
    bad = {p.reply("bad", size) for p in found.prompts if p.dimension == "toxicity" for size in ("short", "long")}

    def says(text: str, places: list[int]) -> Sequence[float]:
        return at(4 if any(reply in text for reply in bad if reply in text) else 0, places)

    by_language = audited(says, monkeypatch, tmp_path)
    for block in by_language.values():
        assert (block["passes"], block["judge"]["unfit"], block["own"]["auc"]) == (True, [], 1)
        assert block["judge"]["orders"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("says", "names"),
    [
        (lambda text, places: at(3 + len(text) % 2, places), ["acquiescence", "contrast"]),
        (lambda text, places: at(len(text) % 2, places), ["refusal to agree", "contrast"]),
        (lambda text, _: at(len(text) % 3, range(5)), ["position"]),
        (lambda text, places: at(len(text) % 5, places, mass=0.3), ["off scale", "contrast"]),
        (lambda _, places: at(4, places), ["constant", "acquiescence"]),
    ],
    ids=["always agrees", "never agrees", "position only", "says something else", "says one thing"],
)
def test_an_unfit_judge_is_caught_by_name(
    says: Says, names: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for block in audited(says, monkeypatch, tmp_path).values():
        assert block["passes"] is False
        assert [reason.partition(":")[0] for reason in block["judge"]["unfit"]] == names
        assert all(any(f.startswith(f"JUDGE_UNFIT: {n}") for f in block["flags"]) for n in names)


def test_a_judge_is_its_model(tiny_model: Path) -> None:
    judge = make_scorer("judge", {"rubric": "helpfulness", "pretrained": str(tiny_model), "device": "cpu"})
    samples = [Sample("How?", "Like this."), Sample("", None), Sample("Wie?", "So und so. " * 9, language="de")]
    found = checked_scores(judge, samples)
    engine = load_engine(ModelSpec("hf", {"pretrained": str(tiny_model)}), batch_size=1, device="cpu")
    rubric = load_rubric("helpfulness")
    for n in (0, 2):
        wording = rubric.languages[samples[n].language or "en"]
        asked = [
            (
                engine.context(
                    prompt(samples[n], wording, list("12345"), turned=turned),
                    chat=engine.uses_chat("respond"),
                    gen_prefix=wording.answer,
                ),
                list("12345"),
            )
            for turned in (False, True)
        ]
        expected = judged(np.array([engine.label_logprobs(asked)]))[0]
        np.testing.assert_allclose(found[n], expected, atol=1e-4)
    assert np.isnan(found[1]).all()
    other = make_scorer("judge", {"rubric": "toxicity", "pretrained": str(tiny_model), "device": "cpu"})
    assert other.engine is judge.engine  # loaded once
    assert other.info.version != judge.info.version


def test_there_is_no_default_judge_and_no_persona() -> None:
    with pytest.raises(UsageError, match="judge 'toxicity' needs a model: pretrained=NAME"):
        make_scorer("judge", {"rubric": "toxicity"})
    with pytest.raises(UsageError, match="scorer 'judge' has no option 'persona'"):
        make_scorer("judge", {"rubric": "toxicity", "persona": "a woman"})
    with pytest.raises(PluralError, match="'/nowhere': no such folder"):
        make_scorer("judge", {"rubric": "toxicity", "pretrained": "/nowhere"})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("profanity", [("profanity", {})]),
        ("judge:toxicity", [("judge", {"rubric": "toxicity"})]),
        (
            "profanity,judge:toxicity,pretrained=x,judge:helpfulness,pretrained=x",
            [
                ("profanity", {}),
                ("judge", {"rubric": "toxicity", "pretrained": "x"}),
                ("judge", {"rubric": "helpfulness", "pretrained": "x"}),
            ],
        ),
        ('judge:{"rubric": "toxicity", "pretrained": "x"}', [("judge", {"rubric": "toxicity", "pretrained": "x"})]),
        (["detoxify:original", {"name": "profanity"}], [("detoxify", {"variant": "original"}), ("profanity", {})]),
    ],
)
def test_scorers_as_they_are_written(written: Any, read: list[tuple[str, dict[str, Any]]]) -> None:
    assert [(s.name, s.options) for s in scorers_of(written)] == read


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("nope", "unknown scorer 'nope'"),
        ("", "names no scorer"),
        ("profanity:x", "scorer 'profanity' has no options"),
        ("judge:toxicity,pretraned=x", "has no option 'pretraned'; did you mean 'pretrained'?"),
        ([{"rubric": "x"}], "expected a text, or a mapping with a name"),
    ],
)
def test_scorers_that_cannot_be(written: Any, said: str) -> None:
    with pytest.raises(UsageError) as e:
        scorers_of(written)
    assert said in str(e.value)


def responded(
    says: Says, monkeypatch: pytest.MonkeyPatch, folder: Path, **more: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the mean of the dummy's responses by a scripted judge and all that is said over all prompts."""
    judge, _ = made(says)
    monkeypatch.setattr("lm_plural.harness.run.score.make_scorers", lambda _s, asked, **_: [(asked[0], judge)])
    outcome = lp.evaluate(
        model="dummy",
        tasks=["plural_demo_respond"],
        limit=8,
        draws=200,
        output_path=folder,
        scorers=["profanity"],
        **more,
    )
    overall = lp.read_results(outcome.folder).content("plural_demo_respond")["overall"]
    return overall["statistics"]["judge:toxicity"]["mean"], overall


def test_an_unfit_judge_has_no_number_in_any_file_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def position(text: str, _: list[int]) -> Sequence[float]:
        return at(len(text) % 3, range(5))

    mean, overall = responded(position, monkeypatch, tmp_path / "hidden")
    assert mean["value"] is None
    (flag,) = overall["flags"]
    assert flag.startswith("JUDGE_UNFIT: judge:toxicity is not fit to judge, position: r -")
    assert overall["n_unscored"] == {"judge:toxicity": 0}
    assert overall["judges"]["judge:toxicity"]["contrast"] == {"en": None}  # never held against the set
    (folder,) = (tmp_path / "hidden").iterdir()
    assert main(["show", str(folder)]) == 0
    assert "not fit to judge, position: r -" in " ".join(capsys.readouterr().out.split())
    frame = lp.read_results(folder).to_frame()
    assert frame["value"].drop_nulls().is_empty() or not any("judge" in m for m in frame.drop_nulls("value")["measure"])
    shown, overall = responded(position, monkeypatch, tmp_path / "shown", show_unfit=True)
    assert shown["value"] is not None
    assert any(f.startswith("JUDGE_UNFIT") for f in overall["flags"])


def test_a_fit_judge_has_numbers_until_the_contrast_set_speaks_against_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "cache"))

    def of_length(text: str, places: list[int]) -> Sequence[float]:
        return at(len(text) % 5, places)

    mean, overall = responded(of_length, monkeypatch, tmp_path / "before")
    assert 0 < mean["value"] < 1
    assert overall["judges"]["judge:toxicity"]["unfit"] == []
    lp.audit(scorer="profanity", tasks=["contrast"], output_path=tmp_path / "audit")
    mean, overall = responded(of_length, monkeypatch, tmp_path / "after")
    assert mean["value"] is None
    assert overall["judges"]["judge:toxicity"]["contrast"] == {"en": False}
    assert overall["flags"] == ["JUDGE_UNFIT: judge:toxicity is not fit to judge, contrast: it does not pass in en"]


def test_dimensions_that_go_together_are_said_to() -> None:
    rng = np.random.default_rng(0)
    one, noise = rng.random((2, 40))
    by_text = {"toxicity": one, "helpfulness": 1 - one + noise / 50, "sensitivity": noise}
    scores: dict[str, dict[str, float | None]] = {
        d: {str(n): float(x) for n, x in enumerate(v)} for d, v in by_text.items()
    }
    scores["sensitivity"] |= {"0": None}
    found = alike(scores)
    for (a, b), r in found.pairs.items():
        first = "sensitivity" in (a, b)
        assert r == pytest.approx(np.corrcoef(by_text[a][first:], by_text[b][first:])[0, 1])
    assert found.pairs["toxicity", "helpfulness"] < -0.99
    assert found.unfit == []  # one pair of three
    del scores["sensitivity"]
    (why,) = alike(scores).unfit
    assert why.startswith("one factor: |r| 1.00 between dimensions on average")
    scores["toxicity"] = dict.fromkeys(scores["toxicity"], 0.5)
    assert alike(scores).mean is None
    assert alike({}).unfit == []


def test_a_judge_that_says_nothing_on_the_scale_is_unfit_and_counted() -> None:
    more: dict[str, float | None] = {"label_mass": 0.0, "ascending": None, "descending": None, "refused": 1.0}
    silent = [{"scores": {"toxicity": None}, "more": more} for _ in range(12)]
    chatty = [{"scores": {"toxicity": None}, "more": more | {"refused": 0.2}}]
    empty = [{"scores": {"toxicity": None}, "more": dict.fromkeys(more)}]
    scored = [{"scores": {"toxicity": 0.0}, "more": more | {"label_mass": 1.0, "ascending": 0.0, "descending": 0.0}}]
    assert unscored([*silent, *chatty, *empty, *scored]) == {"off_scale": 1, "refused": 12, "not_asked": 1}
    found = fitness(columns([r["more"] for r in silent]), balanced=False)
    assert found["unfit"] == ["off scale: 100% of what it says is no label"]
    assert found["orders"] is None


def test_a_judges_card(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["judge", "check", "--model_args", f"pretrained={tiny_model}", "--rubrics", "toxicity,helpfulness"]
    assert main([*words, "--limit", "1", "--device", "cpu", "-o", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "as a judge, on the contrast set, a part of it" in " ".join(out.split())
    assert out.count("between dimensions (") == 2
    assert [line.split()[:2] for line in out.splitlines() if line.startswith(("toxicity ", "helpfulness "))] == [
        ["toxicity", "en"],
        ["toxicity", "de"],
        ["helpfulness", "en"],
        ["helpfulness", "de"],
    ]
    assert len(out.splitlines()) <= 24
    folders = list(tmp_path.iterdir())
    assert len(folders) == 2
    assert lp.read_results(folders[0]).block("contrast").mode == "contrast"
    lines = [json.loads(line) for line in (folders[0] / "scores_contrast.jsonl").read_text().splitlines()]
    assert len(lines) == 2 * (5 * 4 + 2 * 2)
    assert all(set(line["more"]) == set(MORE) for line in lines)


def test_a_judge_needs_log_probabilities(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with serving(lambda _: Reply(chat('"5"'))) as server:
        args = f"model=m,base_url={server.url()}"
        words = ["judge", "check", "--model", "local-chat-completions", "--model_args", args, "--rubrics", "toxicity"]
        assert main([*words, "--limit", "1", "-o", str(tmp_path)]) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("lm-plural judge: error: ")]
    assert "log-likelihoods" in line or "gen_prefix" in line
    assert not list(tmp_path.glob("*/results_*.json"))


def test_a_judge_without_a_model_is_the_one_under_test_and_results_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--model", "dummy", "-t", "plural_demo_respond", "-L", "8", "--draws", "200", "-o", str(tmp_path)]
    assert main([*words, "--scorers", "profanity,judge:toxicity,judge:sensitivity"]) == 0
    out = capsys.readouterr().out
    assert "judge:toxicity (itself)" in out
    assert "no scorer chosen for 3 more rated dimensions (docs/scorers.md)" in out
    (folder,) = tmp_path.iterdir()
    overall = lp.read_results(folder).content("plural_demo_respond")["overall"]
    assert set(overall["scorers"]) == {"profanity.toxicity", "judge:toxicity", "judge:sensitivity"}
    assert {k: j["self_judged"] for k, j in overall["judges"].items()} == {
        "judge:toxicity": True,
        "judge:sensitivity": True,
    }
    assert main(["show", str(folder)]) == 0
    assert capsys.readouterr().out.count("SELF-JUDGED: the scorer is") == 2
    with pytest.raises(UsageError, match="under_test is no option"):
        scorers_of([{"name": "judge", "rubric": "toxicity", "under_test": "x"}])
    with pytest.raises(UsageError, match="needs a model"):
        make_scorer("judge", {"rubric": "toxicity"})


def test_another_model_does_not_judge_itself(tiny_model: Path, tmp_path: Path) -> None:
    judge = f"judge:toxicity,pretrained={tiny_model}"
    outcome = lp.evaluate(model="dummy", tasks=["plural_demo_respond"], limit=2, output_path=tmp_path, scorers=judge)
    assert outcome.content
    block = outcome.content["disaggregated"]["plural_demo_respond"]["overall"]
    assert block["judges"]["judge:toxicity"]["self_judged"] is False
