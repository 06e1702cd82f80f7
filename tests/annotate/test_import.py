"""Imports: identical ratings back, results of the model's own responses, everything refused or counted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lm_plural as lp
from lm_plural.harness.annotate.manifest import read_manifest
from lm_plural.harness.annotate.people import hashed, salt
from lm_plural.harness.annotate.rows import read_csv
from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError, UsageError
from tests.annotate.conftest import level_of

Fill = Callable[..., Path]
KEY = "plural_demo_respond.toxicity"


def imported(folder: Path, ratings: Path, **how: Any) -> dict[str, Any]:
    content = lp.annotate_import(folder, ratings, draws=100, permutations=9, **how).content
    assert content is not None
    return content


def test_what_comes_back_is_what_was_said(exported: Path, fill: Fill) -> None:
    content, m = imported(exported, fill(exported)), read_manifest(exported)
    key = salt([exported])
    rows = [row for _, row in read_csv(exported / "ratings.csv")[1]]
    items = {i.id: i for i in m.items}
    assert len(rows) == 4 * 6
    names = {hashed(f"r{n}", key): f"r{n}" for n in range(4)}
    for row in rows:
        levels = m.dimensions["toxicity"].levels
        assert row["rating"] == level_of(names[row["rater_id"]], row["item_id"], levels)
        assert int(row["order"]) == items[row["item_id"]].position
        assert row["tool"] == "csv"
    text = (exported / "ratings.csv").read_text() + (exported / "raters.csv").read_text()
    assert "r1" not in text
    assert content["counts"] == {"raters who said nothing of themselves": 4}
    assert content["excluded"] == []
    block = content["annotated"][KEY]
    assert (block["n_rated"], block["n_responses"], block["simulated_raters"]) == (12, 48, False)
    assert "strong evidence" in block["notes"][0]


def test_again_has_nothing_to_do(exported: Path, fill: Fill) -> None:
    ratings = fill(exported)
    first = lp.annotate_import(exported, ratings, draws=100, permutations=9)
    again = lp.annotate_import(exported, ratings, draws=100, permutations=9)
    assert (first.new, again.new, again.path) == (True, False, first.path)
    assert "rated by people" in repr(first)


def test_means_over_all_responses(exported: Path, fill: Fill) -> None:
    m = read_manifest(exported)
    texts = {r["id"]: r["response"] for r in map(json.loads, (exported / "items.jsonl").read_text().splitlines())}

    def as_the_scorer(rows: list[dict[str, str]]) -> None:
        rude = {i.id: any(w in texts[i.id] for w in ("stupid", "Damn")) for i in m.items}
        for row in rows:
            if row["item_id"] in rude:
                row["toxicity"] = "5" if rude[row["item_id"]] else "1"

    block = imported(exported, fill(exported, 24, as_the_scorer))["annotated"][KEY]
    assert block["scorer"]["name"] == "profanity.toxicity"
    # which responses are drawn, and so how mild their rude words are, changes with versions
    assert block["scorer"]["correlation"] > 0.4
    powered = block["overall"]["powered"]
    assert powered["n_unrated"] == 36
    assert powered["gain"] > 1
    assert powered["low"] < powered["value"] < powered["high"]
    assert powered["se"] < powered["alone"]["se"]
    results = lp.read_results(exported)
    assert results.tasks == [KEY]
    frame = results.to_frame().filter(pl.col("axis").is_null(), pl.col("measure") == "powered")
    assert frame["value"].to_list() == [powered["value"]]


def test_all_rated_is_plain(run: Path, tmp_path: Path, fill: Fill) -> None:
    folder = tmp_path / "all"
    lp.annotate_export(run, output_path=folder, items=999, items_per_rater=24, raters_per_item=2)
    block = imported(folder, fill(folder, 24))["annotated"][KEY]
    assert block["n_rated"] == block["n_responses"] == 48
    assert "powered" not in block["overall"]
    assert block["overall"]["item_mean"]["low"] is not None


def test_groups_of_raters(exported: Path, fill: Fill, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    said = [f"r{n},{'woman' if n % 4 < 2 else 'Man'},{'black|asian' if n else 'prefer not to say'}" for n in range(47)]
    people.write_text("\n".join(["rater_id,gender,ethnicity", *said, "r47,none of these,"]) + "\n")
    content = imported(exported, fill(exported, 48), raters=people)
    axes = content["annotated"][KEY]["axes"]
    assert {g: v["n_raters"] for g, v in axes["gender"]["groups"].items()} == {"man": 23, "other": 1, "woman": 24}
    assert axes["ethnicity"]["groups"]["undeclared"]["n_raters"] == 2
    assert axes["ethnicity"]["groups"]["black"]["n_raters"] == axes["ethnicity"]["groups"]["asian"]["n_raters"] == 46
    assert axes["gender"]["groups"]["woman"]["powered"]["low"] is not None
    assert axes["gender"]["groups"]["other"]["powered"]["value"] is None
    assert any(r["statistic"] == "item_mean" and r["value"] is not None for r in axes["gender"]["contrasts"])
    people.write_text("rater_id,gender\nr1,womn\n")
    with pytest.raises(PluralError, match=r"people.csv:2: gender is 'womn'; expected one of man, non_binary, woman"):
        imported(exported, fill(exported), raters=people)


def test_prolific_file(exported: Path, fill: Fill, tmp_path: Path) -> None:
    prolific = tmp_path / "prolific.csv"
    rows = ["r0,APPROVED,Male", "r1,RETURNED,Female", "r2,APPROVED,CONSENT_REVOKED", "r3,AWAITING REVIEW,DATA_EXPIRED"]
    prolific.write_text("\n".join(["Participant id,Status,Sex", *rows]) + "\n")
    content = imported(exported, fill(exported, 5), raters=prolific)
    assert sorted(one["why"] for one in content["excluded"]) == ["consent revoked", "submission returned"]
    assert {one["why"]: one["rater_id"] is None for one in content["excluded"]}["consent revoked"]
    assert content["counts"]["raters the platform's file does not name"] == 1
    key = salt([exported])
    kept = {row["rater_id"] for _, row in read_csv(exported / "raters.csv")[1]}
    assert kept == {hashed(r, key) for r in ("r0", "r3", "r4")}
    assert "male" not in (exported / "raters.csv").read_text().lower()  # sex is no gender


def test_failed_checks_and_other_blocks(exported: Path, fill: Fill) -> None:
    m = read_manifest(exported)
    checks = {c.id: c for c in m.checks}
    others = [i.id for i in m.items if i.block == 2]

    def careless(rows: list[dict[str, str]]) -> None:
        wrong = [row for row in rows if row["item_id"] in checks and row["rater_id"] in ("r0", "r1")]
        for row in wrong[:1] + [w for w in wrong if w["rater_id"] == "r1"]:  # r0 fails one, r1 all
            row["toxicity"] = "3"
        rows.append({"rater_id": "r0", "item_id": others[0], "toxicity": "1", "order": "9"})
        rows.append(dict(rows[-2]))

    content = imported(exported, fill(exported, 4, careless))
    assert [one["why"] for one in content["excluded"]] == ["3 attention checks failed"]
    assert content["excluded"][0]["ratings"] == 6
    assert content["counts"] == {
        "ratings that came twice left out": 1,
        "ratings outside the rater's block left out": 1,
        "raters who said nothing of themselves": 3,
        "items with fewer than the 2 raters planned": 6,
    }


def test_refusals(exported: Path, fill: Fill, tmp_path: Path) -> None:
    def refused(message: str, change: Callable[[list[dict[str, str]]], object] | None = None, **how: Any) -> None:
        with pytest.raises(PluralError, match=message):
            imported(exported, fill(exported, 4, change), **how)
        assert not (exported / "ratings.csv").exists()

    refused(r"ratings.csv:2: item 'abc' was not exported here", lambda rows: rows[0].update(item_id="abc"))
    refused(
        r"ratings.csv:2: toxicity of item \w+: '6' is not on the scale 1, 2, 3, 4, 5",
        lambda rows: rows[0].update(toxicity="6"),
    )
    other = {"1": "2", "2": "3", "3": "4", "4": "5", "5": "1"}
    refused(
        r"has toxicity \d and \d of one rater; expected one rating",
        lambda rows: rows.append(rows[0] | {"toxicity": other[rows[0]["toxicity"]]}),
    )
    refused(r"order is 'first'; expected a number", lambda rows: rows[0].update(order="first"))
    refused(r"scorer judge: no scores of toxicity; there are profanity.toxicity", scorer="judge")
    refused(r"no run here", run=tmp_path / "elsewhere")
    with pytest.raises(PluralError, match="not there; expected ratings"):
        imported(exported, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PluralError, match="no ratings here; expected Potato's annotation_output"):
        imported(exported, tmp_path / "empty")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(PluralError, match=r"other.csv:1: columns a, b; expected item_id, toxicity, and rater_id"):
        imported(exported, tmp_path / "other.csv")


def test_the_run_must_be_the_one_exported(exported: Path, fill: Fill, tmp_path: Path, run: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    imported(exported, fill(exported), run=moved)
    journal = moved / "samples_plural_demo_respond.jsonl"
    journal.write_text(journal.read_text().replace("Talk to them calmly.", "Talk to them kindly."))
    with pytest.raises(PluralError, match=r"the response of item \w+ is another text now; ratings speak of what was"):
        imported(exported, fill(exported), run=moved)


def test_the_salt_is_the_users_and_outside(exported: Path, fill: Fill, salt_file: Path, monkeypatch: Any) -> None:
    imported(exported, fill(exported))
    assert salt_file.stat().st_mode & 0o077 == 0
    one = (exported / "ratings.csv").read_text()
    salt_file.unlink()
    imported(exported, fill(exported))
    assert (exported / "ratings.csv").read_text() != one
    monkeypatch.setenv("LM_PLURAL_RATER_SALT", str(exported / "salt"))
    with pytest.raises(UsageError, match="the salt of raters lies in"):
        imported(exported, fill(exported))
    monkeypatch.setenv("LM_PLURAL_RATER_SALT", str(salt_file))
    salt_file.write_text("short")
    with pytest.raises(PluralError, match="not a salt; expected 64 hex digits"):
        imported(exported, fill(exported))


def test_sheets_as_spreadsheets_save_them(exported: Path, tmp_path: Path) -> None:
    m, back = read_manifest(exported), tmp_path / "back"
    back.mkdir()
    for n, sheet in enumerate(sorted((exported / "csv").glob("block_*.csv"))):
        header, rows = read_csv(sheet)
        lines = [";".join(header)]
        for _, row in rows:
            one = m.by_id[row["item_id"]]
            words = {"1": "Strongly disagree", "2": "2.0"}.get(getattr(one, "level", "1"), getattr(one, "level", "1"))
            lines.append(";".join([one.id, "q", '"a;b"', words]))
        (back / f"P{n}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    (back / "about_you.csv").write_text("rater_id;gender\nP0;woman\n", encoding="utf-8-sig")
    content = imported(exported, back)
    assert content["annotated"][KEY]["overall"]["n_ratings"] == 12
    assert {row["rating"] for _, row in read_csv(exported / "ratings.csv")[1]} == {"1"}
    assert content["counts"]["raters who said nothing of themselves"] == 1


def test_one_screen(exported: Path, fill: Fill, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--draws", "100", "--permutations", "9"]
    assert main(["annotate", "import", str(exported), str(fill(exported, 24)), "--simulated", *words]) == 0
    out = capsys.readouterr().out
    assert "SIMULATED RATERS" in out
    assert "strong evidence" not in out
    assert max(map(len, out.splitlines()[:-2])) <= 80
    assert len(out.splitlines()) <= 24
    assert "12 of 48" in out
    assert main(["show", str(exported)]) == 0
    assert "mean over all 48 responses, 12 of them rated; scorer profanity.toxicity" in capsys.readouterr().out
    assert main(["annotate", "import", str(exported), str(exported / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_export_on_the_command_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", "export", str(run), "--tool", "potato", "-o", str(tmp_path / "ex"), "--items", "10"]) == 0
    out = capsys.readouterr().out
    assert "10 of 48 prompts drawn" in out
    assert "potato start config.yaml -p 8000 --host 127.0.0.1" in out
    assert "SIMULATED ratings of plural_demo" in " ".join(out.split())
    assert main(["annotate", "export", str(run), "--tol", "potato"]) == 2
