"""``lm-plural data export``: the table people may pass on, and the licence that says whether they may."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lm_plural.harness.cli.main import main
from tests.suite import Suite

Capture = pytest.CaptureFixture[str]


def export(suite: Suite, path: Path, *words: str) -> int:
    suite.write()
    return main(["data", "export", "tiny", "--include_path", str(suite.root), "-o", str(path), *words])


def test_a_licence_that_forbids_it_is_one_line_and_nothing_is_written(
    suite: Suite, tmp_path: Path, capsys: Capture
) -> None:
    suite.recipe["licence"] = "none stated"
    assert export(suite, tmp_path / "out.csv") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "licence 'none stated' does not let its texts and ratings be published again" in line
    assert not (tmp_path / "out.csv").exists()
    assert export(suite, tmp_path / "out.csv", "--private") == 0


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_table_is_what_disaggregate_reads(suite: Suite, tmp_path: Path, kind: str) -> None:
    suite.recipe["redistribution"] = "allowed"
    path = tmp_path / f"out.{kind}"
    assert export(suite, path) == 0
    long = pl.read_csv(path) if kind == "csv" else pl.read_parquet(path)
    assert long.columns == ["item_id", "rater_id", "rating", "gender", "race", "prompt_id", "text", "lang"]
    assert long.filter(item_id="i1", rater_id="r2").row(0)[2:5] == (
        3 if kind == "csv" else "3",
        "non_binary|woman",
        "white",
    )
    words = ["--ratings", str(path), "--scale", "1,2,3,4,5", "--axes", "gender", "--min_raters", "1"]
    assert main(["disaggregate", *words, "--inference", "none", "--output_path", str(tmp_path / "block.json")]) == 0
    block = json.loads((tmp_path / "block.json").read_text())
    table = suite.load().table
    assert block["overall"]["n_ratings"] == len(table.ratings)
    assert block["overall"]["mean"] == pytest.approx(1 + table.ratings["level"].mean())
    assert block["axes"]["gender"]["groups"].keys() == table.group_sizes("gender").keys()


FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)"]
PLAIN = ["-5", "+0.5e-3", "a=b", ""]


def test_cells_that_look_like_formulas_read_back_as_they_were_and_are_told(
    suite: Suite, tmp_path: Path, capsys: Capture
) -> None:
    suite.recipe["redistribution"] = "allowed"
    suite.items = [i | {"text": text} for i, text in zip(suite.items, FORMULAS, strict=True)]
    path = tmp_path / "out.csv"
    assert export(suite, path) == 0
    (note,) = capsys.readouterr().err.splitlines()
    assert "note: 16 cells (text) begin like a formula (= + - @)" in note
    assert sorted(pl.read_csv(path)["text"].unique()) == sorted(FORMULAS)
    words = [
        "--dataset",
        "again",
        "--columns",
        "text=text",
        "--scale",
        "1,2,3,4,5",
        "--direction",
        "lower",
        "--to",
        str(tmp_path / "to"),
    ]
    assert main(["data", "import", str(path), *words]) == 0
    rows = tmp_path / "again.csv"
    include = ["--include_path", str(tmp_path / "to")]
    assert main(["data", "export", "again", *include, "--private", "-o", str(rows)]) == 0
    columns = ["item_id", "rater_id", "rating", "text"]
    assert pl.read_csv(rows).select(columns).equals(pl.read_csv(path).select(columns))


@pytest.mark.parametrize("texts", [FORMULAS, PLAIN])
def test_a_guarded_table_has_no_formulas_and_numbers_stay(
    suite: Suite, tmp_path: Path, texts: list[str], capsys: Capture
) -> None:
    suite.items = [i | {"text": text} for i, text in zip(suite.items, texts, strict=True)]
    path = tmp_path / "out.csv"
    assert export(suite, path, "--private", "--guard") == 0
    assert capsys.readouterr().err == ""
    found = pl.read_csv(path, infer_schema=False)["text"].unique(maintain_order=True).fill_null("").to_list()
    assert found == ([f"'{t}" for t in texts] if texts == FORMULAS else texts)


@pytest.mark.parametrize(
    ("words", "path", "expected"),
    [
        (["--dimension", "harn"], "out.csv", "has no ratings on 'harn'; did you mean 'harm'?"),
        ([], "out.txt", "expected a file that ends in .csv or .parquet"),
    ],
)
def test_a_wrong_word_is_one_line(
    suite: Suite, tmp_path: Path, capsys: Capture, words: list[str], path: str, expected: str
) -> None:
    assert export(suite, tmp_path / path, "--private", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
