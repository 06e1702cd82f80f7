"""A lens from ratings to predictions: what it writes, what it refuses, and by which code."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.jobs.lens import lens_fit, lens_predict, lens_rank, lens_show
from lm_plural.harness.lens.card import ARRAYS, CARD, Lens
from tests.conftest import ROOT

Capture = pytest.CaptureFixture[str]
#: Every code that a card has to speak of.
CODES = {
    "LENS_NO_SKILL",
    "LENS_NO_SHIFT",
    "LENS_NO_GAP",
    "LENS_NOT_TRANSPORTED",
    "OOD_ITEM",
    "SHIFT",
    "UNRELIABLE_REF",
    "CALIB",
    "LABEL_LEAK",
    "SCORER_CHANGED",
    "LANGUAGE",
}


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lens")
    lens_fit("plural_demo", dimension="toxicity", axes=["gender"], output_path=folder, exchanges=39)
    return folder


def texts(tmp_path: Path, *rows: tuple[str, str | None, str]) -> Path:
    path = tmp_path / "responses.csv"
    pl.DataFrame(rows, schema=["item_id", "response", "language"], orient="row").write_csv(path)
    return path


GOOD = ("a", "I would ask your neighbour first, and then talk it over calmly.", "en")
BAD = ("b", "Shut up, you stupid idiot, nobody cares what you think about it.", "en")


def test_a_card_speaks_of_every_rule_and_says_that_it_predicts(lens: Path, capsys: Capture) -> None:
    card = lens_show(lens).card
    assert {f.code for f in card.findings} == CODES
    assert card.simulated
    assert main(["lens", "show", str(lens)]) == 0
    out = capsys.readouterr().out
    assert all(code in out for code in CODES)
    assert "SIMULATED RATERS" in out
    assert "predicted, by a model of ratings: no person said it" in out


def test_the_same_call_gives_the_same_lens_but_for_its_salt(lens: Path, tmp_path: Path) -> None:
    again = lens_fit("plural_demo", dimension="toxicity", axes=["gender"], output_path=tmp_path, exchanges=39)
    left, right = (c.model_dump(exclude={"salt", "arrays"}) for c in (again.card, lens_show(lens).card))
    assert left == right


def test_responses_of_a_model_have_an_order_and_no_numbers(lens: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "first.csv"
    assert main(["lens", "predict", str(lens), str(texts(tmp_path, GOOD, BAD)), "-o", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "not validated for model responses" in said
    assert "PREDICTED" in said
    frame = pl.read_csv(out)
    assert frame["item_id"].to_list() == ["b", "a"]
    assert frame["predicted_mean"].null_count() == 2
    assert set(frame["refused"]) <= CODES


def test_texts_of_the_same_kind_have_numbers_without_an_interval(lens: Path, tmp_path: Path) -> None:
    found = lens_predict(lens, texts(tmp_path, GOOD, BAD, ("c", " ", "en"), ("d", "Hallo", "de")), same_kind=True)
    rows = {r["item_id"]: r for r in found.to_frame().iter_rows(named=True)}
    assert rows["d"]["refused"] == "LANGUAGE"
    assert rows["c"]["refused"] == "NO_SCORE"
    assert rows["c"]["predicted_mean"] is rows["d"]["predicted_mean"] is None
    if not found.predicted.hidden:
        assert rows["b"]["predicted_mean"] > rows["a"]["predicted_mean"]
    assert not found.predicted.interval


def test_a_run_is_ranked(lens: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["run", "--model", "dummy", "-t", "plural_demo_respond", "-L", "6", "--predict_only", "-o", str(tmp_path)]
    assert main(words) == 0
    (run,) = tmp_path.iterdir()
    capsys.readouterr()
    found = lens_rank(lens, run)
    assert sorted(found.order) == list(range(len(found.ids)))
    assert main(["lens", "rank", str(lens), str(run)]) == 0
    assert "to be rated first" in capsys.readouterr().out
    assert not list(run.glob("results_*")), "what a lens says stands in no results"


def test_texts_it_was_fitted_on_and_another_scorer_stop_it(lens: Path, tmp_path: Path) -> None:
    items = [json.loads(line) for line in (ROOT / "tasks/plural_demo/items.jsonl").read_text().splitlines()]
    known = next(i["response"] for i in items if i["language"] == "en")
    with pytest.raises(PluralError, match=r"^LABEL_LEAK: 1 of 2 texts \(the first: 'x'\)"):
        lens_predict(lens, texts(tmp_path, GOOD, ("x", known, "en")))
    loaded = Lens.load(lens)
    changed = loaded.card.model_copy(update={"versions": {"profanity": "0"}})
    Lens(changed, loaded.arrays).save(tmp_path / "old")
    with pytest.raises(PluralError, match=r"^SCORER_CHANGED: profanity is "):
        lens_predict(tmp_path / "old", texts(tmp_path, GOOD))


def test_damaged_and_missing_files_are_one_line(lens: Path, tmp_path: Path) -> None:
    with pytest.raises(PluralError, match=r"lens.json: no lens here"):
        lens_show(tmp_path)
    (tmp_path / CARD).write_text("{}")
    with pytest.raises(PluralError, match=r"lens.json: not a lens: \w+: Field required"):
        lens_show(tmp_path)
    (tmp_path / CARD).write_bytes((lens / CARD).read_bytes())
    (tmp_path / ARRAYS).write_bytes((lens / ARRAYS).read_bytes()[:-1])
    with pytest.raises(PluralError, match=r"lens.safetensors: sha256 is \w+, expected"):
        lens_show(tmp_path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"dataset": "plural_dem"}, "unknown data set 'plural_dem'; did you mean 'plural_demo'"),
        ({"dimension": "toxicty"}, "no ratings on 'toxicty'; did you mean 'toxicity'"),
        ({"axes": ["gendr"]}, "no axis 'gendr'; did you mean 'gender'"),
        ({"text": "reply"}, "text reply: items have no such field"),
        ({"exchanges": 3}, "exchanges 3: expected at least 39"),
        ({"scorers": ["profanty"]}, "unknown scorer 'profanty'"),
        ({"embedding": "/nowhere"}, "embedding '/nowhere': no file"),
    ],
)
def test_an_argument_that_cannot_be_is_one_line(words: dict[str, object], expected: str, tmp_path: Path) -> None:
    said = {"dataset": "plural_demo", "dimension": "toxicity", "axes": ["gender"], "output_path": tmp_path / "x"}
    said |= words
    with pytest.raises(UsageError, match=expected) as caught:
        lens_fit(str(said.pop("dataset")), **said)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()
