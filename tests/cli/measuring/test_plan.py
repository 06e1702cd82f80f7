"""``lm-plural plan``: an answer in plain words and as JSON, kept by simulation, and one line for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, count_levels
from lm_plural.harness.statistics.groups.contrasts import families
from lm_plural.harness.statistics.groups.family import Sides
from lm_plural.harness.statistics.inference import Inferring

COMPONENTS = ("--rater_sd", "0.5", "--residual_sd", "0.8", "--item_sd", "0.3")
PILOT = ("--ratings", "pilot.csv", "--scale", "1,2,3,4,5", "--axes", "gender")
POSITIONS = np.arange(-8, 9) / 2


def ratings() -> str:
    rng = np.random.default_rng(0)
    y = 3 + rng.normal(size=(20, 1)) / 2 + 0.5 * rng.normal(size=37) + rng.normal(size=(20, 37))
    level = np.clip(np.rint(y), 1, 5).astype(int)
    groups = ["Woman"] * 18 + ["Man"] * 16 + ["Non-binary"] * 3
    rows = [f"i{i},r{j},{level[i, j]},{g}" for i in range(20) for j, g in enumerate(groups)]
    return "\n".join(["item_id,rater_id,rating,gender", *rows]) + "\n"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pilot.csv").write_text(ratings())
    Path("p.csv").write_text("item_id,prediction\n" + "".join(f"i{i},{i % 5 + 1}\n" for i in range(20)))


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, dict[str, Any]]]:
    """Run the command; return what it prints and the JSON it writes."""

    def run(*words: str) -> tuple[str, dict[str, Any]]:
        assert main(["plan", *words, "-o", "plan.json"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert max(map(len, out.splitlines())) <= 100
        return out, json.loads(Path("plan.json").read_text("utf-8"))

    return run


def share_detected(n_raters: int, n_items: int, gap: float, reps: int = 150) -> float:
    """Return how often the interval of a gap leaves out 0, in drawn studies with the components above."""
    rng, m = np.random.default_rng(1), Membership(np.arange(2 * n_raters), np.repeat([0, 1], n_raters), 2)
    item, rater = (x.ravel() for x in np.indices((n_items, 2 * n_raters)))
    found = 0
    for _ in range(reps):
        y = 0.4 * rng.normal(size=(n_items, 1)) + 0.3 * rng.normal(size=(n_items, 2))[:, m.group] + gap * m.group
        y = y + 0.5 * rng.normal(size=2 * n_raters) + 0.8 * rng.normal(size=(n_items, 2 * n_raters))
        level = np.clip(np.rint(2 * y) + 8, 0, 16).astype(np.int64).ravel()
        coded = Coded(item, rater, level, n_items, 2 * n_raters, POSITIONS)
        sides, one = Sides.of(coded, m, count_levels(coded, m)), np.ones(1, dtype=np.int64)
        e = families(coded, sides, Scaling.plain(POSITIONS), None, one, 0 * one, Inferring(rng, draws=1))["item_mean"]
        found += bool(e.estimates.low[0] > 0 or e.estimates.high[0] < 0)
    return found / reps


def test_planned_raters_and_items_reach_the_power_they_are_planned_for(answer: Any) -> None:
    _, content = answer("--gap", "0.4", "--power", "0.8", *COMPONENTS, "--items", "30", "--raters", "45")
    gap = content["plans"][0]["gaps"][0]
    band = 3 * np.sqrt(0.8 * 0.2 / 150)
    assert share_detected(gap["raters_needed"], 30, 0.4) == pytest.approx(0.8, abs=band)
    assert share_detected(45, gap["items_needed"], 0.4) == pytest.approx(0.8, abs=band)
    assert share_detected(gap["raters_needed"] // 2, 30, 0.4) < 0.8 - band


def test_the_answer_is_one_sentence_then_designs_then_what_is_assumed(answer: Any) -> None:
    out, content = answer("--gap", "0.4", *COMPONENTS, "--items", "40")
    lines = out.splitlines()
    gap = content["plans"][0]["gaps"][0]
    n = gap["raters_needed"]
    assert " ".join(lines[:2]) == (
        "To detect a gap of 0.4 scale points in item_mean between one group and another with power 80 %: "
        f"{n} raters a group with 40 items ({80 * n:,} ratings)."
    )
    assert lines[2] == (
        f"Raters alone set a limit: at least {gap['least_raters']} a group, however many items. "
        f"Items, too: at least {gap['least_items']}."
    )
    head = lines.index("smallest detectable gap (* reaches 0.4, - cannot be reached)")
    assert lines[head + 1].replace(" items", "").split() == ["10", "20", "40", "80", "160", "needed"]
    row = next(line for line in lines if line.startswith(f"{n} raters a group"))
    assert [cell.endswith("*") for cell in row.split()[4:9]] == [False, False, True, True, True]
    for text in ("normal approximation: optimistic below about 10 raters", "every rater rates every item", "1.96"):
        assert text in out
    assert lines[-1] == "answer written to plan.json"
    assert content["components"] == {"rater_sd": 0.5, "residual_sd": 0.8, "item_sd": 0.3}
    assert content["question"]["items"] == 40


def test_what_no_number_reaches_is_said_in_words(answer: Any) -> None:
    out, content = answer("--gap", "0.2", *COMPONENTS, "--items", "10", "--raters", "20")
    gap = content["plans"][0]["gaps"][0]
    assert (gap["raters_needed"], gap["items_needed"], gap["ratings_needed"]) == (None, None, None)
    said = " ".join(out.split())
    assert "with 10 items no number of raters is enough; with 20 raters a group no number of items is enough." in said
    assert f"The design asked about detects {gap['detectable']:.3f}." in said


def test_a_pilot_answers_for_its_own_items_and_raters(answer: Any) -> None:
    out, content = answer("--gap", "0.3", *PILOT)
    plan = content["plans"][0]
    gap = plan["gaps"][0]
    said = " ".join(out.split())
    assert f"in item_mean between Man and Woman with power 80 %: {gap['raters_needed']} raters a group" in said
    assert "with the pilot's 20 items" in said
    assert "with the pilot's 16 and 18 raters no number of items is enough." in said
    assert f"The pilot detects {gap['detectable']:.3f}." in said
    assert "note: groups with fewer than 10 raters left out: Non-binary 3" in said
    assert f"known to about +-{100 * plan['precision']:.0f} %" in said
    assert "designs unlike the pilot's are extrapolations" in said
    assert plan["assumptions"] == [" ".join(a.split()) for a in plan["assumptions"]]
    assert (content["pilot"], plan["axis"], plan["comparisons"]) == ("pilot.csv", "gender", 1)


def test_with_predictions_the_plan_is_for_bias_unless_asked(answer: Any) -> None:
    base = ("--gap", "0.3", *PILOT, "--predictions", "p.csv")
    assert "scale points in bias between" in answer(*base)[0]
    out, content = answer(*base, "--statistic", "rps")
    assert "gap of 0.3 in rps between" in out
    assert "two raters of each group rate" in " ".join(out.split())
    assert content["question"]["statistic"] == "rps"


def test_a_pilot_may_call_its_columns_otherwise(answer: Any) -> None:
    plain, content = answer("--gap", "0.3", *PILOT)
    pl.read_csv("pilot.csv").rename({"item_id": "comment", "rating": "score"}).write_csv("pilot.csv")
    out, other = answer("--gap", "0.3", *PILOT, "--columns", "item_id=comment", "rating=score")
    assert (out, other) == (plain, content)


def test_several_pairs_stand_in_a_table_the_hardest_first(answer: Any) -> None:
    frame = pl.read_csv("pilot.csv", infer_schema=False)
    wave = pl.col("rater_id").str.slice(1).cast(pl.Int64) % 3
    frame.with_columns(wave=pl.format("wave {}", wave)).write_csv("pilot.csv")
    out, content = answer("--gap", "0.3", *PILOT[:-1], "gender,wave")
    first, second = content["plans"]
    assert (first["axis"], second["axis"], len(second["gaps"])) == ("gender", "wave", 3)
    hardest = second["gaps"][0]
    assert f"{hardest['a']} and {hardest['b']} (wave: of 3 pairs the one that needs most)" in " ".join(out.split())
    rows = [line for line in out.splitlines() if line.startswith("wave ")]
    assert [row.split("  ")[0] for row in rows] == [f"{g['a']} - {g['b']}" for g in second["gaps"]]
    assert f"critical value {second['critical']:.2f} for 3 comparisons by max-T" in out
    asked, content = answer("--gap", "0.3", *PILOT[:-1], "wave", "--groups", "wave 0,wave 2", "--comparisons", "4")
    assert [(g["a"], g["b"]) for g in content["plans"][0]["gaps"]] == [("wave 0", "wave 2")]
    assert "critical value 2.50 for 4 comparisons by Bonferroni" in asked


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--gap", "0", *COMPONENTS], "--gap 0: expected a number above 0"),
        (["--gap=-1", *COMPONENTS], "--gap -1: expected a number above 0"),
        (["--gap", "nan", *COMPONENTS], "--gap nan: expected a number above 0"),
        (["--gap", "inf", *COMPONENTS], "--gap inf: expected a number above 0"),
        (["--gap", "wide", *COMPONENTS], "argument --gap: invalid float value: 'wide'"),
        (COMPONENTS, "the following arguments are required: --gap"),
        (["--gap", "1", "--power", "0.4", *COMPONENTS], "--power 0.4: expected a number from 0.5 to below 1"),
        (["--gap", "1", "--power", "1", *COMPONENTS], "--power 1: expected a number from 0.5 to below 1"),
        (["--gap", "1", "--power", "80", *COMPONENTS], "--power 80: expected"),
        (["--gap", "1", "--power", "nan", *COMPONENTS], "--power nan: expected"),
        (["--gap", "1"], "expected a pilot (--ratings, --scale, --axes) or components (--rater_sd, --residual_sd, "),
        (["--gap", "1", "--axes", "gender"], "expected a pilot (--ratings"),
        (["--gap", "1", *PILOT, "--item_sd", "1"], "--item_sd and --ratings: expected a pilot or components, not both"),
        (["--gap", "1", *COMPONENTS, "--axes", "gender"], "--axes goes with --ratings, not with components"),
        (
            ["--gap", "1", *COMPONENTS, "--columns", "rating=score"],
            "--columns goes with --ratings, not with components",
        ),
        (["--gap", "1", *COMPONENTS[:4]], "--item_sd is missing: components are --rater_sd"),
        (["--gap", "1", *COMPONENTS, "--rater_sd=-0.1"], "--rater_sd -0.1: expected a number from 0 to below 1e9"),
        (["--gap", "1", *COMPONENTS, "--item_sd", "nan"], "--item_sd nan: expected a number from 0 to below 1e9"),
        (["--gap", "1", "--rater_sd=0", "--item_sd=0", "--residual_sd=0"], "are all 0: nothing varies"),
        (["--gap", "1", *COMPONENTS, "--statistic", "cliff"], "--statistic cliff: components speak of item_mean only"),
        (["--gap", "1", *PILOT, "--statistic", "divergnce"], "no such statistic; did you mean 'divergence'?"),
        (["--gap", "1", *PILOT, "--statistic", "xyz"], "no such statistic; there are item_mean, bias"),
        (["--gap", "1", *PILOT, "--statistic", "bias"], "--statistic bias needs --predictions"),
        (["--gap", "5", *PILOT], "gap 5: expected at most 4, the largest in item_mean"),
        (["--gap", "1", *PILOT[:2]], "--ratings needs --scale, too"),
        (["--gap", "1", *PILOT[:4]], "--ratings needs --axes, too"),
        (["--gap", "1", *PILOT, "--groups", "Woman"], "--groups: expected two or more different groups"),
        (["--gap", "1", *PILOT, "--groups", "Man,Woma"], "no group 'Woma' on axis gender; did you mean 'Woman'?"),
        (
            ["--gap", "1", *PILOT, "gendre"],
            "pilot.csv:1: no column 'gendre'; did you mean 'gender'?; there are item_id,",
        ),
        (["--gap", "1", *PILOT, "--scale", "1-5"], "--scale 1-5: expected the levels"),
        (["--gap", "1", *COMPONENTS, "--comparisons", "9" * 17], "is not a whole number from 1 to 1000000"),
        (["--gap", "1", *PILOT, "item_id"], "axis 'item_id': expected a column that says something of raters"),
        (["--gap", "1", *PILOT, "race", "--groups", "Man,Woman"], "--groups: expected groups of one axis, there are 2"),
        (["--gap", "1", *COMPONENTS, "--raters", "9"], "--raters 9: expected at least 10"),
        (["--gap", "1", *COMPONENTS, "--items", "1"], "--items 1: expected at least 2"),
        (["--gap", "1", *COMPONENTS, "--items", "0"], "argument --items: '0' is not a whole number from 1 on"),
        (["--gap", "1", *COMPONENTS, "--rater", "20"], "unknown option --rater; did you mean '--raters'"),
    ],
)
def test_a_question_that_cannot_be_answered_is_one_line_and_exit_code_2(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *words]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("lm-plural plan: error: ")
    assert expected in err
    assert (err.count("\n"), out) == (1, "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["--groups", "Man,Non-binary"],
            "two groups of at least 10 raters each are needed to plan from; raters: Non-b",
        ),
        (["--ratings", "none.csv"], "none.csv"),
        (["--scale", "1,2,3"], "expected one of 1, 2, 3"),
        (["--predictions", "none.csv"], "none.csv"),
        (["--output_path", "."], "cannot write"),
    ],
)
def test_files_that_cannot_be_planned_from_are_one_line_and_exit_code_1(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--gap", "0.5", *PILOT, *words]) == 1
    out, err = capsys.readouterr()
    assert expected in err
    assert (err.count("\n"), out) == (1, "")


def test_popquorn_as_a_pilot_in_a_process_of_its_own(command: Any, mirror: Path, tmp_path: Path) -> None:
    names = {"instance_id": "item_id", "user_id": "rater_id", "offensiveness": "rating"}
    raw = pl.read_csv(mirror / "popquorn" / "offensiveness_raw_data.csv", infer_schema=False).rename(names)
    raw.write_csv(tmp_path / "pop.csv")
    pilot = ("--ratings", tmp_path / "pop.csv", "--scale", "1,2,3,4,5", "--axes", "gender,race")
    done = command("plan", "--gap", "0.25", *pilot, "-o", tmp_path / "plan.json")
    assert (done.returncode, done.stderr) == (0, "")
    gender, race = json.loads((tmp_path / "plan.json").read_text())["plans"]
    gap = gender["gaps"][0]
    # 124 men and 131 women already see less than a quarter point; as many raters as needed lie below that.
    assert gap["raters"] == [124, 131]
    assert gap["detectable"] < 0.25
    assert gap["least_raters"] <= gap["raters_needed"] < 124
    assert gap["items_needed"] < gap["items"]
    assert {(g["a"], g["b"]) for g in race["gaps"]} >= {("Black or African American", "White")}
    assert all(g["detectable"] > 0.25 and g["raters_needed"] > 100 for g in race["gaps"])
