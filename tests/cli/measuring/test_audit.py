"""``lm-plural audit``: a scorer and tasks in, a table and a results file out, and one clear line for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.result.read import read_content
from tests.suite import Suite

RUDE = ["you are a stupid idiot", "what the hell, damn it", "shut up, you moron", "this is shit"]
KIND = ["what a lovely day", "thank you very much", "the train leaves at nine", "i like your garden"]


class Done(NamedTuple):
    code: int
    out: str
    err: str
    content: dict[str, Any] | None


Audit = Callable[..., Done]


@pytest.fixture
def rated(suite: Suite) -> Suite:
    """Women mind rude texts, men mind nothing in particular; 12 of each."""
    suite.items = [
        {"item_id": f"i{n}", "prompt_id": "p", "text": text, "lang": "en"} for n, text in enumerate((RUDE + KIND) * 2)
    ]
    suite.raters = "rater_id,gender,race\n" + "".join(f"r{j},{'woman' if j % 2 else 'man'},white\n" for j in range(24))
    rows = [(i, j, (i % 8 < 4) == (j % 2 or i % 3 == 0)) for i in range(16) for j in range(24)]
    suite.ratings = "item_id,rater_id,harm\n" + "".join(
        f"i{i},r{j},{(4 if bad else 1) + (i * j) % 3 // 2}\n" for i, j, bad in rows
    )
    suite.task["groups"] = {"axes": ["gender"], "min_raters": 5}
    suite.recipe["warning"] = "Some texts are rude."
    return suite


@pytest.fixture
def audit(rated: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audit:
    """Run the command on the suite and read the latest results."""

    def run(*words: str, scorer: str = "profanity", tasks: str = "tiny_rate") -> Done:
        rated.write()
        out = tmp_path / "out"
        command = ["audit", "--scorer", scorer, "--tasks", tasks, "--include_path", str(rated.root), "-o", str(out)]
        code = main([*command, "--draws", "200", *words])
        printed = capsys.readouterr()
        files = sorted(out.glob("*/results_*.json"))
        return Done(code, printed.out, printed.err, read_content(files[-1]) if files else None)

    return run


def block(done: Done, task: str = "tiny_rate") -> dict[str, Any]:
    assert done.code == 0, done.err
    assert done.content is not None
    found: dict[str, Any] = done.content["audited"][task]
    return found


def refused(done: Done, code: int, *words: str) -> None:
    assert (done.code, done.content, done.out) == (code, None, "")
    *progress, line = done.err.splitlines()
    assert all(p.startswith("lm-plural audit: scoring") for p in progress)
    assert line.startswith("lm-plural audit: error: ")
    for word in words:
        assert word in line


def test_the_file_says_what_was_measured_with_what(audit: Audit) -> None:
    found = audit()
    content, of_task = found.content, block(found)
    assert content is not None
    assert content["scorer"] == {"name": "profanity", "options": {}}
    assert content["datasets"]["tiny"]["licence"] == "Apache-2.0"
    assert content["schema_version"] == 2
    assert (of_task["mode"], of_task["text"], of_task["dimension"]) == ("audit", "text", "harm")
    assert of_task["scorer"]["dimension"] == "toxicity"
    assert of_task["scorer"]["worse"] == "more"
    assert of_task["harmful"]["levels"] == ["4", "5"]
    groups = of_task["axes"]["gender"]["groups"]
    assert groups["woman"]["auc"]["value"] > groups["man"]["auc"]["value"]


def test_the_table_says_for_whom_it_works_worse_and_what_was_used(audit: Audit) -> None:
    out = audit("--tables").out
    lines = out.splitlines()
    assert lines[0] == "tiny_rate: audit of profanity"
    for said in (
        "content note: Some texts are rude.",
        "licence: Apache-2.0",
        "harmful: 4, 5 on 1, 2, 3, 4, 5 (worse than the middle level); score: more toxicity, scaled to 0 to 1",
        "In short, profanity works:",
        "results written to",
    ):
        assert said in out
    short = " ".join(out.split("In short, profanity works:")[1].split("\n\n")[0].split())
    assert "by gender: worse for man than for woman (" in short
    assert max(map(len, lines[:-1])) <= 100  # the last one names the file


def test_the_same_command_again_scores_nothing_and_writes_nothing(audit: Audit, tmp_path: Path) -> None:
    first, again = audit(), audit()
    assert "scoring 16 texts of tiny_rate" in first.err
    assert again.err == ""
    assert "nothing new; the same results are in" in again.out
    assert len(list(tmp_path.glob("out/*/results_*.json"))) == 1
    audit("--harmful", "3")
    assert len(list(tmp_path.glob("out/*/results_*.json"))) == 2
    assert len(list(tmp_path.glob("out/*/scores_tiny_rate.jsonl"))) == 1


def test_options_are_looked_at(audit: Audit) -> None:
    found = block(
        audit(
            "--harmful", "tiny_rate=3", "--thresholds", "0.2,0.7", "--axes", "race", "gender*race",
            "--inference", "items", "--seed", "7", "--limit", "8", "--text", "text",
        )
    )  # fmt: skip
    assert found["harmful"]["levels"] == ["3", "4", "5"]
    assert [t["name"] for t in found["thresholds"]] == ["0.2", "0.5", "0.7", "matched"]
    assert list(found["axes"]) == ["race", "gender & race"]
    assert (found["inference"], found["seed"], found["overall"]["n_items"]) == ("items", 7, 8)
    assert audit("--worse", "less").content != found


def test_less_may_be_worse(audit: Audit) -> None:
    usual, turned = block(audit()), block(audit("--worse", "less"))
    assert turned["overall"]["auc"]["value"] == pytest.approx(1 - usual["overall"]["auc"]["value"])
    assert turned["scorer"]["worse"] == "less"


def test_texts_that_could_not_be_scored_are_counted(audit: Audit, rated: Suite) -> None:
    rated.items[3]["text"] = "  "
    found = block(audit())
    assert found["n_unscored"] == 1
    assert "1 of 16 rated texts left out: no score" in found["notes"]


def test_a_respond_task_is_audited_on_its_reference_responses(audit: Audit, rated: Suite) -> None:
    rated.respond(doc_to_text="{{ prompt_id }}", doc_to_target="text", doc_id="prompt_id")
    assert block(audit())["overall"]["n_items"] == 16


def test_simulated_raters_are_called_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["audit", "--scorer", "profanity", "--tasks", "plural_demo_toxicity", "--text", "response"]
    assert main([*words, "--axes", "gender", "--draws", "100", "--output_path", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "SIMULATED RATERS" in out
    (file,) = tmp_path.glob("*/results_*.json")
    found = read_content(file)["audited"]["plural_demo_toxicity"]
    assert found["simulated_raters"] is True
    assert found["overall"]["auc"]["low"] < found["overall"]["auc"]["value"] < found["overall"]["auc"]["high"]


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--harmful", "9"], 2, ["'9' is not on the scale 1, 2, 3, 4, 5"]),
        (["--harmful", "1"], 2, ["nothing would be harmless"]),
        (["--harmful", "tiny_rat=3"], 2, ["--harmful: 'tiny_rat'", "did you mean 'tiny_rate'"]),
        (["--harmful", "3", "4"], 2, ["--harmful 3 4: expected one for all tasks"]),
        (["--text", "txt"], 2, ["no field 'txt'", "did you mean 'text'"]),
        (["--thresholds", "2"], 2, ["--thresholds 2: expected a number from 0 to 1"]),
        (["--thresholds", "half"], 2, ["--thresholds half"]),
        (["--axes", "gendr"], 2, ["no axis 'gendr'", "did you mean 'gender'"]),
        (["--dimension", "toxicty"], 2, ["no dimension 'toxicty'", "did you mean 'toxicity'"]),
        (["--draws", "3"], 2, ["--draws: '3' is not a whole number from 100 to"]),
        (["--worse", "both"], 2, ["invalid choice: 'both'"]),
        (["--limit", "0"], 2, ["'0' is not a positive count"]),
    ],
)
def test_a_wrong_option_is_one_line(audit: Audit, words: list[str], code: int, expected: list[str]) -> None:
    refused(audit(*words), code, *expected)


@pytest.mark.parametrize(
    ("scorer", "code", "expected"),
    [
        ("profanty", 2, "unknown scorer 'profanty'; did you mean 'profanity'?"),
        ("profanity:level=3", 2, "scorer 'profanity' has no option 'level'"),
        ("profanity:level", 2, "--scorer profanity:level: scorer 'profanity' has no options"),
        ("hf_classifier:model=x", 2, "needs the option 'labels'"),
        ("detoxify:variant=best", 2, "variant='best'"),
    ],
)
def test_a_scorer_that_cannot_be_is_one_line(audit: Audit, scorer: str, code: int, expected: str) -> None:
    refused(audit(scorer=scorer), code, expected)


def test_no_task_or_an_unknown_one_is_one_line(audit: Audit, capsys: pytest.CaptureFixture[str]) -> None:
    refused(audit(tasks="tiny_rat"), 2, "unknown task 'tiny_rat'", "did you mean 'tiny_rate'")
    assert main(["audit", "--scorer", "profanity"]) == 2
    assert "no tasks: give --tasks" in capsys.readouterr().err
    assert main(["audit", "--tasks", "tiny_rate"]) == 2
    assert "--scorer" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_line(
    rated: Suite, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rated.write()
    (tmp_path / "file").write_text("in the way")
    words = ["audit", "--scorer", "profanity", "--tasks", "tiny_rate", "--include_path", str(rated.root)]
    assert main([*words, "-o", str(tmp_path / "file")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_on_real_ratings_of_five_countries_and_of_one(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", str(mirror))
    words = ["audit", "--scorer", "profanity", "--tasks", "popquorn_offensiveness,crehate_hate", "--thresholds", "0.5"]
    assert main([*words, "--axes", "gender", "--draws", "500", "-o", str(tmp_path)]) == 0
    (file,) = tmp_path.glob("*/results_*.json")
    found = read_content(file)["audited"]
    assert found["popquorn_offensiveness"]["overall"]["n_ratings"] == 13_036
    assert found["crehate_hate"]["overall"]["n_items"] == 1_580
    for task in found.values():
        assert 0.5 < task["overall"]["auc"]["low"] < task["overall"]["auc"]["high"] < 0.75
